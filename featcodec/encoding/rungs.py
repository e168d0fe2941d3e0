"""Higher SNRs than the one asked for, at which a group may take fewer bytes."""

from collections.abc import Sequence

from ..container.group import GroupHeader
from . import tuning
from .choice import Choice
from .tensors.samples import Samples


def rungs(
    samples: Samples,
    choice: Choice,
    snr: float,
    header: GroupHeader | None,
    short: bool,
    size: float,
) -> Sequence[float]:
    """Return the higher SNRs that may take fewer bytes, or give slices what they are `short` of."""
    few = min(tuning.FEW_BITS, tuning.COARSE * samples.group.values)
    if choice.picture is None and tuning.LEAST_BITS < choice.estimate.bits <= few:
        return [rung for rung in tuning.RUNGS if rung > snr]
    lossy = None if header is None else header.lossy
    if lossy is None or lossy.slices is None:
        return ()
    costly = 8 * size > tuning.SLICES_COST * choice.estimate.bits
    return [snr + more for more in tuning.SLICE_RUNGS if short or costly]
