"""Rows of tensors that repeat earlier ones: which are kept, and which each is (SPEC §5.4).

A row is one place along the first grid axis of a sample, or a whole sample. Rows are counted as
slabs of one place are: those of a sample follow each other, and so do samples and tensors.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import Damage
from .grids import GroupGrid, Window, merge_samples, split_axis
from .layout import Layout

SPREAD_VALUES = 1 << 20  # of rows that are copied at once

Targets = Callable[[int], np.ndarray | None]  # tensors by number
Origins = Callable[[int], Any]  # the same, arrays or what is in a file
Part = Callable[[Any], Any]  # of a view (samples, places..., a row...), of every row the same
Pairs = Iterator[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Runs:
    """Rows in order, as runs: so many new ones, then so many that repeat those a distance before.

    Rows behind the last run are new.
    """

    new: Sequence[int]
    repeated: Sequence[int]
    distances: Sequence[int]


class Rows:
    """The rows of the tensors of a group, of which those that repeat earlier ones are left out."""

    def __init__(
        self, layout: Layout, shapes: Sequence[tuple[int, ...]], whole: bool, runs: Runs
    ) -> None:
        """With `whole`, rows are samples. Raise Damage when runs and tensors disagree."""
        self.layout = layout
        self.tensor_shapes = shapes
        self.runs = runs
        self.units = GroupGrid(layout, shapes, (1,) * (len(layout.grid) or layout.grid_axes))
        self.whole = whole or layout.slabs_are_samples
        grids = [layout.grid or shape[1:-1] for shape in self.units.shapes]
        self.per_sample = [1 if self.whole else grid[0] for grid in grids]
        self.shapes = [  # of a row of each tensor
            shape[1:] if self.whole else (*grid[1:], shape[-1])
            for shape, grid in zip(self.units.shapes, grids, strict=True)
        ]
        counts = [
            shape[0] * per for shape, per in zip(self.units.shapes, self.per_sample, strict=True)
        ]
        self.starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        sources = _sources(int(self.starts[-1]), runs)
        kept = sources == np.arange(len(sources))
        self.kept = np.flatnonzero(kept)  # rows
        self.source = (np.cumsum(kept) - 1)[sources]  # of each row, its number among the kept
        kinds = {shape: number for number, shape in enumerate(dict.fromkeys(self.shapes))}
        kind = np.repeat([kinds[shape] for shape in self.shapes], counts)
        if not np.array_equal(kind, kind[sources]):
            raise Damage("a row repeats one of another shape")

    @cached_property
    def counts(self) -> np.ndarray:
        """How many rows each kept row stands for."""
        return np.bincount(self.source, minlength=len(self.kept))

    @property
    def count(self) -> int:
        return int(self.starts[-1])

    @property
    def values(self) -> int:
        return sum(math.prod(shape) for shape in self.tensor_shapes)

    @cached_property
    def kept_values(self) -> int:
        sizes = np.array([math.prod(shape) for shape in self.shapes])
        return int(sizes[self.tensor_of(self.kept)].sum())

    @cached_property
    def reduced(self) -> tuple[np.ndarray, list[tuple[int, ...]]]:
        """The reduced tensors: the first kept row of each, and its token grid.

        Of the samples of a tensor that keep a row, those that follow each other and keep equally
        many make one.
        """
        numbers = self.tensor_of(self.kept)
        bases = np.cumsum([0, *(shape[0] for shape in self.units.shapes)])
        inside = (self.kept - self.starts[numbers]) // np.array(self.per_sample)[numbers]
        samples = bases[numbers] + inside  # counted through all tensors
        _, begins, lengths = np.unique(samples, return_index=True, return_counts=True)
        numbers = numbers[begins]
        changes = (np.diff(numbers) != 0) | (np.diff(lengths) != 0)
        edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(begins)]
        shapes = []
        for low, high in itertools.pairwise(edges):
            length = () if self.whole else (int(lengths[low]),)
            shapes.append((high - low, *length, *self.shapes[numbers[low]]))
        return begins[edges[:-1]], shapes

    @cached_property
    def _by_source(self) -> tuple[np.ndarray, np.ndarray]:
        """All rows in the order of the kept rows that they are, and where each of those begins."""
        return np.argsort(self.source, kind="stable"), np.cumsum(self.counts) - self.counts

    def tensor_of(self, rows: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.starts, rows, "right") - 1

    def view(self, tensor: Any) -> Any:
        """Return a tensor as a view (samples, places..., a row...)."""
        merged = merge_samples(tensor, self.layout)
        if self.whole or not self.layout.grid:
            return merged
        return split_axis(merged, (merged.shape[0], *self.layout.grid, merged.shape[-1]))

    def places(self, tensor: int, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return samples, and places in them unless rows are samples, of rows of a tensor."""
        found = np.divmod(rows - self.starts[tensor], self.per_sample[tensor])
        return found[:1] if self.whole else found

    def spread(self, kept: np.ndarray) -> Iterator[tuple[int, tuple[np.ndarray, ...], np.ndarray]]:
        """Yield (tensor, places of rows in it, which of the kept each is), of bounded size."""
        order, begins = self._by_source
        counts = self.counts[kept]
        which = np.repeat(np.arange(len(kept)), counts)
        inside = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = order[begins[kept][which] + inside]
        by_tensor = np.argsort(rows, kind="stable")
        rows, which = rows[by_tensor], which[by_tensor]
        tensors = self.tensor_of(rows)
        for number in np.unique(tensors).tolist():
            low, high = np.searchsorted(tensors, (number, number + 1))
            size = math.prod(self.shapes[number])
            each = max(SPREAD_VALUES // max(size, 1), 1)
            for start in range(int(low), int(high), each):
                some = slice(start, min(start + each, int(high)))
                yield number, self.places(number, rows[some]), which[some]

    def put(
        self,
        values: np.ndarray,
        kept: np.ndarray,
        targets: Targets,
        part: Part | slice,
        window: Window | None = None,
    ) -> None:
        """Write part of some kept rows (rows, part...) to all places where tensors have them.

        A slice is of the elements of a row.
        """
        for number, places, which in self.spread(kept):
            target = targets(number)
            if target is None:
                continue
            view = self.view(target)
            if not isinstance(part, slice):
                view = part(view)
            places, which = _within(places, which, window, view.shape)
            if not which.size:
                continue
            some = values[which]
            if isinstance(part, slice):
                rows = view[places]
                rows.reshape(len(rows), -1)[:, part] = some.view(rows.dtype)
                some = rows
            view[places] = some

    def pairs(self, values: np.ndarray, kept: np.ndarray, origins: Origins, part: Part) -> Pairs:
        """Yield what tensors have in all these places, and the values that belong there."""
        for number, places, which in self.spread(kept):
            yield gather(part(self.view(origins(number))), places), values[which]

    def range_of(self, number: int, shape: tuple[int, ...], first: int, last: int) -> slice:
        """Return the rows of a tensor that hold those of its leading axis."""
        low, high = self.units.slabs_of_rows(number, shape, first, last)
        if self.whole:
            start, end = self.units.starts[number : number + 2].tolist()
            each = (end - start) // self.units.shapes[number][0]  # places of a sample
            mine = int(self.starts[number])
            return slice(mine + (low - start) // each, mine - (start - high) // each)
        return slice(low, high)

    def window(self, number: int, shape: tuple[int, ...], rows: slice) -> Window:
        """Return what of the leading axis of a tensor holds some of its rows."""
        if not self.whole or self.layout.slabs_are_samples:
            return self.units.window(number, shape, rows.start, rows.stop)
        if self.layout.axes[0] != "N":
            return Window(0, shape[0])
        start, per_row = int(self.starts[number]), self.units.shapes[number][0] // shape[0]
        first = (rows.start - start) // per_row
        return Window(first, -(-(rows.stop - start) // per_row), 0, first * per_row)


def gather(view: Any, places: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the rows (rows, a row...) at some places of a view; of a file, what lies between."""
    edges = [(int(at.min()), int(at.max()) + 1) for at in places]
    part = np.asarray(view[tuple(slice(*edge) for edge in edges)])
    index = tuple(at - low for at, (low, _) in zip(places, edges, strict=True))
    found: np.ndarray = part[index]
    return found


def _within(
    places: tuple[np.ndarray, ...], which: np.ndarray, window: Window | None, shape: Sequence[int]
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return the places that are in a window, counted from its first, and which they are."""
    if window is None:
        return places, which
    moved = list(places)
    if window.axis < len(moved):
        moved[window.axis] = moved[window.axis] - window.shift
    there = np.ones(len(which), bool)
    for at, length in zip(moved, shape, strict=False):
        there &= (at >= 0) & (at < length)
    return tuple(at[there] for at in moved), which[there]


def _sources(rows: int, runs: Runs) -> np.ndarray:
    """Return the first row that each row is, the row itself when it is new."""
    longest = max(*runs.new, *runs.repeated, *runs.distances, 0, 0)
    if longest > rows or sum(runs.new) + sum(runs.repeated) > rows:
        raise Damage("it lists more rows than its tensors have")
    repeated = np.array(runs.repeated, np.int64)
    distances = np.array(runs.distances, np.int64)
    begins = np.cumsum(np.array(runs.new, np.int64) + repeated) - repeated
    if np.any(repeated < 1) or np.any(distances < 1) or np.any(distances > begins):
        raise Damage("a run repeats no rows, or rows before the first")
    sources = np.arange(rows)
    inside = np.arange(repeated.sum()) - np.repeat(np.cumsum(repeated) - repeated, repeated)
    sources[np.repeat(begins, repeated) + inside] -= np.repeat(distances, repeated)
    while True:  # a repeated row may repeat one that is repeated itself
        earlier = sources[sources]
        if np.array_equal(earlier, sources):
            return sources
        sources = earlier
