"""Higher SNRs than the one asked for, at which a group may take fewer bytes."""

import math
from collections.abc import Callable, Sequence
from functools import partial

from . import tuning
from .choice import Choice
from .choosing import Chooser
from .contest import Contest
from .outcome import Outcome
from .precedents import MORE_SNR, Kind
from .tensors.samples import Samples


def rungs(samples: Samples, choice: Choice, snr: float) -> Sequence[float]:
    """Return the higher SNRs in dB that may take fewer bytes: of few symbols alone."""
    most = min(tuning.FEW_BITS, tuning.COARSE * samples.group.values)
    few = choice.picture is None and tuning.LEAST_BITS < choice.estimate.bits <= most
    few &= samples.search.thorough
    return [rung for rung in tuning.RUNGS if few and rung > snr]


def climb(
    contest: Contest,
    kind: Kind,
    chooser: Chooser,
    ladder: Sequence[float],
    write: Callable[[Choice, float], Outcome | None],
) -> None:
    """Enter a group at higher SNRs, where that may pay in groups of its kind.

    Few symbols reach an SNR in leaps: one further may take no more of them. The search ends after
    some in a row that were no smaller; those that look far larger count twice, unwritten.
    """
    missed = 0
    for more in ladder if ladder and kind.makes(MORE_SNR) else ():
        short, least = contest.least
        another = chooser.higher(more, math.inf if short else tuning.RUNG_BITS * 8 * least)
        if another is None:
            missed += 2
        else:
            won = kind.enter(contest, MORE_SNR, partial(write, another, more))
            missed = 0 if won else missed + 1
        if missed >= tuning.RUNGS_TRIED:
            return
