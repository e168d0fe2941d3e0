"""Rate control of slices: gains by which none is far below the SNR of its group."""

import math
from dataclasses import dataclass, field

import numpy as np

from ...align.slices import MOST_EXPONENT, PER_OCTAVE, SliceGains
from ..measured import Measured, snrs_of
from ..slices import Slices

BELOW = 1.0  # dB that a slice may be below the SNR of its group
AIM = 0.05  # dB above that, of slices with gains
WASTE = 0.01  # of all bits: what slices may have above that, by their gains
BITS_PER_DB = 1 / 6.02  # of a value
RESPONSE = 4.5  # dB that the SNR grows by as the step halves, until it is known
# What is learned of it: of less, gains of a KV cache ran away, and took up to three times the bits.
LEAST_RESPONSE, MOST_RESPONSE = 2.0, 6.0
# Rounds in all, those in which a model is fitted to gains, and behind which none is taken back.
ROUNDS, REFITS, SETTLED = 8, 3, 5
# Sixteenths of an octave that gains differ by, and dB that all divided slices do, from those that a
# model is fitted to; dB that slices lack where it is fitted in any case.
REFIT, UNLIKE, FAR = 3, 0.1, 1.0
HALVINGS = 40


@dataclass(frozen=True)
class Finer:
    """Gains to try next."""

    gains: SliceGains
    growth: float  # the factor by which the step may grow, about
    refit: float | None  # dB more that slices divided by them are to have, if a model is fitted


@dataclass
class SliceControl:
    """Looks for the gains of the slices that have too little, and of no others.

    They take error from some slices, so that the step of all grows by what is left: the sum of
    errors stays, and of all ways to keep it this one takes the fewest bits. A model that leaves out
    what weak slices consist of gives them no more however fine their step is: it is fitted anew
    until gains hardly change.
    """

    slices: Slices
    least: float  # dB that each slice is to have
    start: np.ndarray | int = 0  # exponents (slices of samples, of channels) to begin with
    exponents: np.ndarray = field(init=False)  # (slices of samples, of channels)
    rounds: int = 0
    lowest: float = math.inf  # dB of the slice that has least, when last measured
    unfitted: float = -math.inf  # the same before a model was fitted anew, if that was the last

    def __post_init__(self) -> None:
        self.exponents = np.broadcast_to(self.start, self.slices.counts).astype(np.int64)
        self.fitted = self.exponents  # what the model is fitted to
        self.response = np.full(self.slices.counts, RESPONSE)
        self.tried: tuple[np.ndarray, np.ndarray] | None = None  # logarithms of steps, and SNRs

    @property
    def gains(self) -> SliceGains:
        """The gains of now."""
        return self.slices.with_exponents(self.exponents)

    def next(self, found: Measured, step: float, bits: float = math.inf) -> Finer | None:
        """Return the gains after those that reached what was found, in so many bits.

        None when all is well, or gains stay as they are, or run away: a model that was fitted to
        them left the worst slice far less.
        All is not well where gains waste too many of all bits.
        """
        snrs, noise = snrs_of(found.slices), found.slices[3]
        self.lowest = float(np.nanmin(snrs, initial=math.inf))
        fine = not (snrs < self.least).any()
        wasteful = self.rounds < SETTLED and self._wasted(found.slices[0], snrs) > WASTE * bits
        worse = not fine and self.lowest < self.unfitted - FAR
        if self.rounds == ROUNDS or worse or (fine and not wasteful):
            return None
        self.rounds += 1
        self._learn(math.log2(step) + self.exponents / PER_OCTAVE, snrs)
        before = self.exponents
        left, growth = self._change(snrs, noise)
        if np.array_equal(before, self.exponents):
            return None
        refit = self._refit(left)
        self.unfitted = -math.inf if refit is None else self.lowest
        return Finer(self.gains, growth, refit)

    def _refit(self, errors: np.ndarray) -> float | None:
        """Return the dB more that divided slices have at these errors, if a model is to be fitted.

        Not where that would change next to nothing, or where nothing would be left to be coded.
        """
        now, then = (_more(errors, exponents) for exponents in (self.exponents, self.fitted))
        moved = np.abs(self.exponents - self.fitted).max() >= REFIT
        unlike = abs(now - then) >= UNLIKE or self.lowest < self.least - FAR
        if self.rounds > REFITS or not (moved and unlike):
            return None
        if self.least + BELOW + now <= self.gains.decibels:  # their error is all that they vary
            return None
        self.fitted, self.tried = self.exponents, None  # another model responds in its own way
        self.response[:] = RESPONSE
        return now

    def _wasted(self, counts: np.ndarray, snrs: np.ndarray) -> float:
        """Return about how many bits gains give slices of so many values beyond what is asked."""
        more = np.where(self.exponents < 0, snrs - self.least - AIM, 0)
        more[~np.isfinite(more)] = 0
        return BITS_PER_DB * float(np.vdot(counts, np.maximum(more, 0)))

    def _change(self, snrs: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, float]:
        """Change the exponents; return the errors then, and by what the step may grow, about."""
        known, most = np.isfinite(snrs), np.full(snrs.shape, math.inf)
        most[known] = noise[known] * 10 ** ((snrs[known] - self.least - AIM) / 10)
        grown = _grown(noise, most)
        with np.errstate(divide="ignore", invalid="ignore"):
            octaves = 10 * np.log10(most / (grown * noise)) / self.response
        change = np.floor(PER_OCTAVE * np.nan_to_num(octaves, nan=0.0, posinf=0.0))
        if self.rounds > SETTLED:  # so that what falls and rises by chance comes to an end
            change = np.minimum(change, 0)
        before = self.exponents
        self.exponents = np.clip(before + change, -MOST_EXPONENT, 0).astype(np.int64)
        finer = noise * 10 ** (self.response * (self.exponents - before) / PER_OCTAVE / 10)
        growth = 2 ** float(10 * math.log10(noise.sum() / finer.sum()) / RESPONSE)
        return np.minimum(grown * noise, most), growth

    def _learn(self, steps: np.ndarray, snrs: np.ndarray) -> None:
        """Take in the SNRs at the logarithms of the steps of slices."""
        if self.tried is not None:
            ways = self.tried[0] - steps
            with np.errstate(divide="ignore", invalid="ignore"):
                found = (snrs - self.tried[1]) / ways
            told = (np.abs(ways) > 1 / PER_OCTAVE) & np.isfinite(found)
            self.response[told] = np.clip(found[told], LEAST_RESPONSE, MOST_RESPONSE)
        self.tried = steps, snrs


def _more(errors: np.ndarray, exponents: np.ndarray) -> float:
    """Return the dB by which the SNR of slices divided by gains is above that without."""
    divided = errors * np.exp2(-2 * exponents / PER_OCTAVE)
    return 10 * math.log10(errors.sum() / divided.sum())


def _grown(noise: np.ndarray, most: np.ndarray) -> float:
    """Return the factor by which errors may grow, each up to its most, so that their sum stays."""
    low, high = 0.0, 3.0  # octaves
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = float(np.minimum(noise * 2**middle, most).sum()) < float(noise.sum())
        low, high = (middle, high) if enough else (low, middle)
    return float(2**low)
