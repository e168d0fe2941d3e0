"""Table numbers of symbols from their neighbours in compiled loops, as `contexts` has them."""

import numpy as np
from numba import njit


@njit(cache=True)
def sort(keys):
    """Return the stable order of keys (n,) uint8, and how often each of the 256 occurs."""
    counts = np.zeros(256, np.int64)
    for key in keys:
        counts[key] += 1
    place, order = np.zeros(256, np.int64), np.empty(len(keys), np.int64)
    for key in range(1, 256):
        place[key] = place[key - 1] + counts[key - 1]
    for i in range(len(keys)):
        order[place[keys[i]]] = i
        place[keys[i]] += 1
    return order, counts


@njit(cache=True)
def numbers(magnitudes, others, row, class_of):
    """Return the table numbers (places, columns) of a pass; see `Contexts.numbers`."""
    found = np.empty((others.shape[1], len(row)), np.uint8)
    for place in range(others.shape[1]):
        above, below = magnitudes[others[0, place]], magnitudes[others[1, place]]
        left, right = magnitudes[others[2, place]], magnitudes[others[3, place]]
        for i in range(len(row)):
            total = np.int32(above[i]) + below[i] + left[i] + right[i]
            found[place, i] = class_of[total + row[i]]
    return found


@njit(cache=True)
def shaped(magnitudes, others, row, class_of, ranks):
    """Return the rank (places, columns) of the table number of a pass and its shape.

    `others` (4, places) are two pairs of opposite neighbours; `ranks` (shapes, numbers) are the
    ranks of all pairs.
    """
    found = np.empty((others.shape[1], len(row)), np.uint8)
    for place in range(others.shape[1]):
        above, below = magnitudes[others[0, place]], magnitudes[others[1, place]]
        left, right = magnitudes[others[2, place]], magnitudes[others[3, place]]
        for i in range(len(row)):
            a, b = np.int32(above[i]), np.int32(below[i])
            c, d = np.int32(left[i]), np.int32(right[i])
            high, low, higher, lower = max(a, b), min(a, b), max(c, d), min(c, d)
            zeros = np.int32(max(min(low, higher), min(high, lower)) > 0)
            shape = 3 * (zeros + np.int32(min(low, lower) > 0))
            total, apart = a + b + c + d, high + higher - low - lower
            shape += np.int32(apart > total >> 1) + np.int32(apart > total >> 2)
            found[place, i] = ranks[shape, class_of[total + row[i]]]
    return found


@njit(cache=True)
def points(magnitudes, others, symbols, quantisers, kind_of, offsets, spacings):
    """Return the reconstruction points (places, columns) of symbols, from all four neighbours.

    `kind_of` are positions in a set of `offsets` (sets, kinds) by the sum of neighbours.
    """
    several, kinds = len(offsets) > 1, offsets.shape[1]
    flat = offsets.ravel()
    found = np.empty(symbols.shape, offsets.dtype)
    for place in range(len(symbols)):
        above, below = magnitudes[others[0, place]], magnitudes[others[1, place]]
        left, right = magnitudes[others[2, place]], magnitudes[others[3, place]]
        own, mine = magnitudes[place], symbols[place]
        for i in range(symbols.shape[1]):
            total = np.int32(above[i]) + below[i] + left[i] + right[i]
            quantiser = np.int64(quantisers[place, i]) if several else 0
            kind = np.int64(kind_of[total]) + min(np.int64(own[i]), 2) + kinds * quantiser
            offset = flat[kind]
            found[place, i] = (-offset if mine[i] < 0 else offset) + np.float64(mine[i])
            found[place, i] *= spacings[quantiser]
    return found
