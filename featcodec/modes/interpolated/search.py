"""When an encoder tries interpolation: on maps where context modelling is near the best."""

import math
from dataclasses import replace

import numpy as np

from ...align.blocks import cut
from ...coding.parts.base import Sizes
from ...encoding.bounded.sample_domain import FINEST, Sample, Way
from ...encoding.fit import fitting
from ...encoding.fit.plain import plain_model
from ...encoding.search import cost
from ...encoding.search.race import Race, Recipe
from ...entropy.interpolation import LARGEST
from ..search import ModeSearch
from .candidate import InterpolatedCandidate

LONGEST, LEAST_LONG = 16, 11  # of a block, on the last two axes
MOST_CHANNELS = 128
LEAST_VALUES = 1 << 17
TOKENS = 64  # of a channel for each channel: fewer do not pay for weights under a bound
LEAST_BITS = 0.5  # a value, of the best so far: where fewer are left, hardly any neighbour tells
PROMISING = 0.95  # of the bits of the best so far: for less, a decoder would take more time


class InterpolatedSearch(ModeSearch):
    """Symbols near their expected values."""

    family = "interpolated"  # with auto alone
    candidate = InterpolatedCandidate
    least_blocks = 64  # weights are of each channel and pass
    quick = False

    def enter(self, race: Race) -> None:
        samples = race.samples
        if not self._serves(race):
            return
        model, values = plain_model(samples, math.sqrt(12 * race.target))
        block = _block(samples.group.grids)
        scales = np.zeros((samples.channels, 1), np.int64)
        model = replace(model, transform="interpolated", block=block, scales=scales)
        recipe = Recipe(model, None, values, InterpolatedCandidate.LAMBDAS[0])
        if self._promises(race, recipe):
            race.consider(recipe)

    def ways(self, sample: Sample, step: float, sparse: bool) -> list[Way]:
        channels, axes = len(sample.centre), len(sample.block)
        if not 1 <= axes <= 3 or math.prod(sample.block) == 1 or channels > MOST_CHANNELS:
            return []
        tokens = sum(a[0].size for a in sample.latents.values()) / sample.fraction
        if tokens < TOKENS * channels or step < FINEST or sample.reaches(step) > LARGEST:
            return []
        if sample.positive and any((a < -step / 2).any() for a in sample.latents.values()):
            return []
        scales = np.zeros((channels, 1), np.int64)
        model = sample.model("interpolated", scales)
        candidate = sample.candidate(InterpolatedCandidate, model, lmbda=0.0)
        coder, bits = candidate.within(step)
        return [Way(candidate.part(coder), coder, bits + candidate.side_bits())]

    def _serves(self, race: Race) -> bool:
        samples = race.samples
        if not samples.concentrated or samples.saturation or samples.group.layout.prefix:
            return False
        if not race.allows(self.family) or len(samples.ones) not in (2, 3):
            return False
        values = samples.group.values
        few = samples.channels > MOST_CHANNELS or values < LEAST_VALUES
        return not few and race.least > LEAST_BITS * values

    def _promises(self, race: Race, recipe: Recipe) -> bool:
        """Return whether few bits are left of a small sample, which it fits too well."""
        budget, start = race.sizes.trial, race.goal(recipe.values)
        model = recipe.model
        centre = model.centres
        parts, fraction = race.samples.sample(model.block, budget, recipe.values, centre=centre)
        first = race.build.fitted(recipe.model, None, parts[False], fraction, False)
        assert isinstance(first, InterpolatedCandidate)
        first.lmbda, first.positive = recipe.lmbda, recipe.values.positive
        step = cost.rough_step(first, start, math.sqrt(12 * start))
        return first.least_bits(step) < PROMISING * race.least


def _block(grids: list[Sizes]) -> Sizes:
    """Return a block that cuts axes into pieces of one length where that is not much shorter.

    Blocks of a size are decoded together: more sizes take a decoder more time.
    """
    wanted = [1] * (len(grids[0]) - 2)
    for axis in (-2, -1):
        even = [
            length
            for length in range(LONGEST, LEAST_LONG - 1, -1)
            if len({size for grid in grids for _, _, size in cut(grid[axis], length)}) == 1
        ]
        wanted.append(even[0] if even else LONGEST)
    return fitting.longest_block(grids, tuple(wanted))


SEARCH = InterpolatedSearch()
