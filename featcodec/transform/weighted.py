"""A DCT, then the channels of each band turned and scaled by a task metric, and a KLT (SPEC §6.7).

The squared error of the latents is that of the task: by how much the output of a network reacts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from . import dct
from .banded import apply, points_of


class Weighing(NamedTuple):
    """The metric and the KLT of a band: latents = klt' weights axes' coefficients."""

    axes: np.ndarray  # (channels, channels) orthonormal
    weights: np.ndarray  # (channels,)
    klt: np.ndarray  # (channels, channels) orthonormal

    @property
    def analysis(self) -> np.ndarray:
        found: np.ndarray = (self.klt.T * self.weights) @ self.axes.T
        return found

    @property
    def synthesis(self) -> np.ndarray:
        found: np.ndarray = (self.axes / self.weights) @ self.klt
        return found


class Weighted:
    """Maps coefficients to latents whose squared error is weighed; each map has its inverse."""

    def __init__(
        self,
        centre: np.ndarray,
        weighings: Sequence[Weighing],
        bands: np.ndarray,
        gains: np.ndarray,
        dtype: str,
    ) -> None:
        """Take the band of each place of the longest block, and the weight of each place."""
        self.centre = centre.astype(dtype)[:, None, None] if centre.any() else None
        self.analyses = [w.analysis.astype(dtype) for w in weighings]
        self.syntheses = [w.synthesis.astype(dtype) for w in weighings]
        self.bands = bands
        self.gains = gains.astype(dtype)
        self._places: dict[tuple[int, ...], tuple[list[np.ndarray], np.ndarray]] = {}

    @property
    def numbers(self) -> int:
        return sum(2 * matrix.size for matrix in self.analyses)

    def forward(self, values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the latents of aligned values (channels, points, blocks)."""
        if self.centre is not None:
            values -= self.centre
        latents = dct.forward(values, sizes)
        bands, gains = self._of(sizes)
        latents *= gains
        for matrix, points in zip(self.analyses, bands, strict=True):
            apply(matrix, latents, points)
        return latents

    def inverse(self, latents: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the aligned values of latents."""
        bands, gains = self._of(sizes)
        for matrix, points in zip(self.syntheses, bands, strict=True):
            apply(matrix, latents, points)
        latents /= gains
        values = dct.inverse(latents, sizes)
        if self.centre is not None:
            values += self.centre
        return values

    def gradient(self, gradients: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return gradients by latents from those by aligned values (channels, points, blocks)."""
        found = dct.forward(gradients.copy(), sizes)
        bands, gains = self._of(sizes)
        for matrix, points in zip(self.syntheses, bands, strict=True):
            apply(matrix.T, found, points)
        found /= gains
        return found

    def _of(self, sizes: tuple[int, ...]) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the points of each band in a block of that size, and the weight of each point."""
        if sizes not in self._places:
            places = np.ix_(*dct.places(sizes, self.bands.shape))
            gains = self.gains[places].reshape(1, -1, 1)
            self._places[sizes] = points_of(self.bands, sizes), gains
        return self._places[sizes]
