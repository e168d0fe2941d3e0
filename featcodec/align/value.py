"""Value alignment: truncation to bounds and normalisation (SPEC §5, §6.1).

Values outside the bounds are exceptions, which are stored as they are.
"""

from dataclasses import dataclass

import numpy as np

from .curve import Curve


@dataclass(frozen=True)
class ValueAlignment:
    """Values are clipped to [lower, upper], then (x - mean) / std."""

    lower: float
    upper: float
    mean: float
    std: float

    @property
    def positive(self) -> bool:
        """Whether no aligned value is negative."""
        return self.lower >= self.mean

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Normalise values within the bounds, in place."""
        kind = values.dtype.type
        values -= kind(self.mean)
        values *= kind(1 / self.std)
        return values

    def inverse(self, aligned: np.ndarray, clamp: bool, curve: Curve | None = None) -> np.ndarray:
        """Undo the normalisation in place, apply the curve, and limit to the bounds if asked."""
        kind = aligned.dtype.type
        aligned *= kind(self.std)
        aligned += kind(self.mean)
        if curve is not None:
            aligned = curve.apply(aligned, self.lower)
        if clamp:
            np.clip(aligned, kind(self.lower), kind(self.upper), out=aligned)
        return aligned

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Return the flat positions of values that are not finite or beyond the bounds."""
        inside = (values >= self.lower) & (values <= self.upper)
        return np.flatnonzero(~inside)


LEAST, MOST = 1e-15, 1e15  # magnitudes whose squares single precision holds


@dataclass(frozen=True)
class ValueStats:
    """Statistics of values: bounds and normalisation are fitted to them."""

    count: int
    lower: float
    upper: float
    mean: float
    std: float
    cut: int  # values outside the bounds; mean and std leave them out

    @property
    def reach(self) -> float:
        """The largest magnitude within the bounds."""
        return max(abs(self.lower), abs(self.upper))

    @property
    def moderate(self) -> bool:
        """Whether single precision holds the squares of all values within the bounds."""
        return LEAST < self.reach < MOST


# Typical deviations from the median beyond which a value may be a massive activation. Maps after
# ReLU reach 25; the activations that make up most of the variance of a tensor reach hundreds. Such
# values are massive where they are no more than that many, or than that share of all.
MASSIVE = 40.0
MASSIVE_VALUES, MASSIVE_SHARE = 8, 1e-3


def typical_bounds(sample: np.ndarray) -> tuple[float, float]:
    """Return bounds that hold all but massive activations, from finite values (n,)."""
    low, middle, high = (float(q) for q in np.quantile(sample, (0.001, 0.5, 0.999)))
    inner = sample[(sample >= low) & (sample <= high)].astype(np.float64)
    inner -= middle
    most = float(np.abs(inner).max(initial=0))  # scales the values, so that no square overflows
    deviation = most * float(np.sqrt(np.mean((inner / most) ** 2))) if most > 0 else 0.0
    if not 0 < deviation < np.inf:
        return -np.inf, np.inf
    return middle - MASSIVE * deviation, middle + MASSIVE * deviation
