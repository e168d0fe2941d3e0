"""Higher SNRs than the one asked for, at which a group may take fewer bytes."""

from collections.abc import Sequence

from . import tuning
from .choice import Choice
from .outcome import Outcome
from .tensors.samples import Samples


def rungs(
    samples: Samples,
    choice: Choice,
    snr: float,
    best: Outcome | None,
    short: bool,
) -> tuple[Sequence[float], int]:
    """Return the higher SNRs that may take fewer bytes, or give slices what they are `short` of.

    And after how many in a row that do not, the search ends.
    """
    most = min(tuning.FEW_BITS, tuning.COARSE * samples.group.values)
    few = choice.picture is None and tuning.LEAST_BITS < choice.estimate.bits <= most
    few &= samples.search.thorough
    found = {rung for rung in tuning.RUNGS if few and rung > snr}
    tries = tuning.RUNGS_TRIED
    lossy = None if best is None else best.header.lossy
    bits = 8 * best.size if best else 0
    costly = short or bits > tuning.SLICES_COST * choice.estimate.bits
    if lossy is not None and lossy.slices is not None and costly:
        found |= {snr + more for more in tuning.SLICE_RUNGS}
        tries = len(found) if few or short else tries  # what gains cost falls in leaps
    return sorted(found), tries
