"""A trial made a choice: models fitted to the large sample, along a trellis where that pays."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ... import modes
from ...align.value import ValueAlignment
from ...coding.profile import model_of
from ...quantise.scalar import LAMBDA
from .. import tuning
from ..choice import Choice
from ..fit import fitting
from ..fit.fitting import Classes
from . import cost
from .candidate import Candidate
from .entries import TASK, matching
from .finish import Finish

if TYPE_CHECKING:
    from .race import Race, Trial

DEPENDENT_STEP = 1.0  # of the bits that a trellis saves: by so much its step is larger, about


def finished(of: "Race", trial: "Trial") -> Choice:
    """Return the choice of a trial, with dependent quantisation where that serves its mode."""
    search = modes.search_of(trial.recipe.model.transform)
    # Spacings of two kinds cannot both divide a saturation value.
    if search.trellis_gain is None or trial.recipe.on_saturation or not of.thorough:
        return _finish(of, trial)
    choice = _finish(of, trial, dependent=True)
    return choice if choice.sound else _finish(of, trial)


def with_quantiser(of: "Race", trial: "Trial", choice: Choice) -> Choice:
    """Return the choice of a trial, or that with scalar quantisation where that takes less."""
    search = modes.search_of(trial.recipe.model.transform)
    certain = max(tuning.TRELLIS * of.samples.group.values, search.certain_bits)
    if not choice.quantiser.dependent or choice.estimate.bits > certain:
        return choice
    return min(choice, _finish(of, trial), key=lambda found: found.estimate.bits)


def _finish(of: "Race", trial: "Trial", dependent: bool = False) -> Choice:
    """Fit scales, tables and step of a model on a larger sample, once."""
    if (trial, dependent) not in of.made:
        of.made[trial, dependent] = _fitted(of, trial, dependent)
    return of.made[trial, dependent]


def _fitted(of: "Race", trial: "Trial", dependent: bool) -> Choice:
    values, step = trial.recipe.values, trial.step
    if dependent and trial.bits > tuning.SCARCE * of.samples.group.values:
        gain = modes.search_of(trial.recipe.model.transform).trellis_gain or 1
        step *= 1 + DEPENDENT_STEP * (1 - gain)
    budget = of.sizes.fit
    grid = of.build.candidate(trial.recipe, budget)
    classes, fraction = of.samples.sample(
        grid.model.block, budget, values, centre=grid.model.centres
    )
    candidates = {False: grid}
    if True in classes:
        candidates[True] = _prefix(of, classes[True], fraction, values, step, dependent)
    for candidate in candidates.values():
        candidate.dependent = dependent
        candidate.even = any(c.entry is None for c in candidates.values())
    goal = of.build.goal_on(values, *candidates.values())
    if of.family == TASK and True in candidates:
        step = cost.common_step(list(candidates.values()), goal)
    return Finish(of.samples, values, candidates, goal, trial.recipe.on_saturation).choice(step)


def _prefix(
    of: "Race",
    classes: Classes,
    fraction: float,
    values: ValueAlignment,
    step: float,
    dependent: bool,
) -> Candidate:
    """Return the best model for the prefix tokens at the step of the grid."""
    found = []
    for index, entry in matching(of.samples, of.entries, of.family, prefix=True):
        if (entry.mean, entry.std) == (values.mean, values.std):
            model = model_of(entry)
            found.append(of.build.fitted(model, index, classes, fraction))
    if of.family == TASK:
        return found[0]
    centre = fitting.centre_of(classes)
    count = sum(a[0].size for a in classes.values()) / fraction
    for reflectors in (0, len(centre) - 1):
        if reflectors and (count < len(centre) or len(centre) > tuning.KLT_CHANNELS):
            continue
        axes = fitting.klt(classes, centre) if reflectors else None
        model = fitting.linear_model((1,), axes, reflectors, 8, centre)
        if dependent:  # which quantiser is for which latents is a matter of scales
            model = replace(model, transform="linear")
        found.append(of.build.fitted(model, None, classes, fraction))
    return min(found, key=lambda c: cost.lagrangian(c, step, LAMBDA))
