"""Which axes are places, by how alike neighbours are: places of maps are, channels are not.

Of ten networks neighbours along H, W and T correlate by .4 to .96, along channels by at most .2.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ...align.layout import CHANNEL, GRID, INDEPENDENT, SAMPLE, Layout
from ...align.numbers import to_float
from ...tensors import Tensor

PLACES = 0.3  # correlation of neighbours
MIRRORED = 0.9  # of the variance of the logarithms of scales: alike from both ends, a border
ABOVE = 0.01  # the neighbours of the next row, than those beside them
NO_PLACES = 0.1  # correlation that channels may have too
DOUBT = 1.0  # of the bits
PROBED_TENSORS = 16
PROBED_VALUES = 1 << 18
MINUTE = 1e-30


def are_places(tensors: Sequence[Tensor], axis: int) -> bool:
    """Return whether neighbours along an axis are alike."""
    return likeness_along(tensors, axis) >= PLACES


def is_border(values: np.ndarray, axis: int) -> bool:
    """Return whether an axis is one of places whose scales are weaker or stronger at both ends."""
    rest = tuple(other for other in range(values.ndim) if other != axis)
    logs = np.log(np.maximum(values.std(axis=rest), MINUTE))
    both = (logs + logs[::-1]) / 2
    return bool(both.var() >= MIRRORED * logs.var() and correlation(values, axis) >= PLACES)


def is_grid(layout: Layout, tensors: Sequence[Tensor]) -> bool:
    """Return whether tokens lie on the grid of a layout, not in a sequence as long by accident.

    Those below one another are more alike than those a place further or nearer in the sequence.
    """
    axis, width = layout.axes.index("L"), layout.grid[-1]
    if min(layout.grid) < 2:
        return False
    tokens = [np.moveaxis(x, axis, 0)[layout.prefix :] for x in probed(tensors, whole=axis)]
    tokens = [x - x.mean(axis=0) for x in tokens]  # what all places have in common tells nothing

    def at(distance: int) -> float:
        return float(np.median([correlation(x, 0, distance) for x in tokens]))

    return at(width) > max(at(width - 1), at(width + 1)) + ABOVE


def doubts(layouts: Sequence[Layout], tensors: Sequence[Tensor]) -> dict[Layout, float]:
    """Return what the bits of layouts are multiplied by where axes do not look like what they are.

    Bits are estimates; of two that are close, the layout whose channels look like places, or of
    whose grid one axis looks like none, is hardly right. Rows of samples may be a sequence.
    """
    alike = [max(likeness_along(tensors, axis), 0.0) for axis in range(len(tensors[0].shape))]
    single = [all(tensor.shape[axis] == 1 for tensor in tensors) for axis in range(len(alike))]

    def of(layout: Layout, kind: str, first: int = 0) -> list[float]:
        axes = zip(alike, layout.axes, single, strict=True)
        return [x for x, letter, one in list(axes)[first:] if letter in kind and not one]

    channels = {layout: min(of(layout, CHANNEL), default=None) for layout in layouts}
    least = min((x for x in channels.values() if x is not None), default=0.0)
    found = {}
    for layout, likeness in channels.items():
        # Maps of one channel each, where an axis may be channels.
        apart = min(of(layout, SAMPLE + INDEPENDENT, first=1), default=1.0) < PLACES
        as_places = float(apart) / 2 if likeness is None else likeness - least
        grid = of(layout, GRID)
        # Without channels neighbours are all that tells of a value.
        places = PLACES if likeness is None else NO_PLACES
        judged = len(grid) > 1 or likeness is None
        as_none = 1 - min(1.0, min(grid, default=0.0) / places) if judged else 0.0
        found[layout] = 1 + DOUBT * (as_places + as_none)
    return found


def likeness_along(tensors: Sequence[Tensor], axis: int) -> float:
    """Return the correlation of neighbours along an axis."""
    if any(tensor.shape[axis] < 2 for tensor in tensors):
        return 0.0
    return float(np.median([correlation(x, axis) for x in probed(tensors, whole=axis)]))


def correlation(values: np.ndarray, axis: int, distance: int = 1) -> float:
    """Return the mean correlation of values at a distance along an axis."""
    rows = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
    if len(rows) <= distance:
        return 0.0
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(rows.std(axis=1, keepdims=True), MINUTE)
    return float((rows[distance:] * rows[:-distance]).mean())


def probed(
    tensors: Sequence[Tensor], most: int = PROBED_TENSORS, whole: int | None = None
) -> Iterator[np.ndarray]:
    """Yield some values of some tensors, evenly spread along the longest axis.

    An axis `whole` keeps all its places.
    """
    for tensor in tensors[:: -(-len(tensors) // most)]:
        axes = [axis for axis in range(len(tensor.shape)) if axis != whole]
        longest = max(axes, key=lambda axis: tensor.shape[axis], default=0)
        step = max(math.prod(tensor.shape) // PROBED_VALUES, 1)
        each = (*[slice(None)] * longest, slice(None, None, step))
        values = to_float(np.asarray(tensor.array()[each]), tensor.dtype).astype(np.float64)
        yield np.nan_to_num(values, posinf=0, neginf=0)
