"""The coding order of dependent quantisation: symbols along chains (SPEC §7.10)."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from ...entropy.symbols import ChainDecoder
from ...entropy.tables import Table, bits
from ...quantise import dependent
from ...quantise.dependent import Levels, Offsets, Registers
from .base import NextSymbols

TableCounts = Sequence[
    tuple[int, int]
]  # numbers of tables, ascending, and how many symbols have them


def _stretches(runs: TableCounts) -> Iterator[tuple[int, int, int]]:
    """Yield (number, start, stop) of symbols of one number and stage, in coding order."""
    _, length = dependent.chains(sum(count for _, count in runs))
    start = 0
    for number, count in runs:
        end = start + count
        while start < end:
            stop = min(start - start % length + length, end)
            yield number, start, stop
            start = stop


def by_quantiser(
    runs: TableCounts, second: np.ndarray, numbered: Callable[[int, int], int]
) -> tuple[np.ndarray, list[tuple[int, slice]]]:
    """Return the coding order of symbols, and (number of table, slice of that order) of each array.

    `second` marks the symbols of quantiser 1; `numbered` gives the table number of a quantiser.
    """
    stretches = list(_stretches(runs))
    lengths = np.array([stop - start for _, start, stop in stretches], np.int64)
    compiled = dependent.compiled_loops(second)
    if compiled:
        order, counts = compiled.order(lengths, second)
    else:
        keys = np.repeat(np.arange(0, 2 * len(stretches), 2, dtype=np.uint16), lengths)
        keys += second
        counts = np.bincount(keys, minlength=2 * len(stretches))
        order = np.argsort(keys, kind="stable")  # a radix sort
    edges = counts.cumsum().tolist()
    numbers = (numbered(number, q) for number, _, _ in stretches for q in (0, 1))
    arrays = [
        (number, slice(start, stop))
        for number, start, stop in zip(numbers, [0, *edges], edges, strict=False)
        if start < stop
    ]
    return order, arrays


def decode(
    next_symbols: NextSymbols, runs: TableCounts, table: Callable[[int, int], Table]
) -> tuple[np.ndarray, np.ndarray]:
    """Return all symbols of the chains, and which of them are of quantiser 1."""
    count = sum(count for _, count in runs)
    _, length = dependent.chains(count)
    if isinstance(next_symbols, ChainDecoder):
        return next_symbols.chained([(n, table(i, 0), table(i, 1)) for i, n in runs], length)
    symbols, second = np.empty(count, np.int32), np.empty(count, bool)
    registers = Registers(length)
    for number, start, stop in _stretches(runs):
        place = start % length
        mine = registers.quantiser[place : place + stop - start]
        second[start:stop] = mine
        some = symbols[start:stop]
        for quantiser, which in enumerate((~mine, mine)):
            (where,) = which.nonzero()
            if len(where):
                some[where] = next_symbols(len(where), table(number, quantiser))
        if stop % length == 0:
            registers.learn(symbols[stop - length : stop])
    return symbols, second


@lru_cache(maxsize=1024)
def levels(
    first: Table, second: Table, lmbda: float, offsets: tuple[Offsets, Offsets] | None = None
) -> Levels:
    """Return the levels of two tables, with the offsets of the tables unless others are given."""
    tables = (first, second)
    low_bits = any(table.shift for table in tables)
    rates = [dependent.FLAT if low_bits else bits(table) for table in tables]
    return Levels.of(rates, offsets or [(0.0, *table.offsets) for table in tables], lmbda)
