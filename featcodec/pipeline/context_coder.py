"""Maps without a transform, every symbol's table chosen by its neighbours (SPEC §7.9)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..entropy import contexts
from ..entropy.contexts import Contexts
from ..entropy.tables import Table
from ..quantise.scalar import dequantise, quantise
from .part_coder import PartCoder, Sizes, Take


@dataclass
class ContextCoder(PartCoder):
    """One token grid in the sample domain; blocks are pieces of a map."""

    positive: bool = False  # no value is below the mean, which is the value of symbol 0

    def table(self, number: int) -> Table:
        return self.tables.get(number) or contexts.table(number, self.positive)

    def contexts(self, sizes: Sizes, blocks: int) -> Contexts:
        """Return the contexts of a class of blocks, nothing known yet."""
        scales = self.scales.reshape(len(self.scales), -1)[:, 0]
        rows, columns = sizes
        return Contexts((rows, columns), (scales - self.step_scale + 1) >> 1, blocks)

    def quantised(
        self, latents: np.ndarray, sizes: Sizes
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield (number of table, copies of latents, int32 symbols) in coding order.

        Pass by pass, so that the table of each symbol is known when it is decided.
        """
        channels, points, blocks = latents.shape
        rows = np.ascontiguousarray(latents.transpose(1, 0, 2)).reshape(points, -1)
        known = self.contexts(sizes, blocks)
        for number, (places, _) in enumerate(known.lattice):
            numbers = known.numbers(number)
            values = rows[places].reshape(-1)
            symbols = np.empty(values.size, np.int32)
            for chosen, where in contexts.by_table(numbers):
                mine = values.take(where)
                found = quantise(mine, self.step, self.thresholds(self.table(chosen)))
                symbols[where] = found
                yield chosen, mine, found
            known.learn(number, symbols.reshape(numbers.shape))

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
                values[where] = dequantise(found, self.step, table.offsets, self.dtype)
            known.learn(number, symbols.reshape(numbers.shape))
            latents[places] = values.reshape(numbers.shape)
        aligned = latents.reshape(points, channels, blocks).transpose(1, 0, 2)
        return self.transform.inverse(np.ascontiguousarray(aligned), sizes)
