"""Samples of maps of unlike scale: they look like layers, and their channels tell them apart."""

from collections.abc import Sequence

import numpy as np

from ...tensors import Tensor
from .places import MINUTE, PLACES, likeness_along, probed

# Correlation of the scales of channels between indices: of pictures of unlike contrast .33 to .85
# in six networks, of layers that have nothing in common about none.
ALIKE = 0.2


def are_samples(tensors: Sequence[Tensor], axis: int) -> bool:
    """Return whether the indices of an axis are maps of one layer, of unlike contrast or loudness.

    Maps have places along all other axes but one, the channels; of other tensors nothing is told,
    as the layers of a Transformer have channels of like scales, too.
    """
    others = [other for other in range(len(tensors[0].shape)) if other != axis]
    if axis != 0 or len(others) < 3:
        return False
    alike = {other: likeness_along(tensors, other) for other in others}
    channels = min(others, key=alike.__getitem__)
    if min(alike[other] for other in others if other != channels) < PLACES:
        return False
    return float(np.median([_shared(x, channels) for x in probed(tensors)])) >= ALIKE


def _shared(values: np.ndarray, channels: int) -> float:
    """Return the mean correlation of the scales of channels between indices of the first axis."""
    rows = np.moveaxis(values, channels, -1)
    scales = rows.reshape(len(rows), -1, rows.shape[-1]).std(axis=1)
    scales -= scales.mean(axis=1, keepdims=True)
    scales /= np.maximum(np.linalg.norm(scales, axis=1, keepdims=True), MINUTE)
    count = len(scales)
    total = float(np.square(scales.sum(axis=0)).sum() - np.square(scales).sum())
    return total / max(count * (count - 1), 1)
