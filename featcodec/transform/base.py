"""What every transform offers; the neural transform plugs in here too."""

from typing import Protocol

import numpy as np


class Transform(Protocol):
    """Maps blocks of aligned values to latents of the same shape.

    Arrays are (channels, points, blocks), float32 or float64, where `points` runs over the
    positions of a block in raster order and `sizes` are the block's lengths along the grid axes.
    Both directions keep the sum of squares, so that an error in the latents is the error in the
    values (the mean per channel, the centre, apart). Arguments may be overwritten.
    """

    @property
    def numbers(self) -> int:
        """How many numbers it keeps."""

    def forward(self, values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the latents of aligned values."""

    def inverse(self, latents: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the aligned values of latents."""
