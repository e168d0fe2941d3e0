"""Few values of the kind that an entry of a profile was trained on, for which it is tried alone."""

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ... import modes
from ...coding.model import GridModel
from .. import tuning
from ..fit.fitting import Energy
from ..rough.latents import transform_bits
from ..rough.neighbours import sample_domain_bits

if TYPE_CHECKING:
    from .candidate import Candidate
    from .race import Race, Recipe

HALVINGS = 40
# Of the bits by a profile, where these are few: rough estimates of no more are worth a trial.
ANOTHER = 1.3
CONTEXT = "context"  # family of modes whose models tell of magnitudes, not of variances


@dataclass(frozen=True)
class Look:
    """A recipe of a profile on a sample, and how alike their spectra are."""

    recipe: "Recipe"
    candidate: "Candidate"
    spectrum: "Spectrum"

    def bits(self, race: "Race") -> float:
        """Return about the bits that the group takes by the recipe."""
        return self.spectrum.bits(race.snr) * race.samples.group.values

    def knows(self, race: "Race") -> bool:
        """Return whether axes that a group has to store are no better than those of the entry.

        They save at most what its latents take more than those that it was trained on.
        """
        entry, spectrum, snr = self.recipe.entry, self.spectrum, race.snr
        assert entry is not None
        axes = 8 * len(dict(race.entries)[entry].model.basis)
        more = spectrum.excess(snr) * race.samples.group.values
        return spectrum.off(snr) < tuning.KNOWN and axes > max(
            more, tuning.KNOWN_AXES * self.bits(race)
        )


def looks(race: "Race") -> list[Look]:
    """Return what recipes of the profile with a spectrum are on the small sample."""
    spectral = [r for r in race.of_profile if modes.search_of(r.model.transform).family != CONTEXT]
    made = [(r, race.build.candidate(r, race.sizes.trial)) for r in spectral]
    return [Look(recipe, c, Spectrum.of(recipe.model, c.energy)) for recipe, c in made]


def known(race: "Race") -> list[Look]:
    """Return the recipes of a profile that no other transform beats.

    What has hardly any bits may be smaller by another, if rough estimates say so.
    """
    samples, snr = race.samples, race.snr
    if samples.group.values > tuning.KNOWN_VALUES:
        return []
    found = [look for look in looks(race) if look.knows(race)]
    bits = min((look.bits(race) for look in found), default=math.inf)
    if bits < max(tuning.COARSE * samples.group.values, tuning.FEW_BITS):
        others = itertools.chain(transform_bits(samples, snr), [sample_domain_bits(samples, snr)])
        if any(other < ANOTHER * bits for other in others):
            return []
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

    def off(self, snr: float) -> float:
        """Return by how many bits a value classes differ from what the model says, at an SNR."""
        off = _bits(self.expected, self.shares, snr) - _bits(self.found, self.shares, snr)
        return float(np.abs(off) @ self.shares)

    def excess(self, snr: float) -> float:
        """Return the bits a value that latents take at an SNR beside those that the model says."""
        return self.bits(snr) - float(_bits(self.expected, self.shares, snr) @ self.shares)

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
