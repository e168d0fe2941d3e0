"""Few values of the kind that an entry of a profile was trained on, for which it is tried alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...coding.model import GridModel
from .. import tuning
from ..fit.fitting import Energy

if TYPE_CHECKING:
    from .race import Race, Recipe

HALVINGS = 40
SNR = 30.0  # dB


def enter_known(race: "Race", recipes: Sequence["Recipe"]) -> bool:
    """Try recipes of a profile where nothing else takes fewer bits; return whether there are such.

    What is sparse may be smaller without a transform, and so may be what has hardly any bits, or
    axes that it could as well store.
    """
    if race.samples.group.values > tuning.KNOWN_VALUES or race.samples.sparse:
        return False
    entries = dict(race.entries)
    for recipe in recipes:
        assert recipe.entry is not None
        axes = 8 * len(entries[recipe.entry].model.basis)
        candidate = race.build.candidate(recipe, race.sizes.trial)
        if axes and is_known(recipe.model, candidate.energy):
            bits = race.consider(recipe).bits
            if bits < tuning.FEW_BITS or axes < tuning.KNOWN_AXES * bits:
                race.trials.pop()
    return bool(race.trials)


def is_known(model: GridModel, energy: Energy) -> bool:
    """Return whether a sample has the spectrum that a model has of what it is fitted to.

    Latents of one scale in the model are a class, and it says how many bits each class takes. The
    axes of other features leave energy where the model has little.
    """
    scales, of_latent = np.unique(model.scales, return_inverse=True)
    counts = np.bincount(
        of_latent.ravel(), np.broadcast_to(energy.count, model.scales.shape).ravel()
    )
    moments = np.bincount(of_latent.ravel(), energy.moment.ravel())
    shares = counts / counts.sum()
    off = _bits(np.exp2(scales / 2), shares) - _bits(moments / np.maximum(counts, 1), shares)
    return float(np.abs(off) @ shares) < tuning.KNOWN


def _bits(variances: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the bits of a Gaussian latent of each class at a high SNR, where all classes count."""
    error = float(variances @ shares) / 10 ** (SNR / 10)
    low, high = 0.0, float(variances.max())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = float(np.minimum(variances, middle) @ shares) > error
        low, high = (low, middle) if enough else (middle, high)
    return np.asarray(np.log2(np.maximum(variances, high) / max(high, 1e-300)) / 2)
