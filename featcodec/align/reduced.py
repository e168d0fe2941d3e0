"""What is left of a group without its repeated rows, cut into slabs (SPEC §5.4).

Whoever reads or writes values of it knows the tensors as they are: a kept row goes to all places
where they have it.
"""

import math
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from . import blocks
from .grids import Box, GroupGrid, Sizes, Window
from .repeats import NONE, Origins, Pairs, Rows, Targets, gather
from .views import split_axis

Spans = tuple[np.ndarray, np.ndarray]  # for each kept row its first slab, and the one behind


def row_groups(rows: Rows, spans: Spans, wanted: slice, per: int) -> list[int]:
    """Return the row groups, of so many slabs, that some rows need."""
    kept = np.unique(rows.source[wanted])
    kept = kept[kept != NONE]
    edges = np.stack([spans[0][kept] // per, (spans[1][kept] - 1) // per], axis=1)
    pairs = np.unique(edges, axis=0).tolist()
    return sorted({number for low, high in pairs for number in range(low, high + 1)})


class ReducedGrid(GroupGrid):
    """The slabs of the kept rows of a group that is coded with loss.

    Of the samples of a tensor that keep a row, those that follow each other and keep equally many
    make a tensor of their own. Boxes number these.
    """

    def __init__(self, rows: Rows, block: Sizes) -> None:
        self.rows = rows
        self.wanted: Window | None = None  # of a tensor
        self.begins, shapes = rows.reduced
        self._cut(rows.layout, shapes, block)

    def _grid(self, shape: tuple[int, ...]) -> Sizes:
        return (self.layout.grid if self.rows.whole else ()) or shape[1:-1]

    @cached_property
    def spans(self) -> Spans:
        firsts, behind = [], []
        for start, shape in zip(self.starts[:-1].tolist(), self.shapes, strict=True):
            edges = [0, 1] if self.layout.slabs_are_samples else self._edges(self._grid(shape))
            samples = start + np.arange(shape[0])[:, None] * (len(edges) - 1)
            whole = self.rows.whole
            inside = np.zeros(1, int) if whole else np.repeat(range(len(edges) - 1), np.diff(edges))
            firsts.append((samples + inside).reshape(-1))
            behind.append(firsts[-1] + (len(edges) - 1 if whole else 1))
        return np.concatenate(firsts), np.concatenate(behind)

    def _kept(self, box: Box) -> np.ndarray:
        """Return the kept rows of a box."""
        begin, samples = int(self.begins[box.tensor]), np.arange(*_ends(box.index[0]))
        if self.rows.whole:
            return begin + samples
        per = self.shapes[box.tensor][1]
        return (begin + samples[:, None] * per + np.arange(*_ends(box.index[1]))).reshape(-1)

    def _inner(self, box: Box, view: Any) -> Any:
        """Return of each row of a view (samples, places..., a row...) what is in a box."""
        if not self.rows.whole:
            return view[(slice(None), slice(None), *box.index[2:])]
        prefix, grid = self.layout.prefix, self.layout.grid
        if box.prefix:
            view = view[:, :prefix]
        elif grid:
            view = split_axis(view[:, prefix:], (view.shape[0], *grid, view.shape[-1]))
        return view[(slice(None), *box.index[1:])]

    def _values(self, tensor: Origins, box: Box) -> np.ndarray:
        kept = self._kept(box)
        rows = self.rows.kept[kept]
        number = int(self.rows.tensor_of(rows[:1])[0])
        view = self._inner(box, self.rows.view(tensor(number)))
        found = gather(view, self.rows.places(number, rows))
        return found.reshape(box.shape(self.channels))

    def _cut_boxes(self, values: np.ndarray, boxes: Sequence[Box]) -> Any:
        """Yield each box with its kept rows, and their values (rows, a row...)."""
        start = 0
        for box in boxes:
            tokens = np.empty(box.shape(self.channels), values.dtype)
            places = blocks.gather(tokens, box.blocks, box.sizes)
            places[...] = values[:, :, start : start + box.count].reshape(places.shape)
            lead = 1 if self.rows.whole else 2
            yield box, self._kept(box), tokens.reshape(-1, *tokens.shape[lead:])
            start += box.count

    def scatter(self, values: np.ndarray, boxes: Sequence[Box], tensor: Targets) -> None:
        for box, kept, tokens in self._cut_boxes(values, boxes):
            self.rows.put(tokens, kept, tensor, partial(self._inner, box), self.wanted)

    def pairs(self, values: np.ndarray, boxes: Sequence[Box], tensor: Origins) -> Pairs:
        for box, kept, tokens in self._cut_boxes(values, boxes):
            yield from self.rows.pairs(tokens, kept, tensor, partial(self._inner, box))

    @property
    def tensor_count(self) -> int:
        return len(self.rows.tensor_shapes)

    @property
    def sample_count(self) -> int:
        return sum(shape[0] for shape in self.rows.units.shapes)

    def tensors_of(self, boxes: Sequence[Box]) -> np.ndarray:
        begins = np.array([self.begins[box.tensor] for box in boxes], np.intp)
        numbers = self.rows.tensor_of(self.rows.kept[begins])
        return np.repeat(numbers, [box.count for box in boxes])

    def samples(self, boxes: Sequence[Box]) -> np.ndarray:
        firsts = np.cumsum([0, *(shape[0] for shape in self.rows.units.shapes)])
        found = []
        for box in boxes:
            rows = self.rows.kept[self._kept(box).reshape(box.samples, -1)[:, 0]]
            number = int(self.rows.tensor_of(rows[:1])[0])
            mine = firsts[number] + self.rows.places(number, rows)[0]
            found.append(np.repeat(mine, math.prod(box.blocks)))
        return np.concatenate(found)

    def occurrences(
        self, values: np.ndarray, boxes: Sequence[Box], tensor: Origins
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        firsts = np.cumsum([0, *(shape[0] for shape in self.rows.units.shapes)])
        for box, kept, tokens in self._cut_boxes(values, boxes):
            for number, places, which in self.rows.spread(kept):
                view = self._inner(box, self.rows.view(tensor(number)))
                pair = (gather(view, places), tokens[which])
                x, y = (a.reshape(len(which), -1, self.channels).transpose(2, 1, 0) for a in pair)
                yield firsts[number] + places[0], x, y

    def within(self, boxes: Sequence[Box], window: Window) -> tuple[GroupGrid, Sequence[Box]]:
        inside = copy(self)
        inside.wanted = window
        return inside, boxes

    def weights(self, boxes: Sequence[Box]) -> np.ndarray:
        found = []
        for box in boxes:
            shape = box.shape(1)
            lead = 1 if self.rows.whole else 2
            counts = self.rows.counts[self._kept(box)].astype(np.float64)
            counts = counts.reshape(*shape[:lead], *[1] * (len(shape) - lead))
            weights = blocks.gather(np.broadcast_to(counts, shape), box.blocks, box.sizes)
            found.append(weights.reshape(math.prod(box.sizes), -1))
        return np.concatenate(found, axis=1)


@dataclass(frozen=True)
class ReducedElements:
    """The elements of the kept rows of a group that is coded bit for bit, row by row."""

    rows: Rows

    @cached_property
    def starts(self) -> np.ndarray:
        """The first element of each kept row, and the number of all."""
        sizes = np.array([math.prod(shape) for shape in self.rows.shapes], np.int64)
        mine = sizes[self.rows.tensor_of(self.rows.kept)]
        return np.concatenate([[0], np.cumsum(mine)])

    @property
    def count(self) -> int:
        return int(self.starts[-1])

    @property
    def spans(self) -> Spans:
        return self.starts[:-1], self.starts[1:]

    @cached_property
    def _changes(self) -> np.ndarray:
        """The kept rows that have another shape than the one before, and the number of all."""
        shapes = self.rows.shapes
        kinds = {shape: number for number, shape in enumerate(dict.fromkeys(shapes))}
        kind = np.array([kinds[shape] for shape in shapes])[self.rows.tensor_of(self.rows.kept)]
        return np.append(np.flatnonzero(np.diff(kind)) + 1, len(kind))

    def read(self, first: int, last: int, tensor: Origins, kind: np.dtype) -> np.ndarray:
        """Return elements first <= e < last."""
        found = []
        for low, high, part in self._runs(first, last):
            kept = self.rows.kept[low:high]
            numbers = self.rows.tensor_of(kept)
            for number in np.unique(numbers).tolist():
                places = self.rows.places(number, kept[numbers == number])
                some = gather(self.rows.view(tensor(number)), places)
                found.append(some.reshape(len(some), -1)[:, part].reshape(-1).view(kind))
        return np.concatenate(found) if found else np.zeros(0, kind)

    def put(
        self, values: np.ndarray, first: int, targets: Targets, window: Window | None = None
    ) -> None:
        """Write elements from the first on to all places where tensors have them."""
        for low, high, part in self._runs(first, first + len(values)):
            some = values[: (high - low) * (part.stop - part.start)].reshape(high - low, -1)
            values = values[some.size :]
            self.rows.put(some, np.arange(low, high), targets, part, window)

    def pairs(self, values: np.ndarray, first: int, origins: Origins) -> Pairs:
        """Yield what tensors have in all these places, and the values that belong there."""
        for low, high, part in self._runs(first, first + len(values)):
            some = values[: (high - low) * (part.stop - part.start)].reshape(high - low, -1)
            values = values[some.size :]
            for rows, found in self.rows.pairs(some, np.arange(low, high), origins, _whole):
                yield rows.reshape(len(rows), -1)[:, part], found

    def _runs(self, first: int, last: int) -> Iterator[tuple[int, int, slice]]:
        """Yield runs of kept rows of one shape, and which elements of each of them are meant."""
        starts = self.starts
        row = int(np.searchsorted(starts, first, "right")) - 1
        while first < last:
            begin, end = int(starts[row]), int(starts[row + 1])
            behind = row + 1
            if first == begin and end <= last:
                change = int(self._changes[np.searchsorted(self._changes, row, "right")])
                behind = min(int(np.searchsorted(starts, last, "right")) - 1, change)
            yield row, behind, slice(first - begin, min(last, end) - begin)
            first, row = min(last, int(starts[behind])), behind


def _whole(view: Any) -> Any:
    return view


def _ends(part: slice) -> tuple[int, int]:
    return part.start, part.stop
