"""Which rows of a group are near to earlier ones, so that these may stand for them, with loss.

Both ways of an edge of a graph, a prefix that two batches share, views of one picture: such rows
differ by less than what coding them loses. Constant rows, such as padding, stay what they are: they
come back exactly, and stand for none.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...align.numbers import unsigned
from ...align.repeats import Rows, Runs, gather
from .group import Group
from .runs import runs_of

LEAST_ROWS, LEAST_SIZE = 64, 8  # and values of a row
MOST_ROWS, MOST_VALUES = 1 << 17, 1 << 24  # more are not compared
PROBED_ROWS, PROBED_VALUES = 128, 1 << 22  # of the probe, and of what it is compared with
WORTHWHILE = 1 / 3  # of the rows of the probe must be near another
# Rows that are compared at once, and values of them: a few rows of many.
CHUNK, CHUNK_VALUES = 256, 1 << 20
# Products in all, about, as many in a comparison as a row has values and PER_PAIR more: of more
# rows, fewer that come before are compared.
PRODUCTS, PER_PAIR = 1 << 32, 64


@dataclass(frozen=True)
class NearRows:
    """The rows of a group that are compared, all of one shape."""

    group: Group
    rows: Rows  # all of them new

    @classmethod
    def of(cls, group: Group) -> "NearRows | None":
        """Return those of a group; None where rows may not stand for each other, or are few."""
        layout = group.layout
        plain = group.rows is None and group.gains is None and group.expected == 1
        if not plain or group.stacks is not None or layout.channel_axes > 1 or layout.prefix:
            return None
        if group.present > MOST_VALUES or not all(math.prod(shape) for shape in group.shapes):
            return None
        rows = Rows(layout, group.shapes, layout.grid_axes > 1, Runs((), (), ()))
        if not LEAST_ROWS <= rows.count <= MOST_ROWS or len(set(rows.shapes)) > 1:
            return None
        return cls(group, rows) if math.prod(rows.shapes[0]) >= LEAST_SIZE else None

    @property
    def size(self) -> int:
        """The values of a row."""
        return math.prod(self.rows.shapes[0])

    def promise(self, apart: float) -> bool:
        """Return whether many rows of a probe have another within a squared distance."""
        count = self.rows.count
        probe = np.linspace(0, count - 1, min(PROBED_ROWS, count)).astype(int)
        most = max(PROBED_VALUES // self.size, 2)
        pool = np.linspace(0, count - 1, min(most, count)).astype(int)
        probed = self._some(probe)
        varied = ~_constant(probed)
        probe, probed, nearest = probe[varied], probed[varied], np.full(varied.sum(), np.inf)
        if not probe.size:
            return False
        for start in range(0, len(pool), self._at_once):
            some = pool[start : start + self._at_once]
            values = self._some(some)
            found = _distances(probed, values)
            found[(probe[:, None] == some) | _constant(values)] = np.inf
            np.minimum(nearest, found.min(axis=1), out=nearest)
        return bool(np.mean(nearest < apart) > WORTHWHILE)

    @property
    def _at_once(self) -> int:
        return min(max(CHUNK_VALUES // self.size, 1), CHUNK)

    def _some(self, rows: np.ndarray) -> np.ndarray:
        """Return the values (rows, size) of some rows, in order."""
        return self.group.floats(self._stored(rows))

    def _stored(self, rows: np.ndarray) -> np.ndarray:
        """Return the stored elements (rows, size) of some rows, in order."""
        numbers, found = self.rows.tensor_of(rows), []
        different, starts = np.unique(numbers, return_index=True)
        for number, mine in zip(different.tolist(), np.split(rows, starts[1:]), strict=True):
            view = self.rows.view(self.group.tensor(number))
            found.append(gather(view, self.rows.places(number, mine)).reshape(len(mine), -1))
        return np.concatenate(found)

    @cached_property
    def values(self) -> np.ndarray:
        """The values (rows, size) of all rows."""
        return self._some(np.arange(self.rows.count))

    @property
    def finite(self) -> bool:
        """Whether all values are."""
        return bool(np.isfinite(self.values).all())

    def within(self, apart: float) -> "tuple[Group, float] | None":
        """Return the group without rows that are within a squared distance of an earlier one.

        And the squared error of these being those. None where there are hardly any.
        """
        plain = _constant(self.values)
        varied = np.flatnonzero(~plain)
        values = self.values[varied] if plain.any() else self.values
        elements = np.zeros(0, unsigned(self.group.dtype))
        if plain.any():
            elements = self._stored(np.flatnonzero(plain))[:, 0].view(elements.dtype)
        kinds = np.empty(len(plain), np.int64)
        kinds[varied] = varied[np.fromiter(self._kinds(values, apart), np.int64, len(varied))]
        kinds[plain] = len(plain) + np.unique(elements, return_inverse=True)[1]
        runs = runs_of(kinds, plain, elements)
        if runs is None:
            return None
        rows = Rows(self.group.layout, self.group.shapes, self.rows.whole, runs)
        kept = rows.kept[rows.source[varied]]
        error = float(np.square(values - self.values[kept], dtype=np.float64).sum())
        return replace(self.group, rows=rows), error

    def _kinds(self, values: np.ndarray, apart: float) -> Iterator[int]:
        """Yield for each row the number of that which stands for it: one before it, or itself."""
        count = len(values)
        window = max(PRODUCTS // (count * (self.size + PER_PAIR)), CHUNK)
        leaders = np.zeros(0, np.int64)  # rows that stand for others
        for start in range(0, count, self._at_once):
            some = values[start : start + self._at_once]
            before = leaders[-window:]
            kinds = np.full(len(some), -1)
            if before.size:
                found = _distances(some, values[before])
                nearest = found.argmin(axis=1)
                near = found[np.arange(len(some)), nearest] < apart
                kinds[near] = before[nearest[near]]
            left = np.flatnonzero(kinds < 0)
            between = np.tril(_distances(some[left], some[left]) < apart, -1)
            leads: np.ndarray = np.logical_not(between.any(axis=1))
            kinds[left] = start + left
            for i in np.flatnonzero(~leads).tolist():
                near_leaders = np.flatnonzero(between[i] & leads)
                leads[i] = not near_leaders.size
                if near_leaders.size:
                    kinds[left[i]] = start + left[near_leaders[0]]
            leaders = np.concatenate([leaders, start + left[leads]])
            yield from kinds.tolist()


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the squared distances (n, m) of rows (n, size) and (m, size)."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)
    return lengths - 2 * (a @ b.T)


def _constant(rows: np.ndarray) -> np.ndarray:
    """Return which rows (n, size) of values are of one value each, bit for bit."""
    bits = rows.view(f"u{rows.itemsize}")
    return (bits == bits[:, :1]).all(axis=1)
