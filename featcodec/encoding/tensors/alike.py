"""How much layers of a network are alike: each adds to what those before it hold."""

from collections.abc import Iterable, Sequence

import numpy as np

from ...tensors import Tensor
from .places import MINUTE, probed

MOST_LAYERS = 64  # more are places
ALIKE = 0.5  # correlation of layers next to each other: of ten streams .74 to .97, of tokens .3 too


def likeness(layers: Iterable[np.ndarray]) -> float:
    """Return the mean correlation of layers (tokens..., channels) with the next ones.

    >>> x = np.random.default_rng(0).normal(size=(99, 4))
    >>> likeness([x, x + 1]) > 0.99 > 0.5 > likeness([x, x[::-1]])
    True
    """
    before, found = None, list[float]()
    for values in layers:
        rows = values.reshape(-1, values.shape[-1])
        rows = rows - rows.mean(axis=0)
        rows /= max(float(np.linalg.norm(rows)), MINUTE)
        found += [] if before is None else [float(np.vdot(before, rows))]
        before = rows
    return float(np.mean(found)) if found else 0.0


def alike_along(tensors: Sequence[Tensor], axis: int) -> bool:
    """Return whether the indices of an axis are layers that are much alike."""
    found = (likeness(np.moveaxis(some, axis, 0)) for some in probed(tensors, whole=axis))
    return bool(np.median(list(found)) >= ALIKE)
