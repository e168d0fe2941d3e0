"""Tables of a dump's own, of numbers and of shapes, where they pay."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...encoding.fit import counting, fitting
from ...entropy import contexts, fit, shapes
from ...entropy.contexts import TABLES, Contexts
from ...entropy.shapes import SHAPES
from ...entropy.tables import EMPTY, MAX_MAGNITUDE, Table
from .arrays import SYMBOLS, bits_of
from .scalar import ContextCoder

QUANTISERS = 3  # the scalar one and the two that take turns
CELLS = contexts.CLASSES * (SHAPES + 1)
# A table in a deflated list; some of its bytes hardly differ from those of the table before.
SAVED_BYTES = 3
# What a number that is fitted to a sample saves there more than elsewhere.
FITTED_BITS = 1.44
SMALL = Table(2, hazards=(128, 128))  # hardly any table is smaller
WORTHWHILE = 100  # bits that a table is to save: each array takes a decoder time

Tables = dict[int, Table]


@dataclass
class ShapeCounts:
    """How often each symbol has each number and shape: (QUANTISERS, TABLES, SHAPES + 1, symbols).

    The last are those without a shape.
    """

    counts: np.ndarray

    @classmethod
    def empty(cls) -> "ShapeCounts":
        return cls(np.zeros((QUANTISERS, TABLES, SHAPES + 1, len(SYMBOLS)), np.int64))

    def add(self, known: Contexts) -> None:
        """Count the symbols of a class of blocks."""
        for number, (places, _) in enumerate(known.lattice):
            numbers, shape = shapes.numbered(known, number)
            of_set = shapes.set_of(number)
            cell = np.multiply(known.quantisers[places], CELLS, dtype=np.uint16)
            numbers -= np.uint8(of_set.start)
            cell += np.multiply(numbers, SHAPES + 1, dtype=np.uint16)
            cell += shape
            key = np.multiply(cell, len(SYMBOLS), dtype=np.int32)
            key += np.clip(known.symbols[places], SYMBOLS[0], SYMBOLS[-1])
            key -= SYMBOLS[0]
            size = QUANTISERS, contexts.CLASSES, SHAPES + 1, len(SYMBOLS)
            found = np.bincount(key.reshape(-1), minlength=np.prod(size)).reshape(size)
            self.counts[:, of_set] += found


def choose(
    coder: ContextCoder, counts: counting.Counts, counted: ShapeCounts, fraction: float
) -> tuple[Tables, float]:
    """Return tables of numbers and shapes, and the bits of all symbols and tables.

    `coder` has the built-in tables. `fraction` is the part of the group's symbols that was counted.
    Numbers of large symbols, whose tables have low bits, stay without shapes.
    """
    rows = counted.counts.reshape(-1, *counted.counts.shape[2:])
    tables: Tables = {}
    total = 0.0
    for number, histogram in counts.histograms.items():
        if max(-histogram.values[0], histogram.values[-1]) > MAX_MAGNITUDE:
            alone = replace(counts, histograms={number: histogram})
            found, least = fitting.choose_tables(coder, alone, fraction, empty=False)
        else:
            found, least = _Number(number, coder.table(number), rows[number], fraction).best()
        tables |= found
        total += least
    return tables, total


@dataclass
class _Number:
    """The shapes of a number: each takes a table of its own, or one that the others have too."""

    number: int
    usual: Table
    counts: np.ndarray  # (SHAPES + 1, symbols)
    fraction: float

    def best(self) -> tuple[Tables, float]:
        """Return tables, and the bits of these and of all symbols."""
        least = self._beside(self.usual)
        for _ in range(2):  # the table of those that have none of their own, twice
            own = [n // shapes.NUMBERS - 1 for n in least[0] if n >= shapes.NUMBERS]
            rest = np.delete(self.counts, own, axis=0).sum(axis=0)
            cost = self.counts @ bits_of(least[0].get(self.number, self.usual)) / self.fraction
            if np.delete(cost, own).sum() < self._bound_of(rest[None])[0]:
                break
            common = fit.fit(_histogram(rest))
            if common is EMPTY or common.shift:
                break
            tables, bits_beside = self._beside(common)
            found = {self.number: common, **tables}, bits_beside + self._price(common)
            if found[1] >= least[1]:
                break
            least = found
        return least

    def _beside(self, common: Table) -> tuple[Tables, float]:
        """Return tables of shapes where they are better than a table, and all bits but its own."""
        least = self.counts @ bits_of(common) / self.fraction
        tables: Tables = {}
        for shape in np.flatnonzero(least[:SHAPES] > self._bounds).tolist():
            own, cost = self._own(shape)
            if cost < least[shape]:
                tables[shapes.with_shape(self.number, shape)], least[shape] = own, cost
        return tables, float(least.sum())

    @cached_property
    def _bounds(self) -> np.ndarray:
        """The least bits that each shape could take with a table of its own."""
        return self._bound_of(self.counts[:SHAPES]) + WORTHWHILE

    def _bound_of(self, counts: np.ndarray) -> np.ndarray:
        """Return the least bits that counts (n, symbols) could take with a table."""
        chance = np.maximum(counts, 1) / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        entropy: np.ndarray = -(counts * np.log2(chance)).sum(axis=1) / self.fraction
        return entropy + self._price(SMALL)

    def _own(self, shape: int) -> tuple[Table, float]:
        """Return the table of a shape, and the bits of it and its symbols."""
        if shape not in self._fitted:
            own = fit.fit(_histogram(self.counts[shape]))
            cost = np.inf
            if own is not EMPTY and not own.shift:
                cost = self.counts[shape] @ bits_of(own) / self.fraction + self._price(own)
                cost += WORTHWHILE
            self._fitted[shape] = own, float(cost)
        return self._fitted[shape]

    @cached_property
    def _fitted(self) -> dict[int, tuple[Table, float]]:
        return {}

    def _price(self, table: Table) -> float:
        """Return the bits of a table, and those that the sample does not show that it costs."""
        unseen = FITTED_BITS * (1 / self.fraction - 1)
        size = fit.table_bytes(table) - SAVED_BYTES
        return 8.0 * size + unseen * (2 + len(table.hazards))


def _histogram(counts: np.ndarray) -> fit.Histogram:
    seen = np.flatnonzero(counts)
    return fit.Histogram(SYMBOLS[seen], counts[seen])
