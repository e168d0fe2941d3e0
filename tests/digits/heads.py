"""The networks behind the dumped features, for `featcodec train --head` and `eval --head`.

Usage: PYTHONPATH=tests/digits featcodec train tests/digits/*_train.safetensors --head heads:logits
"""

from functools import cache

import torch
from safetensors.torch import load_file
from torch import Tensor
from train import HERE, CnnTail, VitTail


@cache
def tail(task: str) -> torch.nn.Module:
    """Return the module behind the features of a task, with its stored weights."""
    module: CnnTail | VitTail
    if task == "cnn":
        module = CnnTail().eval()
        module.block.fold()
    else:
        module = VitTail().eval()
    weights = load_file(HERE / f"{task}_tail.safetensors")
    module.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return module


def logits(dump: str, features: Tensor) -> Tensor:
    """Return the logits [N, 10] of features as they are dumped."""
    found: Tensor = tail(dump.partition("_")[0])(features)
    return found
