"""Few values of the kind that an entry of a profile was trained on, for which it is tried alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...coding.model import GridModel
from .. import tuning
from ..fit.fitting import Energy

if TYPE_CHECKING:
    from .candidate import Candidate
    from .race import Race, Recipe

HALVINGS = 40
SNR = 30.0  # dB, at which all classes of latents count


def known(
    race: "Race", recipes: Sequence["Recipe"]
) -> Iterator[tuple["Recipe", "Candidate", float]]:
    """Yield recipes of a profile that nothing else beats, and about the bits that they take.

    What is sparse may be smaller without a transform, and so may be what has hardly any bits, or
    axes that it could as well store.
    """
    samples = race.samples
    if samples.group.values > tuning.KNOWN_VALUES or samples.sparse:
        return
    entries = dict(race.entries)
    least = max(tuning.COARSE * samples.group.values, tuning.FEW_BITS)
    for recipe in recipes:
        assert recipe.entry is not None
        candidate = race.build.candidate(recipe, race.sizes.trial)
        spectrum = Spectrum.of(recipe.model, candidate.energy)
        axes, bits = 8 * len(entries[recipe.entry].model.basis), spectrum.bits(race.snr)
        bits *= samples.group.values
        if spectrum.known and bits > least and axes > tuning.KNOWN_AXES * bits:
            yield recipe, candidate, bits


@dataclass(frozen=True)
class Spectrum:
    """Variances of latents, in classes that have one scale in a model: its own, and a sample's.

    The axes of other features leave energy where the model has little.
    """

    expected: np.ndarray
    found: np.ndarray
    shares: np.ndarray  # of latents, in each class

    @classmethod
    def of(cls, model: GridModel, energy: Energy) -> "Spectrum":
        scales, of_latent = np.unique(model.scales, return_inverse=True)
        weights = np.broadcast_to(energy.count, model.scales.shape)
        counts = np.bincount(of_latent.ravel(), weights.ravel())
        moments = np.bincount(of_latent.ravel(), energy.moment.ravel())
        return cls(np.exp2(scales / 2), moments / np.maximum(counts, 1), counts / counts.sum())

    @property
    def known(self) -> bool:
        """Whether classes take about the bits that the model says."""
        off = _bits(self.expected, self.shares, SNR) - _bits(self.found, self.shares, SNR)
        return float(np.abs(off) @ self.shares) < tuning.KNOWN

    def bits(self, snr: float) -> float:
        """Return the bits a value at an SNR, about."""
        return float(_bits(self.found, self.shares, snr) @ self.shares)


def _bits(variances: np.ndarray, shares: np.ndarray, snr: float) -> np.ndarray:
    """Return the bits of a Gaussian latent of each class at an SNR."""
    error = float(variances @ shares) / 10 ** (snr / 10)
    low, high = 0.0, float(variances.max())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = float(np.minimum(variances, middle) @ shares) > error
        low, high = (low, middle) if enough else (middle, high)
    return np.asarray(np.log2(np.maximum(variances, high) / max(high, 1e-300)) / 2)
