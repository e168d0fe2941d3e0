"""When an encoder tries a KLT across layers: where channels are those of several, side by side."""

import math
from dataclasses import replace

import numpy as np

from ...encoding.fit.layered import layered_models
from ...encoding.search.race import Race, Recipe, best_of
from ..search import ModeSearch

BLOCKS = 64  # in a sample: the scales of fewer fit it too well


class LayeredSearch(ModeSearch):
    """The layers are the indices of the first of several channel axes."""

    blurs_bounds = True
    trellis_gain = 0.95
    begins_with = "linear"

    def enter(self, race: Race) -> None:
        if not race.allows(self.family):
            return
        block, ones = best_of(race.trials).recipe.model.block, race.samples.ones
        values, models = race.samples.alignment(), layered_models(race.samples, race.target)
        for model in models:
            race.consider(Recipe(model, None, values))
        enough = BLOCKS * race.samples.channels * math.prod(block) <= race.sizes.fit
        if models and block != ones and enough:
            scales = np.zeros((models[0].channels, *block), np.int64)
            race.consider(Recipe(replace(models[0], block=block, scales=scales), None, values))


SEARCH = LayeredSearch()
