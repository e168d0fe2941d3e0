"""The sample domain: its plain model, and the choices that round to a lattice there."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...align.value import ValueAlignment
from ...coding.model import GridModel
from ...coding.parts.base import Sizes
from ..choice import Choice
from ..fit import fitting
from ..search import candidate as search
from ..tensors.samples import Samples
from .predicted import predicted
from .sample_domain import Sample, Way
from .split import split_way

MANY_LENGTHS = 4  # of lines


def plain_model(samples: Samples) -> tuple[GridModel, ValueAlignment]:
    """Return the model without a transform, and its alignment.

    Values with many exact zeros are not shifted, so that zeros stay exact and cheap.
    """
    values = samples.alignment()
    centre = np.zeros(samples.channels, np.int64)
    if samples.sparse:
        values = replace(values, mean=0.0)
    else:
        some = samples.sample(samples.ones, samples.sizes.trial, values)[0][False]
        centre = fitting.centre_of(some)
    return fitting.linear_model(samples.ones, None, 0, 1, centre), values


def bounded_choice(samples: Samples, bound: float, only_plain: bool = False) -> Choice:
    """Return the choice whose step alone keeps every error within `bound`."""
    # Half a step is the bound, less a part in a million for rounding on the way back.
    step = 2 * bound / samples.std * (1 - 1e-6)

    def ways(sample: Sample) -> list[Way]:
        split = split_way(sample, step) if samples.sparse else []
        return predicted(sample, step) + split

    return _choice(samples, step, (lambda sample: []) if only_plain else ways)


def fine_choice(samples: Samples, snr: float) -> Choice:
    """Return the choice of split symbols for sparse maps at an SNR in dB."""
    _, values = plain_model(samples)
    found, _ = samples.sample(_blocks(samples)[0], samples.sizes.trial, values)
    some = np.concatenate([a.ravel() for classes in found.values() for a in classes.values()])
    some = some.astype(np.float64)
    target = 10 ** (-snr / 10)

    def error(step: float) -> float:
        return float(np.square(some - np.rint(some / step) * step).mean())

    step = search.solve_step(error, target, math.sqrt(12 * target))
    return _choice(samples, step, lambda sample: split_way(sample, step))


def _choice(samples: Samples, step: float, ways: Callable[[Sample], list[Way]]) -> Choice:
    """Return the way of the fewest bits at a step, value by value or one of `ways`."""
    model, values = plain_model(samples)
    lower, upper = ((b - values.mean) / values.std for b in (values.lower, values.upper))
    best: dict[bool, Way] = {}
    for block in _blocks(samples):
        found, share = samples.sample(block, samples.sizes.fit, values)
        for prefix, classes in found.items():
            if prefix and prefix in best:
                continue  # not changed by the block
            centres = model.centres[:, None, None]
            latents = {sizes: a.astype(np.float64) - centres for sizes, a in classes.items()}
            longest = (1,) if prefix else block
            sample = Sample(latents, longest, model.centre, (lower, upper), values.positive, share)
            first = best[prefix] if prefix in best else _plain(sample, step)
            best[prefix] = min([first, *ways(sample)], key=lambda way: way.bits)
    grid = best[False].part.model
    assert grid is not None
    return Choice(
        spread=samples.spread,
        values=values,
        parts={prefix: (way.part, way.coder) for prefix, way in best.items()},
        step=step,
        step_scale=search.scale_of(step),
        clamp=True,
        block=grid.block,
        uses_profile=False,
        work="float64",
        bits=sum(way.bits for way in best.values()),
    )


def _blocks(samples: Samples) -> list[Sizes]:
    """Return the longest blocks to try: neighbours are known within a block alone."""
    grids = samples.group.grids
    if len(grids[0]) == 1 and len(grids) > MANY_LENGTHS:
        return [samples.ones]  # lines in pieces of all lengths would take their time
    if len(grids[0]) < 2:
        lines = fitting.longest_block(grids, (16,) * len(grids[0]))
        return list(dict.fromkeys([samples.ones, lines]))
    return [fitting.longest_block(grids, (*samples.ones[2:], 16, 16))]


def _plain(sample: Sample, step: float) -> Way:
    """Return how a part is coded value by value."""
    ones = tuple(1 for _ in sample.block)
    model = fitting.linear_model(ones, None, 0, 1, sample.centre)
    flat = [a.reshape(len(a), 1, -1) for a in sample.latents.values()]
    single = {ones: np.concatenate(flat, axis=2)}
    energy = fitting.energy_of(single, ones)
    candidate = search.PlainCandidate(
        model, None, "float64", single, single, energy, sample.share, True
    )
    coder, bits = candidate.tuned(step, plain=True)
    return Way(candidate.part(coder), coder, bits + candidate.side_bits())
