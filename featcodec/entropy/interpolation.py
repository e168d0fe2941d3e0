"""Expected values of a map from neighbours on two sides and from other channels (SPEC §7.16).

Seven passes code a block. The first has every fourth place of every fourth row; the others halve
the distance along one axis, along the other, and along both, twice. Neighbours that lie opposite
each other predict a symbol, and how they differ predicts its spread. The channels of a group are
predicted from those of earlier groups, too: from what these were beyond their own predictions.

All numbers are integers; float64 holds them where they are multiplied, and no sum exceeds 2 ** 53.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import Damage
from .located import UNIT_BITS, classes, locate

PASSES = 7
PAIRS = 4
NEAR = PAIRS + 1  # weights of a prediction: of pairs of neighbours, and a constant
SPREADS = PAIRS + 3  # of a spread: of differences, of the first pairs' and of the mean, a constant
LARGEST = 1 << 15  # magnitude of a symbol in predictions
LARGEST_WEIGHT = 1 << 9  # 64ths
LARGEST_CONSTANT = 1 << 20  # 64ths
MOST = LARGEST << UNIT_BITS  # magnitude of a prediction
KEPT = 256  # block sizes in a cache
_HALF = 1 << UNIT_BITS - 1
# Distances of pairs along the first and the second axis, for the passes that halve the first,
# the second, and both.
_HALVINGS = (
    ((1, 0), (1, 2), (1, -2), (3, 0)),
    ((0, 1), (1, 1), (1, -1), (0, 3)),
    ((1, 0), (0, 1), (1, 1), (1, -1)),
)
Passes = tuple[tuple[np.ndarray, np.ndarray], ...]


class InterpolationError(Damage):
    """Weights are beyond their limits."""


@dataclass(frozen=True)
class Weights:
    """The weights of one token grid, int64, 64ths; `across` from a channel to another."""

    axis: int  # that is halved first: 0 the rows, 1 the columns
    groups: np.ndarray  # (channels,) group of each channel
    near: np.ndarray  # (PASSES, NEAR, channels)
    across: np.ndarray  # (PASSES, channels, channels): row c has those of its predictors
    spread: np.ndarray  # (PASSES, SPREADS, channels)
    spread_across: np.ndarray  # (PASSES, channels, channels)

    def check(self) -> None:
        """Raise InterpolationError when a weight is too large, or one of a spread negative."""
        for arrays, most in (
            ((self.near[:, :-1], self.spread[:, :-1]), LARGEST_WEIGHT),
            ((self.across, self.spread_across), LARGEST_WEIGHT),
            ((self.near[:, -1], self.spread[:, -1]), LARGEST_CONSTANT),
        ):
            largest = max(int(np.abs(a).max(initial=0)) for a in arrays)
            if largest > most:
                raise InterpolationError(f"a weight is {largest}; at most {most} is allowed")
        least = min(int(a.min(initial=0)) for a in (self.spread, self.spread_across))
        if least < 0:
            raise InterpolationError(f"a weight of a spread is {least}; it must not be negative")


@lru_cache(maxsize=KEPT)
def lattice(sizes: tuple[int, int], axis: int) -> Passes:
    """Return (places, neighbours) of each pass over a map, (n,) and (PAIRS, 2, n) positions.

    Neighbours outside are mirrored. The position behind the map stands for one that is missing.
    """
    rows, columns = np.divmod(np.arange(math.prod(sizes)), sizes[1])
    found = []
    for number in range(PASSES):
        far = 2 if number < 4 else 1  # of the neighbours
        if number == 0:
            places = np.flatnonzero((rows % 4 == 0) & (columns % 4 == 0))
            found.append((places, np.zeros((0, 2, len(places)), np.int64)))
            continue
        kind = (number - 1) % 3
        odd = (kind != 1, kind != 0)[:: -1 if axis else 1]
        mine = np.ones(len(rows), bool)
        for places, is_odd in zip((rows, columns), odd, strict=True):
            mine &= places % (2 * far) == far * is_odd
        places = np.flatnonzero(mine)
        around = []
        for distance in _HALVINGS[kind]:
            down, right = (far * d for d in (distance[:: -1 if axis else 1]))
            around += [_beside(places, sizes, (s * down, s * right)) for s in (-1, 1)]
        found.append((places, np.array(around).reshape(PAIRS, 2, -1)))
    return tuple(found)


def _beside(places: np.ndarray, sizes: tuple[int, int], distance: tuple[int, int]) -> np.ndarray:
    """Return the positions at a distance, mirrored where they lie outside."""
    found, missing = [], np.zeros(len(places), bool)
    for at, far, size in zip(np.divmod(places, sizes[1]), distance, sizes, strict=True):
        other = np.where((at + far >= 0) & (at + far < size), at + far, at - far)
        missing |= (other < 0) | (other >= size)
        found.append(other)
    return np.where(missing, math.prod(sizes), found[0] * sizes[1] + found[1])


@dataclass
class Near:
    """What the neighbours in a pass say: float64 arrays (..., channels, places * blocks)."""

    pairs: np.ndarray  # (PAIRS or 0, ...) sums
    differences: np.ndarray  # (PAIRS + 2 or 0, ...)

    @classmethod
    def of(cls, known: np.ndarray, around: np.ndarray) -> "Near":
        """`known` (channels, points + 1, blocks) has the symbols."""
        channels = len(known)
        if not len(around):
            empty = np.zeros((0, channels, around.shape[-1] * known.shape[2]))
            return cls(empty, empty)
        shape = (PAIRS, channels, around.shape[-1] * known.shape[2])
        pairs, differences = np.empty(shape), np.empty((PAIRS + 2, *shape[1:]))
        for i, (one, other) in enumerate(around):
            a, b = (known[:, at].reshape(shape[1:]) for at in (one, other))
            np.add(a, b, out=pairs[i])
            np.abs(np.subtract(a, b, out=differences[i]), out=differences[i])
        np.abs(np.subtract(pairs[0], pairs[1], out=differences[-2]), out=differences[-2])
        np.abs(pairs[0], out=differences[-1])
        return cls(pairs, differences)

    def predicted(self, weights: np.ndarray) -> np.ndarray:
        """Return predictions (channels, values) by weights (NEAR, channels)."""
        return _weighted(self.pairs, weights)

    def spread(self, weights: np.ndarray) -> np.ndarray:
        return _weighted(self.differences, weights)


def _weighted(terms: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = np.empty(terms.shape[1:])
    total[:] = weights[-1][:, None]
    for term, weight in zip(terms, weights, strict=False):
        total += term * weight[:, None]
    return total


@dataclass
class Step:
    """The channels of a group in a pass, arrays (channels, values); `learn` takes the symbols."""

    places: np.ndarray
    channels: np.ndarray
    predicted: np.ndarray  # int32, 64ths
    spread: np.ndarray  # int32, classes
    numbers: np.ndarray  # uint16, of tables
    bases: np.ndarray  # int32
    symbols: np.ndarray | None = None

    def learn(self, symbols: np.ndarray) -> None:
        self.symbols = symbols


class Interpolator:
    """Walks over the blocks of a class, as both ends do."""

    def __init__(self, weights: Weights, positive: bool) -> None:
        self.weights, self.positive = weights, positive
        self.members = [
            np.flatnonzero(weights.groups == group) for group in np.unique(weights.groups)
        ]

    def steps(self, sizes: tuple[int, ...], blocks: int) -> Iterator[Step]:
        """Yield the steps in coding order; each must learn its symbols before the next."""
        weights = self.weights
        rows, columns = (1, 1, *sizes)[-2:]
        channels = len(weights.groups)
        known = np.zeros((channels, rows * columns + 1, blocks))
        for number, (places, around) in enumerate(lattice((rows, columns), weights.axis)):
            if not len(places):
                continue
            near = Near.of(known, around)
            predicted = near.predicted(weights.near[number])
            spread = near.spread(weights.spread[number])
            found = np.empty_like(predicted)
            beyond = np.empty_like(predicted)  # of the symbols, their predictions
            for group, members in enumerate(self.members):
                step = self._step(number, group, predicted[members], spread[members], beyond)
                step.places = places
                yield step
                assert step.symbols is not None
                symbols = np.clip(step.symbols, -LARGEST, LARGEST)
                found[members] = symbols
                expected = np.maximum(step.predicted, 0) if self.positive else step.predicted
                beyond[members] = (symbols << UNIT_BITS) - expected
            known[:, places] = found.reshape(channels, len(places), blocks)

    def _step(
        self,
        number: int,
        group: int,
        predicted: np.ndarray,
        spread: np.ndarray,
        beyond: np.ndarray,
    ) -> Step:
        members = self.members[group]
        for weights, total, across in (
            (self.weights.across, predicted, beyond),
            (self.weights.spread_across, spread, beyond),
        ):
            rows = weights[number, members]
            others = np.flatnonzero(rows.any(axis=0))
            if len(others):
                terms = across[others]
                if weights is self.weights.spread_across:
                    np.abs(terms, out=terms)
                more = rows[:, others].astype(np.float64) @ terms
                more += _HALF
                more *= 1 / (1 << UNIT_BITS)
                total += np.floor(more, out=more)
        np.clip(predicted, -MOST, MOST, out=predicted)
        whole = predicted.astype(np.int32)
        kind = classes(spread)
        numbers, bases = locate(whole, kind, self.positive)
        return Step(np.zeros(0, np.int64), members, whole, kind, numbers, bases)
