"""The samples of dumps in parts, half of them to train on and the others to judge by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch

from ..elements import nbytes
from ..encoding.tensors.group import Group
from ..encoding.tensors.wholes import has_samples, wholes
from ..tensors import Source, Tensor
from ..torch.tensors import from_stored
from .pools import kind_of

PARTS = 20  # an even number
SECOND = PARTS // 2  # the first part of the second half

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Divided:
    """A dump whose samples lie in parts, one behind the other."""

    source: Source
    kinds: frozenset[tuple]  # of its features
    parts: Mapping[str, np.ndarray]  # by tensor of features: of each row, or () of the whole tensor
    samples: int

    @classmethod
    def of(cls, source: Source, groups: Sequence[Group], place: float) -> "Divided":
        """Divide a dump with groups of features.

        Tensors without an axis of samples are samples themselves. Where a group is one of these,
        it goes to the part at a place from 0 to 1, that of the dump among others.
        """
        parts: dict[str, np.ndarray] = {}
        most = 1
        for group in groups:
            known = dict(wholes(group))
            rows = has_samples(group)
            for number, (name, shape) in enumerate(known.items()):
                if rows:
                    parts[name] = np.arange(shape[0]) * PARTS // max(shape[0], 1)
                else:
                    share = number / len(known) if len(known) > 1 else place
                    parts[name] = np.array(int(share * PARTS))
                most = max(most, shape[0] if rows else len(known))
        return cls(source, frozenset(map(kind_of, groups)), parts, most)

    @cached_property
    def clean(self) -> Tensors:
        """All tensors of the dump."""
        return {t.name: from_stored(t.array(), t.dtype, t.shape) for t in self.source.tensors}

    def half(self, second: bool) -> "Half":
        """Return the features of one half of the samples as a dump."""
        return Half(self, second)

    @property
    def whole(self) -> "Half":
        """All features of the dump as a dump."""
        return Half(self)

    @property
    def occupied(self) -> list[int]:
        """The parts that hold samples."""
        return sorted({int(part) for parts in self.parts.values() for part in parts.reshape(-1)})

    def with_part(self, decoded: Mapping[str, torch.Tensor], part: int) -> Tensors:
        """Return the tensors of the dump, those of one part decoded."""
        found = dict(self.clean)
        for name, parts in self.parts.items():
            here = torch.from_numpy(np.asarray(parts == part))
            if here.ndim:
                shape = (-1, *(1 for _ in found[name].shape[1:]))
                found[name] = torch.where(here.reshape(shape), decoded[name], found[name])
            elif here:
                found[name] = decoded[name]
        return found


class Half:
    """The features of half of the samples of a dump, or of all, under the name of the dump."""

    def __init__(self, divided: Divided, second: bool | None = None) -> None:
        self.metadata = divided.source.metadata
        self.path = getattr(divided.source, "path", "dump")
        self._parts, self._second = divided.parts, second
        self.tensors = self._cut(divided.source, {})
        self.data_bytes = sum(nbytes(t.dtype, int(np.prod(t.shape))) for t in self.tensors)

    def gradients(self, source: Source) -> "Gradients":
        """Return the same half of the gradients of the dump."""
        return Gradients(self._cut(source, {t.name: len(t.shape) for t in self.tensors}))

    def _cut(self, source: Source, ranks: Mapping[str, int]) -> list[Tensor]:
        """Return the tensors of this half.

        With ranks of features by name, tensors have axes of draws before those of features.
        """
        found = []
        for tensor in source.tensors:
            parts = self._parts.get(tensor.name)
            if parts is None:
                continue
            mine = ((parts >= SECOND) == self._second) | (self._second is None)
            if not mine.ndim:
                found += [tensor] * bool(mine)
                continue
            rows = np.flatnonzero(mine)
            if len(rows):
                axis = len(tensor.shape) - ranks[tensor.name] if ranks else 0
                found.append(_rows(tensor, axis, int(rows[0]), int(rows[-1]) + 1))
        return found


@dataclass(frozen=True)
class Gradients:
    """Gradients as a dump."""

    tensors: Sequence[Tensor]
    metadata: dict[str, str] | None = None
    data_bytes: int = 0


def _rows(tensor: Tensor, axis: int, first: int, last: int) -> Tensor:
    shape = (*tensor.shape[:axis], last - first, *tensor.shape[axis + 1 :])
    return Tensor(tensor.name, tensor.dtype, shape, partial(_read, tensor, axis, first, last))


def _read(tensor: Tensor, axis: int, first: int, last: int) -> np.ndarray:
    where = (slice(None),) * axis + (slice(first, last),)
    return np.ascontiguousarray(tensor.array()[where]).reshape(-1)
