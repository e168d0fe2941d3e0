"""Closed-loop prediction of integers from neighbours and other channels (SPEC §7.11).

Known indices of a uniform quantiser predict the others, and the residuals are coded; every error
stays within half a step. A block is coded in the passes of `contexts`: from the second on, every
index has four known neighbours on two lines through it, which predict it first. The innovations of
the earlier channels at the same place then predict the residual. With the rows of a Cholesky factor
as weights, this gains as much as a KLT.

All numbers are integers; float64 holds them where they are multiplied, and no sum exceeds 2 ** 53.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import Damage
from . import contexts

PASSES = len(contexts.PASSES)
# For each pass, the two lines of two neighbours.
OPPOSITE = ((), ((0, 3), (1, 2)), ((0, 1), (2, 3)), ((0, 3), (1, 2)), ((0, 1), (2, 3)))
LINES = 2
LARGEST = 1 << 20  # magnitude of an index, and of a residual
UNIT_BITS = 6  # predictions are in 64ths, and so are the weights of neighbours
WEIGHT_BITS = 16  # of the weights of channels
LARGEST_NEIGHBOUR = 256  # 64ths, weight of a line of neighbours
LARGEST_SUM = 1 << 25  # of the magnitudes of the weights of a channel
LARGEST_SHIFT = 32  # of a weight as it is stored
_HALF = 1 << UNIT_BITS - 1
_TOGETHER = 16  # channels predicted by one product of matrices
CHUNK = 1 << 22  # values decoded together


class PredictionError(Damage):
    """Weights, residuals or indices are beyond their limits."""


@dataclass(frozen=True)
class Prediction:
    """The weights of one token grid."""

    neighbours: np.ndarray  # (PASSES - 1, LINES, channels) int, 64ths
    precision: int  # of the weights of channels, bits
    octaves: np.ndarray  # (channels,) int, of the innovations
    rows: np.ndarray  # (channels, channels) int, below the diagonal; (0, 0): all zero

    def weights(self) -> np.ndarray | None:
        """Return the weights of channels in units of 2 ** -16, float64; None when all are zero.

        Raises PredictionError when double precision might not hold their sums.
        """
        if np.abs(self.neighbours).max(initial=0) > LARGEST_NEIGHBOUR:
            raise PredictionError(f"a weight of neighbours is too large: above {LARGEST_NEIGHBOUR}")
        if not self.rows.any():
            return None
        shift = WEIGHT_BITS - self.precision + self.octaves[:, None] - self.octaves
        shift *= self.rows != 0
        if np.abs(shift).max() > LARGEST_SHIFT:
            raise PredictionError(
                f"a weight of channels is too large or too small: exponent over {LARGEST_SHIFT}"
            )
        weights = np.floor(self.rows * 2.0**shift + 0.5)
        if np.abs(weights).sum(axis=1).max() > LARGEST_SUM:
            raise PredictionError(
                f"weights of channels are too large: they sum to over {LARGEST_SUM}"
            )
        return weights


def as_map(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Return rows and columns of a block, its last axes; a line is a map of one row."""
    rows, columns = (1, 1, *sizes)[-2:]
    return rows, columns


def pass_of(sizes: tuple[int, ...]) -> np.ndarray:
    """Return the pass of each place of a block."""
    rows, columns = as_map(sizes)
    passes = np.empty(rows * columns, np.int64)
    for number, (places, _) in enumerate(contexts.lattice((rows, columns))):
        passes[places] = number
    return passes


