"""Which rows of a group are near to earlier ones, so that these may stand for them, with loss.

Both ways of an edge of a graph, a prefix that two batches share, views of one picture: such rows
differ by less than what coding them loses.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...align.repeats import Rows, Runs, gather
from .group import Group
from .repeats import runs_of

MOST_VALUES = 1 << 24  # of a group: more are not compared
LEAST_ROWS, LEAST_SIZE = 64, 8  # and values of a row
PROBED_ROWS, PROBED_VALUES = 128, 1 << 22  # of the probe, and of what it is compared with
WORTHWHILE = 1 / 3  # of the rows of the probe must be near another
CHUNK = 256  # rows that are compared at once
PRODUCTS = 1 << 32  # of all comparisons: of so many rows more, fewer that come before are compared


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
        if rows.count < LEAST_ROWS or len(set(rows.shapes)) > 1:
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
        found = _distances(self._some(probe), self._some(pool))
        found[probe[:, None] == pool] = np.inf
        return bool(np.mean(found.min(axis=1) < apart) > WORTHWHILE)

    def _some(self, rows: np.ndarray) -> np.ndarray:
        """Return the values (rows, size) of some rows, in order."""
        numbers, found = self.rows.tensor_of(rows), []
        for number in np.unique(numbers).tolist():
            mine = rows[numbers == number]
            view = self.rows.view(self.group.tensor(number))
            stored = gather(view, self.rows.places(number, mine))
            found.append(self.group.floats(stored.reshape(len(mine), -1)))
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
        kinds = np.fromiter(self._kinds(apart), np.int64, len(self.values))
        runs = runs_of(kinds)
        if runs is None:
            return None
        rows = Rows(self.group.layout, self.group.shapes, self.rows.whole, runs)
        kept = rows.kept[rows.source]
        error = float(np.square(self.values - self.values[kept], dtype=np.float64).sum())
        return replace(self.group, rows=rows), error

    def _kinds(self, apart: float) -> Iterator[int]:
        """Yield for each row the number of that which stands for it, the nearest there is."""
        count = self.rows.count
        window = max(PRODUCTS // (count * self.size), CHUNK)
        leaders = np.zeros(0, np.int64)  # rows that stand for others
        for start in range(0, count, CHUNK):
            some = self.values[start : start + CHUNK]
            before = leaders[-window:]
            kinds = np.full(len(some), -1)
            if before.size:
                found = _distances(some, self.values[before])
                nearest = found.argmin(axis=1)
                near = found[np.arange(len(some)), nearest] < apart
                kinds[near] = before[nearest[near]]
            left = np.flatnonzero(kinds < 0)
            between = _distances(some[left], some[left])
            between[between >= apart] = np.inf
            leads = np.zeros(len(left), bool)
            for i in range(len(left)):
                to_leaders = np.where(leads[:i], between[i, :i], np.inf)
                nearest_one = int(to_leaders.argmin()) if i else 0
                leads[i] = not i or to_leaders[nearest_one] == np.inf
                kinds[left[i]] = start + left[i if leads[i] else nearest_one]
            leaders = np.concatenate([leaders, start + left[leads]])
            yield from kinds.tolist()


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the squared distances (n, m) of rows (n, size) and (m, size)."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)
    return lengths - 2 * (a @ b.T)
