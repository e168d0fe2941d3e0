"""Choices in the sample domain whose step alone bounds the error."""

import math
from collections.abc import Sequence

import numpy as np

from ... import modes
from ...coding.parts.base import Sizes
from ...modes.search import ModeSearch
from ..choice import Choice, Estimate, Quantiser
from ..fit import fitting
from ..fit.plain import plain_model
from ..search.candidate import scale_of
from ..search.solve import solve_step
from ..tensors.samples import Samples
from .sample_domain import Sample, Way

MANY_LENGTHS = 4  # of lines


def bounded_choice(samples: Samples, bound: float, only_plain: bool = False) -> Choice:
    """Return the choice whose step alone keeps every error within `bound`."""
    # Half a step is the bound, less a part in a million for rounding on the way back.
    step = 2 * bound / samples.std * (1 - 1e-6)

    allowed = [modes.search_of("none")] if only_plain else modes.searches()
    return _choice(samples, step, allowed)


def fine_choice(samples: Samples, snr: float) -> Choice:
    """Return the choice of split symbols for sparse maps at an SNR in dB."""
    target = 10 ** (-snr / 10)
    _, values = plain_model(samples, math.sqrt(12 * target))
    found, _ = samples.sample(_blocks(samples)[0], samples.sizes.trial, values)
    some = np.concatenate([a.ravel() for classes in found.values() for a in classes.values()])
    some = some.astype(np.float64)

    def error(step: float) -> float:
        return float(np.square(some - np.rint(some / step) * step).mean())

    step = solve_step(error, target, math.sqrt(12 * target))
    return _choice(samples, step, [modes.search_of(name) for name in ("none", "split")])


def _choice(samples: Samples, step: float, searches: Sequence[ModeSearch]) -> Choice:
    """Return the way of the fewest bits at a step."""
    model, values = plain_model(samples, step)
    lower, upper = ((b - values.mean) / values.std for b in (values.lower, values.upper))
    best: dict[bool, Way] = {}
    plain = modes.search_of("none")
    for block in _blocks(samples):
        found, fraction = samples.sample(block, samples.sizes.fit, values)
        for prefix, classes in found.items():
            if prefix and prefix in best:
                continue  # not changed by the block
            centres = model.centres[:, None, None]
            latents = {sizes: a.astype(np.float64) - centres for sizes, a in classes.items()}
            longest = (1,) if prefix else block
            sample = Sample(
                latents,
                longest,
                model.centre,
                model.centre_exponent,
                (lower, upper),
                values.positive,
                fraction,
            )
            ways = [best[prefix]] if prefix in best else []
            for search in searches:
                if not (prefix in best and search is plain):  # it knows no blocks
                    ways += search.ways(sample, step, samples.sparse)
            best[prefix] = min(ways, key=lambda way: way.bits)
    grid = best[False].part.model
    assert grid is not None
    return Choice(
        stats=samples.stats,
        values=values,
        parts={prefix: (way.part, way.coder) for prefix, way in best.items()},
        block=grid.block,
        quantiser=Quantiser(step, scale_of(step)),
        clamp=True,
        uses_profile=False,
        compute_dtype="float64",
        estimate=Estimate(sum(way.bits for way in best.values())),
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
