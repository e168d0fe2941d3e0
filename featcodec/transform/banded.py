"""DCT over the positions of each block, then a KLT over channels for each band of frequencies.

Low and high frequencies of features have different covariances of their channels, and so different
principal axes (SPEC §6.2).
"""

from collections.abc import Iterator, Sequence

import numpy as np

from . import dct


class Banded:
    """The linear transform with one KLT for each band of frequencies."""

    def __init__(
        self, centre: np.ndarray, bases: Sequence[np.ndarray], bands: np.ndarray, dtype: str
    ) -> None:
        """Take orthonormal bases, and the basis number of each place of the longest block."""
        self.centre = centre.astype(dtype)[:, None, None] if centre.any() else None
        # Applied as rows: latents = basis' coefficients.
        self.bases = [np.ascontiguousarray(basis.T).astype(dtype) for basis in bases]
        self.bands = bands
        self._points: dict[tuple[int, ...], list[np.ndarray]] = {}

    @property
    def numbers(self) -> int:
        return sum(basis.size for basis in self.bases)

    def forward(self, values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the latents of aligned values (channels, points, blocks)."""
        if self.centre is not None:
            values -= self.centre
        latents = dct.forward(values, sizes)
        for basis, points in self._bands(sizes):
            apply(basis, latents, points)
        return latents

    def inverse(self, latents: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the aligned values of latents."""
        for basis, points in self._bands(sizes):
            apply(basis.T, latents, points)
        values = dct.inverse(latents, sizes)
        if self.centre is not None:
            values += self.centre
        return values

    def _bands(self, sizes: tuple[int, ...]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield for each band its basis and the points of a block of that size."""
        if sizes not in self._points:
            self._points[sizes] = points_of(self.bands, sizes)
        return zip(self.bases, self._points[sizes], strict=True)


def points_of(bands: np.ndarray, sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Return for each band the points of a block of that size; some may have none."""
    found = bands[np.ix_(*dct.places(sizes, bands.shape))].ravel()
    return [np.flatnonzero(found == band) for band in range(int(bands.max()) + 1)]


def apply(matrix: np.ndarray, array: np.ndarray, points: np.ndarray) -> None:
    """Multiply the channels at some points of each block by a matrix, in place."""
    some = array[:, points]
    array[:, points] = (matrix @ some.reshape(len(some), -1)).reshape(some.shape)
