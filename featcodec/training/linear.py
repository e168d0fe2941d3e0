"""Profiles in closed form, from any number of dumps read once."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from .. import limits
from ..align.value import ValueAlignment
from ..coding.model import GridModel
from ..coding.parts.base import Sizes
from ..container.model import ProfileEntry
from ..encoding.fit import fitting
from ..encoding.fit.fitting import Classes
from ..encoding.fit.spectrum import ranks_of
from ..encoding.judge import judge_at
from ..encoding.room import check_features
from ..encoding.search.candidate import scale_of
from ..encoding.tensors.group import Group
from ..encoding.tensors.grouping import group_tensors
from ..errors import InvalidInput
from ..modes.banded.fit import EDGES, Moments, banded_model, radial
from ..request import Options
from ..tensors import Source
from ..transform import householder
from .metric import TaskGradients
from .pools import Pool, collect, merged
from .tables import learn_tables

# A profile is stored once, for many files: its axes are those that pay in so many times the tokens
# that it is trained on, at 30 dB.
FILES, GOAL = 4.0, 1e-3
LEAST_TOKENS = 1.5  # for each channel, that a band must have to get a KLT of its own


def train(
    sources: Iterable[Source], options: Options, task: TaskGradients | None = None
) -> list[ProfileEntry]:
    """Return an entry for each kind of features: model and layer, channels, layout.

    With the gradients of a task each kind has more entries, with the metric of the task. Raises
    InvalidInput when the dumps hold no features to train on, and for gradients that do not fit.
    """
    pools: dict[tuple, Pool] = {}
    judge = judge_at(None, None, options)  # as the encoder reads the dumps that the profile serves
    for source in sources:
        groups = group_tensors(source, options, lossless=False, judge=judge)
        check_features(groups)
        features = [group for group in groups if isinstance(group, Group)]
        for group in features:
            collect(pools, group)
        if task is not None:
            task.gather(features, source)
    entries = []
    for key in sorted(pools, key=lambda key: key[:2]):
        if not key[-1]:
            prefix = pools.get((*key[:-1], True))
            plain = _entries(pools[key], prefix)
            entries += plain
            if task is not None:
                entries += task.entries(key[:-1], [pools[key], prefix], plain)
    if not entries:
        raise InvalidInput("the dumps hold no features to train on")
    return entries


def _entries(pool: Pool, prefix: Pool | None) -> list[ProfileEntry]:
    """Return the entry of a grid and, where there is one, that of its prefix tokens."""
    mean_vector, variance = pool.moments()
    mean = float(mean_vector.mean())
    std = math.sqrt(float(variance.mean()) + float(((mean_vector - mean) ** 2).mean()))
    if not std > 0:
        return []
    bounds = (pool.lower, pool.upper)
    if prefix is not None:
        bounds = (min(bounds[0], prefix.lower), max(bounds[1], prefix.upper))
    values = ValueAlignment(*bounds, mean, std)
    entries = [_entry(pool, values, list(pool.samples))]
    if prefix is not None:
        entries.append(_entry(prefix, values, [min(prefix.samples)]))
    return entries


def _entry(pool: Pool, values: ValueAlignment, blocks: list[Sizes]) -> ProfileEntry:
    group = pool.group
    mean, _ = pool.moments()
    scaled = (mean - values.mean) / values.std * (1 << fitting.CENTRE_EXPONENT)
    centre = np.rint(scaled).astype(np.int64)
    most = limits.PROFILE_KLT_NUMBERS
    spectrum = pool.spectrum(values.std, FILES * pool.count, GOAL)
    rank = max(ranks_of([spectrum], fitting.most_axes(len(centre), most)), default=0)
    vectors = householder.factor(spectrum.axes, rank, spectrum.magnitudes[:rank])[None]
    whole = GridModel("linear", (), centre, fitting.CENTRE_EXPONENT, vectors, np.zeros((0, 1)))
    whole = fitting.low_rank(whole, most)
    best: tuple[float, GridModel, Classes] | None = None
    for block in blocks:
        classes = merged(pool.samples[block], values)
        shape = (1,) if pool.prefix else block
        model = _banded(pool.bands.get(block), centre, values.std**2) or replace(whole, block=shape)
        latents = fitting.latents_of(model, classes, "float32")
        model = replace(model, scales=fitting.energy_of(latents, shape).scales())
        # The mean logarithm of the deviations is the rate at high resolution.
        rate = float(np.maximum(model.scales, scale_of(0.1)).mean())
        if best is None or rate < best[0]:
            best = (rate, model, latents)
    assert best is not None
    model = replace(best[1], tables=learn_tables([(best[1], best[2])]))
    return ProfileEntry(
        group.label,
        group.architecture,
        group.layout.axes,
        group.layout.prefix,
        group.layout.grid,
        pool.prefix,
        len(centre),
        pool.count * len(centre),
        values.mean,
        values.std,
        values.lower,
        values.upper,
        model.pack(),
    )


def _banded(moments: Moments | None, centre: np.ndarray, variance: float) -> GridModel | None:
    """Return a model with as many bands as there are tokens for, None when that is one."""
    if moments is None:
        return None
    block = moments.bands.shape
    for count in sorted(EDGES, reverse=True):
        fewer = moments.merged(radial(block, count))
        if len(fewer.tokens) > 1 and fewer.tokens.min() >= LEAST_TOKENS * len(centre):
            spectra = fewer.spectra(GOAL * variance, FILES)
            rank = max(ranks_of(spectra, len(centre) - 1), default=0)
            return banded_model(fewer.bands, spectra, rank, centre)
    return None
