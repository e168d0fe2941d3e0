"""The weights of an interpolation, fitted to symbols."""

import math

import numpy as np

from ...coding.parts.base import Sizes
from ...entropy import interpolation
from ...entropy.interpolation import (
    LARGEST,
    LARGEST_CONSTANT,
    LARGEST_WEIGHT,
    NEAR,
    PASSES,
    SPREADS,
    Near,
    Weights,
)
from ...entropy.located import UNIT_BITS

Symbols = dict[Sizes, np.ndarray]  # int32 (channels, points, blocks) by size of block
UNIT = 1 << UNIT_BITS
GROUPS = 8  # of channels: more of them tell more, and take a decoder time
PREDICTORS = 32  # of a channel, at most
NOISE = 1 / 12  # variance of a rounding error
WEIGHT_BITS = 8  # what a weight is to save
LEAST_BITS = 2  # on the sample itself
# Added to moments, and of the largest of them: what tells exactly the same leaves a solution.
RIDGE, ALIKE = 1e-6, 1e-12
ROUNDS = 3  # of fits to zeros that may stand for anything below zero, and of weights of errors
LEAST_SPREAD = 0.05


def axis_of(symbols: Symbols) -> int:
    """Return the axis along which symbols are more alike: it is halved last."""
    change = np.zeros(2)
    for sizes, array in symbols.items():
        rows, columns = (1, 1, *sizes)[-2:]
        grid = array.reshape(len(array), rows, columns, -1)
        for axis in (0, 1):
            if grid.shape[1 + axis] > 1:
                change[axis] += np.abs(np.diff(grid, axis=1 + axis)).mean() * grid.size
            else:
                change[axis] = np.inf
    return int(change[0] > change[1])


def fit_weights(symbols: Symbols, fraction: float, positive: bool, axis: int) -> Weights:
    """Return the weights for symbols, of which a group has so many more."""
    channels = len(next(iter(symbols.values())))
    passes = [_Pass.of(symbols, number, axis, fraction, positive) for number in range(PASSES)]
    groups = _groups(passes, channels)
    weights = Weights(
        axis,
        groups,
        np.zeros((PASSES, NEAR, channels), np.int64),
        np.zeros((PASSES, channels, channels), np.int64),
        np.zeros((PASSES, SPREADS, channels), np.int64),
        np.zeros((PASSES, channels, channels), np.int64),
    )
    for number, found in enumerate(passes):
        if found.symbols.shape[1]:
            found.fit(groups, weights, number)
        else:
            weights.spread[number, -1] = 64
    return weights


