"""The correction curve: the mean error of values decoded near the lower bound (SPEC §6.6).

Many values lie on a bound (ReLU) or close to it (SiLU, GELU). The error of a value decoded near
that bound has a mean, which depends on the distance from the bound in deviations of the error. The
curve adds that mean.
"""

from typing import NamedTuple

import numpy as np

KNOTS = 24
BOUND = 6  # the number of the knot at the bound
UNIT = 64  # of a knot, in a width
CHUNK = 1 << 15  # values that stay in the cache


class Curve(NamedTuple):
    """A function, linear between knots half a width apart, constant beyond the last."""

    width: float  # in units of the values
    knots: tuple[int, ...]  # from 3 widths below the bound on, in 1/64 widths

    def apply(self, values: np.ndarray, lower: float) -> np.ndarray:
        """Limit values to the lower bound and add the curve."""
        kind = values.dtype.type
        heights = np.array(self.knots, values.dtype) * kind(self.width / UNIT)
        rises = np.diff(heights, append=heights[-1:])
        flat = values.reshape(-1)
        for start in range(0, flat.size, CHUNK):
            chunk = flat[start : start + CHUNK]
            knot, beyond = place(chunk, lower, self.width)
            beyond *= rises.take(knot)
            beyond += heights.take(knot)
            np.maximum(chunk, kind(lower), out=chunk)
            chunk += beyond
        return flat.reshape(values.shape)


def place(values: np.ndarray, lower: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the knot before each value, and how far beyond it the value lies, in knots.

    A NaN has one, too.
    """
    kind = values.dtype.type
    beyond = values - kind(lower)
    beyond *= kind(2 / width)
    beyond += kind(BOUND)
    np.fmax(beyond, kind(0), out=beyond)
    np.fmin(beyond, kind(KNOTS - 1), out=beyond)
    knot = beyond.astype(np.intp)
    beyond -= knot
    return knot, beyond
