"""Numbers of a header in few bytes: their last bits are zero, and a `real` leaves those out."""

import math

import numpy as np

from ..elements import BITS

SPARED_BITS = 29  # of a double: what single precision lacks
# The same of numbers that need not be exact: 12 bits of mantissa are left, and they take 3 bytes.
LOOSE_BITS = 40
PER_DB = 256  # of an SNR that is stated


def short(value: float, dtype: str, loose: bool = False) -> float:
    """Return a number of the header with the precision that a type is worth, or a `loose` one.

    Truncated towards 0, so that no step grows: it may be what a bound on the error allows.
    """
    if BITS[dtype] > 32 and not loose:
        return value
    return _truncated(value, LOOSE_BITS if loose else SPARED_BITS) or value


def below(value: float) -> float:
    """Return a number no larger than a bound, and near it.

    >>> below(0.7), below(-0.7)
    (0.699951171875, -0.7000732421875)
    """
    return -above(-value)


def above(value: float) -> float:
    """Return a number no smaller than a bound, and near it.

    >>> above(0.7), above(1.0)
    (0.7000732421875, 1.0)
    """
    found = _truncated(value, LOOSE_BITS)
    if found >= value:
        return found
    bits = np.float64(found).view(np.int64) + (np.int64(1) << LOOSE_BITS)
    return float(bits.view(np.float64))


def stated_snr(reached: float, asked: float) -> float:
    """Return an SNR in dB no higher than what is reached, but no lower than one asked for.

    >>> stated_snr(20.013, 20.0), stated_snr(12.302, 12.3)
    (20.01171875, 12.30078125)
    >>> stated_snr(12.3001, 12.3)
    12.3
    """
    if not math.isfinite(reached):
        return reached
    found = math.floor(reached * PER_DB) / PER_DB
    return min(max(found, asked), reached)


def _truncated(value: float, spared: int) -> float:
    bits = np.float64(value).view(np.int64) & ~np.int64((1 << spared) - 1)
    return float(bits.view(np.float64))
