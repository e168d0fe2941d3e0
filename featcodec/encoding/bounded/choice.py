"""Choices in the sample domain whose step alone bounds the error."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ... import modes
from ...align.numbers import from_float, spacing, to_float
from ...align.value import ValueAlignment
from ...coding.model import GridModel
from ...coding.parts.base import Sizes
from ...elements import BITS
from ...modes.search import ModeSearch
from ..choice import Choice, Estimate, Quantiser
from ..fit import fitting
from ..fit.plain import at_zero, plain_model
from ..search.candidate import scale_of
from ..search.solve import solve_step
from ..tensors.samples import Samples
from .sample_domain import Sample, Way

MANY_LENGTHS = 4  # of lines
ROOM = 1 / 32  # of the bound: the least distance of elements that a step may leave room for
GAP_BITS = 8  # of the place of a value that is kept, about
NEAR_ZERO = 1 / 4  # of a deviation: fewer than EMPTY_CELLS of normal values lie so near
EMPTY_CELLS = 1 / 4  # of the values are zero or so near, from which on zero may be the best centre
RIVAL = 1.3  # of the fewest bits with usual centres: ways of more are not tried with zero


def bounded_choice(samples: Samples, bound: float, searches: Sequence[ModeSearch]) -> Choice:
    """Return the choice whose step alone keeps every error within `bound`."""
    return _choice(samples, _widest_step(samples, bound), searches)


def _widest_step(samples: Samples, bound: float) -> float:
    """Return the step within a bound, in deviations, of the fewest bits.

    Half a step is the bound, less a part in a million for rounding on the way back. Elements that
    lie sparsely may decode beyond it all the same, and are kept as they are. Where that is dear,
    the step leaves room for the distance of some elements.
    """
    widest = 2 * bound * (1 - 1e-6)
    some = samples.some[np.isfinite(samples.some)].astype(np.float64)
    dtype = samples.group.dtype
    distances = np.unique(spacing(some, dtype))
    rooms = [0.0, *distances[(distances > ROOM * bound) & (distances < bound)].tolist()]

    def bits(room: float) -> float:
        step = widest - room
        decoded = np.rint((some - samples.stats.mean) / step) * step + samples.stats.mean
        beyond = np.abs(to_float(from_float(decoded, dtype), dtype) - some) > bound
        coded = np.count_nonzero(np.abs(some - samples.stats.mean) > bound)
        return np.count_nonzero(beyond) * (BITS[dtype] + GAP_BITS) - coded * math.log2(step)

    return (widest - min(rooms, key=bits)) / samples.std


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
    least: dict[ModeSearch, float] = {}
    found = [centred(samples, step, searches, *plain_model(samples, step), least)]
    values = replace(samples.alignment(), mean=0.0)
    if found[0].values.mean and _near_zero(samples, step) > EMPTY_CELLS:
        far = RIVAL * min(least.values(), default=math.inf)
        plain = modes.search_of("none")
        rivals = [one for one in searches if one is plain or not far < least[one] < math.inf]
        found.append(centred(samples, step, rivals, at_zero(samples), values))
    return min(found, key=lambda choice: choice.estimate.bits)


def _near_zero(samples: Samples, step: float) -> float:
    """Return the share of values that are zero in steps, or nearly in deviations."""
    some = samples.some
    near = max(step / 2, NEAR_ZERO) * samples.std
    return np.count_nonzero(np.abs(some) <= near) / max(some.size, 1)


def centred(
    samples: Samples,
    step: float,
    searches: Sequence[ModeSearch],
    model: GridModel,
    values: ValueAlignment,
    least: dict[ModeSearch, float] | None = None,
) -> Choice:
    """Return the way of the fewest bits at a step, with the centres of a model.

    `least` is told the fewest bits of the grid that each search finds.
    """
    sparse = samples.sparse or _near_zero(samples, step) > EMPTY_CELLS
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
                    more = search.ways(sample, step, sparse)
                    ways += more
                    if least is not None and not prefix:
                        known = least.get(search, math.inf)
                        least[search] = min([known, *(way.bits for way in more)])
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
