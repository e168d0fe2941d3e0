"""The sums of `measured` in one compiled loop, each in the order in which NumPy adds."""

import numpy as np
from numba import njit


@njit(cache=True)
def sums(stored, decoded, counted, lower, upper, mean):
    """Return sums (4, channels, blocks) over points, and (2, points, blocks) over channels.

    Values are (channels, points, blocks), of which finite ones within the bounds count, and only in
    channels that are `counted`. The first sums are counts, values about the mean, their squares and
    squared errors; the others are squares and squared errors.
    """
    channels, points, blocks = stored.shape
    each, rows = np.zeros((4, channels, blocks)), np.zeros((2, points, blocks))
    for c in range(channels):
        if not counted[c]:
            continue
        count, total, squares, noise = each[0, c], each[1, c], each[2, c], each[3, c]
        for p in range(points):
            for b in range(blocks):
                x, y = np.float64(stored[c, p, b]), np.float64(decoded[c, p, b])
                if not (lower <= x <= upper and np.isfinite(x)):
                    continue
                error = (x - y) * (x - y)
                rows[0, p, b] += x * x
                rows[1, p, b] += error
                x -= mean
                count[b] += 1
                total[b] += x
                squares[b] += x * x
                noise[b] += error
    return each, rows
