"""Maps without a transform, every symbol's table chosen by its neighbours (SPEC §7.9)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..entropy import contexts
from ..entropy.contexts import Contexts
from ..entropy.tables import Table
from ..quantise.scalar import PLAIN, Thresholds, dequantise, quantise
from .part_coder import PartCoder, Sizes, Take


@dataclass
class ContextCoder(PartCoder):
    """One token grid in the sample domain; blocks are pieces of a map."""

    positive: bool = False  # no value is below the mean, which is the value of symbol 0

    def table(self, number: int) -> Table:
        return self.tables.get(number) or contexts.table(number, self.positive)

    @property
    def flat(self) -> Thresholds:
        """Return the same thresholds for all symbols: tables are known only after quantising."""
        if self.plain:
            return PLAIN
        return Thresholds(0.5 + 1.7 * self.trade, min(0.5 + 0.8 * self.trade, 0.6))

    def contexts(self, sizes: Sizes, blocks: int) -> Contexts:
        """Return the contexts of a class of blocks, nothing known yet."""
        scales = self.scales.reshape(len(self.scales), -1)[:, 0]
        rows, columns = sizes
        return Contexts((rows, columns), (scales - self.step_scale + 1) >> 1, blocks)

    def quantised(
        self, latents: np.ndarray, sizes: Sizes
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield (number of table, copies of latents, int32 symbols) in coding order."""
        channels, points, blocks = latents.shape
        rows = np.ascontiguousarray(latents.transpose(1, 0, 2)).reshape(points, -1)
        symbols = quantise(rows, self.step, self.flat)
        known = self.contexts(sizes, blocks)
        for number, (places, _) in enumerate(known.lattice):
            numbers = known.numbers(number)
            mine, values = symbols[places], rows[places].reshape(-1)
            known.learn(number, mine)
            flat = mine.reshape(-1)
            for chosen, where in contexts.by_table(numbers):
                yield chosen, values.take(where), flat.take(where)

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
