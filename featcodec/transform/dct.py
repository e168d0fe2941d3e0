"""Orthonormal DCT-II over the positions of a block (SPEC §6.3)."""

from functools import cache

import numpy as np


def matrix(size: int) -> np.ndarray:
    """Return the (size, size) float64 DCT-II: row k is frequency k.

    Ahmed, Natarajan and Rao, "Discrete Cosine Transform", IEEE Trans. Computers, 1974.
    """
    frequency, place = np.ogrid[:size, :size]
    rows = np.sqrt(2 / size) * np.cos(np.pi * (2 * place + 1) * frequency / (2 * size))
    rows[0] = 1 / np.sqrt(size)
    return rows


@cache
def block_matrix(sizes: tuple[int, ...], dtype: str) -> np.ndarray:
    """Return the separable DCT of a block as one (points, points) matrix.

    One product with it is faster than one product an axis for the block sizes the format allows.
    """
    full = np.ones((1, 1))
    for size in sizes:
        full = np.kron(full, matrix(size))
    full = full.astype(dtype)
    full.setflags(write=False)
    return full
