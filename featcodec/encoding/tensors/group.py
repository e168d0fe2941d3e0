"""A tensor group as the encoder sees it: tensors, samples of them, their stats."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...align import value
from ...align.grids import GroupGrid
from ...align.layout import Layout
from ...align.numbers import to_float
from ...align.reduced import ReducedGrid
from ...align.repeats import Rows
from ...coding.parts.base import Sizes
from .repeats import find

CHUNK = 1 << 21
RUNS = 64  # a sample is taken from so many places


@dataclass(frozen=True)
class Group:
    """Tensors that share element type, layout, channels and statistics, in the dump's order."""

    dtype: str
    architecture: str
    layout: Layout
    names: Sequence[str]
    shapes: Sequence[tuple[int, ...]]
    tensor: Callable[[int], np.ndarray]  # stored elements of tensor i, read when touched
    label: str  # model and layer, from the metadata
    wide: bool = False  # values whose squares single precision does not hold
    rows: Rows | None = None  # with repeated ones, which are left out of what is coded

    @property
    def values(self) -> int:
        """Return the number of values that are coded."""
        if self.rows is not None:
            return self.rows.kept_values
        return sum(math.prod(shape) for shape in self.shapes)

    @cached_property
    def without_repeats(self) -> "Group | None":
        """The group without repeated rows, if there are such."""
        rows = find(self.dtype, [self.layout], self.shapes, self.tensor)
        return None if rows is None else replace(self, rows=rows)

    @property
    def compute_dtype(self) -> str:
        return "float64" if self.wide or self.dtype == "F64" else "float32"

    @property
    def grids(self) -> list[Sizes]:
        """Return the distinct grids the tokens lie on."""
        if self.layout.grid:
            return [self.layout.grid]
        if self.rows is not None:
            return sorted({shape[1:-1] for shape in self.rows.reduced[1]})
        return sorted({self.layout.token_grid(shape)[1:-1] for shape in self.shapes})

    def grid(self, block: Sizes) -> GroupGrid:
        if self.rows is not None:
            return ReducedGrid(self.rows, block)
        return GroupGrid(self.layout, self.shapes, block)

    def floats(self, stored: np.ndarray) -> np.ndarray:
        """Return stored elements as floating numbers of the type the group is worked in."""
        return to_float(stored, self.dtype).astype(self.compute_dtype, copy=False)

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield all values, repeated ones too, as flat float arrays of bounded size."""
        for i in range(len(self.shapes)):
            flat = self.tensor(i).reshape(-1)
            for start in range(0, flat.size, CHUNK):
                yield self.floats(np.asarray(flat[start : start + CHUNK]))

    def sample(
        self, block: Sizes, budget: int, disjoint: bool = False
    ) -> tuple[dict[tuple[bool, Sizes], np.ndarray], float]:
        """Return about `budget` values, evenly spread, as arrays of blocks, and their share.

        A sample `apart` lies between the places of the other one, as far as there is room.
        """
        grid = self.grid(block)
        runs = [(0, grid.slabs)]
        if self.values > budget:
            length = max(round(grid.slabs * budget / self.values / RUNS), 1)
            count = min(max(round(grid.slabs * budget / self.values / length), 1), RUNS)
            starts = np.linspace(0, grid.slabs - length, count).astype(int)
            if disjoint:
                starts = (starts + (grid.slabs - length) // (2 * count)) % (grid.slabs - length + 1)
            runs = [(int(s), int(s) + length) for s in np.unique(starts)]
        found: dict[tuple[bool, Sizes], list] = {}
        for first, last in runs:
            for key, boxes in grid.boxes(first, last).items():
                found.setdefault(key, []).extend(boxes)
        arrays = {
            key: grid.collect(boxes, self.tensor, self.floats) for key, boxes in found.items()
        }
        return arrays, sum(a.size for a in arrays.values()) / self.values


def stats_of(group: Group, sample: np.ndarray) -> value.ValueStats:
    """Return bounds, mean and deviation of a group, massive and non-finite values apart.

    `sample` are some of its values, from which the typical range is judged.
    """
    finite = _in_reach(sample[np.isfinite(sample)])
    low, high = value.typical_bounds(finite) if finite.size else (-np.inf, np.inf)
    pivot = float(np.median(finite)) if finite.size else 0.0
    count = cut = 0
    total = square = 0.0
    lower, upper = np.inf, -np.inf
    for chunk in group.chunks():
        least, most = float(chunk.min()), float(chunk.max())
        if not (low <= least and most <= high and math.isfinite(least + most)):
            inside = chunk[(chunk >= low) & (chunk <= high) & np.isfinite(chunk)]
            cut += chunk.size - inside.size
            chunk = inside
            if not chunk.size:
                continue
            least, most = float(chunk.min()), float(chunk.max())
        lower, upper = min(lower, least), max(upper, most)
        chunk = _in_reach(chunk)
        shifted = chunk - chunk.dtype.type(pivot)
        total += float(shifted.sum())
        square += float(np.vdot(shifted, shifted))
        count += chunk.size
    if not count:
        return value.ValueStats(0, 0.0, 0.0, 0.0, 1.0, cut)
    mean = total / count
    variance = max(square / count - mean * mean, 0.0)
    return value.ValueStats(count, lower, upper, pivot + mean, math.sqrt(variance), cut)


def _in_reach(values: np.ndarray) -> np.ndarray:
    """Return finite values in a precision that holds their squares and differences."""
    largest = max(-float(values.min(initial=0)), float(values.max(initial=0)))
    return values if value.LEAST < largest < value.MOST else values.astype(np.float64)
