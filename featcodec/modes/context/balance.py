"""Errors of a map that add up, and how much more of them counts than of others.

In a dead zone all values of a weak map err alike, and the map loses its mean, which a pooling
behind it reads. So what is minimised has one term more than D + lambda R: the squared error of the
mean of each map, w times for each of its values. Its gradient moves every value by w times the mean
error that was left without it, before the value is decided.
"""

from collections.abc import Iterable

import numpy as np

WEIGHT = 0.75  # chosen as the constants in `encoding.tuning` are
# Of the squared errors of means: where less is beyond what independent errors leave, and so would
# be gained, a second pass over all symbols is not worth its time.
LEAST = 0.5


def weight_of(errors: Iterable[np.ndarray]) -> float:
    """Return the weight of the errors of means; 0 where they are about those of independent errors.

    Errors are (points, maps).

    >>> weight_of([np.ones((64, 2))])
    0.73828125
    >>> weight_of([np.tile([[1.0], [-1.0]], (32, 2))])
    0.0
    """
    of_means = independent = 0.0
    for error in errors:
        mean = error.mean(axis=0, dtype=np.float64)
        of_means += float(np.vdot(mean, mean))
        independent += float(np.vdot(error, error)) / len(error) ** 2
    beyond = 1 - independent / of_means if of_means else 0.0
    return WEIGHT * beyond if beyond > LEAST else 0.0