class Predictor:
    """Turns indices into residuals and back, block by block."""

    def __init__(self, prediction: Prediction) -> None:
        """Raise PredictionError when the weights are too large."""
        self.weights = prediction.weights()
        self.neighbours = prediction.neighbours.astype(np.float64)

    def residuals(self, indices: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return int32 residuals of indices (channels, points, blocks) up to LARGEST.

        Raises PredictionError when a residual exceeds LARGEST.
        """
        channels, points, blocks = indices.shape
        known = np.zeros((channels, points + 1, blocks))
        known[:, :points] = indices
        found = np.empty(indices.shape, np.int32)
        for number, (places, around) in enumerate(contexts.lattice(as_map(sizes))):
            mine = known[:, places].reshape(channels, -1)
            left = self._open(mine, self._expected(known, number, around))
            _check(left, "a residual")
            found[:, places] = left.reshape(channels, len(places), blocks)
        return found

    def indices(self, residuals: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return float64 indices of residuals (channels, points, blocks).

        Raises PredictionError when indices or residuals exceed LARGEST.
        """
        _check(residuals, "a residual")
        found = np.empty(residuals.shape)
        each = max(CHUNK // max(math.prod(residuals.shape[:2]), 1), 1)
        for start in range(0, residuals.shape[2], each):
            some = slice(start, start + each)
            found[..., some] = self._indices(residuals[..., some], sizes)
        return found

    def _indices(self, residuals: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        channels, points, blocks = residuals.shape
        known = np.zeros((channels, points + 1, blocks))
        for number, (places, around) in enumerate(contexts.lattice(as_map(sizes))):
            left = residuals[:, places].reshape(channels, -1).astype(np.float64)
            mine = self._close(left, self._expected(known, number, around))
            _check(mine, "an index")
            known[:, places] = mine.reshape(channels, len(places), blocks)
        return known[:, :points]

    def _expected(self, known: np.ndarray, number: int, around: np.ndarray) -> np.ndarray:
        """Return the prediction from neighbours (channels, places * blocks) of a pass, in 64ths."""
        channels, _, blocks = known.shape
        total = np.zeros((channels, around.shape[1], blocks))
        for line, pair in enumerate(pairs(known, number, around)):
            pair *= self.neighbours[number - 1, line, :, None, None]
            total += pair
        return total.reshape(channels, -1)

    def _open(self, indices: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Return residuals of indices, both (channels, values)."""
        if self.weights is not None:
            unexpected = indices * (1 << UNIT_BITS)  # replaced channel by channel
            for c, predicted in self._by_channel(expected, unexpected):
                unexpected[c] -= predicted
                expected[c] = predicted
        else:
            expected += _HALF
        expected *= 2.0**-UNIT_BITS
        return indices - np.floor(expected, out=expected)

    def _close(self, residuals: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Return the indices of residuals, both (channels, values)."""
        if self.weights is None:
            expected += _HALF
            expected *= 2.0**-UNIT_BITS
            residuals += np.floor(expected, out=expected)
            return residuals
        unexpected = np.empty_like(expected)
        whole = np.empty_like(expected[0])
        for c, predicted in self._by_channel(expected, unexpected):
            np.multiply(predicted, 2.0**-UNIT_BITS, out=whole)
            residuals[c] += np.floor(whole, out=whole)
            np.multiply(residuals[c], 1 << UNIT_BITS, out=unexpected[c])
            unexpected[c] -= predicted
        return residuals

    def _by_channel(
        self, expected: np.ndarray, unexpected: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each channel and its prediction plus half an index.

        Before the next one is taken, the row of `unexpected` must hold the difference of the index
        and that. `expected` (channels, values) is the prediction from neighbours.
        """
        assert self.weights is not None
        weights = np.ldexp(self.weights, -WEIGHT_BITS)
        # Half an index more in the innovations of all earlier channels, and half a unit to round.
        constant = _HALF + _HALF * weights.sum(axis=1) + 0.5
        for start in range(0, len(weights), _TOGETHER):
            end = min(start + _TOGETHER, len(weights))
            far = weights[start:end, :start] @ unexpected[:start]
            far += expected[start:end]
            far += constant[start:end, None]
            for c in range(start, end):
                near = weights[c, start:c] @ unexpected[start:c]
                near += far[c - start]
                yield c, np.floor(near, out=near)


def pairs(known: np.ndarray, number: int, around: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the sum of the two neighbours on each line, (channels, places, blocks)."""
    for one, other in OPPOSITE[number]:
        pair = known[:, around[one]]
        pair += known[:, around[other]]
        yield pair


def _check(values: np.ndarray, what: str) -> None:
    if max(-float(values.min(initial=0)), float(values.max(initial=0))) > LARGEST:
        raise PredictionError(f"{what} is too large: above {LARGEST} in magnitude")
