"""How much the outputs of a network react to its features: gradients, without any labels.

For class outputs they are those of the Fisher information: y is drawn from the classes that the
network itself predicts, and the gradient is that of log p(y | x); the mean of (g'e)^2 / 2 is then
the KL divergence that a small error e causes (Amari, "Natural gradient works efficiently in
learning", Neural Computation 1998). For embeddings outputs are projected on random directions.
"""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch

from .arguments import whole
from .errors import InvalidInput

OUTPUTS = ("classes", "embedding")
Head = Callable[[torch.Tensor], torch.Tensor]
Progress = Callable[[int], None]


def sensitivity(
    head: Head,
    features: torch.Tensor | np.ndarray,
    outputs: str = "classes",
    draws: int = 4,
    seed: int = 0,
    batch: int | None = 64,
    progress: Progress | None = None,
) -> torch.Tensor:
    """Return gradients by which `train --gradients` learns what the outputs react to.

    Args:
        head: The rest of the network: features to outputs, as a module or any function.
        features: Samples along the first axis, a tensor or an array of NumPy, of any floating type;
            they go through in float32.
        outputs: `classes` for logits (N, K), of which a single one is that of yes, as
            binary_cross_entropy_with_logits takes it; `embedding` for vectors (N, K) whose squared
            error counts: normalise them in `head` where cosines count.
        draws: Gradients for each sample.
        seed: Of what is drawn.
        batch: Samples at once; None when all of `features` is one sample, with one output (K,).
        progress: Is told how many samples each batch held.

    Returns:
        float32 (draws, *features.shape), on the CPU.

    Raises:
        InvalidInput: For other outputs, for some not finite, and for what no gradient comes back
            from.

    >>> import torch
    >>> from featcodec.torch import sensitivity
    >>> sensitivity(torch.nn.Linear(8, 3), torch.ones(5, 8), draws=2).shape
    torch.Size([2, 5, 8])
    """
    if outputs not in OUTPUTS:
        raise InvalidInput(f"outputs {outputs!r}: use one of {', '.join(OUTPUTS)}")
    whole("draws", draws, 1)
    features = _tensor_of(features)
    found = torch.empty((draws, *features.shape))
    generator = torch.Generator().manual_seed(seed)
    for part in _batches(features, batch):
        x = features[part].detach().float().requires_grad_()
        with torch.enable_grad():
            y = _outputs(head(x), len(x), batch)
            for draw in range(draws):
                (g,) = torch.autograd.grad(
                    _drawn(y, outputs, generator), x, retain_graph=True, allow_unused=True
                )
                if g is None:
                    raise InvalidInput("the outputs of the head do not depend on the features")
                found[draw, part] = g.cpu()
        if progress:
            progress(1 if batch is None else len(x))
    return found


def _tensor_of(features: object) -> torch.Tensor:
    """Return features as a tensor; raise InvalidInput for what holds none."""
    found = features
    if isinstance(found, np.ndarray):
        native = found.dtype.newbyteorder("=")
        with contextlib.suppress(TypeError):  # of a type that torch does not take from NumPy
            found = torch.from_numpy(np.require(found, native, ["C", "W"]))
    if not isinstance(found, torch.Tensor) or not found.is_floating_point():
        kind = getattr(features, "dtype", type(features).__name__)
        raise InvalidInput(f"features of {kind}: give a tensor of floats, or such a NumPy array")
    return found


def _batches(features: torch.Tensor, batch: int | None) -> Iterator[slice]:
    if batch is None:
        yield slice(None)
        return
    for start in range(0, len(features), batch):
        yield slice(start, start + batch)


def _outputs(y: torch.Tensor, samples: int, batch: int | None) -> torch.Tensor:
    """Return outputs (samples, K); raise InvalidInput for what they cannot be."""
    wanted = 1 if batch is None else 2
    if not isinstance(y, torch.Tensor) or y.ndim != wanted or (wanted == 2 and len(y) != samples):
        shape = list(y.shape) if isinstance(y, torch.Tensor) else type(y).__name__
        axes = "[K]" if batch is None else f"[{samples}, K]"
        raise InvalidInput(f"the head returns {shape}; outputs must be {axes}")
    if not y.requires_grad:
        raise InvalidInput("no gradient comes back from the head: call it without no_grad")
    if not torch.isfinite(y).all():
        raise InvalidInput("the head returns outputs that are not finite, on features as dumped")
    return y.float().reshape(1 if batch is None else samples, -1)


def log_probabilities(y: torch.Tensor) -> torch.Tensor:
    """Return those of classes, of logits (N, K); a single logit is that of yes, beside 0 for no."""
    both = torch.cat([torch.zeros_like(y), y], 1) if y.shape[1] == 1 else y
    return torch.log_softmax(both, 1)


def _drawn(y: torch.Tensor, outputs: str, generator: torch.Generator) -> torch.Tensor:
    """Return the sum over samples of what the gradient is drawn of."""
    if outputs == "classes":
        logs = log_probabilities(y)
        drawn = torch.multinomial(logs.detach().exp().cpu(), 1, generator=generator)
        return logs.gather(1, drawn.to(y.device)).sum()
    directions = torch.randn(y.shape, generator=generator)
    return (y * directions.to(y.device)).sum()
