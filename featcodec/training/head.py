"""Gradients of the rest of a network, taken while its features are read."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..encoding.tensors.group import Group
from ..encoding.tensors.wholes import has_samples, wholes
from ..numpy import Arrays
from ..sensitivity import sensitivity
from ..tensors import Source
from ..torch.tensors import from_stored


@dataclass(frozen=True)
class Head:
    """A function of a dump's stem and of one feature tensor; what it returns, and how it counts."""

    function: Callable[[str, torch.Tensor], torch.Tensor]
    outputs: str
    weight: float = 1.0  # among other heads


@dataclass(frozen=True)
class HeadGradients:
    """Makes the gradients of dumps with one or several heads."""

    heads: Sequence[Head]
    draws: int  # of each
    seed: int
    progress: Callable[[int], None] | None = None  # is told how many values are done

    def __call__(self, source: Source, groups: Sequence[Group]) -> tuple[str, Source]:
        """Return a name and the gradients of all tensors of the groups of a dump."""
        stem = Path(getattr(source, "path", "dump")).stem
        found = [self._of(head, i, stem, source, groups) for i, head in enumerate(self.heads)]
        if len(found) > 1:
            found = balanced(found, [head.weight for head in self.heads])
        joined = {name: np.concatenate([each[name] for each in found]) for name in found[0]}
        return f"the head on {stem}", Arrays({n: (a, "F32") for n, a in joined.items()}, None)

    def _of(
        self, head: Head, number: int, stem: str, source: Source, groups: Sequence[Group]
    ) -> dict[str, np.ndarray]:
        """Return the gradients (draws, *shape) of one head by tensor."""
        tensors = {tensor.name: tensor for tensor in source.tensors}
        found: dict[str, np.ndarray] = {}
        for group in groups:
            for name, shape in wholes(group):
                if name in found:
                    continue  # of another part
                found[name] = sensitivity(
                    lambda x: head.function(stem, x),
                    from_stored(tensors[name].array(), group.dtype, shape),
                    head.outputs,
                    self.draws,
                    self.seed + number,
                    batch=64 if has_samples(group) else None,
                ).numpy()
                if self.progress:
                    self.progress(math.prod(shape) // len(self.heads))
        return found


def balanced(
    gradients: Sequence[Mapping[str, np.ndarray]], weights: Sequence[float]
) -> list[dict[str, np.ndarray]]:
    """Return gradients of several heads scaled so that their mean squares are as the weights.

    Outputs of one may be a thousand times as large as those of another, and count no more.
    """
    found = []
    for each, weight in zip(gradients, weights, strict=True):
        squares = sum(float(np.vdot(a, a)) for a in each.values())
        mean = squares / sum(a.size for a in each.values())
        scale = math.sqrt(weight * len(weights) / sum(weights) / mean) if mean > 0 else 0.0
        found.append({name: a * np.float32(scale) for name, a in each.items()})
    return found
