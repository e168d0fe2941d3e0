"""The coder of a token grid of few latents: those of all tables together (SPEC §9.1)."""

import math
from dataclasses import dataclass, field

import numpy as np

from ...entropy import family
from ...entropy.tables import Table, by_table
from ...transform import dct
from ..kept import Kept
from .base import NextSymbols, PartCoder, Sizes


@dataclass(frozen=True)
class Runs:
    """The coefficients of blocks of a size in coding order, and their tables."""

    rows: np.ndarray  # whose tables code symbols
    lost: np.ndarray  # of empty tables
    tables: tuple[Table, ...]
    counts: tuple[int, ...]  # of the coefficients of each table
    expected: float  # the sum of the variances that their tables are for, in squared steps

    @property
    def numbers(self) -> int:
        return self.rows.size + self.lost.size

    def each(self, of_tables: list[float], blocks: int, dtype: str) -> np.ndarray:
        """Return a number of each table for all its latents, flat."""
        return np.repeat(np.array(of_tables, dtype), [count * blocks for count in self.counts])

    def offsets(self, blocks: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the offsets of magnitude 1, and by how much those above exceed them."""
        pairs = [table.offsets for table in self.tables]
        first = self.each([first for first, _ in pairs], blocks, dtype)
        return first, self.each([further - first for first, further in pairs], blocks, dtype)


@dataclass
class AtOnceCoder(PartCoder):
    """A `PartCoder` whose coding orders outlive it; numpy is called once for all tables."""

    kept: Kept[Runs] = field(default_factory=lambda: Kept(0, lambda runs: runs.numbers))

    def runs(self, sizes: Sizes) -> Runs:
        """Return the coding order of blocks of a size."""
        return self.kept.get((sizes, self.step_scale), lambda: self._runs(sizes))

    def _runs(self, sizes: Sizes) -> Runs:
        places = dct.places(sizes, self.scales.shape[1:])
        scales = self.scales[np.ix_(np.arange(len(self.scales)), *places)].ravel()
        found = by_table(family.numbers(scales, self.step_scale))
        coded = [(self.table(number), rows) for number, rows in found]
        full = [(table, rows) for table, rows in coded if table.magnitude]
        none = np.zeros(0, np.intp)
        return Runs(
            np.concatenate([none, *(rows for _, rows in full)]),
            np.concatenate([none, *(rows for table, rows in coded if not table.magnitude)]),
            tuple(table for table, _ in full),
            tuple(len(rows) for _, rows in full),
            sum(2.0 ** (number - family.UNIT) * len(rows) for number, rows in found),
        )

    def decode(self, next_symbols: NextSymbols, sizes: Sizes, blocks: int) -> np.ndarray:
        runs = self.runs(sizes)
        latents = np.zeros((len(self.scales) * math.prod(sizes), blocks), self.dtype)
        pairs = zip(runs.counts, runs.tables, strict=True)
        found = [next_symbols(count * blocks, table) for count, table in pairs]
        if found:
            points = self.points(runs, np.concatenate(found), blocks)
            latents[runs.rows] = points.reshape(-1, blocks)
        return self.transform.inverse(latents.reshape(len(self.scales), -1, blocks), sizes)

    def points(self, runs: Runs, symbols: np.ndarray, blocks: int) -> np.ndarray:
        """Return the reconstruction points of flat symbols, as `dequantise` has them."""
        latents = symbols.astype(self.dtype)
        first, more = runs.offsets(blocks, self.dtype)
        shift = np.maximum(np.minimum(latents, 1), -1)
        beyond = np.maximum(np.minimum(latents, 2), -2)
        beyond -= shift
        shift *= first
        beyond *= more
        shift += beyond
        latents += shift
        latents *= latents.dtype.type(self.step)
        return latents
