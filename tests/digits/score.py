"""A task for `featcodec eval`: the top-1 accuracy that is left of decoded features.

Usage: PYTHONPATH=tests/digits featcodec eval tests/digits/*_eval.safetensors --task score:top1 ...
"""

from typing import Any

from tails import accuracy


def top1(dump: str, tensors: dict[str, Any]) -> float:
    """Return the accuracy of a network's tail on the features of `cnn_eval` or `vit_eval`."""
    features, labels = tensors["features"].numpy(), tensors["labels"].numpy()
    return accuracy(dump.partition("_")[0], features, labels)
