"""The sample domain where values saturate: steps that divide the saturation value."""

import math
from collections.abc import Sequence

from ...align.value import ValueAlignment
from ...coding.model import GridModel
from .. import tuning
from .race import Race, Recipe
from .solve import MOST_LAMBDA


def enter_sample_domain(
    race: Race, model: GridModel, values: ValueAlignment, lambdas: Sequence[float]
) -> None:
    """Enter a model without a transform into a race, with each of some lambdas.

    Where values saturate, only at steps that divide the saturation value: those between are worse,
    and hard to hit. In haste no finer step is tried than one that took more bits.
    """
    free = [
        race.consider(Recipe(model, None, values, lmbda))
        for lmbda in lambdas[: 2 if race.samples.sparse else 1]
    ]
    if not race.samples.saturation:
        return
    race.trials = [trial for trial in race.trials if trial not in free]
    top = race.samples.saturation / values.std
    least = max(int(top / max(trial.step for trial in free)), 1)
    fewest = math.inf
    for multiple in range(least, least + tuning.SATURATION_STEPS):
        trial = race.consider_at(Recipe(model, None, values, on_saturation=True), top / multiple)
        if trial.recipe.lmbda >= MOST_LAMBDA:
            break  # steps that are finer still leave too little error
        if trial.bits > fewest and not race.thorough:
            break
        fewest = fewest if trial.exhausted else min(fewest, trial.bits)
