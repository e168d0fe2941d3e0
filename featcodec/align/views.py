"""Views of a tensor, of which nothing is copied: samples, grid and channels of a layout."""

import math
from typing import Any

import numpy as np

from .layout import Layout

SMALL = 1 << 12  # values: so few are in cache anyhow


def merge_samples(tensor: Any, layout: Layout) -> Any:
    """Return a view (samples, grid..., channels...); a missing channel axis is added."""
    ordered = tensor.transpose(layout.order())
    samples = layout.axes.count("N")
    rest = ordered.shape[samples:] + (() if layout.channel_axes else (1,))
    return split_axis(ordered, (math.prod(ordered.shape[:samples]), *rest))


def split_axis(array: Any, shape: tuple[int, ...]) -> Any:
    """Return a reshaped view: axes are only split, or merged where adjacent; nothing is copied."""
    view = array.reshape(shape)
    assert view.size == 0 or not isinstance(view, np.ndarray) or np.may_share_memory(view, array)
    return view


def staged(part: np.ndarray) -> np.ndarray:
    """Return a copy of a box, unless it is small, whose samples are no power of two apart.

    The copy is in cache, and its samples do not share cache lines: transposing it is several times
    faster than transposing a memory map.
    """
    if part.size <= SMALL:
        return part
    order = sorted(range(1, part.ndim), key=lambda axis: -part.strides[axis])
    inner = part.transpose(0, *order)
    length = part[0].size if len(part) else 0
    room = np.empty((len(part), length + min(length // 4, 80)), part.dtype)
    staged = room[:, :length].reshape(inner.shape)
    staged[...] = inner
    return staged.transpose(0, *(1 + order.index(axis) for axis in range(1, part.ndim)))
