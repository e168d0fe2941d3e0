"""Rows of tensors that repeat earlier ones or are constant: which are kept (SPEC §5.4).

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
from .grids import GroupGrid, Window
from .layout import Layout
from .views import merge_samples, split_axis

SPREAD_VALUES = 1 << 20  # of rows that are copied at once
NONE = -1

Targets = Callable[[int], np.ndarray | None]  # tensors by number
Origins = Callable[[int], Any]  # the same, arrays or what is in a file
Part = Callable[[Any], Any]  # of a view (samples, places..., a row...), of every row the same
Pairs = Iterator[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Runs:
    """Rows in order, as runs: so many new ones, then so many that repeat those a distance before.

    Rows behind the last run are new. Those of a distance of 0 are constant: all elements are the
    next of the `constants`, unsigned integers.
    """

    new: Sequence[int]
    repeated: Sequence[int]
    distances: Sequence[int]
    constants: Sequence[int] = ()


class Rows:
    """The rows of the tensors of a group, of which only new ones that vary are kept."""

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
        sources, constants = _sources(int(self.starts[-1]), runs)
        kept = (sources == np.arange(len(sources))) & (constants == NONE)
        self.kept = np.flatnonzero(kept)  # rows
        if not self.kept.size:
            raise Damage("it leaves no row")
        # Of each row, its number among the kept, or NONE; of constant ones, that of the constant.
        self.source = np.where(constants == NONE, (np.cumsum(kept) - 1)[sources], NONE)
        self.constant = constants
        kinds = {shape: number for number, shape in enumerate(dict.fromkeys(self.shapes))}
        kind = np.repeat([kinds[shape] for shape in self.shapes], counts)
        if not np.array_equal(kind, kind[sources]):
            raise Damage("a row repeats one of another shape")

    @cached_property
    def counts(self) -> np.ndarray:
        """How many rows each kept row stands for."""
        return np.bincount(self.source[self.source != NONE], minlength=len(self.kept))

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
        order = np.argsort(self.source, kind="stable")
        begins = np.cumsum(self.counts) - self.counts
        return order[len(order) - int(self.counts.sum()) :], begins

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
        yield from self._places(rows[by_tensor], which[by_tensor])

    def _places(
        self, rows: np.ndarray, which: np.ndarray
    ) -> Iterator[tuple[int, tuple[np.ndarray, ...], np.ndarray]]:
        """Yield (tensor, places in it, which each is) of rows in order, of bounded size."""
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
                rows = np.ascontiguousarray(view[places])  # so that what is reshaped is no copy
                rows.reshape(len(rows), -1)[:, part] = some.view(rows.dtype)
                some = rows
            view[places] = some

    def put_constants(
        self,
        constants: np.ndarray,
        targets: Targets,
        rows: slice = slice(None),
        window: Window | None = None,
    ) -> None:
        """Write the constant ones of some rows to their places; `constants` are those of runs."""
        wanted = np.flatnonzero(self.constant[rows] != NONE) + (rows.start or 0)
        for number, places, which in self._places(wanted, self.constant[wanted]):
            target = targets(number)
            if target is None:
                continue
            view = self.view(target)
            places, which = _within(places, which, window, view.shape)
            if which.size:
                lead = (len(which), *[1] * (view.ndim - len(places)))
                view[places] = constants[which].view(view.dtype).reshape(lead)

    def constant_pairs(self, origins: Origins, kind: np.dtype) -> Pairs:
        """Yield what tensors have where rows are constant, and the elements that belong there."""
        wanted = np.flatnonzero(self.constant != NONE)
        for number, places, which in self._places(wanted, self.constant[wanted]):
            found = gather(self.view(origins(number)), places)
            elements = np.array(self.runs.constants, np.uint64)[which].astype(kind)
            lead = elements.reshape(len(which), *[1] * (found.ndim - 1))
            yield found, np.broadcast_to(lead, found.shape)

    def varying(self, origins: Origins) -> Iterator[np.ndarray]:
        """Yield the elements of all rows but the constant ones, of bounded size."""
        wanted = np.flatnonzero(self.constant == NONE)
        for number, places, _ in self._places(wanted, wanted):
            yield gather(self.view(origins(number)), places)

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


def _sources(rows: int, runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row that each row is, itself when it is new; and its constant, or NONE."""
    longest = max(*runs.new, *runs.repeated, *runs.distances, 0, 0)
    if longest > rows or sum(runs.new) + sum(runs.repeated) > rows:
        raise Damage("it lists more rows than its tensors have")
    repeated = np.array(runs.repeated, np.int64)
    distances = np.array(runs.distances, np.int64)
    begins = np.cumsum(np.array(runs.new, np.int64) + repeated) - repeated
    if np.any(repeated < 1) or np.any(distances > begins):
        raise Damage("a run repeats no rows, or rows before the first")
    fixed = distances == 0
    if int(fixed.sum()) != len(runs.constants):
        raise Damage(f"it has {len(runs.constants)} constants for {int(fixed.sum())} runs")
    sources, constants = np.arange(rows), np.full(rows, NONE)
    inside = np.arange(repeated.sum()) - np.repeat(np.cumsum(repeated) - repeated, repeated)
    places = np.repeat(begins, repeated) + inside
    sources[places] -= np.repeat(distances, repeated)
    constants[places] = np.repeat(np.where(fixed, np.cumsum(fixed) - 1, NONE), repeated)
    while True:  # a repeated row may repeat one that is repeated itself
        earlier = sources[sources]
        if np.array_equal(earlier, sources):
            return sources, constants[sources]
        sources = earlier
