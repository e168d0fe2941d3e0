"""Planes as grey pictures, for codecs of pictures: the channels of all samples are tiles."""

import math
from collections.abc import Callable

import numpy as np

Array = np.ndarray
Shape = tuple[int, ...]
Arrange = Callable[[Array], Array]


def strips(plane: Array) -> Array:
    """Return (channels, samples, ..., rows, columns) as (samples x rows, channels x columns).

    Planes that are no grid of rows and columns become a picture of tokens x channels.
    """
    tiles = _tiles(plane)
    return tiles.transpose(1, 2, 0, 3).reshape(tiles.shape[1] * tiles.shape[2], -1)


def mosaic(plane: Array) -> Array:
    """Return tiles as near a square as can be filled: each channel's, then these of all channels.

    Planes that are no grid of rows and columns become a picture of channels x tokens.
    """
    if plane.ndim < 4:
        return plane.reshape(plane.shape[0], -1)
    return _square(np.stack([_square(samples) for samples in _tiles(plane)]))


def plane_of(picture: Array, arrange: Arrange, shape: Shape) -> Array:
    """Return the plane of that shape that was arranged to a picture."""
    plane = np.empty(math.prod(shape), picture.dtype)
    plane[arrange(np.arange(plane.size).reshape(shape))] = picture
    return plane.reshape(shape)


def _tiles(plane: Array) -> Array:
    """Return a plane as (channels, samples, rows, columns)."""
    rows_and_columns = plane.shape[-2:] if plane.ndim >= 4 else (1, 1)
    return plane.reshape(plane.shape[0], -1, *rows_and_columns)


def _square(tiles: Array) -> Array:
    """Return tiles (number, rows, columns) in rows of the same number of tiles."""
    number, rows, columns = tiles.shape
    across = max(n for n in range(1, math.isqrt(number) + 1) if number % n == 0)
    lines = tiles.reshape(number // across, across, rows, columns).transpose(0, 2, 1, 3)
    return lines.reshape(number // across * rows, across * columns)
