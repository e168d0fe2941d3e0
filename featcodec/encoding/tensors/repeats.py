"""Which rows of tensors repeat earlier ones or are constant (encoder's choice, SPEC §5.4)."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ... import limits
from ...align.grids import GroupGrid
from ...align.layout import Layout
from ...align.numbers import one_zero, unsigned
from ...align.repeats import Rows, Runs, gather
from ...container.repeats import RepeatedRows
from ...container.wire import Builder
from ...elements import BITS
from .runs import runs_in

WORTHWHILE = 1 / 16  # of the rows must repeat others
LEAST_ROW = 16  # bytes of a row: less costs hardly more than saying which one it repeats
NEARLY = 1.1  # of the values: as many may be kept where rows are whole samples
MOST_ROWS = 1 << 24  # that are compared
LEVEL_BITS = 1  # of a value that is coded by levels, about; of others half of what it has
SHOWN = 16  # elements of a row that tell most rows apart
CHUNK = 1 << 20  # elements that are looked at together
SEED = 11
FOLD, ODD = np.uint64(32), np.uint64(1)

Tensors = Callable[[int], Any]  # stored elements by number
Rounded = Callable[[np.ndarray], np.ndarray]
Shapes = Sequence[tuple[int, ...]]


def find(
    dtype: str,
    layouts: Iterable[Layout],
    shapes: Shapes,
    tensor: Tensors,
    rounded: Rounded | None = None,
    worthwhile: float = WORTHWHILE,
    signed: bool = True,
) -> Rows | None:
    """Return the rows of tensors without the repeated and constant ones; None when there are few.

    A part `worthwhile` of the rows must repeat others.

    Of those that the layouts make, the rows that leave the least. What is left of a map without
    some of its rows is hardly a map: there, whole samples are rows where that leaves nearly as
    little, and constant rows, which cost little, do not count. With `rounded`, rows are equal that
    are so once their elements, as unsigned integers, are rounded. Unless `signed`, zeros of both
    signs are one: masks that are multiplied with leave either.
    """
    if BITS[dtype] < 8 or not all(math.prod(shape) for shape in shapes):
        return None
    best, least = None, math.inf
    for layout in (each for each in layouts if each.channel_axes < 2):
        for whole in (False, True) if layout.grid_axes > 1 else (False,):
            units = GroupGrid(layout, shapes, (1,) * (len(layout.grid) or layout.grid_axes))
            if not 2 <= units.slabs <= MOST_ROWS:
                continue
            rows = Rows(layout, shapes, whole, Runs((), (), ()))
            found = _Finder(rows, unsigned(dtype), tensor, rounded, worthwhile, signed).find()
            if found is not None and found[1] < least * (NEARLY if whole else 1):
                best, least = found
    return best


def stated(rows: Rows | None, layout: str = "") -> RepeatedRows | None:
    """Return what a header says of rows."""
    return None if rows is None else _list_of(rows, layout)


def _list_of(rows: Rows, layout: str = "") -> RepeatedRows:
    runs = rows.runs
    return RepeatedRows(
        layout,
        rows.whole,
        tuple(runs.new),
        tuple(runs.repeated),
        tuple(runs.distances),
        tuple(runs.constants),
    )


@dataclass(frozen=True)
class _Finder:
    """Finds rows that are equal by their hashes, and makes sure that they are."""

    rows: Rows  # all of them new
    kind: np.dtype
    tensor: Tensors
    rounded: Rounded | None = None
    worthwhile: float = WORTHWHILE
    signed: bool = True

    def find(self) -> tuple[Rows, float] | None:
        """Return the rows, and about how many bits they and their list take."""
        rows = self.rows
        longest = max(math.prod(shape) for shape in rows.shapes)
        if longest * self.kind.itemsize < LEAST_ROW:
            return None
        hashes, plain = self._hashes(SHOWN)
        counting = rows.whole or rows.layout.grid_axes < 2
        if longest > SHOWN and (_repeated(hashes) >= self.worthwhile or (counting and plain.any())):
            hashes, plain = self._hashes(longest)
        if plain.all():
            plain[:] = counting = False
        constant = plain & counting
        if self.rounded is not None and constant.any():
            constant[constant] = self._as_they_are(np.flatnonzero(constant))
            hashes[plain & ~constant] += ODD  # of others, that rounding makes the same
        if _repeated(hashes[~plain]) * np.mean(~plain) < self.worthwhile:
            if not constant.any():
                return None
            hashes = np.where(plain, hashes, np.arange(len(hashes), dtype=np.uint64))
        runs, begins = runs_in(hashes, plain, constant)
        if not 0 < len(runs.new) <= limits.REPEAT_RUNS:
            return None
        runs = replace(runs, constants=[int(self._element(row)) for row in begins])
        found = Rows(rows.layout, rows.tensor_shapes, rows.whole, runs)
        if not self._equal(found):
            return None
        return self._of_one_sign(found), self._bits(found, plain)

    def _bits(self, found: Rows, plain: np.ndarray) -> float:
        """Return about how many bits rows take, of which constant ones take next to none."""
        varied = found.kept[~plain[found.kept]]
        sizes = np.array([math.prod(shape) for shape in found.shapes])
        listed = Builder()
        _list_of(found).pack(listed)
        each = 4 * self.kind.itemsize if self.rounded is None else LEVEL_BITS
        return each * float(sizes[found.tensor_of(varied)].sum()) + 8 * len(listed)

    def _of_one_sign(self, rows: Rows) -> Rows:
        """Return rows, whose constant zeros lose their sign where not all tensors have it there."""
        pairs = rows.constant_pairs(self.tensor, self.kind)
        if self.signed or all(np.array_equal(ours.view(self.kind), own) for ours, own in pairs):
            return rows
        constants = one_zero(np.array(rows.runs.constants, self.kind)).tolist()
        runs = replace(rows.runs, constants=constants)
        return Rows(rows.layout, rows.tensor_shapes, rows.whole, runs)

    def _element(self, row: int) -> np.unsignedinteger:
        """Return the first element of a row."""
        rows, one = self.rows, np.array([row])
        number = int(rows.tensor_of(one)[0])
        found = gather(rows.view(self.tensor(number)), rows.places(number, one))
        return self._numbers(found.reshape(-1)[:1])[0]

    def _as_they_are(self, some: np.ndarray) -> np.ndarray:
        """Return which of some rows rounding leaves as they are, as constant ones must be."""
        found = []
        each = max(CHUNK // max(math.prod(shape) for shape in self.rows.shapes), 1)
        numbers, starts = np.unique(self.rows.tensor_of(some), return_index=True)
        for number, mine in zip(numbers.tolist(), np.split(some, starts[1:]), strict=True):
            view = self.rows.view(self.tensor(number))
            for start in range(0, len(mine), each):
                stored = gather(view, self.rows.places(number, mine[start : start + each]))
                same = self._numbers(stored) == stored.view(self.kind)
                found.append(same.reshape(len(same), -1).all(axis=1))
        return np.concatenate(found)

    def _hashes(self, shown: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the hash of each row, of so many of its elements, and whether they are alike."""
        hashes, plain = [], []
        hash_of = {shape: _Hash(shape, shown, self._compared) for shape in set(self.rows.shapes)}
        for number, shape in enumerate(self.rows.shapes):
            for part in self._chunks(number, math.prod(shape)):
                found, alike = hash_of[shape].of(part)
                hashes.append(found.reshape(-1))
                plain.append(alike.reshape(-1))
        return np.concatenate(hashes), np.concatenate(plain)

    def _chunks(self, number: int, size: int) -> Iterator[np.ndarray]:
        """Yield rows of a tensor (samples, places..., a row...), in order."""
        view = self.rows.view(self.tensor(number))
        per = self.rows.per_sample[number]
        samples = max(CHUNK // (size * per), 1)
        for start in range(0, view.shape[0], samples):
            part = view[start : start + samples]
            if self.rows.whole or samples > 1:
                yield self._numbers(part)
                continue
            places = max(CHUNK // size, 1)
            for place in range(0, per, places):
                yield self._numbers(part[:, place : place + places])

    def _numbers(self, stored: Any) -> np.ndarray:
        """Return stored elements as the unsigned integers that are compared."""
        numbers = np.asarray(stored).view(self.kind)
        if self.rounded is None:
            return numbers
        return self.rounded(numbers.reshape(-1)).reshape(numbers.shape)

    def _compared(self, numbers: np.ndarray) -> np.ndarray:
        """Return what of elements counts when they are compared."""
        return numbers if self.signed else one_zero(numbers)

    def _equal(self, rows: Rows) -> bool:
        """Return whether rows that are said to be repeated are."""
        several = np.flatnonzero(rows.counts > 1)
        each = max(CHUNK // max(math.prod(shape) for shape in rows.shapes), 1)
        for start in range(0, len(several), each):
            some = several[start : start + each]
            numbers = rows.tensor_of(rows.kept[some])
            for number in np.unique(numbers).tolist():
                kept = some[numbers == number]
                view = rows.view(self.tensor(number))
                values = gather(view, rows.places(number, rows.kept[kept]))
                for ours, theirs in rows.pairs(values, kept, self.tensor, lambda view: view):
                    mine, other = map(self._numbers, (ours, theirs))
                    if not np.array_equal(self._compared(mine), self._compared(other)):
                        return False
        return all(
            np.array_equal(self._compared(self._numbers(ours)), self._compared(theirs))
            for ours, theirs in rows.constant_pairs(self.tensor, self.kind)
        )


class _Hash:
    """A sum of some elements of rows of one shape, weighed by random odd numbers of 64 bits."""

    def __init__(self, shape: tuple[int, ...], shown: int, compared: Rounded) -> None:
        size = math.prod(shape)
        self.shape, self.compared = shape, compared
        some = np.linspace(0, size - 1, min(shown, size)).astype(int)
        random = np.random.default_rng((SEED, *shape))
        self.weights = random.integers(1 << 64, size=len(some), dtype=np.uint64) | ODD
        self.total = self.weights.sum()
        self.offset = random.integers(1 << 64, dtype=np.uint64)  # rows of other shapes differ
        self.some: Any = None  # all
        if len(some) < size:
            self.some = np.unravel_index(some, shape)
        else:
            self.weights = self.weights.reshape(shape)

    def of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the hashes of rows (..., a row...), and which are constant."""
        lead = rows.ndim - len(self.shape)
        each: Any = (slice(None),) * lead
        numbers = _folded(self.compared(rows if self.some is None else rows[each + self.some]))
        axes = range(numbers.ndim)
        found = np.einsum(numbers, axes, self.weights, axes[lead:], axes[:lead])
        first = _folded(self.compared(rows[each + (0,) * len(self.shape)]))
        alike = (found == first * self.total) & (math.prod(self.shape) > 1)
        return found + self.offset, alike


def _folded(elements: np.ndarray) -> np.ndarray:
    """Return 64 bits of each element, of which the upper half counts in the lower one."""
    numbers = elements.astype(np.uint64)
    numbers ^= numbers >> FOLD
    return numbers


def _repeated(hashes: np.ndarray) -> float:
    """Return the share of hashes that occur before."""
    return 1 - len(np.unique(hashes)) / len(hashes) if len(hashes) else 0.0
