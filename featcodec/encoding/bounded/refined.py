"""Groups that come back bit for bit by prediction: truncated, coded, refined (SPEC §7.17)."""

import math
from dataclasses import dataclass, replace

import numpy as np

from ... import modes
from ...align.numbers import from_float, unsigned
from ...align.value import ValueAlignment
from ...coding.model import GridModel
from ...coding.refinement import Refinement
from ...elements import PRECISION
from ...entropy import exact
from ...entropy.prediction import LARGEST
from ...errors import InputTooLarge
from ...request import Search
from ..choice import Choice
from ..fit import fitting
from ..lossless import ROW_GROUP_VALUES
from ..room import check_features
from ..tensors.group import Group
from ..tensors.lossless import LosslessGroup
from ..tensors.samples import Samples
from .choice import centred

USUAL = 0.99  # of the magnitudes are no larger than that which gives the step,
OCTAVES = 10  # of which that is so many octaves above it
MOST_BELOW = 1 / 4  # of the elements may be below a step, or their logarithms tell more of them,
OCTAVE_BITS = 6  # of which an octave takes so many steps, two to the power of it
MANY_CHANNELS = 1024  # need half as many tokens at least, so that prediction may pay
LEAST_VALUES = 1 << 14  # fewer do not pay for a model
MOST_CENTRE = 1 << 29
WORTHWHILE = 1.03  # of the bits of exact coding: so far off may estimates be, and files tell


@dataclass(frozen=True)
class RefinedGroup:
    """A group, and how its elements are coded bit for bit."""

    group: Group
    choice: Choice
    most_bits: float  # that exact coding takes

    @property
    def names(self) -> list[str]:
        return list(self.group.names)

    @property
    def first(self) -> str:
        return self.group.first


def refined_group(group: Group, choice: Choice | None) -> RefinedGroup | None:
    """Return the group by a choice of `refined_choice`; None when that is not worth it."""
    if choice is None:
        return None
    group = group.bit_for_bit
    most = _exact_bits(group)
    return RefinedGroup(group, choice, most) if choice.estimate.bits < WORTHWHILE * most else None


def refined_choice(group: Group, search: Search) -> Choice | None:
    """Return how a group, without repeated rows, is refined; None when it cannot be."""
    if group.values < LEAST_VALUES:
        return None
    try:
        check_features([group])
    except InputTooLarge:  # for one with models
        return None
    return _choice(group.bit_for_bit, search)


def _choice(group: Group, search: Search) -> Choice | None:
    samples = Samples(group, search)
    if samples.channels > MANY_CHANNELS and 2 * group.values < samples.channels**2:
        return None
    stats, some = samples.stats, samples.some[np.isfinite(samples.some)]
    if not stats.count or not stats.std > 0 or samples.sparse or not stats.moderate:
        return None
    refinement = _refinement(some, group.dtype)
    if refinement is None:
        return None
    step = refinement.step
    samples = Samples(replace(group, truncated=refinement, wide=True), search)
    if not samples.stats.std > 0 or samples.stats.reach > step * LARGEST / 4:
        return None
    values = ValueAlignment(samples.stats.lower, samples.stats.upper, 0.0, 1.0)
    predicted = [modes.search_of("predicted")]
    choice = centred(samples, step, predicted, _model(samples, step, values), values)
    stored = from_float(some, group.dtype).view(unsigned(group.dtype))
    bits = choice.estimate.bits + group.values * _low_bits(refinement, stored)
    estimate = replace(choice.estimate, bits=bits)
    return replace(choice, clamp=False, refinement=refinement, estimate=estimate)


def _refinement(some: np.ndarray, dtype: str) -> Refinement | None:
    """Return the refinement of elements like some: their usual values are many steps.

    Where many lie far below the largest, those of their logarithms are.
    """
    usual = float(np.quantile(np.abs(some), USUAL))
    precision = PRECISION[dtype]
    mantissa = round(-math.log2(precision.relative))
    if not usual > 0:
        return None
    step = math.ldexp(0.5, math.frexp(usual)[1] - min(mantissa, OCTAVES))
    if np.count_nonzero(np.abs(some) < step) > MOST_BELOW * some.size:
        return Refinement(dtype, 2.0 ** max(mantissa - OCTAVE_BITS, 0), logarithmic=True)
    if not precision.least / precision.relative <= step <= precision.largest:
        return None
    return Refinement(dtype, step)


def _model(samples: Samples, step: float, values: ValueAlignment) -> GridModel:
    """Return a model without a transform, its centres means that are multiples of the step."""
    some = samples.sample(samples.ones, samples.sizes.trial, values)[0][False]
    rows = np.concatenate([a.reshape(len(a), -1) for a in some.values()], axis=1)
    octave = round(math.log2(step))
    multiples = np.rint(rows.mean(axis=1, dtype=np.float64) / step).astype(np.int64)
    centre = multiples << max(octave, 0)
    if np.abs(centre).max(initial=0) >= MOST_CENTRE:
        centre[:] = 0
    model = fitting.linear_model(samples.ones, None, 0, 1, centre)
    return replace(model, centre_exponent=max(-octave, 0))


def _low_bits(refinement: Refinement, numbers: np.ndarray) -> float:
    """Return about how many bits a refinement takes of an element."""
    multiples = refinement.truncated(numbers)
    zero = multiples == 0
    widths = refinement.widths(multiples[~zero]).sum(dtype=np.int64)
    whole = np.count_nonzero(zero) * (refinement.mantissa + 3)  # and the sign and the exponent
    return float(widths + whole) / max(numbers.size, 1)


def _exact_bits(group: Group) -> float:
    """Return about how many bits a group takes in exact coding, without repeated rows."""
    whole = LosslessGroup.of(group)
    whole = whole.without_repeats or whole
    some = whole.read(0, min(whole.elements, ROW_GROUP_VALUES))
    coded = exact.ExactEncoder(True, whole.rasters, whole.axes).encode(some)
    return 8 * len(coded) * whole.elements / some.size
