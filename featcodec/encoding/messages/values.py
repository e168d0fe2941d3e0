"""The values of an array: which of them are usual, and their moments."""

import math
from dataclasses import dataclass

import numpy as np

from ...align.numbers import to_float
from ...align.value import LEAST, MASSIVE, MOST, typical_bounds
from ...elements import PRECISION

TRIMMED = 0.002  # of the values, and two: as many `typical_bounds` leaves out at most
NEGLIGIBLE = 0.0005  # of the squared error: what rounding may add without being measured


@dataclass(frozen=True)
class Values:
    """The stored elements of an array, their values, and which are usual.

    The others are massive, infinite or NaN: they are kept as they are, and moments leave them out.
    """

    stored: np.ndarray
    dtype: str
    values: np.ndarray
    usual: np.ndarray | None  # None: all
    low: float
    high: float
    mean: float
    power: float  # the sum of squares, less the mean
    count: int

    @classmethod
    def of(cls, stored: np.ndarray, dtype: str) -> "Values":
        values = to_float(stored, dtype)
        found = cls._of(stored, dtype, values, None)
        return found if found.surely_usual else cls._of(stored, dtype, values, _usual(values))

    @classmethod
    def _of(
        cls, stored: np.ndarray, dtype: str, values: np.ndarray, usual: np.ndarray | None
    ) -> "Values":
        some = values if usual is None else values[usual]
        if not some.size:
            return cls(stored, dtype, values, usual, 0.0, 0.0, 0.0, 0.0, 0)
        mean = float(some.mean(dtype=np.float64))
        power = float(np.square(some - some.dtype.type(mean), dtype=np.float64).sum())
        low, high = float(some.min()), float(some.max())
        return cls(stored, dtype, values, usual, low, high, mean, power, some.size)

    @property
    def surely_usual(self) -> bool:
        """Whether `typical_bounds` hold all values, as their range tells in most arrays."""
        span = self.high - self.low
        reach = span * span  # NaN and infinities make it no number that is less
        trimmed = TRIMMED * self.count + 2
        return MASSIVE**2 * (self.power - trimmed * reach) >= self.count * reach

    @property
    def varied(self) -> bool:
        """Whether values differ, by numbers that can be squared."""
        return self.count > 0 and LEAST < math.sqrt(self.power / self.count) < MOST

    def are_those_within(self, lower: float, upper: float) -> bool:
        """Return whether the usual values are those within some bounds."""
        if self.usual is None:
            return lower <= self.low and self.high <= upper
        return np.array_equal(self.usual, (self.values >= lower) & (self.values <= upper))

    def rounding_counts(self, error: float, mean: float) -> bool:
        """Return whether decoded values err otherwise than latents, at a squared error of all.

        They are decoded about a `mean`, whose digits arithmetic has to hold, too.
        """
        precision = PRECISION[self.dtype]
        reach = max(abs(self.low), abs(self.high), abs(mean))
        arithmetic = 2.0**-50 if self.dtype == "F64" else 2.0**-21
        rounding = (max(precision.relative, arithmetic) * reach) ** 2 + precision.least**2
        return self.count * rounding / 12 > NEGLIGIBLE * error

    def filled(self) -> np.ndarray:
        """Return the values, the mean in place of those that are not usual."""
        return self.values if self.usual is None else np.where(self.usual, self.values, self.mean)


def _usual(values: np.ndarray) -> np.ndarray | None:
    finite = np.isfinite(values)
    if not finite.any():
        return finite
    low, high = typical_bounds(values[finite])
    usual: np.ndarray = finite & (values >= low) & (values <= high)
    return None if usual.all() else usual
