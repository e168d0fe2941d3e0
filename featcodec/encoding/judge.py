"""About how many bits a group takes: what layouts and groupings are compared by."""

import io
import math
from dataclasses import replace

from ..coding.profile import Profile
from ..container.sections import FEATURES
from ..container.writer import Writer
from ..request import Options, Quality
from .familiar import Familiar
from .features import FeatureEncoder
from .outcome import size_of
from .rough.latents import layered_bits, profile_bits, transform_bits
from .rough.neighbours import sample_domain_bits, serves
from .tensors.group import Group
from .tensors.grouping import Judge, Judges
from .tensors.samples import Samples
from .tensors.sums import sane

# dB: below the first, samples tell too little of what is rare. Files of nearly the same SNR have
# the same layout.
SNRS = (10.0, 20.0, 30.0)


def judge_at(snr: float | None, profile: Profile | None, options: Options) -> Judge | None:
    """Return the judge for an SNR in dB, None where a network decides.

    Without an SNR, and for training, groups are judged at the lowest that samples tell enough of.
    """
    if options.transform == "neural":
        return None
    entries = profile.entries_of(task=False) if profile else []
    wanted = min(SNRS, key=lambda known: abs(known - (snr or SNRS[0])))
    sizes = options.search.samples
    quick = replace(options.search, samples=replace(sizes, trial=sizes.trial // 2))

    def bits(group: Group) -> float:
        samples = Samples(group, quick, glance=True)
        if not sane(samples.stats):
            return math.inf
        at = wanted + (group.slices.decibels if group.slices else 0)
        found: list[float] = []
        if options.transform in ("auto", "linear"):
            found += [*profile_bits(samples, entries, at), *transform_bits(samples, at)]
            found += layered_bits(samples, at)
        if options.transform == "none" or serves(samples, options.transform):
            found.append(sample_domain_bits(samples, at))
        return min(found, default=math.inf)

    return bits


def judges_at(
    quality: Quality, profile: Profile | None, options: Options, known: Familiar | None = None
) -> Judges | None:
    """Return the judge for a quality and, at an SNR where time may be taken, one that writes.

    What was written is `known` then.
    """
    about = judge_at(quality.decibels, profile, options)
    if about is None or quality.snr is None or not options.search.thorough:
        return about and Judges(about)

    def bits(group: Group) -> float:
        writer = Writer(io.BytesIO(), FEATURES)
        start = writer.position
        keep = known.keep if known else None
        encoder = FeatureEncoder(writer, profile, options, further=False, keep=keep)
        return 8.0 * size_of(writer, start, encoder.write(group, quality))

    return Judges(about, bits)
