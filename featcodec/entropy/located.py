"""Tables of symbols near an expected value: location, spread and the chance of zero (SPEC §7.16).

A symbol is expected to follow a logistic distribution about a prediction. The class of its spread
and where the prediction lies choose the table, which codes the symbol less a base. Where values are
never negative, all of the distribution below a half is zero, and zeros have a correction of their
own. All arithmetic is on integers.
"""

from dataclasses import dataclass

import numpy as np

from .tables import CHANCES, TOTAL, Table, eighths

UNIT_BITS = 6  # predictions and spreads are in 64ths of a step
CLASSES = 17  # of spreads, half octaves
MIDDLE = 8  # the class of a spread of one step
PLACES = 64  # at most, of the location in a class
NUMBERS = CLASSES * PLACES
# The least spread of each class after the first.
EDGES = (5, 7, 10, 13, 19, 27, 38, 54, 76, 108, 152, 215, 304, 431, 609, 861)
# For each class: a place is 2 ** SHIFT 64ths; a cell has 2 ** BITS places, and 2 ** CELL steps.
# Without a sign, places go down to -LOW, and up to TOP cells more before symbols have a base.
SHIFT = np.array((3, 3, 3, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8), np.int32)
BITS = np.maximum(UNIT_BITS - SHIFT, 0)
CELL = np.maximum(SHIFT - UNIT_BITS, 0)
LOW = np.array((2, 3, 3, 5, 6, 9, 12, 9, 12, 9, 12, 9, 12, 9, 12, 9, 12), np.int32)
TOP = np.array((2, 2, 2, 2, 2, 3, 3, 4, 4, 6, 7, 10, 13, 10, 13, 10, 13), np.int32)
MAGNITUDE = (13, 13, 13, 13, 13, 14, 14, 15, 15, 25, 26, 37, 48, 72, 94, 127, 127)
CLASS_OF = np.searchsorted(EDGES, np.arange(EDGES[-1] + 1), side="right").astype(np.int32)
_CHANCES = np.array((*CHANCES, CHANCES[-1]), np.int64)
_ONE = 256  # parts of a code
_HALF = 128 * _ONE
SLOPE = 96  # eighths of an octave: of the class in the middle
LARGEST_TWEAK = 32
LARGEST_ZERO = 96


@dataclass(frozen=True)
class Located(Table):
    """A table of symbols less their base."""

    slope: int = SLOPE  # eighths of an octave: parts of a code in a step
    place: int = 0  # 64ths, of the prediction above the base
    least: int | None = None  # the least symbol: 0 where values are never negative
    zeros: int = 0  # eighths of an octave of odds, more of the least symbol

    def expanded(self) -> np.ndarray:
        edges = np.arange(-self.magnitude, self.magnitude) * 64 + 32 - self.place
        below = _chance(_HALF + (eighths(self.slope) * edges >> 6))
        budget = TOTAL - self.size
        if self.least is None:
            total = np.concatenate([[0], budget * below >> 24, [budget]])
            return np.asarray(np.diff(total) + 1)
        at = self.magnitude + self.least
        edge = _HALF + (eighths(self.slope) * int(edges[at]) >> 6) + self.zeros * _ONE
        first = budget * int(_chance(np.array(edge))) >> 24
        above = TOTAL - int(below[at])
        part = (budget - first) * (below[at:] - below[at]) // above
        total = np.concatenate([np.zeros(at + 1, np.int64), first + part, [budget]])
        return np.asarray(np.diff(total) + 1)


def _chance(codes: np.ndarray) -> np.ndarray:
    """Return chances of codes in parts of _ONE, between which they are linear."""
    whole, part = np.divmod(np.clip(codes, 0, 255 * _ONE), _ONE)
    low = _CHANCES.take(whole)
    return np.asarray(low + ((_CHANCES.take(whole + 1) - low) * part >> 8))


def classes(spread: np.ndarray) -> np.ndarray:
    """Return the classes of spreads, whole numbers of 64ths."""
    return CLASS_OF.take(np.minimum(spread, EDGES[-1]).astype(np.int32))


def locate(
    predicted: np.ndarray, kind: np.ndarray, positive: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return table numbers, uint16, and bases, int32, of predictions, int32, and classes."""
    shift, bits = SHIFT.take(kind), BITS.take(kind)
    place = predicted + (np.left_shift(1, shift, dtype=np.int32) >> 1)
    place >>= shift
    if positive:
        low = LOW.take(kind)
        np.maximum(place, -low, out=place)
        base = place >> bits
        base -= TOP.take(kind)
        np.maximum(base, 0, out=base)
        place += low
    else:
        base = place >> bits
    place -= base << bits
    place += kind * PLACES
    base <<= CELL.take(kind)
    return place.astype(np.uint16), base


def table(number: int, positive: bool, tweaks: np.ndarray, zeros: np.ndarray) -> Located:
    """Return the table of a number.

    `tweaks` (CLASSES,) are of the slopes, `zeros` (NUMBERS,) of the chances of zero.
    """
    kind, place = divmod(number, PLACES)
    low = int(LOW[kind]) if positive else 0
    middle = place - low << int(SHIFT[kind])
    slope = SLOPE - 4 * (kind - MIDDLE) + int(tweaks[kind])
    # From the last cell on, what is below the base is not known to be nothing.
    based = not positive or place - low >> int(BITS[kind]) >= TOP[kind]
    least = None if based else 0
    return Located(
        MAGNITUDE[kind],
        slope=slope,
        place=middle,
        least=least,
        zeros=0 if based else int(zeros[number]),
    )
