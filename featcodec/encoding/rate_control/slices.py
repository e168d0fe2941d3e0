"""Rate control of slices: gains by which none is far below the SNR of its group."""

import math
from dataclasses import dataclass, field

import numpy as np

from ...align.slices import MOST_EXPONENT, PER_OCTAVE, SliceGains
from .. import tuning
from ..measured import Measured, snrs_of
from ..slices import Slices

BELOW = 1.0  # dB that a slice may be below the SNR of its group
AIM = 0.05  # dB above that, of slices with gains
WASTE = 0.01  # of all bits: what slices may have above that, by their gains
BITS_PER_DB = 1 / 6.02  # of a value
RESPONSE = 4.5  # dB that the SNR grows by as the step halves, until it is known
# What is learned of it: of less, gains of a KV cache ran away, and took up to three times the bits.
LEAST_RESPONSE, MOST_RESPONSE = 2.0, 6.0
NO_RESPONSE = 0.2  # where bits are scarce: a KV cache at 5 dB had little, too
ROUNDS = 10
REFITTED = 4  # the round from which on a model is fitted to what has gains
FAR = 1.0  # dB below what slices are to have, from where on it is fitted at once
NEARLY = 0.5  # dB below what slices are to have, from where on gains are kept when it is
SETTLED = 6  # the round behind which no gain is taken back
HALVINGS = 40


@dataclass(frozen=True)
class Finer:
    """Gains to try next."""

    gains: SliceGains
    growth: float  # the factor by which the step may grow, about
    refit: bool  # whether the model may be fitted anew, to slices divided by their gains
    most: float = math.inf  # bits that the new one may take


@dataclass
class SliceControl:
    """Looks for the gains of the slices that have too little, and of no others.

    They take error from some slices, so that the step of all grows by what is left: the sum of
    errors stays, and of all ways to keep it this one takes the fewest bits.
    """

    slices: Slices
    least: float  # dB that each slice is to have
    start: np.ndarray | int = 0  # exponents (slices of channels) to begin with
    exponents: np.ndarray = field(init=False)  # (slices of samples, of channels)
    rounds: int = 0
    lowest: float = math.inf  # dB of the slice that has least, when last measured

    def __post_init__(self) -> None:
        self._forget()
        self.first: tuple[np.ndarray, np.ndarray] | None = None  # SNRs and errors without gains
        self.begun = bool(np.any(self.start))  # with gains, that models are fitted to
        self.scarce = False  # bits were, then: what SNRs do says little of a model

    def _forget(self) -> None:
        self.exponents = np.broadcast_to(self.start, self.slices.counts).astype(np.int64)
        self._unlearn()

    def _unlearn(self) -> None:
        self.response = np.full(self.slices.counts, RESPONSE)
        # Logarithms of steps, and SNRs: of the last time, and of the first by the model of now.
        self.tried: tuple[np.ndarray, np.ndarray] | None = None
        self.fitted: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def fine(self) -> bool:
        """Whether each slice had enough when last measured."""
        return self.lowest >= self.least

    @property
    def gains(self) -> SliceGains:
        """The gains of now."""
        return self.slices.with_exponents(self.exponents)

    def next(self, found: Measured, step: float, bits: float = math.inf) -> Finer | None:
        """Return the gains after those that reached what was found.

        None when all is well, or gains stay as they are.
        All is not well where gains waste too many of all bits.
        """
        snrs, noise = snrs_of(found.slices), found.slices[3]
        self.lowest = float(np.nanmin(snrs, initial=math.inf))
        fine = not (snrs < self.least).any()
        wasteful = self.rounds < SETTLED and self._wasted(found.slices[0], snrs) > WASTE * bits
        if self.rounds == ROUNDS or (fine and not wasteful):
            return None
        self.rounds += 1
        if self.first is None:
            self.first = snrs, noise
            self.scarce = bits < tuning.COARSE * float(found.slices[0].sum())
        # Channels of unlike gains want another basis, and faint slices a table for all they have:
        # where most latents are zero, a finer step alone makes hardly any of them more.
        faint = bits < tuning.SCARCE * float(found.slices[0].sum())
        wanted = self.slices.counts[1] > 1 or faint
        far = self.lowest < self.least - (NEARLY if self.begun and wanted else FAR)
        early = far or (wanted and not self.begun)
        refit = self.rounds == (1 if early else REFITTED)
        anew = early or self.lowest < self.least - NEARLY  # gains have run away
        if refit and anew:
            self._forget()
            snrs, noise = self.first
        else:
            steps = math.log2(step) + self.exponents / PER_OCTAVE
            if self._idle(steps, snrs):
                refit = anew = True
                self._unlearn()
            else:
                self._learn(steps, snrs)
        before = self.exponents
        growth = self._change(snrs, noise)
        if not refit and np.array_equal(before, self.exponents):
            return None
        # With the first gains there is nothing yet to compare a model with.
        return Finer(self.gains, growth, refit, math.inf if anew else bits)

    def _wasted(self, counts: np.ndarray, snrs: np.ndarray) -> float:
        """Return about how many bits gains give slices of so many values beyond what is asked."""
        more = np.where(self.exponents < 0, snrs - self.least - AIM, 0)
        more[~np.isfinite(more)] = 0
        return BITS_PER_DB * float(np.vdot(counts, np.maximum(more, 0)))

    def _change(self, snrs: np.ndarray, noise: np.ndarray) -> float:
        """Change the exponents; return by what factor the step may grow, about."""
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
        return 2 ** float(10 * math.log10(noise.sum() / finer.sum()) / RESPONSE)

    def _learn(self, steps: np.ndarray, snrs: np.ndarray) -> None:
        """Take in the SNRs at the logarithms of the steps of slices."""
        if self.tried is None:
            self.fitted = steps, snrs
        else:
            ways, found = _responses(self.tried, steps, snrs)
            told = (np.abs(ways) > 1 / PER_OCTAVE) & np.isfinite(found)
            self.response[told] = np.clip(found[told], LEAST_RESPONSE, MOST_RESPONSE)
        self.tried = steps, snrs

    def _idle(self, steps: np.ndarray, snrs: np.ndarray) -> bool:
        """Return whether some slice that has too little gets no more by a finer step.

        So it is since the model was fitted: a KLT across layers keeps giving one too little that
        weighed too little in it.
        """
        if self.fitted is None or self.slices.counts[1] < 2:
            return False
        ways, found = _responses(self.fitted, steps, snrs)
        least = NO_RESPONSE if self.scarce else LEAST_RESPONSE
        return bool(((ways > 1 / PER_OCTAVE) & (snrs < self.least) & (found < least)).any())


def _responses(
    before: tuple[np.ndarray, np.ndarray], steps: np.ndarray, snrs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return by how many octaves steps are finer than before, and the dB that each octave gave."""
    ways = before[0] - steps
    with np.errstate(divide="ignore", invalid="ignore"):
        return ways, (snrs - before[1]) / ways


def _grown(noise: np.ndarray, most: np.ndarray) -> float:
    """Return the factor by which errors may grow, each up to its most, so that their sum stays."""
    low, high = 0.0, 3.0  # octaves
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = float(np.minimum(noise * 2**middle, most).sum()) < float(noise.sum())
        low, high = (middle, high) if enough else (low, middle)
    return float(2**low)
