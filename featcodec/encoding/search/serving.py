"""Sparse features that entries of a profile serve no worse than models of their own would."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ... import modes
from .. import tuning
from ..rough.latents import transform_bits
from ..rough.neighbours import sample_domain_bits
from . import cost
from .known import CONTEXT

if TYPE_CHECKING:
    from .race import Race, Recipe, Trial

# Of rough bits of other models: what an entry takes at most, for it to serve alone. Maps of two
# networks took at most 1 % more so. Where values saturate, steps that divide the saturation value
# take less than rough bits: files of one map of op61 took 7 % less at 20 dB.
SERVES, SERVES_SATURATED = 1.03, 0.95


def serving(race: "Race") -> list["Trial"]:
    """Return trials of the entries of a profile where sparse features need no others.

    Measured bits with an entry are no more than rough ones of models of the group's own. Axes are
    to be known, too: rough bits with axes of the group's own were up to half too many.
    """
    samples, snr = race.samples, race.snr
    if not race.of_profile or samples.group.values > tuning.KNOWN_VALUES or not race.thorough:
        return []
    trials, serves = _measured(race), SERVES_SATURATED if samples.saturation else SERVES
    best = min(trials, key=lambda trial: trial.bits)
    with_axes = modes.search_of(best.recipe.model.transform).family != CONTEXT
    if best.bits > serves * sample_domain_bits(samples, snr) or (with_axes and not race.known):
        return []
    enough = all(best.bits <= serves * bits for bits in transform_bits(samples, snr))
    return trials if enough else []


def _measured(race: "Race") -> list["Trial"]:
    """Return trials of entries; of those with context modelling, of the best at the step of one."""
    apart = replace(race, trials=[], again={}, made={})
    of_contexts = []
    for recipe in race.of_profile:
        if modes.search_of(recipe.model.transform).family == CONTEXT:
            of_contexts.append(recipe)
        else:
            apart.consider(recipe)
    if of_contexts:
        apart.consider_at(*_best(race, of_contexts))
    return apart.trials


def _best(race: "Race", recipes: Sequence["Recipe"]) -> tuple["Recipe", float]:
    """Return the recipe of the fewest bits at the step of the first one, and that step."""
    step = math.sqrt(12 * race.goal(recipes[0].values))
    if len(recipes) == 1:
        return recipes[0], step
    bits: list[float] = []
    for recipe in recipes:
        candidate = race.build.candidate(recipe, race.sizes.trial)
        goal = race.build.goal_on(recipe.values, candidate)
        if not bits:
            step = cost.rough_step(candidate, goal, step, race.samples.search.rounds)
        bits.append(cost.bits_at(candidate, goal, step)[0])
    return recipes[bits.index(min(bits))], step
