"""A token grid whose larger latents go through dependent quantisation (SPEC §7.10)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..entropy import dependent_family as family
from ..entropy.tables import Table, bits
from ..quantise import dependent
from ..quantise.dependent import Levels, Registers
from ..quantise.scalar import TRADE
from .part_coder import Coded, PartCoder, Quantised, Run, Sizes, Take


@dataclass
class DependentCoder(PartCoder):
    """Codes latents of small scale as a `PartCoder` does, all others along chains."""

    def __post_init__(self) -> None:
        if any(n >= family.FIRST and not t.magnitude for n, t in self.tables.items()):
            raise ValueError("an empty table of dependent symbols")

    def table(self, number: int) -> Table:
        if number < family.FIRST:
            return super().table(number)
        return self.tables.get(number) or family.table(number)

    def lattice(self, number: int) -> tuple[float, float]:
        if number < family.FIRST:
            return super().lattice(number)
        return self.step * dependent.RATIO, 0.5 * family.quantiser(number)

    def encode_latents(self, latents: np.ndarray, sizes: Sizes) -> tuple[list[Coded], float]:
        latents = latents.reshape(-1, latents.shape[-1])
        scalar, runs = self._split(sizes)
        coded, error = self._coded(self._scalar(latents, scalar))
        symbols, second, more = self._quantise(latents, runs)
        for number, start, stop in _stretches(runs, latents.shape[-1]):
            some, mine = symbols[start:stop], second[start:stop]
            coded.append((family.number(number, 0), some.compress(~mine)))
            coded.append((family.number(number, 1), some.compress(mine)))
        return coded, error + more

    def quantised(self, latents: np.ndarray, sizes: Sizes) -> Iterator[Quantised]:
        """Yield (number of table, copies of latents, int32 symbols), each number once."""
        latents = latents.reshape(-1, latents.shape[-1])
        scalar, runs = self._split(sizes)
        yield from self._scalar(latents, scalar)
        symbols, second, _ = self._quantise(latents, runs)
        start = 0
        for number, rows in runs:
            chosen = latents[rows].reshape(-1)
            stop = start + chosen.size
            for quantiser in (False, True):
                mine = second[start:stop] == quantiser
                found = symbols[start:stop].compress(mine)
                yield family.number(number, quantiser), chosen.compress(mine), found
            start = stop

    def decode(self, take: Take, sizes: Sizes, blocks: int) -> np.ndarray:
        latents = np.zeros((len(self.scales), math.prod(sizes), blocks), self.dtype)
        flat = latents.reshape(-1, blocks)
        scalar, runs = self._split(sizes)
        self._take(take, flat, scalar)
        symbols, second = self._take_chains(take, runs, blocks)
        start = 0
        for number, rows in runs:
            some = slice(start, start + len(rows) * blocks)
            found = self.levels(family.number(number, 0), symbols[some])
            other = self.levels(family.number(number, 1), symbols[some])
            np.copyto(found, other, where=second[some])
            flat[rows] = found.reshape(len(rows), blocks)
            start = some.stop
        return self.transform.inverse(latents, sizes)

    def _take_chains(
        self, take: Take, runs: list[Run], blocks: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return all symbols of the chains, and which of them quantiser 1 has."""
        count = _count(runs, blocks)
        symbols, second = np.empty(count, np.int32), np.empty(count, bool)
        _, length = dependent.chains(count)
        registers = Registers(length)
        for number, start, stop in _stretches(runs, blocks):
            place = start % length
            mine = registers.quantiser[place : place + stop - start]
            second[start:stop] = mine
            some = symbols[start:stop]
            for quantiser, which in enumerate((~mine, mine)):
                where = np.flatnonzero(which)
                some[where] = take(len(where), self.table(family.number(number, quantiser)))
            if stop % length == 0:
                registers.learn(symbols[stop - length : stop])
        return symbols, second

    def _split(self, sizes: Sizes) -> tuple[list[Run], list[Run]]:
        """Return what the scalar quantiser codes, and what the dependent ones do."""
        order = self.order(sizes)
        first = sum(number < family.LEAST for number, _ in order)
        return order[:first], order[first:]

    def _quantise(
        self, latents: np.ndarray, runs: list[Run]
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Return symbols of all runs, which of them quantiser 1 has, and the squared error."""
        rows = np.concatenate([rows for _, rows in runs] or [np.zeros(0, np.intp)])
        trade = dependent.TRADE * self.trade / TRADE
        levels = []
        for number, mine in runs:
            tables = (self.table(family.number(number, q)) for q in (0, 1))
            levels.append((len(mine) * latents.shape[-1], _levels(*tables, trade)))
        spacing = self.step * dependent.RATIO
        return dependent.quantise(latents[rows].reshape(-1), spacing, levels)


def _count(runs: list[Run], blocks: int) -> int:
    return sum(len(rows) for _, rows in runs) * blocks


def _stretches(runs: list[Run], blocks: int) -> Iterator[tuple[int, int, int]]:
    """Yield (number, start, stop) of symbols of one number and step, in coding order."""
    _, length = dependent.chains(_count(runs, blocks))
    start = 0
    for number, rows in runs:
        end = start + len(rows) * blocks
        while start < end:
            stop = min(start - start % length + length, end)
            yield number, start, stop
            start = stop


@lru_cache(maxsize=256)
def _levels(first: Table, second: Table, trade: float) -> Levels:
    tables = (first, second)
    low_bits = any(table.shift for table in tables)
    rates = [dependent.FLAT if low_bits else bits(table) for table in tables]
    return Levels.of(rates, [table.offsets for table in tables], trade)
