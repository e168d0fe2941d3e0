"""Dependent quantisation in compiled loops; what they return is what `dependent` returns."""

import numpy as np
from numba import njit

from .scalar import LARGEST


@njit(cache=True)
def put_points(symbols, second, rows, counts, points, latents):
    """Put the reconstruction points of symbols in the rows of latents (rows, blocks).

    `counts` are the rows of each run; `points` (runs, 2, n) are those of the symbols of a run by
    their quantisers, from the least symbol on; n is odd.
    """
    blocks, width = latents.shape[1], points.shape[2]
    middle = width // 2
    at = row = 0
    for run in range(len(counts)):
        of_run = points[run].ravel()
        for _ in range(counts[run]):
            target = latents[rows[row]]
            for i in range(blocks):
                target[i] = of_run[symbols[at + i] + middle + width * np.int64(second[at + i])]
            at += blocks
            row += 1


LANES = 64  # chains whose states are updated together, in vector registers


@njit(cache=True)
def quantise(latents, inverse, bins, runs, levels, length):
    """Return symbols, which of them are of quantiser 1, and what their points leave of magnitudes.

    `inverse` and `bins`, of the type of the latents, are 1 / spacing and how many bins a spacing
    has. `runs` are their ends, tops, and first bins; `levels` (bins, 4) are costs, values and
    symbols. Bin 0 pads the last stage.
    """
    (ends, tops, bases), (costs, values, symbols_of) = runs, levels
    count = len(latents)
    stages = -(-count // length)
    placed = np.zeros(stages * length, np.int32)
    left, symbols = np.empty_like(latents), np.empty(count, np.int32)
    start = 0
    for run in range(len(ends)):
        top, base, most = tops[run], bases[run], bases[run + 1] - bases[run] - 1
        for i in range(start, ends[run]):
            left[i] = abs(latents[i]) * inverse
            if left[i] >= top:
                left[i] = np.float64(left[i]) - _over(left[i], top)
            placed[i] = base + max(min(np.int64(left[i] * bins), most), 0)
        start = ends[run]
    path = np.empty(stages * length, np.uint8)
    second = np.empty(stages * length, np.bool_)
    _cheapest(placed, costs, stages, length, path, second)
    start = 0
    for run in range(len(ends)):
        top = tops[run]
        for i in range(start, ends[run]):
            symbol = symbols_of[placed[i], path[i]]
            size = abs(latents[i]) * inverse
            if size >= top:
                symbol += np.int32(_over(size, top))
            left[i] -= values[placed[i], path[i]]
            symbols[i] = -symbol if latents[i] < 0 else symbol
        start = ends[run]
    return symbols, second[:count], left


@njit(cache=True)
def _over(size, top):
    """Return by how much a magnitude is lowered; levels repeat every two spacings."""
    return 2 * np.floor((min(np.float64(size), np.float64(LARGEST)) - top) / 2)


@njit(cache=True)
def _cheapest(placed, costs, stages, length, path, second):
    """Fill in the kinds 2 Q + p of the cheapest paths less 2 Q, and Q; see `dependent`."""
    state = np.empty(8 * LANES, np.float32)  # by Q, x and y
    kinds = np.empty(4 * LANES, np.float32)
    decided = np.empty((stages, LANES), np.uint8)  # bits by what follows: x, and Q and x before
    for first in range(0, length, LANES):
        lanes = min(LANES, length - first)
        state[:] = np.inf
        state[:LANES] = 0
        kinds[:] = 0
        for t in range(stages):
            for lane in range(lanes):
                cost = costs[placed[t * length + first + lane]]
                for kind in range(4):
                    kinds[kind * LANES + lane] = cost[kind]
            _step(state, kinds, decided[t])
        for lane in range(lanes):
            best, last = state[lane], 0
            for i in range(1, 8):
                if state[i * LANES + lane] < best:
                    best, last = state[i * LANES + lane], i
            q, x, y = last >> 2, last >> 1 & 1, last & 1
            for t in range(stages - 1, -1, -1):
                known = decided[t, lane] >> (4 * x + 2 * y + (q ^ y)) & 1
                at = t * length + first + lane
                path[at] = 2 * y + (x ^ known)
                second[at] = y
                q, x, y = y, q ^ y, known


@njit(cache=True)
def _step(state, kinds, decided):
    """Go on by one stage: the states of all lanes, and which of two ways led there."""
    for i in range(LANES):
        a0, a1, b0, b1 = kinds[i], kinds[i + LANES], kinds[i + 2 * LANES], kinds[i + 3 * LANES]
        s0, s1, s2, s3 = state[i], state[i + LANES], state[i + 2 * LANES], state[i + 3 * LANES]
        s4, s5 = state[i + 4 * LANES], state[i + 5 * LANES]
        s6, s7 = state[i + 6 * LANES], state[i + 7 * LANES]
        low00, high00, low01, high01 = s0 + a0, s1 + a1, s2 + a0, s3 + a1
        low02, high02, low03, high03 = s4 + b0, s5 + b1, s6 + b0, s7 + b1
        low10, high10, low11, high11 = s0 + a1, s1 + a0, s2 + a1, s3 + a0
        low12, high12, low13, high13 = s4 + b1, s5 + b0, s6 + b1, s7 + b0
        bits = np.int32(high00 < low00) | np.int32(high01 < low01) << 1
        bits |= np.int32(high02 < low02) << 2 | np.int32(high03 < low03) << 3
        bits |= np.int32(high10 < low10) << 4 | np.int32(high11 < low11) << 5
        bits |= np.int32(high12 < low12) << 6 | np.int32(high13 < low13) << 7
        decided[i] = bits
        state[i] = high00 if high00 < low00 else low00
        state[i + 4 * LANES] = high01 if high01 < low01 else low01
        state[i + 5 * LANES] = high02 if high02 < low02 else low02
        state[i + LANES] = high03 if high03 < low03 else low03
        state[i + 2 * LANES] = high10 if high10 < low10 else low10
        state[i + 6 * LANES] = high11 if high11 < low11 else low11
        state[i + 7 * LANES] = high12 if high12 < low12 else low12
        state[i + 3 * LANES] = high13 if high13 < low13 else low13


@njit(cache=True)
def order(lengths, second):
    """Return the order of stretches of symbols, those of quantiser 0 of each first, and counts.

    The counts are of both quantisers, stretch by stretch.
    """
    found = np.empty(len(second), np.int64)
    counts = np.empty(2 * len(lengths), np.int64)
    start = 0
    for number in range(len(lengths)):
        stop = start + lengths[number]
        of_second = 0
        for i in range(start, stop):
            of_second += second[i]
        counts[2 * number], counts[2 * number + 1] = stop - start - of_second, of_second
        middle, of_second = stop - of_second, 0
        for i in range(start, stop):  # no branch: none could be predicted
            of_one, of_first = np.int64(second[i]), i - of_second
            found[of_first + of_one * (middle + of_second - of_first)] = i
            of_second += of_one
        start = stop
    return found, counts
