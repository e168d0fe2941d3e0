"""How a group is coded by the network: its step, and what codes the values that it leaves."""

import math
from dataclasses import replace

import numpy as np

from ..align.layout import Layout
from ..align.value import ValueAlignment
from ..container.group import Part
from ..entropy import family
from . import fitting, search
from .choice import Choice
from .grid_model import GridModel
from .group import Group
from .neural import NeuralCoder, NeuralModel
from .part_coder import PartCoder
from .samples import Samples

SAMPLE_VALUES = 1 << 18
MOST_AXES = 512  # beyond so many channels no KLT of what is left is tried
EMPTY_SCALE = -2 * family.UNIT  # beside the step's: the table of a scale so low codes nothing


def as_tokens(group: Group) -> Group:
    """Return the group with all tokens of a sample in one line, as the network wants them."""
    return replace(group, layout=Layout(group.layout.axes))


def neural_choice(samples: Samples, network: NeuralModel, snr: float) -> Choice:
    """Return the choice that reaches the SNR on a sample of a group of tokens.

    Up to the SNR of its highest quality the network alone codes the values, and the step stands
    for its quality. Beyond, the step is that of the symbols which code what it leaves.
    """
    values = samples.alignment()
    if not network.normalised:
        values = replace(values, mean=0.0, std=1.0)
    goal = 10 ** (-snr / 10) * (samples.std / values.std) ** 2
    classes, share = samples.sample(samples.ones, SAMPLE_VALUES, values)
    (sizes, aligned), *_ = classes[False].items()
    picture = np.ascontiguousarray(aligned[:, 0].T, np.float32)
    latents = network.network.analysis(picture)
    low, high = ((bound - values.mean) / values.std for bound in (values.lower, values.upper))

    def left(step: float) -> np.ndarray:
        coder = NeuralCoder(network, step)
        decoded = coder.picture(coder.quantise(latents), picture.shape)
        return np.ascontiguousarray((picture - np.clip(decoded, low, high)).T[:, None])

    def error(step: float) -> float:
        return float(np.mean(left(step) ** 2, dtype=np.float64))

    coarsest, finest = network.weights.largest_step, network.weights.finest_step
    if error(coarsest) <= goal:
        return _choice(samples, network, values, coarsest, _nothing(samples, coarsest))
    if error(finest) <= goal:
        start = max(math.sqrt(12 * goal), finest)
        step = search.solve_step(error, goal, start, precision=0.003)
        return _choice(samples, network, values, step, _nothing(samples, step))
    rest = {sizes: left(finest)}
    candidate = _candidate(samples, rest, share, goal)
    step = search.rough_step(candidate, goal, math.sqrt(12 * goal))
    coder = candidate.tuned(step)[0]

    def error_with_rest(step: float) -> float:
        rest = left(step) if step > finest else candidate.values[sizes]
        coded = replace(coder, step=step)
        return coded.encode(rest.copy(), sizes)[1] / rest.size

    step_scale = coder.step_scale
    step = search.solve_step(error_with_rest, goal, step)
    part = (candidate.part(coder), coder)
    return _choice(samples, network, values, step, part, step_scale)


def _nothing(samples: Samples, step: float) -> tuple[Part, PartCoder]:
    """Return a part that codes every value as zero."""
    scales = np.full((samples.channels, *samples.ones), search.scale_of(step) + EMPTY_SCALE)
    centre = np.zeros(samples.channels, np.int64)
    model = GridModel("none", samples.ones, centre, 0, np.zeros((len(centre), 0), int), scales)
    work = samples.group.work
    coder = PartCoder(model.transform_in(work), scales, {}, step, search.scale_of(step), work)
    return Part("none", model.pack()), coder


def _candidate(samples: Samples, rest: dict, share: float, goal: float) -> search.Candidate:
    """Return the best way to code what the network leaves: channels as they are, or their KLT."""
    work = samples.group.work
    centre = fitting.centre_of(rest)
    models = [fitting.linear_model(samples.ones, None, 0, 1, centre)]
    if 2 <= samples.channels <= MOST_AXES:
        axes = fitting.klt(rest, centre)
        magnitude = 2.0 ** min(max(round(-math.log2(goal) / 2), 1), 6)
        models.append(
            fitting.linear_model(samples.ones, axes, samples.channels - 1, magnitude, centre)
        )
    found = []
    for model in models:
        latents = fitting.latents_of(model, rest, work)
        energy = fitting.energy_of(latents, model.block)
        kind = search.PlainCandidate if model.transform == "none" else search.Candidate
        found.append(kind(model, None, work, rest, latents, energy, share, True))
    return min(found, key=lambda c: search.total_bits(c, goal, math.sqrt(12 * goal))[0])


def _choice(
    samples: Samples,
    network: NeuralModel,
    values: ValueAlignment,
    step: float,
    part: tuple[Part, PartCoder],
    step_scale: int | None = None,
) -> Choice:
    return Choice(
        spread=samples.spread,
        values=values,
        parts={False: part},
        step=step,
        step_scale=search.scale_of(step) if step_scale is None else step_scale,
        clamp=True,
        block=samples.ones,
        uses_profile=True,
        work=samples.group.work,
        network=network,
    )
