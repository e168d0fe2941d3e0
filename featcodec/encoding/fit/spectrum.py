"""The axes of a KLT, how many of them pay, and how precise they must be.

At an error, the latents of an axis take bits as far as their variance lies above the water level
(reverse water-filling; Cover and Thomas, "Elements of Information Theory", 10.3). An axis that errs
by d moves d^2 of its variance to the others, where it costs bits or error in proportion to their
variance or the level, whichever is more: so the best step of its numbers falls with the root of its
variance and of the number of tokens, and weak axes are cheap.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...coding.parts.base import Sizes
from ...transform import dct
from . import fitting
from .fitting import Classes

# Channels, beyond which only the strongest axes are computed where few may pay, and always;
# channels x tokens x axes of these, at most.
SMALL, FULL, SEVERAL = 256, 1024, 8
WORK = 1 << 28
OVERSAMPLING, ROUNDS = 8, 2  # of the subspace iteration
PRECISION = 0.9  # of the root mean square of integers that theory wants
FEWER = 0.6  # of the axes that seem best
LEVELS = 1 << 14  # variances that a water level is computed from
BISECTIONS = 30


def leading_axes(classes: Classes, centre: np.ndarray, most: int) -> np.ndarray:
    """Return principal axes (channels, axes), the strongest first: `most` of them, or more."""
    if len(centre) <= SMALL or len(centre) <= min(FULL, SEVERAL * most):
        return fitting.klt(classes, centre)
    shift = (centre / (1 << fitting.CENTRE_EXPONENT)).astype(np.float32)[:, None]
    rows = np.concatenate([a.reshape(len(a), -1) - shift for a in classes.values()], axis=1)
    return strongest(rows, min(max(WORK // rows.size, 1), most, *rows.shape))


def strongest(rows: np.ndarray, count: int) -> np.ndarray:
    """Return about the `count` strongest axes of rows (channels, tokens).

    Randomised subspace iteration (Halko, Martinsson and Tropp, "Finding structure with randomness",
    SIAM Review 2011).
    """
    draw = np.random.default_rng(0).standard_normal((rows.shape[1], count + OVERSAMPLING))
    basis = rows @ draw.astype(rows.dtype)
    for _ in range(ROUNDS):
        basis = rows @ (rows.T @ np.linalg.qr(basis)[0])
    basis = np.linalg.qr(basis)[0]
    small = basis.T @ rows
    return basis @ np.linalg.eigh(small @ small.T)[1][:, ::-1][:, :count]


@dataclass(frozen=True)
class Spectrum:
    """The variance of latents of axes at each place of a block, and the error that is wanted."""

    axes: np.ndarray  # (channels, axes)
    variance: np.ndarray  # (axes, places)
    rest: np.ndarray  # (places,), mean of the other latents
    tokens: np.ndarray  # (places,), of the whole group
    level: float  # of the water

    @classmethod
    def of(
        cls,
        axes: np.ndarray,
        centre: np.ndarray,
        classes: Classes,
        block: Sizes,
        fraction: float,
        goal: float,
    ) -> "Spectrum":
        """Return the spectrum of a sample, of which a group has so many more, at an error."""
        shift = (centre / (1 << fitting.CENTRE_EXPONENT))[:, None, None]
        places = math.prod(block)
        total = np.zeros((1, places))
        latents: dict[Sizes, np.ndarray] = {}
        for sizes, a in classes.items():
            values = dct.forward(a - shift.astype(a.dtype), sizes)
            flat = values.reshape(len(values), -1)
            found = axes.T.astype(a.dtype) @ flat
            outside = np.einsum("cn,cn->n", flat, flat) - np.einsum("cn,cn->n", found, found)
            both = np.concatenate([found, np.sqrt(np.maximum(outside, 0))[None]])
            latents[sizes] = both.reshape(-1, *values.shape[1:])
        energy = fitting.energy_of(latents, block)
        total = np.maximum(energy.count.reshape(1, places), 1)
        variance = energy.moment.reshape(-1, places) / total
        return cls.at(axes, variance[:-1], variance[-1], energy.count.ravel() / fraction, goal)

    @classmethod
    def at(
        cls,
        axes: np.ndarray,
        variance: np.ndarray,
        outside: np.ndarray,
        tokens: np.ndarray,
        goal: float,
    ) -> "Spectrum":
        """Return a spectrum at an error; `outside` is the energy of the other latents, summed."""
        others = axes.shape[0] - axes.shape[1]
        variance = np.maximum(variance, 0)
        rest = outside / max(others, 1)
        every = np.concatenate([variance, rest[None]])
        weight, numbers = np.ones((len(every), 1)), len(axes) / max(tokens.sum(), 1)
        weight[-1] = others
        numbers = np.full(every.shape, numbers) * (np.arange(len(every)) < axes.shape[1])[:, None]
        level = water_level(every, weight * tokens, numbers, goal)
        return cls(axes, variance, rest, tokens, level)

    @property
    def magnitudes(self) -> np.ndarray:
        """The root mean square of the integers of each axis that pays."""
        channels, count = self.axes.shape
        harm = (1 / np.maximum(self.variance, self.level)).sum(axis=0)
        harm += (channels - count) / np.maximum(self.rest, self.level)
        weight = self.variance @ (self.tokens * harm / channels)
        return PRECISION * np.sqrt(weight / (12 * channels))

    @property
    def bits(self) -> np.ndarray:
        """About how many bits the numbers of each axis take."""
        channels, count = self.axes.shape
        return (channels - np.arange(count)) * (np.log2(1 + 12 * self.magnitudes**2) / 2 + 0.15)

    @property
    def totals(self) -> np.ndarray:
        """The bits of latents, with their error at its price, and of axes, by how many are used.

        What an axis would hold lies in all the others without it, and there it may be too little
        for any to be coded: at low rates that costs error, not bits.
        """
        channels, count = self.axes.shape
        others = channels - np.arange(count + 1)[:, None]
        rest = np.concatenate([self.variance, ((channels - count) * self.rest)[None]])
        left = rest[::-1].cumsum(axis=0)[::-1] / np.maximum(others, 1)
        used = np.zeros(rest.shape)
        used[1:] = self._price(self.variance).cumsum(axis=0)
        numbers = np.concatenate([[0.0], self.bits.cumsum()])
        found: np.ndarray = (used + others * self._price(left)) @ self.tokens + numbers
        return found

    def _price(self, variance: np.ndarray) -> np.ndarray:
        """Return the bits of a latent, with its error where 1 / level is worth 1 / 2 ln 2 bits."""
        ratio = variance / self.level
        coded = np.log2(np.maximum(ratio, 1)) / 2
        return coded + np.minimum(ratio, 1) / (2 * math.log(2))


def ranks_of(spectra: Sequence[Spectrum], most: int) -> list[int]:
    """Return numbers of axes of each, with one of which all take about the fewest bits.

    None where none pays. The first has one to spare, because too few cost more than too many, but
    what strengths a sample shows flatters weak axes: the others are fewer.
    """
    best = int(np.argmin(sum(spectrum.totals for spectrum in spectra)))
    most = min(best + 1, most, *(spectrum.axes.shape[1] for spectrum in spectra))
    return list(dict.fromkeys((most, int(FEWER * most) or 1))) if best else []


def water_level(
    variances: np.ndarray, weights: np.ndarray, numbers: np.ndarray, goal: float
) -> float:
    """Return the level at which the weighted mean of the error is the goal.

    Latents err by their variance or by the level, whichever is less. `numbers` is how many of a
    basis there are for each latent: they err as much as it.
    """
    every = max(variances.size // LEVELS, 1)
    variances, weights, numbers = (
        a.ravel()[::every] for a in np.broadcast_arrays(variances, weights, numbers)
    )
    low, high = math.log(goal) - 10, math.log(max(float(variances.max()), goal))
    wanted = goal * weights.sum()
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        level = math.exp(middle)
        if np.minimum(variances, level * (1 + numbers)) @ weights > wanted:
            high = middle
        else:
            low = middle
    return math.exp(low)
