"""Whether the error of decoded values is that of their latents."""

import math

from ..elements import PRECISION
from .choice import Choice
from .tensors.samples import Samples

FARTHEST = 10  # standard deviations of the error, that a decoded value may lie beyond the bounds
NEGLIGIBLE = 0.002  # of the squared error: what rounding may add without being measured
COARSE = 0.05  # of the error's deviation: the distance of numbers from where on rounding may repeat


def counts(samples: Samples, choice: Choice, snr: float) -> bool:
    """Return whether decoded values err otherwise than their latents, by more than is negligible.

    Values are corrected, rounded to their type, and kept within its range. Latents may be those of
    a task.
    """
    if choice.clamp or choice.curve is not None or choice.of_task:
        return True
    stats = samples.stats
    precision = PRECISION[samples.group.dtype]
    square = (stats.mean**2 + stats.std**2) * precision.relative**2 + precision.least**2
    noise = 10 ** (-snr / 10)
    if square / 12 / choice.values.std**2 > NEGLIGIBLE * noise:
        return True
    error = stats.std * math.sqrt(noise)
    if stats.reach + FARTHEST * error > precision.largest:
        return True
    return precision.relative * stats.reach > COARSE * error and samples.peaked
