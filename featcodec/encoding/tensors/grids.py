"""Grids that tokens of a sequence lie on, row after row: of pictures, spectrograms or films."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...align.layout import CHANNEL, GRID, PREFIXES, SAMPLE, Layout, infer_grid
from ...tensors import Tensor
from .places import MINUTE, PLACES, is_grid, probed

LEAST_TOKENS, LEAST_SIDE = 64, 7  # of what is no square: less may be kinds, one after the other
# Correlation more than a place nearer or further: that of rows of eight networks' maps was .11 to
# .39 more, that of other tokens at most .05 and, where it was more, below that of places.
STANDS_OUT = 0.05
MOST_WIDTHS = 2  # rows, and the pictures of a film
PROBED_TENSORS = 4

Grid = tuple[int, tuple[int, ...]]  # prefix tokens, and the sizes of the grid behind them


def on_grids(layouts: Sequence[Layout], tensors: Sequence[Tensor]) -> list[Layout]:
    """Return layouts of tokens that lie on a grid, wherever their axis stands."""
    found: list[Layout] = []
    grids: dict[int, list[Grid]] = {}
    for layout in layouts:
        axes = [axis for axis, letter in enumerate(layout.axes) if letter in GRID]
        if layout.grid or not layout.channel_axes or len(axes) != 1:
            continue
        if axes[0] not in grids:
            grids[axes[0]] = grids_along(tensors, axes[0])
        found += [replace(layout, prefix=p, grid=grid) for p, grid in grids[axes[0]]]
    return [one for one in dict.fromkeys(found) if one not in layouts]


def grids_along(tensors: Sequence[Tensor], axis: int) -> list[Grid]:
    """Return the grids that tokens along an axis seem to lie on, the likeliest first.

    A token is more like the one below it than like those beside that one.
    """
    lengths = {tensor.shape[axis] for tensor in tensors}
    length = lengths.pop()
    if lengths:
        return []
    prefix, square = infer_grid(length)
    if square:
        letters = SAMPLE * axis + "L" + CHANNEL[0] * (len(tensors[0].shape) - axis - 1)
        if is_grid(Layout(letters, prefix, square), tensors):
            return [(prefix, square)]
    found: list[Grid] = []
    for width in _widths(alike_at(tensors, axis)) if length >= LEAST_TOKENS else ():
        prefixes = [some for some in PREFIXES if (length - some) % width == 0]
        if prefixes and all(width % grid[1] for _, grid in found):
            found.append((prefixes[0], ((length - prefixes[0]) // width, width)))
    return found[:MOST_WIDTHS]


def _widths(alike: np.ndarray) -> list[int]:
    """Return the distances at which tokens are clearly more alike than a place nearer or further.

    Those at which they are most alike are first.
    """
    at = np.arange(LEAST_SIDE, len(alike) // LEAST_SIDE + 1)
    beside = np.maximum(alike[at - 1], alike[at + 1])
    found = at[(alike[at] >= PLACES) & (alike[at] - beside > STANDS_OUT)]
    return [int(width) for width in found[np.argsort(-alike[found], kind="stable")]]


def alike_at(tensors: Sequence[Tensor], axis: int) -> np.ndarray:
    """Return the mean correlation of tokens at each distance along an axis."""
    found = []
    for values in probed(tensors, PROBED_TENSORS, whole=axis):
        tokens = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
        tokens = tokens - tokens.mean(axis=0)  # what all have in common tells nothing
        tokens -= tokens.mean(axis=1, keepdims=True)
        tokens /= np.maximum(tokens.std(axis=1, keepdims=True), MINUTE)
        count, each = tokens.shape
        waves = np.fft.rfft(tokens, 2 * count, axis=0)
        sums = np.fft.irfft(np.square(np.abs(waves)).sum(axis=1))[:count]
        found.append(sums / (each * np.arange(count, 0, -1)))
    return np.median(found, axis=0)
