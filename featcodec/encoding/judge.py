"""About how many bits a group takes: what layouts and groupings are compared by."""

import math
from dataclasses import replace

from ..coding.profile import Profile
from ..request import Options
from .features import sane
from .search.race import Race
from .tensors.group import Group
from .tensors.grouping import Judge
from .tensors.samples import Samples

SNRS = (10.0, 30.0)  # dB: below, samples tell too little of what is rare


def judge_at(snr: float | None, profile: Profile | None, options: Options) -> Judge | None:
    """Return the judge for an SNR in dB, None where a network decides.

    Without an SNR, and for training, groups are judged at the lowest that samples tell enough of.
    """
    if options.transform == "neural":
        return None
    entries = profile.entries_of(task=False) if profile else []
    wanted = min(max(snr or SNRS[0], SNRS[0]), SNRS[1])

    def bits(group: Group, closely: bool) -> float:
        trial = 2 * options.samples.trial if closely else options.samples.trial // 2
        samples = Samples(group, replace(options.samples, trial=trial))
        if not sane(samples.stats):
            return math.inf
        race = Race(samples, entries, options.transform, wanted)
        race.enter()
        return race.least

    return bits
