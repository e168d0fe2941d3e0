"""Sums over the values of a group, and the statistics that follow from them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...align import value
from .group import Group

FAINT = 1e-150  # a deviation below, or a value above its inverse, is not coded with loss


def stats_of(group: Group, sample: np.ndarray, whole: bool = True) -> value.ValueStats:
    """Return bounds, mean and deviation of a group, massive and non-finite values left out.

    Unless of the `whole` group, they are those of `sample`, some of its values, from which the
    typical range is judged. Values beyond it are massive when they are few, lie apart from the rest
    and hold more of the variance than all others but less of the magnitude; else they are features.
    Of probabilities the large ones are all that counts, and a tail may lead there; none between 0
    and 1 is massive.
    """
    found = typical_sums(group, sample, whole)
    if found.beyond and not found.massive:
        found = Sums(found.pivot, -np.inf, np.inf).add_all(group.chunks() if whole else [sample])
    return found.stats


def typical_sums(group: Group, sample: np.ndarray, whole: bool = True) -> "Sums":
    """Return the sums within the typical range of a sample, and beyond it."""
    finite = _in_reach(sample[np.isfinite(sample)])
    pivot = float(np.median(finite)) if finite.size else 0.0
    low, high = value.typical_bounds(finite) if finite.size else (-np.inf, np.inf)
    return Sums(pivot, low, high).add_all(group.chunks() if whole else [sample])


def stats_of_all(group: Group) -> value.ValueStats:
    """Return the statistics of a group, of which non-finite values alone are left out."""
    first = next(group.chunks())
    finite = first[np.isfinite(first)]
    pivot = float(np.median(finite)) if finite.size else 0.0
    return Sums(pivot, -np.inf, np.inf).add_all(group.chunks()).stats


@dataclass
class Sums:
    """Sums over the values within some bounds, and over the finite ones beyond."""

    pivot: float
    low: float
    high: float
    count: int = 0
    cut: int = 0  # values that are not finite, or beyond the bounds
    beyond: int = 0
    near: int = 0  # values within the bounds, but beyond half of them
    odd: bool = False  # some finite value beyond the bounds is no probability
    total: float = 0.0
    square: float = 0.0
    square_beyond: float = 0.0
    size: float = 0.0  # sums of magnitudes
    size_beyond: float = 0.0
    lower: float = np.inf
    upper: float = -np.inf

    def add_all(self, chunks: Iterable[np.ndarray]) -> "Sums":
        for chunk in chunks:
            least, most = float(chunk.min()), float(chunk.max())
            if not (self._typical(least) and self._typical(most)):
                chunk = self._inside(chunk)
                if not chunk.size:
                    continue
                least, most = float(chunk.min()), float(chunk.max())
            self.lower, self.upper = min(self.lower, least), max(self.upper, most)
            chunk = _in_reach(chunk)
            shifted = chunk - chunk.dtype.type(self.pivot)
            self.total += float(shifted.sum())
            self.square += float(np.vdot(shifted, shifted))
            self.size += float(np.abs(shifted).sum())
            self.count += chunk.size
        return self

    def _inside(self, chunk: np.ndarray) -> np.ndarray:
        """Return what lies within the bounds; count the rest."""
        finite = chunk[np.isfinite(chunk)]
        within = (finite >= self.low) & (finite <= self.high)
        beyond = finite[~within].astype(np.float64) - self.pivot
        self.cut += chunk.size - int(np.count_nonzero(within))
        self.beyond += beyond.size
        inside = finite[within]
        self.near += inside.size - int(np.count_nonzero(self._typical(inside)))
        self.square_beyond += float(np.vdot(beyond, beyond))
        self.size_beyond += float(np.abs(beyond).sum())
        outer = finite[~within]
        self.odd |= bool(np.any((outer < 0) | (outer > 1)))
        return inside

    def _typical(self, values: np.ndarray | float) -> np.ndarray | bool:
        """Return whether values are finite and lie within half of the bounds."""
        low, high = (self.pivot + (bound - self.pivot) / 2 for bound in (self.low, self.high))
        return np.isfinite(values) & (low <= values) & (values <= high)

    @property
    def few_beyond(self) -> bool:
        """Whether so few values lie beyond the bounds, if any, that they may be massive."""
        return 0 < self.beyond <= max(value.MASSIVE_VALUES, self.count * value.MASSIVE_SHARE)

    @property
    def massive(self) -> bool:
        """Whether what lies beyond the bounds is massive activations."""
        apart = self.few_beyond and self.odd and self.near <= self.beyond
        less = self.beyond <= value.MASSIVE_VALUES or not self.size_beyond > self.size
        return apart and less and not self.square_beyond < self.square

    @property
    def stats(self) -> value.ValueStats:
        if not self.count:
            return value.ValueStats(0, 0.0, 0.0, 0.0, 1.0, self.cut)
        mean = self.total / self.count
        deviation = math.sqrt(max(self.square / self.count - mean * mean, 0.0))
        return value.ValueStats(
            self.count, self.lower, self.upper, self.pivot + mean, deviation, self.cut
        )


def _in_reach(values: np.ndarray) -> np.ndarray:
    """Return finite values in a precision that holds their squares and differences."""
    largest = max(-float(values.min(initial=0)), float(values.max(initial=0)))
    return values if value.LEAST < largest < value.MOST else values.astype(np.float64)


def sane(stats: value.ValueStats) -> bool:
    """Return whether there is something to code, of a size that double precision can square."""
    return stats.count > 0 and stats.std > FAINT and stats.reach < 1 / FAINT
