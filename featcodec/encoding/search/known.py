"""Few values of the kind that an entry of a profile was trained on, for which it is tried alone."""

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


@dataclass(frozen=True)
class Look:
    """A recipe of a profile on a sample, and how alike their spectra are."""

    recipe: "Recipe"
    candidate: "Candidate"
    spectrum: "Spectrum"

    def bits(self, race: "Race") -> float:
        """Return about the bits that the group takes by the recipe."""
        return self.spectrum.bits(race.snr) * race.samples.group.values


def looks(race: "Race") -> list[Look]:
    """Return what recipes of the profile are on the small sample."""
    made = [(r, race.build.candidate(r, race.sizes.trial)) for r in race.of_profile]
    return [Look(recipe, c, Spectrum.of(recipe.model, c.energy)) for recipe, c in made]


def known(race: "Race") -> list[Look]:
    """Return the recipes of a profile that no other transform beats.

    What has hardly any bits may be smaller by another, and so may be axes that it could as well
    store.
    """
    entries = dict(race.entries)
    if race.samples.group.values > tuning.KNOWN_VALUES:
        return []
    least = max(tuning.COARSE * race.samples.group.values, tuning.FEW_BITS)
    found = []
    for look in race.looks:
        assert look.recipe.entry is not None
        axes, bits = 8 * len(entries[look.recipe.entry].model.basis), look.bits(race)
        if look.spectrum.known and bits > least and axes > tuning.KNOWN_AXES * bits:
            found.append(look)
    return found


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
