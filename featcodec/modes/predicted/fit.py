"""The weights of a prediction, fitted to indices (SPEC §7.11)."""

import math

import numpy as np

from ...coding.parts.base import Sizes
from ...entropy import contexts, prediction
from ...entropy.prediction import LINES, PASSES, Prediction, Predictor

Indices = dict[Sizes, np.ndarray]  # int32 (channels, points, blocks) by size of block
NOISE = 1 / 12  # variance of the rounding error of an index
SIGNIFICANT = 2.4  # standard errors from which on a weight is worth its bits
TOGETHER = 512  # channels predicted from each other; the work grows with the square
LEAST_TOKENS = 16  # to fit anything on
MOST_CHANNELS = 4096  # beyond, weights of channels would take too many bits
LARGEST_WEIGHT = 16.0


def fit_prediction(indices: Indices) -> Prediction:
    """Return the prediction of indices of these sizes."""
    channels = len(next(iter(indices.values())))
    nothing = Prediction(
        _neighbour_weights(indices, channels),
        0,
        np.zeros(channels, np.int64),
        np.zeros((channels, channels), np.int64),
    )
    moments, tokens = _moments(indices, Predictor(nothing), channels)
    if tokens < LEAST_TOKENS or channels > MOST_CHANNELS:
        return nothing
    # At this step of the weights, finer ones cost more bits than they save.
    precision = max(math.ceil(math.log2(math.sqrt(tokens / 12))) - 1, 0)
    octaves, rows = channel_weights(moments, tokens, precision)
    return Prediction(nothing.neighbours, precision, octaves, rows)


def _neighbour_weights(indices: Indices, channels: int) -> np.ndarray:
    """Return the least squares weights of neighbours, (PASSES - 1, LINES, channels)."""
    square = np.zeros((PASSES, channels, LINES, LINES))
    product = np.zeros((PASSES, channels, LINES))
    for sizes, array in indices.items():
        channels, points, blocks = array.shape
        known = np.zeros((channels, points + 1, blocks))
        known[:, :points] = array
        for number, (places, around) in enumerate(contexts.lattice(prediction.as_map(sizes))):
            if len(around):
                pairs = list(prediction.pairs(known, number, around))
                lines = np.stack(pairs).reshape(LINES, channels, -1)
                mine = known[:, places].reshape(channels, -1)
                square[number] += np.einsum("icn,jcn->cij", lines, lines)
                product[number] += np.einsum("icn,cn->ci", lines, mine)
    ridge = (1e-3 * np.trace(square, axis1=2, axis2=3) + 1e-3)[..., None, None] * np.eye(LINES)
    weights = np.linalg.solve(square + ridge, product[..., None])[..., 0]
    limit = prediction.LARGEST_NEIGHBOUR
    whole = np.clip(np.rint(weights * (1 << prediction.UNIT_BITS)), -limit, limit)
    return whole[1:].transpose(0, 2, 1).astype(np.int64)


def _moments(indices: Indices, predictor: Predictor, channels: int) -> tuple[np.ndarray, int]:
    """Return second moments (channels, channels) of the residuals of neighbours, and the tokens."""
    total = np.zeros((PASSES, channels, channels))
    tokens = np.zeros(PASSES)
    for sizes, array in indices.items():
        residuals = predictor.residuals(array, sizes)
        for number, (places, _) in enumerate(contexts.lattice(prediction.as_map(sizes))):
            left = residuals[:, places].reshape(channels, -1).astype(np.float64)
            total[number] += left @ left.T
            tokens[number] += left.shape[1]
    # All passes count alike, whatever the variance of their residuals.
    power = np.trace(total, axis1=1, axis2=2) / np.maximum(tokens * channels, 1) + NOISE
    usual = np.exp((np.log(power) * tokens).sum() / max(tokens.sum(), 1))
    weighted = (total * (usual / power)[:, None, None]).sum(axis=0)
    return weighted / max(tokens.sum(), 1), int(tokens.sum())


def channel_weights(
    moments: np.ndarray, tokens: int, precision: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return octaves and rows of a Prediction: a Cholesky factor, its columns quantised in turn.

    The residual of each column is computed with its quantised weights, so that the next columns
    compensate their errors. Weights that are not significant are 0.
    """
    channels = len(moments)
    rows = np.zeros((channels, channels), np.int64)
    octaves = np.zeros(channels, np.int64)
    for start in range(0, channels, TOGETHER):
        span = slice(start, min(start + TOGETHER, channels))
        left = moments[span, span] + np.diag(np.full(span.stop - start, NOISE))
        factor = np.linalg.cholesky(left).diagonal()
        octaves[span] = mine = np.rint(np.log2(factor)).astype(np.int64)
        rows[span, span] = _columns(left, mine, tokens, precision)
    return octaves, rows


def _columns(left: np.ndarray, octaves: np.ndarray, tokens: int, precision: int) -> np.ndarray:
    """Return the rows of one group of channels; `left`, their moments, is overwritten."""
    rows = np.zeros(left.shape, np.int64)
    for j in range(len(left) - 1):
        column, own = left[j + 1 :, j].copy(), float(left[j, j])
        rest = left[j + 1 :, j + 1 :]
        unit = 2.0 ** (octaves[j + 1 :] - octaves[j] - precision)
        whole = np.rint(column / (own * unit))
        whole[column**2 * tokens < SIGNIFICANT**2 * own * rest.diagonal()] = 0
        whole[np.abs(column) > LARGEST_WEIGHT * own] = 0
        rows[j + 1 :, j] = whole
        weights = whole * unit
        if whole.any():
            # E[(a - w_a u) (b - w_b u)] for all pairs of channels a, b; u is the innovation.
            half = np.outer(weights, column - weights * (own / 2))
            rest -= half
            rest -= half.T
    return rows
