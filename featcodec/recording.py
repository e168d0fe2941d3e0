"""`featcodec.torch.record`: what layers of a model put out, to a writer."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from .arguments import a_kind
from .errors import InvalidInput


@contextmanager
def record(model: Any, layers: Mapping[str, str], writer: Any) -> Iterator[Any]:
    """Add the outputs of layers to a `featcodec.Writer` whenever the model runs.

    Args:
        model: A torch module.
        layers: The name of a tensor by that of the layer, one of `model.named_modules()`. Of a
            layer that puts out several tensors it is the first.
        writer: What they are added to; it gives back itself.

    Raises:
        InvalidInput: For a layer that the model does not have, what gives no names by layers, and
            what is no module or no writer.

    >>> import torch
    >>> from featcodec import Writer
    >>> from featcodec.torch import record
    >>> model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.ReLU())
    >>> with Writer("hidden.fcz", snr=10) as writer, record(model, {"1": "hidden"}, writer):
    ...     for _ in range(4):
    ...         y = model(torch.randn(8, 16))
    """
    if not isinstance(layers, Mapping):
        raise InvalidInput(
            f"layers is {a_kind(layers)}; give tensors' names by layers: {{'1': 'hidden'}}"
        )
    if not hasattr(model, "named_modules"):
        raise InvalidInput(f"model is {a_kind(model)}; give a torch.nn.Module")
    if not hasattr(writer, "add"):
        raise InvalidInput(
            f"writer is {a_kind(writer)}; open one first: with featcodec.Writer(PATH,"
            " snr=10) as writer"
        )
    modules = dict(model.named_modules())
    with ExitStack() as stack:
        for layer, name in layers.items():
            if layer not in modules:
                raise InvalidInput(f"the model has no layer {layer!r}; named_modules() lists them")
            handle = modules[layer].register_forward_hook(_adding(writer, name))
            stack.callback(handle.remove)
        yield writer


def _adding(writer: Any, name: str) -> Callable[[Any, Any, Any], None]:
    def hook(_module: Any, _inputs: Any, output: Any) -> None:
        writer.add({name: output if hasattr(output, "detach") else output[0]})

    return hook
