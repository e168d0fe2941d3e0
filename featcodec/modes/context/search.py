"""When an encoder tries context modelling: on maps where neighbours may tell most."""

import math
from dataclasses import replace

import numpy as np

from ...coding.parts.base import Sizes
from ...encoding.bounded.sample_domain import FINEST, Sample, Way
from ...encoding.fit import fitting
from ...encoding.fit.plain import plain_model
from ...encoding.rough.neighbours import BLOCKS, rivals
from ...encoding.search.race import Race
from ...encoding.search.saturation import enter_sample_domain
from ...entropy import integers
from ..search import ModeSearch
from .candidate import ContextCandidate
from .coder import Own

LEAST_PLACES = 16  # of a block, so that most symbols have neighbours
# Of a group whose values neither concentrate nor saturate: of 24 tensors of 7,680 values of noise
# each, trials took 1.3 times the time, and 2 % more bytes.
LEAST_VALUES = 1 << 14


class ContextSearch(ModeSearch):
    """Context modelling of maps of rows and columns."""

    family = "context"
    candidate = ContextCandidate
    least_blocks = 2  # scales are of whole channels
    trellis_gain = 0.97
    certain_bits = 1 << 19

    def enter(self, race: Race) -> None:
        if not self._serves(race):
            return
        model, values = plain_model(race.samples, math.sqrt(12 * race.target))
        block, channels = self._block(race), race.samples.channels
        scales = np.zeros((channels, *block), np.int64)
        own = Own(np.zeros(0, np.int64), {})  # not fitted yet
        model = replace(model, transform="context", block=block, scales=scales, own=own)
        enter_sample_domain(race, model, values, ContextCandidate.LAMBDAS)

    def ways(self, sample: Sample, step: float, sparse: bool) -> list[Way]:
        if not sparse or len(sample.block) not in BLOCKS or math.prod(sample.block) == 1:
            return []
        if step < FINEST:
            return []
        scales = np.zeros((len(sample.centre), *sample.block), np.int64)
        candidate = sample.candidate(ContextCandidate, sample.model("context", scales))
        coder, bits = candidate.within(step)
        return [Way(candidate.part(coder), coder, bits + 8 * len(integers.pack(sample.centre)))]

    def suffices(self, race: Race) -> bool:
        """Return whether context modelling surely beats a clustering of channels.

        Of values that are only near each other, places need not tell more than channels do.
        """
        if not (race.samples.sparse and self._serves(race)):
            return False
        return math.prod(self._block(race)) >= LEAST_PLACES

    def _block(self, race: Race) -> Sizes:
        grids = race.samples.group.grids
        return fitting.longest_block(grids, BLOCKS[len(grids[0])])

    def _serves(self, race: Race) -> bool:
        samples = race.samples
        maps = len(samples.ones) in BLOCKS and not samples.group.layout.prefix
        if not maps or race.family != "auto":
            return maps and race.family == self.family
        likely = samples.concentrated or samples.saturating
        enough = samples.group.values >= LEAST_VALUES
        return likely or (enough and rivals(samples, race.snr))


SEARCH = ContextSearch()
