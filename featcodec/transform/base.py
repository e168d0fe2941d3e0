"""The interface of transforms of blocks."""

from typing import Protocol

import numpy as np


class Transform(Protocol):
    """Maps blocks of aligned values to latents of the same shape.

    Arrays are (channels, points, blocks), float32 or float64, where `points` runs over the
    positions of a block in raster order and `sizes` are the block's lengths along the grid axes.
    Both directions preserve the sum of squares, but for the centre of each channel: the squared
    error of the latents is that of the values, or with `Weighted` that of a task. Arguments may be
    overwritten.
    """

    @property
    def centre(self) -> np.ndarray | None:
        """The centres of the channels (channels, 1, 1); None where all are 0."""

    @property
    def numbers(self) -> int:
        """The number of matrix entries that it holds."""

    def forward(self, values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the latents of aligned values."""

    def inverse(self, latents: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the aligned values of latents."""
