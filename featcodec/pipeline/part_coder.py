"""Aligned values of one token grid to symbols with tables, and back (SPEC §6)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..entropy import family
from ..entropy.tables import Table, bits
from ..quantise import PLAIN, TRADE, Thresholds, dequantise, quantise, thresholds
from ..transform import dct
from ..transform.base import Transform

Sizes = tuple[int, ...]
Take = Callable[[int, Table], np.ndarray]  # the next so many symbols, coded with a table


@dataclass
class PartCoder:
    """One token grid's transform, scales, step and tables, ready to code blocks."""

    transform: Transform
    scales: np.ndarray  # (channels, *block), quarter octaves
    tables: Mapping[int, Table]  # instead of built-in ones of that number
    step: float
    step_scale: int
    dtype: str
    plain: bool = False  # quantise to the nearest, for a bound on the error
    trade: float = TRADE  # of the thresholds, see quantise
    _orders: dict[Sizes, list[tuple[int, np.ndarray]]] = field(default_factory=dict)

    def table(self, number: int) -> Table:
        return self.tables.get(number) or family.table(number)

    def order(self, sizes: Sizes) -> list[tuple[int, np.ndarray]]:
        """Return (number of table, coefficients) for blocks of that size, tables ascending.

        Coefficients are counted channel by channel, position by position; those of a smaller
        block take the scales of the nearest frequency of the longest block.
        """
        if sizes not in self._orders:
            places = dct.places(sizes, self.scales.shape[1:])
            scales = self.scales[np.ix_(np.arange(len(self.scales)), *places)].ravel()
            numbers = family.numbers(scales, self.step_scale)
            rows = np.argsort(numbers, kind="stable")
            found, starts = np.unique(numbers[rows], return_index=True)
            parts = np.split(rows, starts[1:])
            self._orders[sizes] = list(zip(found.tolist(), parts, strict=True))
        return self._orders[sizes]

    def thresholds(self, table: Table) -> Thresholds:
        if self.plain or table.shift:
            return PLAIN
        return thresholds(bits(table), table.offsets, self.trade)

    def encode(
        self, values: np.ndarray, sizes: Sizes
    ) -> tuple[list[tuple[int, np.ndarray]], float]:
        """Return (number of table, int32 symbols) and the squared error in the latents.

        `values` (channels, points, blocks) are overwritten. Coefficients whose table is empty
        are left out.
        """
        return self.encode_latents(self.transform.forward(values, sizes), sizes)

    def encode_latents(
        self, latents: np.ndarray, sizes: Sizes
    ) -> tuple[list[tuple[int, np.ndarray]], float]:
        """Do what `encode` does behind the transform; `latents` stay as they are."""
        coded, error = [], 0.0
        for number, chosen, symbols in self.quantised(latents, sizes):
            table = self.table(number)
            if table.magnitude:
                chosen -= dequantise(symbols, self.step, table.offsets, self.dtype)
                coded.append((number, symbols))
            error += float(np.vdot(chosen, chosen))
        return coded, error

    def quantised(
        self, latents: np.ndarray, sizes: Sizes
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield (number of table, copies of latents, int32 symbols) in coding order.

        Of an empty table the symbols are zeros.
        """
        latents = latents.reshape(-1, latents.shape[-1])
        for number, rows in self.order(sizes):
            chosen = latents[rows]
            table = self.table(number)
            if table.magnitude:
                yield number, chosen, quantise(chosen, self.step, self.thresholds(table))
            else:
                yield number, chosen, np.zeros(chosen.shape, np.int32)

    def decode(self, take: Take, sizes: Sizes, blocks: int) -> np.ndarray:
        """Return aligned values (channels, points, blocks); `take` hands out the symbols."""
        channels = len(self.scales)
        order = self.order(sizes)
        latents = np.zeros((sum(len(rows) for _, rows in order), blocks), self.dtype)
        for number, rows in order:
            table = self.table(number)
            if table.magnitude:
                symbols = take(len(rows) * blocks, table)
                chosen = dequantise(symbols, self.step, table.offsets, self.dtype)
                latents[rows] = chosen.reshape(len(rows), blocks)
        return self.transform.inverse(latents.reshape(channels, -1, blocks), sizes)


def taking(coded: Sequence[tuple[int, np.ndarray]]) -> Take:
    """Return what hands out the symbols that a coder has just made."""
    arrays = iter(coded)
    return lambda count, table: next(arrays)[1].reshape(-1)
