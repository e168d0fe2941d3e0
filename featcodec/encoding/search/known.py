"""Whether a group is of the kind that an entry of a profile was trained on."""

import numpy as np

from ...coding.model import GridModel
from .. import tuning
from ..fit.fitting import Energy

HALVINGS = 40


def is_known(model: GridModel, energy: Energy, target: float) -> bool:
    """Return whether a sample takes about the bits that a model expects of what it is fitted to.

    Both are of Gaussian latents at a mean squared error, `target` times the variance, in classes
    that have one scale in the model. The axes of other features leave energy where it has little.
    """
    scales, of_latent = np.unique(model.scales, return_inverse=True)
    count = np.broadcast_to(energy.count, energy.moment.shape)
    counts = np.bincount(of_latent.ravel(), count.ravel())
    moments = np.bincount(of_latent.ravel(), energy.moment.ravel())
    expected = _rate(np.exp2(scales / 2), counts, target)
    found = _rate(moments / np.maximum(counts, 1), counts, target)
    return abs(found - expected) < tuning.KNOWN


def _rate(variances: np.ndarray, counts: np.ndarray, target: float) -> float:
    """Return the bits a latent at a mean squared error, a part of the variance."""
    mean = float(variances @ counts) / counts.sum()
    low, high = 0.0, float(variances.max())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = float(np.minimum(variances, middle) @ counts) / counts.sum() > target * mean
        low, high = (low, middle) if enough else (middle, high)
    octaves = np.log2(np.maximum(variances, high) / max(high, 1e-300))
    return float(octaves @ counts) / counts.sum() / 2
