"""Gradients of the rest of a network, taken while its features are read."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..encoding.tensors.group import Group
from ..encoding.tensors.wholes import has_samples, wholes
from ..numpy import Arrays
from ..sensitivity import sensitivity
from ..tensors import Source
from ..torch import from_stored


@dataclass(frozen=True)
class HeadGradients:
    """Makes the gradients of dumps with a function of a dump's stem and of one feature tensor."""

    head: Callable[[str, torch.Tensor], torch.Tensor]
    outputs: str
    draws: int
    seed: int
    progress: Callable[[int], None] | None = None  # is told how many values are done

    def __call__(self, source: Source, groups: Sequence[Group]) -> tuple[str, Source]:
        """Return a name and the gradients of all tensors of the groups of a dump."""
        stem = Path(getattr(source, "path", "dump")).stem
        tensors, found = {tensor.name: tensor for tensor in source.tensors}, {}
        for group in groups:
            samples = has_samples(group)
            for name, shape in wholes(group):
                if name in found:
                    continue  # of another part
                x = from_stored(tensors[name].array(), group.dtype, shape)
                gradients = sensitivity(
                    lambda x: self.head(stem, x),
                    x,
                    self.outputs,
                    self.draws,
                    self.seed,
                    batch=64 if samples else None,
                )
                found[name] = (gradients.numpy(), "F32")
                if self.progress:
                    self.progress(math.prod(shape))
        return f"the head on {stem}", Arrays(found, None)
