"""Aligned values of one token grid to symbols with tables, and back (SPEC §6)."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from ...entropy import family
from ...entropy.symbols import Runs
from ...entropy.tables import Table, bits, by_table
from ...quantise.scalar import LAMBDA, PLAIN, Thresholds, dequantise, quantise, thresholds
from ...transform import dct
from ...transform.base import Transform

Sizes = tuple[int, ...]
# A count and a table, or the counts and tables of many arrays, to the next symbols.
NextSymbols = Callable[[int, Table | Runs], np.ndarray]
Run = tuple[int, np.ndarray]  # the number of a table, and the coefficients that it codes
Coded = tuple[int, np.ndarray]  # the number of a table, and its int32 symbols
Quantised = tuple[int, np.ndarray, np.ndarray]  # the number of a table, latents and symbols


@dataclass
class PartCoder:
    """The transform, scales, step and tables of one token grid, ready to code blocks."""

    transform: Transform
    scales: np.ndarray  # (channels, *block), quarter octaves
    tables: Mapping[int, Table]  # in place of built-in ones of that number
    step: float
    step_scale: int
    dtype: str
    plain: bool = False  # quantise to the nearest level, which bounds the error
    lmbda: float = LAMBDA  # of the thresholds, see quantise.scalar
    _orders: dict[Sizes, list[Run]] = field(default_factory=dict)

    def table(self, number: int) -> Table:
        return self.tables.get(number) or family.table(number)

    def deciding_like(self, other: "PartCoder", lambda_scale: float) -> "PartCoder":
        """Return this coder with the thresholds of another, its lambda times `lambda_scale`."""
        return replace(self, plain=other.plain, lmbda=other.lmbda * lambda_scale)

    def lattice(self, number: int) -> tuple[float, float]:
        """Return the spacing of the levels of a table, and their shift towards 0 in spacings."""
        return self.step, 0.0

    def levels(self, number: int, symbols: np.ndarray) -> np.ndarray:
        """Return the reconstruction points of symbols of a table."""
        spacing, lowered = self.lattice(number)
        first, further = self.table(number).offsets
        return dequantise(symbols, spacing, (first - lowered, further - lowered), self.dtype)

    def order(self, sizes: Sizes) -> list[Run]:
        """Return (number of table, coefficients) for blocks of a size, tables ascending.

        Coefficients are numbered channel by channel, point by point. Those of a smaller block take
        the scale of the nearest frequency of the longest block.
        """
        if sizes not in self._orders:
            places = dct.places(sizes, self.scales.shape[1:])
            scales = self.scales[np.ix_(np.arange(len(self.scales)), *places)].ravel()
            numbers = family.numbers(scales, self.step_scale)
            self._orders[sizes] = by_table(numbers)
        return self._orders[sizes]

    def split(self, sizes: Sizes) -> tuple[list[Run], list[Run]]:
        """Return the runs of the scalar quantiser, and those of the dependent ones."""
        return self.order(sizes), []

    def thresholds(self, table: Table) -> Thresholds:
        if self.plain:
            return PLAIN
        return thresholds_of(table, self.lmbda)

    def encode(self, values: np.ndarray, sizes: Sizes) -> tuple[list[Coded], float]:
        """Return (number of table, int32 symbols) and the squared error in the latents.

        `values` (channels, points, blocks) are overwritten. Coefficients whose table is empty
        are left out.
        """
        return self.encode_latents(self.transform.forward(values, sizes), sizes)

    def encode_latents(self, latents: np.ndarray, sizes: Sizes) -> tuple[list[Coded], float]:
        """Encode latents, which are not changed; `encode` calls this behind the transform."""
        flat = latents.reshape(-1, latents.shape[-1])
        return self._coded(self._scalar(flat, self.order(sizes)))

    def decode(self, next_symbols: NextSymbols, sizes: Sizes, blocks: int) -> np.ndarray:
        """Return aligned values (channels, points, blocks) of the next symbols."""
        latents = np.zeros((len(self.scales), math.prod(sizes), blocks), self.dtype)
        self._decode_runs(next_symbols, latents.reshape(-1, blocks), self.order(sizes))
        return self.transform.inverse(latents, sizes)

    def _coded(self, quantised: Iterable[Quantised]) -> tuple[list[Coded], float]:
        coded, error = [], 0.0
        for number, chosen, symbols in quantised:
            if self.table(number).magnitude:
                chosen -= self.levels(number, symbols)
                coded.append((number, symbols))
            error += float(np.vdot(chosen, chosen))
        return coded, error

    def _scalar(self, latents: np.ndarray, runs: Iterable[Run]) -> Iterator[Quantised]:
        for number, rows in runs:
            chosen = latents[rows]
            table = self.table(number)
            if table.magnitude:
                yield number, chosen, quantise(chosen, self.step, self.thresholds(table))
            else:
                yield number, chosen, np.zeros(chosen.shape, np.int32)

    def _decode_runs(
        self, next_symbols: NextSymbols, latents: np.ndarray, runs: Iterable[Run]
    ) -> None:
        for number, rows in runs:
            table = self.table(number)
            if table.magnitude:
                found = self.levels(number, next_symbols(len(rows) * latents.shape[-1], table))
                latents[rows] = found.reshape(len(rows), -1)


@lru_cache(maxsize=1024)
def thresholds_of(table: Table, lmbda: float) -> Thresholds:
    """Return the best thresholds under a table; those of a table with low bits are plain."""
    return PLAIN if table.shift else thresholds(bits(table), table.offsets, lmbda)


def in_order(coded: Sequence[Coded]) -> NextSymbols:
    """Return the symbols of an encoder in the form that `decode` takes them."""
    arrays = iter(coded)

    def following(count: int, table: Table | Runs) -> np.ndarray:
        if isinstance(table, Table):
            return next(arrays)[1].reshape(-1)
        return np.concatenate([next(arrays)[1].reshape(-1) for _ in table])

    return following
