"""Tensors that come back bit for bit, as a group."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ...align.layout import SAMPLE, Layout
from ...align.numbers import elements_of, unsigned
from ...align.reduced import ReducedElements
from ...container.cuts import Along
from ...elements import BITS
from ...tensors import Tensor
from .group import Group
from .repeats import find

FEW = 1 / 64  # of the rows that repeat others: so few pay where both ways are written


@dataclass(frozen=True)
class LosslessGroup:
    """Tensors of one element type that come back bit for bit."""

    dtype: str
    names: Sequence[str]
    sizes: Sequence[int]  # elements, of `itemsize` bytes
    rasters: Sequence[tuple[int, int]]  # width and channels, in which neighbours may be alike
    tensor: Callable[[int], np.ndarray]
    shapes: Sequence[tuple[int, ...]]
    layouts: Sequence[Layout]  # of which each may have rows that are repeated
    reasons: Sequence[str] = ()  # for which floating tensors are in it, though loss is allowed
    reduced: ReducedElements | None = None  # what is left without repeated rows
    rounded: Callable[[np.ndarray], np.ndarray] | None = None  # elements, before they are coded
    parts: Sequence[Tensor] = ()  # of tensors that are cut so, by name
    cuts: Mapping[str, tuple[Along, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, group: Group) -> "LosslessGroup":
        sizes = [math.prod(shape) for shape in group.shapes]
        rasters, layouts = _rasters(group.shapes), [Layout(group.layout.axes)]
        tensor, shapes = group.tensor, group.shapes
        return cls(group.dtype, group.names, sizes, rasters, tensor, shapes, layouts)

    @property
    def first(self) -> str:
        """Return the name of the first tensor, or of that of which the first part is."""
        return self.parts[0].of if self.parts else self.names[0]

    @property
    def elements(self) -> int:
        """Return the number of elements that are coded."""
        return sum(self.sizes) if self.reduced is None else self.reduced.count

    @property
    def axes(self) -> list[tuple[int, int]]:
        """Return distance and length of the axes that may be the channels, when all have them."""
        if self.reduced is not None or len({shape[1:] for shape in self.shapes}) > 1:
            return []
        shape = self.shapes[0]
        first = 1 if len(shape) > 2 or len(self.shapes) > 1 else 0
        return [(math.prod(shape[i + 1 :]), shape[i]) for i in range(first, len(shape))]

    @cached_property
    def without_repeats(self) -> "LosslessGroup | None":
        """The group without repeated rows, if there are such."""
        rows = find(self.dtype, self.layouts, self.shapes, self._shaped, self.rounded, FEW)
        if rows is None:
            return None
        kept: Counter[tuple[int, ...]] = Counter()
        for number, count in enumerate(np.bincount(rows.tensor_of(rows.kept)).tolist()):
            kept[rows.shapes[number]] += count
        rasters = _rasters([(count, *shape) for shape, count in kept.items()])
        return replace(self, rasters=rasters, reduced=ReducedElements(rows))

    def _shaped(self, i: int) -> np.ndarray:
        return self.tensor(i).reshape(self.shapes[i])

    def read(self, first: int, last: int) -> np.ndarray:
        """Return the elements first <= e < last of the concatenation, as unsigned integers."""
        numbers = self._read(first, last)
        return numbers if self.rounded is None else self.rounded(numbers)

    def _read(self, first: int, last: int) -> np.ndarray:
        if self.reduced is not None:
            return self.reduced.read(first, last, self._shaped, unsigned(self.dtype))
        starts = np.concatenate([[0], np.cumsum(self.sizes, dtype=np.int64)])
        kind = unsigned(self.dtype)
        pieces = []
        i = int(np.searchsorted(starts, first, "right")) - 1
        while i < len(self.sizes) and starts[i] < last:
            low = max(first - int(starts[i]), 0)
            high = min(last - int(starts[i]), self.sizes[i])
            pieces.append(elements_of(self.tensor(i), low, high).view(kind))
            i += 1
        return np.concatenate(pieces) if pieces else np.zeros(0, kind)


def lossless_group(tensors: list[Tensor], reasons: Sequence[str]) -> LosslessGroup:
    """Return the group of some tensors; `reasons` say why floating ones are in it."""
    kind = unsigned(tensors[0].dtype)

    def read(i: int) -> np.ndarray:
        if tensors[i].where:
            return np.ascontiguousarray(tensors[i].array()).reshape(-1).view(kind)
        return tensors[i].read().reshape(-1).view(kind)

    bits = BITS[tensors[0].dtype]
    sizes = [math.prod(t.shape) * bits // 8 // kind.itemsize for t in tensors]
    names, shapes = [t.name for t in tensors], [t.shape for t in tensors]
    rasters, layouts = _rasters(shapes), likely_layouts({len(shape) for shape in shapes})
    return LosslessGroup(tensors[0].dtype, names, sizes, rasters, read, shapes, layouts, reasons)


def likely_layouts(ranks: set[int]) -> list[Layout]:
    """Return layouts of tensors of which nothing is known: rows lie along one of the last axes."""
    rank = max(ranks)
    if len(ranks) > 1 or rank < 2:
        return []
    samples = "N" * (rank - 2)
    whole = {4: ["NHWC"], 5: ["NTHWC"]}.get(rank, [])
    return [Layout(axes) for axes in (samples + "LD", samples + "DL", *whole)]


def of_parts(layouts: Sequence[Layout]) -> list[Layout]:
    """Return layouts that tensors may have that are cut: along no inner axis of samples."""
    return [layout for layout in layouts if layout.axes.count(SAMPLE) < 2]


def _rasters(shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Return (width, channels): rows and columns, tokens, and tokens in rows of an axis more.

    A line has only neighbours along the last axis.
    """
    shape = max(shapes, key=math.prod)
    *_, columns = (1, *shape)
    found = [(columns, 1)]
    for axis in range(1, len(shape)):
        inner = math.prod(shape[axis:])
        found += [(1, inner), *([(shape[axis - 1], inner)] if axis > 1 else [])]
    return list(dict.fromkeys([*found, (1, 1)]))
