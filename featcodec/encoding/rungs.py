"""Higher SNRs than the one asked for, at which a group may take fewer bytes."""

from collections.abc import Sequence

from . import tuning
from .choice import Choice
from .tensors.samples import Samples


def rungs(samples: Samples, choice: Choice, snr: float) -> Sequence[float]:
    """Return the higher SNRs in dB that may take fewer bytes: of few symbols alone."""
    most = min(tuning.FEW_BITS, tuning.COARSE * samples.group.values)
    few = choice.picture is None and tuning.LEAST_BITS < choice.estimate.bits <= most
    few &= samples.search.thorough
    return [rung for rung in tuning.RUNGS if few and rung > snr]
