"""Tensors that come back bit for bit, as a group."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...align.numbers import unsigned
from ...elements import BITS
from ...tensors import Tensor
from .group import Group


@dataclass(frozen=True)
class LosslessGroup:
    """Tensors of one element type that come back bit for bit."""

    dtype: str
    names: Sequence[str]
    sizes: Sequence[int]  # elements, of `itemsize` bytes
    rasters: Sequence[tuple[int, int]]  # width and channels, in which neighbours may be alike
    tensor: Callable[[int], np.ndarray]
    reasons: Sequence[str] = ()  # for which floating tensors are in it, though loss is allowed

    @classmethod
    def of(cls, group: Group) -> "LosslessGroup":
        sizes = [math.prod(shape) for shape in group.shapes]
        rasters = _rasters(group.shapes)
        return cls(group.dtype, group.names, sizes, rasters, group.tensor)

    @property
    def elements(self) -> int:
        return sum(self.sizes)

    def read(self, first: int, last: int) -> np.ndarray:
        """Return the elements first <= e < last of the concatenation, as unsigned integers."""
        starts = np.concatenate([[0], np.cumsum(self.sizes, dtype=np.int64)])
        kind = unsigned(self.dtype)
        pieces = []
        i = int(np.searchsorted(starts, first, "right")) - 1
        while i < len(self.sizes) and starts[i] < last:
            low, high = max(first - int(starts[i]), 0), last - int(starts[i])
            pieces.append(np.asarray(self.tensor(i).reshape(-1)[low:high].view(kind)))
            i += 1
        return np.concatenate(pieces) if pieces else np.zeros(0, kind)


def lossless_group(tensors: list[Tensor], reasons: Sequence[str]) -> LosslessGroup:
    """Return the group of some tensors; `reasons` say why floating ones are in it."""
    kind = unsigned(tensors[0].dtype)

    def read(i: int) -> np.ndarray:
        return tensors[i].read().reshape(-1).view(kind)

    bits = BITS[tensors[0].dtype]
    sizes = [math.prod(t.shape) * bits // 8 // kind.itemsize for t in tensors]
    names, rasters = [t.name for t in tensors], _rasters([t.shape for t in tensors])
    return LosslessGroup(tensors[0].dtype, names, sizes, rasters, read, reasons)


def _rasters(shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Return (width, channels): maps of rows and columns, tokens, rows and columns of tokens."""
    shape = max(shapes, key=math.prod)
    *_, rows, columns = (1, 1, *shape)
    return [(columns, 1), (1, columns), *([(rows, columns)] if len(shape) > 2 else [])]
