"""When an encoder tries context modelling: on maps with many zeros."""

import math
from dataclasses import replace

import numpy as np

from ...encoding.fit import fitting
from ...encoding.search.race import Race
from ...encoding.search.saturation import enter_sample_domain
from ..search import ModeSearch
from .candidate import ContextCandidate

BLOCK = (16, 16)  # at most
LEAST_PLACES = 16  # of a block, so that most symbols have neighbours


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
        block = fitting.longest_block(race.samples.group.grids, BLOCK)
        model = fitting.linear_model(block, None, 0, 1, np.zeros(race.samples.channels, np.int64))
        values = replace(race.samples.alignment(), mean=0.0)
        model = replace(model, transform="context")
        enter_sample_domain(race, model, values, ContextCandidate.LAMBDAS)

    def suffices(self, race: Race) -> bool:
        """Return whether context modelling surely beats a clustering of channels."""
        if not self._serves(race):
            return False
        return math.prod(fitting.longest_block(race.samples.group.grids, BLOCK)) >= LEAST_PLACES

    def _serves(self, race: Race) -> bool:
        samples = race.samples
        maps = len(samples.ones) == 2 and not samples.group.layout.prefix
        return maps and (race.family == self.family or (race.family == "auto" and samples.sparse))


SEARCH = ContextSearch()
