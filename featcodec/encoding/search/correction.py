"""Decoded values corrected by what their bounds say: clamped, and with a curve (SPEC §6.6)."""

import math
from dataclasses import dataclass

import numpy as np

from ...align.curve import KNOTS, UNIT, Curve, place
from ...coding.parts.base import PartCoder, in_order
from ..fit.fitting import Classes

LEAST_BLOCKS = 16  # on which a correction is judged
LEAST_LEFT = 1e-3  # of the squared error, where the bounds undo all of it
LARGEST = 127  # of a knot
PRIOR = 1.0  # values that speak for a knot at 0


@dataclass(frozen=True)
class Correction:
    """Clamping, and the curve before it, with the shares of the squared error that they leave."""

    clamped: float = 1.0  # by clamping alone
    curved: float = 1.0  # by both
    curve: Curve | None = None  # in normalised units


def correct(
    coder: PartCoder, values: Classes, latents: Classes, bounds: tuple[float, float], budget: int
) -> Correction:
    """Return the best correction for about `budget` of the aligned values."""
    size, blocks = (sum(f(a) for a in values.values()) for f in (np.size, lambda a: a.shape[-1]))
    every = max(min(size // budget, blocks // LEAST_BLOCKS), 1)
    before = 0.0
    decoded, rests = [], []
    for sizes, a in values.items():
        some = a[..., ::every]
        coded, error = coder.encode_latents(latents[sizes][..., ::every], sizes)
        back = coder.decode(in_order(coded), sizes, some.shape[-1])
        before += error
        decoded.append(back.ravel())
        rests.append((some - np.clip(back, *bounds)).ravel())
    near, rest = np.concatenate(decoded), np.concatenate(rests)
    if not before > 0:
        return Correction()
    clamped = float(np.vdot(rest, rest))
    width = math.sqrt(before / near.size)
    knots, gain = fit_knots(near, rest, bounds[0], width)
    shares = [min(max(e / before, LEAST_LEFT), 1.0) for e in (clamped, clamped - gain)]
    return Correction(shares[0], shares[1], Curve(width, knots))


def fit_knots(
    decoded: np.ndarray, rest: np.ndarray, lower: float, width: float
) -> tuple[tuple[int, ...], float]:
    """Return the knots of the curve nearest to the rests, and the squared error that it takes away.

    Least squares: with w how far a value lies beyond knot j, (1 - w) f[j] + w f[j + 1] is to be
    its rest. The matrix of the normal equations has three diagonals.
    """
    knot, beyond = place(decoded, lower, width)
    ones, first, second, target, moment = (
        np.bincount(knot, weights, KNOTS)
        for weights in (None, beyond, beyond * beyond, rest, rest * beyond)
    )
    matrix = np.diag(ones - 2 * first + second + PRIOR)
    target -= moment
    inner = np.arange(KNOTS - 1)
    matrix[inner + 1, inner + 1] += second[:-1]
    matrix[inner, inner + 1] = matrix[inner + 1, inner] = (first - second)[:-1]
    target[1:] += moment[:-1]
    heights = np.linalg.solve(matrix, target) * (UNIT / width)
    knots = np.clip(np.rint(heights), -LARGEST, LARGEST)
    heights = knots * (width / UNIT)
    gain = float(2 * heights @ target - heights @ matrix @ heights)
    return tuple(int(k) for k in knots), gain
