"""The corrections of the tables of an interpolation, fitted to counts of symbols."""

import math
from functools import lru_cache

import numpy as np

from ...entropy import located
from ...entropy.located import CLASSES, LARGEST_TWEAK, LARGEST_ZERO, NUMBERS, PLACES
from ...entropy.tables import MAX_MAGNITUDE, TOTAL_BITS
from .part import numbers_of

TWEAK_STEPS = (4, 2)
ZERO_BITS = 6  # what a correction of zeros is to save


def fit_tables(
    counts: np.ndarray, fraction: float, positive: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the corrections (CLASSES,) of slopes and (NUMBERS,) of zeros.

    `counts` (NUMBERS, 2 MAX_MAGNITUDE + 1) are of symbols less their base.
    """
    tweaks = np.zeros(CLASSES, np.int64)
    zeros = np.zeros(NUMBERS, np.int64)
    possible = numbers_of(positive)
    for kind in range(CLASSES):
        mine = [n for n in possible if n // PLACES == kind and counts[n].any()]
        if not mine:
            continue
        tweaks[kind] = _best_tweak(counts, kind, mine, positive)
        for n in mine:
            zeros[n] = _least_bits(counts[n], n, positive, int(tweaks[kind]), fraction)[1]
    return tweaks, zeros


def _best_tweak(counts: np.ndarray, kind: int, numbers: list[int], positive: bool) -> int:
    """Return the correction of the slope of a class of least bits, in steps that get finer."""
    tried: dict[int, float] = {}

    def cost(tweak: int) -> float:
        if tweak not in tried:
            found = (_least_bits(counts[n], n, positive, tweak)[0] for n in numbers)
            tried[tweak] = sum(found)
        return tried[tweak]

    best = 0
    for step in TWEAK_STEPS:
        while abs(best) < LARGEST_TWEAK:
            least = min((best - step, best, best + step), key=cost)
            if least == best:
                break
            best = least
    return best


@lru_cache(1 << 13)
def _rates(number: int, positive: bool, tweak: int) -> tuple[int, int | None, np.ndarray]:
    """Return the magnitude, the least symbol and the bits of symbols of a table."""
    tweaks, none = np.full(CLASSES, tweak), np.zeros(NUMBERS, np.int64)
    table = located.table(number, positive, tweaks, none)
    return table.magnitude, table.least, TOTAL_BITS - np.log2(table.expanded())


def _least_bits(
    counts: np.ndarray,
    number: int,
    positive: bool,
    tweak: int,
    fraction: float = 1.0,
) -> tuple[float, int]:
    """Return the bits of symbols with the best correction of zeros, and that."""
    limit, least, rates = _rates(number, positive, tweak)
    inside = counts[MAX_MAGNITUDE - limit : MAX_MAGNITUDE + limit + 1].astype(np.float64)
    inside[0] += counts[: MAX_MAGNITUDE - limit].sum()
    inside[-1] += counts[MAX_MAGNITUDE + limit + 1 :].sum()
    usual = float(inside @ rates)
    if least is None:
        return usual, 0
    zero, total = inside[limit], inside.sum()
    before = 2.0 ** -rates[limit]
    before = min(max(before, 1e-7), 1 - 1e-7)
    after = (zero + 0.25) / (total + 0.5)
    change = 8 * math.log2(after / (1 - after) * (1 - before) / before)
    change = min(max(round(change), -LARGEST_ZERO), LARGEST_ZERO)
    odds = before / (1 - before) * 2 ** (change / 8)
    after = odds / (1 + odds)
    saved = zero * math.log2(after / before) + (total - zero) * math.log2(
        (1 - after) / (1 - before)
    )
    if saved / fraction < ZERO_BITS:
        return usual, 0
    return usual - saved, change
