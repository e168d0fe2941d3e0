"""Maps without a transform, every symbol's table chosen by its neighbours (SPEC §7.9, §7.13)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..entropy import contexts, restoration
from ..entropy.contexts import Contexts
from ..entropy.tables import Table, bits
from ..quantise.scalar import PLAIN, Thresholds, dequantise, quantise, thresholds
from .part_coder import PartCoder, Sizes, Take

Offsets = tuple[float, float, float]  # of reconstructed symbols 0, 1 and above, in steps
USUAL: Offsets = (0.15, 0.0, 0.0)


@dataclass
class ContextCoder(PartCoder):
    """One token grid in the sample domain; blocks are pieces of a map."""

    positive: bool = False  # no value is below the mean, which is the value of symbol 0
    offsets: np.ndarray | None = None  # of restoration; None: those of the tables (3.0)
    expected: Mapping[int, Offsets] = field(default_factory=dict)  # by table, while encoding

    def table(self, number: int) -> Table:
        return self.tables.get(number) or contexts.table(number, self.positive)

    def contexts(self, sizes: Sizes, blocks: int) -> Contexts:
        """Return the contexts of a class of blocks, nothing known yet."""
        scales = self.scales.reshape(len(self.scales), -1)[:, 0]
        rows, columns = sizes
        return Contexts((rows, columns), (scales - self.step_scale + 1) >> 1, blocks)

    def encode_latents(
        self, latents: np.ndarray, sizes: Sizes
    ) -> tuple[list[tuple[int, np.ndarray]], float]:
        assert self.offsets is not None
        known = self.contexts(sizes, latents.shape[-1])
        rows = by_place(latents)
        coded = [(number, symbols) for number, _, symbols in self.decided(rows, known)]
        change = restoration.restored(known, self.offsets, self.step, self.dtype)
        change -= rows
        return coded, float(np.vdot(change, change))

    def decided(
        self, rows: np.ndarray, known: Contexts
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield (number of table, copies of latents, int32 symbols) in coding order.

        `rows` are latents (points, columns), of which nothing is known yet. They are decided pass
        by pass, so that the table of each is known by then.
        """
        for number, (places, _) in enumerate(known.lattice):
            numbers = known.numbers(number)
            values = rows[places].reshape(-1)
            symbols = np.empty(values.size, np.int32)
            for chosen, where in contexts.by_table(numbers):
                mine = values.take(where)
                found = quantise(mine, self.step, self.thresholds_of(chosen))
                symbols[where] = found
                yield chosen, mine, found
            known.learn(number, symbols.reshape(numbers.shape))

    def thresholds_of(self, number: int) -> Thresholds:
        """Return where symbols that a table will code change, in steps."""
        table = self.table(number)
        if table.shift:
            return PLAIN
        zero, one, further = self.expected.get(number, USUAL)
        return thresholds(bits(table), (one, further), self.trade, zero)

    def decode(self, take: Take, sizes: Sizes, blocks: int) -> np.ndarray:
        """Return aligned values (channels, points, blocks); `take` hands out the symbols."""
        channels, points = len(self.scales), sizes[0] * sizes[1]
        known = self.contexts(sizes, blocks)
        latents = np.empty((points, channels * blocks), self.dtype)
        for number, (places, _) in enumerate(known.lattice):
            numbers = known.numbers(number)
            symbols = np.empty(numbers.size, np.int32)
            values = np.empty(numbers.size, self.dtype)
            for chosen, where in contexts.by_table(numbers):
                table = self.table(chosen)
                found = take(len(where), table)
                symbols[where] = found
                if self.offsets is None:
                    values[where] = dequantise(found, self.step, table.offsets, self.dtype)
            known.learn(number, symbols.reshape(numbers.shape))
            if self.offsets is None:
                latents[places] = values.reshape(numbers.shape)
        if self.offsets is not None:
            latents = restoration.restored(known, self.offsets, self.step, self.dtype)
        aligned = latents.reshape(points, channels, blocks).transpose(1, 0, 2)
        return self.transform.inverse(np.ascontiguousarray(aligned), sizes)


def by_place(latents: np.ndarray) -> np.ndarray:
    """Return latents (channels, points, blocks) as (points, channels times blocks)."""
    return np.ascontiguousarray(latents.transpose(1, 0, 2)).reshape(latents.shape[1], -1)
