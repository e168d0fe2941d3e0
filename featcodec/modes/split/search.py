"""When an encoder tries split symbols: under a bound, on sparse maps (SPEC §7.12)."""

from dataclasses import replace

import numpy as np

from ...encoding.bounded.sample_domain import Sample, Way, with_tables
from ...encoding.search.candidate import scale_of
from ...entropy import split
from ...entropy.prediction import LARGEST
from ...quantise.scalar import PLAIN, quantise
from ..search import ModeSearch
from .part import NEAR, SplitCoder

PEAK_SHARE = 1 / 1024  # of values at the upper bound, from which on they get a kind


class SplitSearch(ModeSearch):
    """Under a bound on sparse maps, when values are not too many steps."""

    def ways(self, sample: Sample, step: float, sparse: bool) -> list[Way]:
        return _ways(sample, step) if sparse else []


SEARCH = SplitSearch()


def _ways(sample: Sample, step: float) -> list[Way]:
    if sample.reaches(step) > LARGEST / 2:
        return []
    sizes = {key: np.abs(quantise(a, step, PLAIN)) for key, a in sample.latents.items()}
    tokens = sum(a[0].size for a in sizes.values())
    means = sum(a.sum(axis=(1, 2), dtype=np.float64) for a in sizes.values()) / tokens
    step_scale = scale_of(step)
    scales = (step_scale + 2 * split.level_of(means)).reshape(-1, 1)
    model = replace(sample.model("split", scales), own=0)
    top = sample.bounds[1]
    peak = int(quantise(np.array([max(top, 0.0)]), step, PLAIN)[0])
    at_bound = sum(np.count_nonzero(a >= top - NEAR * step) for a in sample.latents.values())
    if peak and at_bound > PEAK_SHARE * tokens * len(means):
        model = replace(model, own=peak)
    coder = SplitCoder(
        model.transform_in("float64"),
        scales,
        {},
        step,
        step_scale,
        "float64",
        positive=sample.positive,
        peak=model.own,
        top=sample.bounds[1] - model.centres,
    )
    coded = (
        found for key, a in sample.latents.items() for found in coder.encode_latents(a, key)[0]
    )
    return [with_tables(model, coder, coded, sample.fraction)]
