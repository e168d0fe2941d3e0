"""The mean of each map beyond that of its reconstruction points (SPEC §7.18).

A pooling behind a map reads its mean, and errors in a dead zone add up: all small values of a weak
map err alike. Part of a mean is expected, of the channel and of how large the symbols of the map
are in all. What that leaves is a symbol for each map, where it pays.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...entropy import fit, integers, shapes
from ...entropy.contexts import Contexts
from ...entropy.tables import EMPTY, Table
from ...quantise.scalar import Thresholds, quantise

NUMBER = shapes.NUMBERS * (1 + shapes.SHAPES)  # of the table: it follows those of symbols
WEIGHT = 0.75  # of the errors of means, beside what they are of all errors
SPACING = 0.625  # of symbols, in steps over the root of the points of a map
UNIT = 32  # expected means, in a spacing
LARGEST = 1 << 12  # magnitude of an expected mean, in units
ACTIVITIES = 16  # lengths in bits of the sum of the magnitudes of a map
AT = Thresholds(0.8, 0.55)  # a mean below is not worth a symbol
PRIOR = 2  # maps of an expected mean of 0 that a fit counts in


def activity_of(known: Contexts) -> np.ndarray:
    """Return the length in bits (columns,) of the sum of the magnitudes of each map."""
    total = known.magnitudes[:-1].sum(axis=0, dtype=np.int64)
    return np.minimum(np.frexp(total)[1], ACTIVITIES - 1)


@dataclass(frozen=True)
class Means:
    """What is expected, UNIT a spacing, of channels and of activities, and the table of symbols."""

    channels: np.ndarray  # (channels,) integers
    activities: np.ndarray  # (ACTIVITIES,) integers
    table: Table  # of magnitude 0: there are no symbols

    def expected(self, known: Contexts) -> np.ndarray:
        """Return what is expected of each map (columns,), in spacings."""
        blocks = known.symbols.shape[1] // len(self.channels)
        units = np.repeat(self.channels, blocks) + self.activities[activity_of(known)]
        return units / UNIT

    def symbols(self, errors: np.ndarray, known: Contexts, step: float) -> np.ndarray:
        """Return the symbols (columns,) for errors (points, columns), zeros without a table."""
        if not self.table.magnitude:
            return np.zeros(errors.shape[1], np.int32)
        wanted = errors.mean(axis=0, dtype=np.float64) / spacing(len(errors), step)
        return quantise(wanted - self.expected(known), 1.0, AT)

    def shift(self, symbols: np.ndarray | int, known: Contexts, step: float) -> np.ndarray:
        """Return what to add to all values of each map (columns,)."""
        return (symbols + self.expected(known)) * spacing(len(known.symbols), step)

    def pack(self) -> tuple[bytes, bytes]:
        """Return the fields."""
        both = np.concatenate([self.channels, self.activities])
        return integers.pack(both), integers.pack_table(self.table)


def spacing(points: int, step: float) -> float:
    """Return how far the means of neighbouring symbols are apart, in the units of the step."""
    return SPACING * step / math.sqrt(points)


@dataclass(frozen=True)
class MeanErrors:
    """The errors of a class of blocks that are left to the means of maps."""

    squared: float  # of all values
    points: int
    means: np.ndarray  # (channels, blocks), in spacings
    activities: np.ndarray  # (channels, blocks)

    @classmethod
    def of(cls, errors: np.ndarray, known: Contexts, step: float, channels: int) -> "MeanErrors":
        """Return those of errors (points, columns)."""
        means = errors.mean(axis=0, dtype=np.float64) / spacing(len(errors), step)
        shape = channels, -1
        squared = float(np.vdot(errors, errors)) / step**2
        return cls(squared, len(errors), means.reshape(shape), activity_of(known).reshape(shape))

    def left(self, expected: np.ndarray, symbols: np.ndarray | int) -> float:
        """Return the squared error, in squared steps, with the errors of means counted more."""
        now = np.vdot(self.means, self.means)
        then = np.square(self.means - expected - symbols).sum()
        return self.squared + float((1 + WEIGHT) * then - now) * SPACING**2


def fitted(
    errors: Sequence[MeanErrors], fraction: float, saved: Callable[[float], float]
) -> tuple[Means | None, float]:
    """Return the means that pay, None when none do, and the bits of all that is stored of them.

    `errors` are of a `fraction` of all values. `saved` returns the bits that decibels are worth.
    """
    nothing = np.zeros(len(errors[0].means)), np.zeros(ACTIVITIES)
    before = sum(each.left(np.zeros(()), 0) for each in errors)
    best, least, bits = None, 0.0, 0.0
    for channels, activities in (nothing, _expected(errors, False), _expected(errors, True)):
        left = [e.means - (channels[:, None] + activities[e.activities]) / UNIT for e in errors]
        coded = [quantise(each, 1.0, AT) for each in left]
        histogram = fit.Histogram.of(np.concatenate([each.ravel() for each in coded]))
        for table in dict.fromkeys((EMPTY, fit.fit(histogram))):
            found = Means(channels.astype(np.int64), activities.astype(np.int64), table)
            after = sum(
                e.left(e.means - rest, k if table.magnitude else 0)
                for e, rest, k in zip(errors, left, coded, strict=True)
            )
            own = 8.0 * sum(map(len, found.pack()))
            if table.magnitude:
                own += fit.cost(histogram, table) / fraction
            worth = own - saved(10 * math.log10(before / after) if after else 0.0)
            if worth < least:
                best, least, bits = found, worth, own
    return best, bits


def _expected(errors: Sequence[MeanErrors], of_channels: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return means of channels, unless they are to be 0, and of activities: their sum is near."""
    channels, activities = np.zeros(len(errors[0].means)), np.zeros(ACTIVITIES)
    where = np.concatenate([e.activities for e in errors], axis=1)
    means = np.concatenate([e.means for e in errors], axis=1)
    for _ in range(3):
        rest = means - channels[:, None]
        counts = np.bincount(where.ravel(), minlength=ACTIVITIES)
        activities = np.bincount(where.ravel(), rest.ravel(), ACTIVITIES) / (counts + PRIOR)
        if not of_channels:
            break
        channels = (means - activities[where]).sum(axis=1) / (means.shape[1] + PRIOR)
    both = (np.clip(np.rint(UNIT * each), -LARGEST, LARGEST) for each in (channels, activities))
    first, second = both
    return first, second
