"""The coder of prediction: indices bound the error, and their residuals are coded (SPEC §7.11)."""

from dataclasses import dataclass

import numpy as np

from ...coding.parts.base import NextSymbols, PartCoder, Sizes
from ...entropy import family, prediction
from ...entropy.prediction import Predictor
from ...entropy.tables import by_table
from ...quantise.scalar import PLAIN, dequantise, quantise

NO_OFFSETS = (0.0, 0.0)  # reconstruction points are the middles of cells


@dataclass
class PredictedCoder(PartCoder):
    """Codes one token grid in the sample domain; `scales` of residuals are (channels, passes)."""

    predictor: Predictor | None = None

    def order(self, sizes: Sizes) -> list[tuple[int, np.ndarray]]:
        if sizes not in self._orders:
            scales = self.scales[:, prediction.pass_of(sizes)].ravel()
            self._orders[sizes] = by_table(family.numbers(scales, self.step_scale))
        return self._orders[sizes]

    def encode_latents(
        self, latents: np.ndarray, sizes: Sizes
    ) -> tuple[list[tuple[int, np.ndarray]], float]:
        assert self.predictor is not None
        indices = quantise(latents, self.step, PLAIN)
        np.clip(indices, -prediction.LARGEST, prediction.LARGEST, out=indices)
        error = latents - dequantise(indices, self.step, NO_OFFSETS, self.dtype)
        residuals = self.predictor.residuals(indices, sizes)
        return self.arrays(residuals, sizes), float(np.vdot(error, error))

    def arrays(self, residuals: np.ndarray, sizes: Sizes) -> list[tuple[int, np.ndarray]]:
        """Return (number of table, residuals) of residuals (channels, points, blocks)."""
        flat = residuals.reshape(-1, residuals.shape[-1])
        return [(number, flat[rows]) for number, rows in self.order(sizes)]

    def decode(self, next_symbols: NextSymbols, sizes: Sizes, blocks: int) -> np.ndarray:
        assert self.predictor is not None
        order = self.order(sizes)
        residuals = np.empty((sum(len(rows) for _, rows in order), blocks), np.int32)
        for number, rows in order:
            residuals[rows] = next_symbols(len(rows) * blocks, self.table(number)).reshape(
                -1, blocks
            )
        channels = len(self.scales)
        indices = self.predictor.indices(residuals.reshape(channels, -1, blocks), sizes)
        latents = dequantise(indices, self.step, NO_OFFSETS, self.dtype)
        return self.transform.inverse(latents, sizes)
