"""About how many bits the symbols of a uniform quantiser take, a table for each class."""

import math
from collections.abc import Callable

import numpy as np

from ..rate_control.bracket import Bracket
from ..search.cost import bits_of_error

ROUNDS = 3  # of steps, as long as the error is near
MOST_ROUNDS = 12
CLOSE, NEAR = 0.05, 0.7  # of a logarithm, between the error and the wanted one
ZERO = 0.6  # steps, below which a value is zero

# Bins of a histogram: one for each magnitude below 16, eight for each octave above.
LARGEST = (1 << 16) - 1
LOW_BITS = np.maximum(np.frexp(np.arange(LARGEST + 1))[1] - 4, 0)  # that bins do not tell
BIN = 8 * LOW_BITS + (np.arange(LARGEST + 1) >> LOW_BITS)
BINS = int(BIN[-1]) + 1

Classes = Callable[[np.ndarray, float], np.ndarray]  # of magnitudes at a step, from 0


def symbol_bits(
    values: np.ndarray, classes: Classes, target: float, step: float, signs: bool
) -> float:
    """Return the bits of values at a mean squared error, near a step that reaches it."""
    curve = Bracket(goal=0.0, slope=1.5, slopes=(0.3, 3.0), reach=2.0)
    size = np.abs(values)
    room = np.empty_like(size)
    for done in range(1, MOST_ROUNDS + 1):
        np.multiply(size, size.dtype.type(1 / step), out=room)
        room += 1 - ZERO
        np.minimum(room, LARGEST, out=room)
        magnitudes = room.astype(np.int64)
        counts, error = _histogram(values, size - magnitudes * step, magnitudes, classes, step)
        excess = math.log(max(error, 1e-300) / target)
        if abs(excess) < (CLOSE if done < ROUNDS else NEAR):
            break
        curve.add(math.log(step), excess)
        step = math.exp(curve.next())
    bits = _entropy(counts) + float(LOW_BITS[magnitudes].sum())
    if signs:
        bits += int(np.count_nonzero(magnitudes))
    return bits + bits_of_error(10 / math.log(10) * excess, bits, values.size)


def _histogram(
    values: np.ndarray, rest: np.ndarray, magnitudes: np.ndarray, classes: Classes, step: float
) -> tuple[np.ndarray, float]:
    """Return counts (classes, BINS), and the mean squared error when each decodes to its mean."""
    cells = classes(magnitudes, step) * BINS + BIN[magnitudes]
    rest = np.where(magnitudes, rest, values)
    counts = np.bincount(cells, minlength=-(-(int(cells.max()) + 1) // BINS) * BINS)
    sums = np.bincount(cells, rest, len(counts))
    error = float(np.vdot(rest, rest)) - float((sums * sums / np.maximum(counts, 1)).sum())
    return counts.reshape(-1, BINS), error / values.size


def _entropy(counts: np.ndarray) -> float:
    """Return the bits of symbols (classes, n), by how often they occur in their class."""

    def weighted(numbers: np.ndarray) -> float:
        return float((numbers * np.log2(np.maximum(numbers, 1))).sum())

    return weighted(counts.sum(axis=1)) - weighted(counts)
