"""The coder of split symbols: kinds, then magnitudes (SPEC §7.12)."""

import math
from dataclasses import dataclass

import numpy as np

from ...coding.parts.base import NextSymbols, PartCoder, Sizes
from ...entropy import split
from ...entropy.errors import SymbolError
from ...entropy.prediction import LARGEST
from ...entropy.split import MAGNITUDES, PEAK, Magnitudes
from ...entropy.tables import Table, by_table
from ...quantise.scalar import PLAIN, dequantise, quantise

NO_OFFSETS = (0.0, 0.0)
NEAR = 0.01  # steps below the upper bound that count as at the bound


@dataclass
class SplitCoder(PartCoder):
    """Codes one token grid in the sample domain; `scales` (channels, 1) are of magnitudes."""

    positive: bool = False  # no value is below the mean, so no symbol is negative
    peak: int = 0  # magnitude that values at the upper bound count as; 0: no kind
    top: np.ndarray | None = None  # (channels,) latents of the upper bound

    def table(self, number: int) -> Table:
        return self.tables.get(number) or split.table(number, self.positive, self.peak > 0)

    def _magnitudes(self, sizes: Sizes, blocks: int) -> Magnitudes:
        return Magnitudes(sizes, (self.scales[:, 0] - self.step_scale + 1) >> 1, blocks)

    def encode_latents(
        self, latents: np.ndarray, sizes: Sizes
    ) -> tuple[list[tuple[int, np.ndarray]], float]:
        channels, points, blocks = latents.shape
        symbols = quantise(latents, self.step, PLAIN)
        np.clip(symbols, -LARGEST, LARGEST, out=symbols)
        error = latents - dequantise(symbols, self.step, NO_OFFSETS, self.dtype)
        top = self._top() - NEAR * self.step if self.peak else np.inf
        high = latents >= top
        symbols[high] = self.peak
        error[high] = 0
        rows, at_bound = (
            np.ascontiguousarray(a.transpose(1, 0, 2)).reshape(points, -1) for a in (symbols, high)
        )
        known = self._magnitudes(sizes, blocks)
        coded = []
        for number, (places, _) in enumerate(known.lattice):
            numbers = known.numbers(number).reshape(-1)
            mine = rows[places]
            known.learn(number, mine)
            mine = mine.reshape(-1)
            kinds = np.clip(mine, -1, 1)
            kinds[at_bound[places].reshape(-1)] = PEAK
            coded += [(chosen, kinds.take(where)) for chosen, where in by_table(numbers)]
            some = np.flatnonzero(np.abs(kinds) == 1)
            numbers, mine = numbers[some] + np.uint8(MAGNITUDES), np.abs(mine[some]) - 1
            coded += [(chosen, mine.take(where)) for chosen, where in by_table(numbers)]
        return coded, float(np.vdot(error, error))

    def decode(self, next_symbols: NextSymbols, sizes: Sizes, blocks: int) -> np.ndarray:
        channels, points = len(self.scales), math.prod(sizes)
        known = self._magnitudes(sizes, blocks)
        rows = np.empty((points, channels * blocks), np.int32)
        at_bound = np.zeros(rows.shape, bool)
        for number, (places, _) in enumerate(known.lattice):
            numbers = known.numbers(number)
            shape, numbers = numbers.shape, numbers.reshape(-1)
            symbols = np.empty(len(numbers), np.int32)
            for chosen, where in by_table(numbers):
                symbols[where] = next_symbols(len(where), self.table(chosen))
            most = PEAK if self.peak else 1
            if not -1 <= int(symbols.min(initial=0)) <= int(symbols.max(initial=0)) <= most:
                raise SymbolError(f"symbol kind out of range: kinds are -1 to {most}")
            at_bound[places] = (symbols == PEAK).reshape(shape)
            some = np.flatnonzero(np.abs(symbols) == 1)
            magnitudes = np.empty(len(some), np.int32)
            for chosen, where in by_table(numbers[some] + np.uint8(MAGNITUDES)):
                magnitudes[where] = next_symbols(len(where), self.table(chosen))
            if not 0 <= int(magnitudes.min(initial=0)) <= int(magnitudes.max(initial=0)) < LARGEST:
                raise SymbolError(f"magnitude out of range: magnitudes are 1 to {LARGEST}")
            symbols[some] *= magnitudes + 1
            symbols[at_bound[places].reshape(-1)] = self.peak
            rows[places] = symbols.reshape(shape)
            known.learn(number, rows[places])
        found, high = (
            np.ascontiguousarray(a.reshape(points, channels, blocks).transpose(1, 0, 2))
            for a in (rows, at_bound)
        )
        latents = dequantise(found, self.step, NO_OFFSETS, self.dtype)
        if self.peak:
            np.copyto(latents, self._top(), where=high)
        return self.transform.inverse(latents, sizes)

    def _top(self) -> np.ndarray:
        assert self.top is not None
        return self.top.astype(self.dtype)[:, None, None]
