"""Orthonormal DCT-II over the positions of a block (SPEC §6.3)."""

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=64)
def matrix(size: int, dtype: str) -> np.ndarray:
    """Return the (size, size) DCT-II: row k is frequency k.

    Ahmed, Natarajan and Rao, "Discrete Cosine Transform", IEEE Trans. Computers, 1974.
    """
    frequency, place = np.ogrid[:size, :size]
    rows = np.sqrt(2 / size) * np.cos(np.pi * (2 * place + 1) * frequency / (2 * size))
    rows[0] = 1 / np.sqrt(size)
    rows = rows.astype(dtype)
    rows.setflags(write=False)
    return rows


def places(sizes: tuple[int, ...], longest: tuple[int, ...]) -> list[np.ndarray]:
    """Return, for each axis, the place in the longest block of each frequency of a shorter one."""
    return [
        ((2 * np.arange(size) + 1) * most) // (2 * size)
        for size, most in zip(sizes, longest, strict=True)
    ]


def forward(values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Return the coefficients of blocks (channels, points, blocks), axis by axis."""
    return _along_axes(values, sizes, inverse=False)


def inverse(coefficients: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Return the blocks of coefficients."""
    return _along_axes(coefficients, sizes, inverse=True)


def _along_axes(array: np.ndarray, sizes: tuple[int, ...], inverse: bool) -> np.ndarray:
    shape = array.shape
    before = shape[0]
    for size in sizes:
        if size > 1:
            rows = matrix(size, array.dtype.name)
            array = np.matmul(rows.T if inverse else rows, array.reshape(before, size, -1))
        before *= size
    return array.reshape(shape)
