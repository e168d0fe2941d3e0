"""Rate control of slices: gains by which none is far below the SNR of its group."""

import math
from dataclasses import dataclass, field

import numpy as np

from ...align.slices import MOST_EXPONENT, PER_OCTAVE, SliceGains
from ..measured import Measured
from ..slices import Slices

BELOW = 1.0  # dB that a slice may be below the SNR of its group
AIM = 0.05  # dB above that, of slices with gains
RESPONSE = 1.5  # octaves that the error grows by an octave of the step
ROUNDS = 5
HALVINGS = 40


@dataclass
class SliceControl:
    """Looks for the gains of the slices that have too little, and of no others.

    They take error from some slices, so that the step of all grows by what is left: the sum of
    errors stays, and of all ways to keep it this one takes the fewest bits.
    """

    slices: Slices
    least: float  # dB that each slice is to have
    exponents: np.ndarray = field(init=False)  # (slices of samples, of channels)
    rounds: int = 0

    def __post_init__(self) -> None:
        self.exponents = np.zeros(self.slices.counts, np.int64)

    def next(self, found: Measured) -> tuple[SliceGains, float] | None:
        """Return the next gains, and by what factor the step may grow; None when all is well."""
        snrs = found.of_slices
        if self.rounds == ROUNDS or not (snrs < self.least).any():
            return None
        self.rounds += 1
        noise = found.slices.values[3]
        known = np.isfinite(snrs)
        most = np.full(snrs.shape, math.inf)
        most[known] = noise[known] * 10 ** ((snrs[known] - self.least - AIM) / 10)
        grown = _grown(noise, most)
        with np.errstate(divide="ignore", invalid="ignore"):
            octaves = np.log2(most / (grown * noise)) / RESPONSE
        change = np.floor(PER_OCTAVE * np.nan_to_num(octaves, nan=0.0, posinf=0.0))
        before = self.exponents
        self.exponents = np.clip(before + change, -MOST_EXPONENT, 0).astype(np.int64)
        finer = noise * 2 ** (RESPONSE * (self.exponents - before) / PER_OCTAVE)
        return self.gains, float(noise.sum() / finer.sum()) ** (1 / RESPONSE)

    @property
    def gains(self) -> SliceGains:
        """The gains of samples and of channels that together are what each slice needs."""
        of_channels = np.rint(self.exponents.mean(axis=0)).astype(np.int64)
        of_samples = (self.exponents - of_channels).min(axis=1)
        tensors = of_samples
        if self.slices.per_sample:
            tensors = of_samples[self.slices.of_samples]
        channels = of_channels if len(of_channels) > 1 else np.zeros(1, np.int64)
        return SliceGains(self.slices.per_sample, tensors, channels[self.slices.of_channels])


def _grown(noise: np.ndarray, most: np.ndarray) -> float:
    """Return the factor by which errors may grow, each up to its most, so that their sum stays."""
    low, high = 0.0, 3.0  # octaves
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = float(np.minimum(noise * 2**middle, most).sum()) < float(noise.sum())
        low, high = (middle, high) if enough else (low, middle)
    return float(2**low)