class _Pass:
    """The symbols of a pass, (channels, values), and what their neighbours say of them."""

    def __init__(self, symbols: np.ndarray, near: Near, fraction: float, positive: bool) -> None:
        self.symbols, self.near = symbols, near
        self.fraction, self.positive = fraction, positive

    @classmethod
    def of(
        cls, symbols: Symbols, number: int, axis: int, fraction: float, positive: bool
    ) -> "_Pass":
        mine, near = [], []
        for sizes, array in symbols.items():
            rows, columns = (1, 1, *sizes)[-2:]
            places, around = interpolation.lattice((rows, columns), axis)[number]
            if not len(places):
                continue
            known = np.zeros((len(array), rows * columns + 1, array.shape[2]))
            known[:, :-1] = np.clip(array, -LARGEST, LARGEST)
            mine.append(known[:, places].reshape(len(array), -1))
            near.append(Near.of(known, around))
        if not mine:
            empty = np.zeros((len(next(iter(symbols.values()))), 0))
            return cls(empty, Near(empty[None][:0], empty[None][:0]), fraction, positive)
        joined = (
            np.concatenate([getattr(n, name) for n in near], axis=-1)
            for name in ("pairs", "differences")
        )
        return cls(np.concatenate(mine, axis=1), Near(*joined), fraction, positive)

    def fit(self, groups: np.ndarray, weights: Weights, number: int) -> None:
        """Fit the weights of this pass, group by group."""
        beyond = np.zeros_like(self.symbols)
        for group in range(groups.max() + 1):
            earlier = np.flatnonzero(groups < group)
            gram = beyond[earlier] @ beyond[earlier].T
            for c in np.flatnonzero(groups == group).tolist():
                others, moments = self._candidates(earlier, gram, beyond, self.symbols[c])
                predicted, kept = self._fit_near(c, others, moments, beyond, weights, number)
                expected = np.maximum(predicted, 0) if self.positive else predicted
                beyond[c] = self.symbols[c] - expected
                self._fit_spread(c, kept, predicted, beyond, weights, number)

    def _fit_near(
        self,
        channel: int,
        others: np.ndarray,
        moments: np.ndarray,
        beyond: np.ndarray,
        weights: Weights,
        number: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fit what predicts a channel; return its predictions and the others that take part."""
        mine, pairs = self.symbols[channel], self.near.pairs[:, channel]
        near = np.concatenate([pairs, np.ones((1, len(mine)))])
        rows = np.concatenate([near, beyond[others]])
        whole = self._prediction(rows, self._square(near, rows, moments), mine)
        count = len(pairs)
        whole[:count] = np.clip(whole[:count], -LARGEST_WEIGHT, LARGEST_WEIGHT)
        whole[count] = np.clip(whole[count], -LARGEST_CONSTANT, LARGEST_CONSTANT)
        whole[count + 1 :] = np.clip(whole[count + 1 :], -LARGEST_WEIGHT, LARGEST_WEIGHT)
        weights.near[number, :count, channel] = whole[:count]
        weights.near[number, -1, channel] = whole[count]
        weights.across[number, channel, others] = whole[count + 1 :]
        return whole @ rows / UNIT, others[whole[count + 1 :] != 0]

    def _fit_spread(
        self,
        channel: int,
        others: np.ndarray,
        predicted: np.ndarray,
        beyond: np.ndarray,
        weights: Weights,
        number: int,
    ) -> None:
        """Fit what tells how far a channel is from its predictions."""
        mine, differences = self.symbols[channel], self.near.differences[:, channel]
        far = np.concatenate([differences, np.ones((1, len(mine))), np.abs(beyond[others])])
        hidden = (mine == 0) & (predicted < 0) & self.positive
        count = len(differences)
        whole = _spread(far, np.abs(mine - predicted), ~hidden, count)
        weights.spread[number, :count, channel] = whole[:count]
        weights.spread[number, -1, channel] = whole[count]
        weights.spread_across[number, channel, others] = whole[count + 1 :]

    def _candidates(
        self, earlier: np.ndarray, gram: np.ndarray, beyond: np.ndarray, mine: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the earlier channels that may predict, and the second moments of theirs."""
        if len(earlier) <= PREDICTORS:
            return earlier, gram
        alike = np.abs(beyond[earlier] @ mine) / np.sqrt(gram.diagonal() + NOISE)
        chosen = np.sort(np.argsort(-alike, kind="stable")[:PREDICTORS])
        return earlier[chosen], gram[np.ix_(chosen, chosen)]

    def _square(self, near: np.ndarray, rows: np.ndarray, moments: np.ndarray) -> np.ndarray:
        count = len(near)
        square = np.empty((len(rows), len(rows)))
        square[:count] = near @ rows.T
        square[count:, :count] = square[:count, count:].T
        square[count:, count:] = moments
        return square

    def _prediction(self, rows: np.ndarray, square: np.ndarray, mine: np.ndarray) -> np.ndarray:
        """Return whole weights of rows, those that do not pay left out."""
        size = len(mine)
        square = square + np.eye(len(rows)) * (1e-3 * math.sqrt(size) + 1e-3)
        kept = np.arange(len(rows))
        weights = _solved(square, rows @ mine, kept)
        wanted = mine
        if self.positive:
            for _ in range(ROUNDS - 1):
                wanted = self._below(weights @ rows, mine)
                weights = _solved(square, rows @ wanted, kept)
        product = rows @ wanted
        power = float(wanted @ wanted)
        while len(kept) > 1:
            left = max(power - float(weights @ product), 0.0) + NOISE * size
            inverse = np.linalg.inv(square[np.ix_(kept, kept)]).diagonal()
            saved = size / 2 * np.log2(1 + weights[kept] ** 2 / inverse / left)
            poor = (saved / self.fraction < WEIGHT_BITS) | (saved < LEAST_BITS)
            if not poor.any():
                break
            worst = np.argsort(saved)[: max(np.count_nonzero(poor) // 2, 1)]
            kept = np.delete(kept, worst)
            weights = _solved(square, product, kept)
        if self.positive:
            weights = _solved(square, rows @ self._below(weights @ rows, mine), kept)
        return np.asarray(np.rint(weights * UNIT))

    @staticmethod
    def _below(predicted: np.ndarray, mine: np.ndarray) -> np.ndarray:
        """Return symbols, zeros as what is predicted below zero."""
        return np.where((mine == 0) & (predicted < 0), predicted, mine)


def _solved(square: np.ndarray, product: np.ndarray, kept: np.ndarray) -> np.ndarray:
    weights = np.zeros(len(square))
    weights[kept] = np.linalg.solve(square[np.ix_(kept, kept)], product[kept])
    return weights


def _spread(far: np.ndarray, left: np.ndarray, seen: np.ndarray, constant: int) -> np.ndarray:
    """Return whole weights, none negative, with which `far` tells the magnitude of what is left."""
    weights = np.zeros(len(far))
    usual = max(float(left[seen].mean()) if seen.any() else 0.0, LEAST_SPREAD)
    weights[constant] = usual
    for _ in range(ROUNDS):
        expected = np.maximum(weights @ far, LEAST_SPREAD)
        scaled = far * (seen / expected**2)
        square = scaled @ far.T
        square += (RIDGE + ALIKE * square.diagonal().max()) * np.eye(len(far))
        weights = _not_negative(square, scaled @ left)
    whole = np.clip(np.rint(weights * UNIT), 0, LARGEST_WEIGHT)
    if not whole.any():
        whole[constant] = np.rint(usual * UNIT)
    return whole


def _not_negative(square: np.ndarray, product: np.ndarray) -> np.ndarray:
    kept = np.arange(len(square))
    while len(kept):
        weights = _solved(square, product, kept)
        if (weights >= 0).all():
            return weights
        kept = kept[weights[kept] > 0]
    return np.zeros(len(square))


def _groups(passes: list[_Pass], channels: int) -> np.ndarray:
    """Return the group of each channel: first those that tell most of the others."""
    count = min(GROUPS, channels)
    last = next((p for p in passes[::-1] if p.symbols.shape[1]), passes[0])
    left = last.symbols.copy()
    if len(last.near.pairs):
        left -= last.near.pairs[:2].sum(axis=0) / 4
    power = np.sqrt((left * left).sum(axis=1) + NOISE * left.shape[1])
    alike = ((left @ left.T) / power[:, None] / power) ** 2
    np.fill_diagonal(alike, 1.0)
    groups = np.zeros(channels, np.int64)
    told = np.zeros(channels)
    rest = np.ones(channels, bool)
    each = -(-channels // count)
    for rank in range(channels):
        gain = np.maximum(alike[rest] - told[rest][:, None], 0).sum(axis=0)
        chosen = int(np.argmax(np.where(rest, gain, -1.0)))
        groups[chosen] = rank // each
        rest[chosen] = False
        told = np.maximum(told, alike[:, chosen])
    return groups
