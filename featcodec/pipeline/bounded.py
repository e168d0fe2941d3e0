"""The sample domain without contexts: its model, and the choice that bounds every error."""

from dataclasses import replace

import numpy as np

from ..align.value import ValueAlignment
from . import fitting, search
from .choice import Choice
from .grid_model import GridModel
from .samples import SAMPLE_VALUES, TRIAL_VALUES, Samples


def plain_model(samples: Samples) -> tuple[GridModel, ValueAlignment]:
    """Return the model without a transform, and its alignment.

    Values with many exact zeros are not shifted, so that zeros stay exact and cheap.
    """
    values = samples.alignment()
    centre = np.zeros(samples.channels, np.int64)
    if samples.sparse:
        values = replace(values, mean=0.0)
    else:
        some = samples.sample(samples.ones, TRIAL_VALUES, values)[0][False]
        centre = fitting.centre_of(some)
    return fitting.linear_model(samples.ones, None, 0, 1, centre), values


def bounded_choice(samples: Samples, bound: float) -> Choice:
    """Return the choice whose step alone keeps every error within `bound`."""
    # Half a step is the bound, less a part in a million for rounding on the way back.
    step = 2 * bound / samples.std * (1 - 1e-6)
    model, values = plain_model(samples)
    found, share = samples.sample(samples.ones, SAMPLE_VALUES, values)
    parts = {}
    for prefix, classes in found.items():
        if prefix:
            model = replace(model, block=(1,), scales=model.scales.reshape(-1, 1))
        classes = fitting.latents_of(model, classes, "float64")
        energy = fitting.energy_of(classes, model.block)
        candidate = search.PlainCandidate(
            model, None, "float64", classes, classes, energy, share, True
        )
        coder = candidate.tuned(step, plain=True)[0]
        parts[prefix] = (candidate.part(coder), coder)
    return Choice(
        spread=samples.spread,
        values=values,
        parts=parts,
        step=step,
        step_scale=search.scale_of(step),
        clamp=True,
        block=samples.ones,
        uses_profile=False,
        work="float64",
    )
