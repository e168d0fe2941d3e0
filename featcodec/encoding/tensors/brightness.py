"""Samples of maps of unlike scale: they look like layers, and their channels tell them apart."""

import math
from collections.abc import Sequence

import numpy as np

from ...tensors import Tensor
from .places import MINUTE, PLACES, likeness_along, probed

# Correlation of the scales of channels between indices: of pictures of unlike contrast .33 to .85
# in six networks, of layers that have nothing in common about none.
ALIKE = 0.2
DOUBT = 3.0  # standard deviations of what chance makes of that
LEAST_CHANNELS, LEAST_INDICES = 16, 4  # of fewer, it tells nothing
# Correlation of an index with the next, without the means of channels: as layers of one network
# have that see the same pictures, .7, and pictures do not.
IN_COMMON = 0.2


def are_samples(tensors: Sequence[Tensor], axis: int) -> bool:
    """Return whether the indices of an axis are maps of one layer, of unlike contrast or loudness.

    Maps have places along all other axes but one, the channels; of other tensors nothing is told.
    Where it is in doubt, they are layers, of which each is to have the quality.
    """
    others = [other for other in range(len(tensors[0].shape)) if other != axis]
    if axis != 0 or len(others) < 3:
        return False
    alike = {other: likeness_along(tensors, other) for other in others}
    channels = min(others, key=alike.__getitem__)
    if min(alike[other] for other in others if other != channels) < PLACES:
        return False
    return all(_of_one_layer(x, channels) for x in probed(tensors, whole=axis))


def _of_one_layer(values: np.ndarray, channels: int) -> bool:
    """Return whether indices of the first axis have channels of like scales, and no more alike."""
    rows = np.moveaxis(values, channels, -1)
    rows = rows.reshape(len(rows), -1, rows.shape[-1])
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows = rows[rows.any(axis=(1, 2))]  # what is padding tells nothing
    count, width = len(rows), rows.shape[-1]
    if count < LEAST_INDICES or width < LEAST_CHANNELS:
        return False
    scales = rows.std(axis=1)
    pairs = count * (count - 1) / 2
    if _correlation(scales) < ALIKE + DOUBT / math.sqrt((width - 1) * pairs):
        return False
    flat = rows.reshape(count, -1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    return float((flat[1:] * flat[:-1]).sum(axis=1).mean()) < IN_COMMON


def _correlation(scales: np.ndarray) -> float:
    """Return the mean correlation of rows (n, channels) with each other."""
    scales = scales - scales.mean(axis=1, keepdims=True)
    scales /= np.maximum(np.linalg.norm(scales, axis=1, keepdims=True), MINUTE)
    count = len(scales)
    total = float(np.square(scales.sum(axis=0)).sum() - np.square(scales).sum())
    return total / (count * (count - 1))
