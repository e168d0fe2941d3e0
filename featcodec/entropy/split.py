"""Split symbols: the kind of a symbol, then its magnitude (SPEC §7.12).

A symbol of a sparse map at a fine step is zero, a value at the upper bound, or any other value. The
kind tells which, with the sign; the magnitude follows for other values. A prediction of the
magnitude from the channel and the decoded neighbours chooses both tables, as in `contexts`.
"""

import numpy as np

from . import contexts
from .prediction import as_map
from .tables import Table

CLASSES = 40  # of predicted magnitudes, half octaves
MAGNITUDES = 3 * CLASSES  # added to the table number of a kind for that of a magnitude
PEAK = 2  # the kind of values at the upper bound
LEAST_LEVEL, MOST_LEVEL = contexts.LEAST_LEVEL, 40
_BELOW = 14  # half octaves of predictions below class 1, as `frexp` counts them
_ROOT_HALF = 46341 / 65536


def _mean(level: int) -> int:
    """Return 64 times the mean magnitude of a level."""
    octaves = max(level - contexts.MOST_LEVEL + 1, 0) // 2
    return max(round(64 * 2.0 ** ((level - 2 * octaves) / 2)), 1) << octaves


MEANS = np.array([_mean(level) for level in range(LEAST_LEVEL, MOST_LEVEL + 1)], np.float64)


def level_of(mean: np.ndarray) -> np.ndarray:
    """Return the levels of channels from the mean magnitudes of their symbols."""
    levels = np.rint(2 * np.log2(np.maximum(mean, 1e-9)))
    return np.clip(levels, LEAST_LEVEL, MOST_LEVEL).astype(np.int64)


def class_of(prediction: np.ndarray) -> np.ndarray:
    """Return the half octave, uint8, of predictions that float64 holds exactly."""
    mantissa, exponent = np.frexp(prediction)
    exponent *= 2
    exponent += mantissa >= _ROOT_HALF
    exponent -= _BELOW
    return np.clip(exponent, 0, CLASSES - 1).astype(np.uint8)


class Magnitudes:
    """The known magnitudes of a class of blocks, and the table numbers that follow from them.

    Columns are channels times blocks, channel by channel.
    """

    def __init__(self, sizes: tuple[int, ...], levels: np.ndarray, blocks: int) -> None:
        """`levels` (channels,) are half octaves of mean magnitudes, clipped here."""
        self.lattice = contexts.lattice(as_map(sizes))
        means = MEANS[np.clip(levels, LEAST_LEVEL, MOST_LEVEL) - LEAST_LEVEL]
        self._means = np.repeat(means, blocks)
        places = sum(len(where) for where, _ in self.lattice)
        self.known = np.zeros((places + 1, len(self._means)))

    def numbers(self, number: int) -> np.ndarray:
        """Return the table numbers (places, columns) of the kinds of a pass, uint8."""
        places, around = self.lattice[number]
        _, of_channel, of_neighbour, family = contexts.PASSES[number]
        total = np.zeros((len(places), len(self._means)))
        for others in around:
            total += self.known[others]
        total *= 64 * of_neighbour
        total += of_channel * self._means
        return class_of(total) + np.uint8(family * CLASSES)

    def learn(self, number: int, symbols: np.ndarray) -> None:
        """Take in the symbols (places, columns) of a pass."""
        self.known[self.lattice[number][0]] = np.abs(symbols)


def table(number: int, positive: bool, peak: bool) -> Table:
    """Return the built-in table of a number, for `positive` symbols alone or for both signs."""
    if number < MAGNITUDES:
        above = 255 if positive else 128
        return Table(1 + peak, 0, max(171 - 3 * (number % CLASSES), 60), above, (255,))
    shift = max((number % CLASSES - 12) // 2 - 4, 0)
    hazard = 176 - 4 * (number % CLASSES) + 8 * shift
    return Table(127, shift, hazard, 255, (hazard,))
