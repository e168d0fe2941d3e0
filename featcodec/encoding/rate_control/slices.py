"""Rate control of slices: gains by which none is far below the SNR of its group."""

import math
from dataclasses import dataclass, field

import numpy as np

from ...align.slices import MOST_EXPONENT, PER_OCTAVE, SliceGains
from ..measured import Measured, snrs_of
from ..slices import Slices

BELOW = 1.0  # dB that a slice may be below the SNR of its group
AIM = 0.05  # dB above that, of slices with gains
SLACK = 0.2  # dB more of all together, where none has anything to spare: gains go by leaps
WASTE = 0.01  # of all bits: what slices may have above that, by their gains
BITS_PER_DB = 1 / 6.02  # of a value
RESPONSE = 4.5  # dB that the SNR grows by as the step halves, until it is known
# What is learned of it: of less, gains of a KV cache ran away, and took up to three times the bits.
LEAST_RESPONSE, MOST_RESPONSE = 2.0, 6.0
# Rounds in all, those in which a model is fitted to gains, behind which none is taken back, and
# those that are left to what nearly reached the SNR.
ROUNDS, REFITS, SETTLED, AGAIN = 8, 3, 5, 2
# Sixteenths of an octave that gains differ by, and dB that all divided slices do, from those that a
# model is fitted to; dB that slices lack where it is fitted in any case.
REFIT, UNLIKE, FAR = 3, 0.1, 1.0
HALVINGS, MINUTE = 40, 1e-9


@dataclass(frozen=True)
class Finer:
    """Gains to try next."""

    gains: SliceGains
    growth: float  # the factor by which the step may grow, about
    refit: float | None  # dB more that slices divided by them are to have, if a model is fitted
    lacking: float  # dB more, or fewer, that all are to have together, for each to have enough


@dataclass
class SliceControl:
    """Looks for the gains of the slices that have too little, and of no others.

    They take error from some slices, so that the step of all grows by what is left: the sum of
    errors stays, and of all ways to keep it this one takes the fewest bits. A model that leaves out
    what weak slices consist of gives them no more however fine their step is: it is fitted anew
    until gains hardly change. Slices whose means are far apart may all have too little: then the
    sum of their errors has to fall, too.
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

    def next(
        self, found: Measured, step: float, bits: float = math.inf, above: float = 0.0
    ) -> Finer | None:
        """Return the gains after those that reached what was found, in so many bits.

        All were to have so many dB `above` the SNR that is asked for.

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
        most = self._most(snrs, noise)
        lacking = _lacking(noise, most, above)
        left, growth = self._change(noise, most, 10 ** (-lacking / 10))
        if np.array_equal(before, self.exponents) and not lacking:
            return None
        refit = self._refit(left, lacking, above)
        self.unfitted = -math.inf if refit is None else self.lowest
        return Finer(self.gains, growth, refit, lacking)

    def back_to(self, gains: SliceGains | None) -> None:
        """Go on from gains that were tried before, for some rounds at least."""
        self.rounds = min(self.rounds, ROUNDS - AGAIN)
        start = 0 if gains is None else self.slices.exponents_of(gains)
        self.exponents = np.broadcast_to(start, self.slices.counts).astype(np.int64)
        self.tried = None

    def _refit(self, errors: np.ndarray, lacking: float, above: float) -> float | None:
        """Return the dB more that divided slices have at these errors, if a model is to be fitted.

        Not where that would change next to nothing, or where nothing would be left to be coded.
        """
        now, then = (_more(errors, exponents) for exponents in (self.exponents, self.fitted))
        moved = np.abs(self.exponents - self.fitted).max() >= REFIT
        unlike = abs(now - then) >= UNLIKE or self.lowest < self.least - FAR
        if self.rounds > REFITS or not ((moved and unlike) or lacking > UNLIKE):
            return None
        snr = self.least + BELOW + above + lacking
        if snr + now <= self.gains.decibels:  # their error is all that they vary
            return None
        self.fitted, self.tried = self.exponents, None  # another model responds in its own way
        self.response[:] = RESPONSE
        return now

    def _wasted(self, counts: np.ndarray, snrs: np.ndarray) -> float:
        """Return about how many bits gains give slices of so many values beyond what is asked."""
        more = np.where(self.exponents < 0, snrs - self.least - AIM, 0)
        more[~np.isfinite(more)] = 0
        return BITS_PER_DB * float(np.vdot(counts, np.maximum(more, 0)))

    def _most(self, snrs: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Return the squared errors that slices may have."""
        known, most = np.isfinite(snrs), np.full(snrs.shape, math.inf)
        most[known] = noise[known] * 10 ** ((snrs[known] - self.least - AIM) / 10)
        return most

    def _change(
        self, noise: np.ndarray, most: np.ndarray, fallen: float
    ) -> tuple[np.ndarray, float]:
        """Change the exponents; return the errors then, and by what the step may grow, about.

        The sum of errors is to fall to a part of what it is.
        """
        wanted = fallen * noise
        grown = fallen * _grown(wanted, most)
        with np.errstate(divide="ignore", invalid="ignore"):
            octaves = 10 * np.log10(most / (grown * noise)) / self.response
        change = np.floor(PER_OCTAVE * np.nan_to_num(octaves, nan=0.0, posinf=0.0))
        if self.rounds > SETTLED:  # so that what falls and rises by chance comes to an end
            change = np.minimum(change, 0)
        before = self.exponents
        self.exponents = np.clip(before + change, -MOST_EXPONENT, 0).astype(np.int64)
        finer = noise * 10 ** (self.response * (self.exponents - before) / PER_OCTAVE / 10)
        growth = 2 ** float(10 * math.log10(wanted.sum() / finer.sum()) / RESPONSE)
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


def _lacking(noise: np.ndarray, most: np.ndarray, above: float) -> float:
    """Return the dB that the sum of errors is to fall by for none to be above its most.

    Or to rise by, where it has fallen before, by so many dB `above`.
    """
    with np.errstate(divide="ignore"):
        found = float(10 * np.log10(noise.sum() / most[noise > 0].sum()))
    if found <= 0 and not above:
        return 0.0
    found = max(found + SLACK, -above)
    return found if abs(found) > AIM else 0.0


def _more(errors: np.ndarray, exponents: np.ndarray) -> float:
    """Return the dB by which the SNR of slices divided by gains is above that without."""
    divided = errors * np.exp2(-2 * exponents / PER_OCTAVE)
    return 10 * math.log10(errors.sum() / divided.sum())


def _grown(noise: np.ndarray, most: np.ndarray) -> float:
    """Return the factor by which errors may grow, each up to its most, so that their sum stays.

    Where it cannot, each has its most.
    """
    erring = noise > 0
    if most[erring].sum() <= (1 + MINUTE) * noise.sum():
        return float((most[erring] / noise[erring]).max())
    low, high = 0.0, 3.0  # octaves
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = float(np.minimum(noise * 2**middle, most).sum()) < float(noise.sum())
        low, high = (middle, high) if enough else (low, middle)
    return float(2**low)
