"""Profiles in closed form, from any number of dumps read once."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from .. import limits
from ..align.layout import Layout
from ..align.value import ValueAlignment
from ..coding.model import GridModel
from ..coding.parts.base import Sizes
from ..container.model import ProfileEntry
from ..encoding.fit import fitting
from ..encoding.fit.fitting import Classes, Energy
from ..encoding.fit.spectrum import ranks_of
from ..encoding.judge import judge_at
from ..encoding.room import check_features
from ..encoding.search.candidate import separable
from ..encoding.tensors.group import Group
from ..encoding.tensors.grouping import group_tensors
from ..encoding.tensors.stated import is_stated
from ..errors import InvalidInput
from ..modes.banded.fit import EDGES, Moments, banded_model, radial
from ..request import Options
from ..tensors import Source
from ..transform import householder
from .contexts import RANGES, context_bits, context_model
from .metric import TaskGradients
from .pools import Pool, collect, in_reach, is_sparse, kind_of, merged
from .rank import FILES, GOAL, flattery, paying
from .tables import learn_tables, symbol_bits

ERRORS = (0.3, 0.1, 0.01, 0.001)  # of the variance, at which blocks are compared
NEARLY = 0.0015  # of the bits: scales of shorter blocks, which are fewer, are surer
TINY = 1e-12
FINE, FEWER = 20.0, 0.97  # dB, at which an entry without axes is to take so many of the bits
ALL, BEATEN = (4.0, 8.0, 20.0, 35.0), 0.9  # dB, at which it is to, for there to be no axes
OF_PART = 16.0  # times what it is trained on: so much is an entry for a part to serve
LEAST_TOKENS = 1.5  # for each channel, that a band must have to get a KLT of its own


def train(
    sources: Iterable[Source], options: Options, task: TaskGradients | None = None
) -> list[ProfileEntry]:
    """Return an entry for each kind of features: model and layer, channels, layout.

    With the gradients of a task each kind has more entries, with the metric of the task. Raises
    InvalidInput when the dumps hold no features to train on, and for gradients that do not fit.
    """
    pools: dict[tuple, Pool] = {}
    parts: dict[tuple, tuple] = {}  # such as one layer among others, and the kind of all
    judge = judge_at(None, None, options)  # as the encoder reads the dumps that the profile serves
    for source in sources:
        groups = group_tensors(source, options, lossless=False, judge=judge, training=True)
        check_features(groups)
        known = [in_reach(group) for group in groups if isinstance(group, Group)]
        features = [group for group in known if group is not None]
        for group in [*features, *_as_rows(features, source, options)]:
            collect(pools, group)
            if group.told:
                own = replace(group, label=group.told)
                collect(pools, own)
                parts[kind_of(own)] = kind_of(group)
        if task is not None:
            task.gather(features, source)
    kinds = sorted((key[:-1] for key in pools if not key[-1]), key=lambda key: key[:2])
    fitted: dict[tuple, list[Fitted]] = {}
    for kind in sorted(kinds, key=parts.__contains__):
        plain = _fitted(pools[(*kind, False)], pools.get((*kind, True)))
        if kind not in parts or _pays(pools[(*kind, False)], plain, fitted[parts[kind]]):
            fitted[kind] = plain
    entries: list[ProfileEntry] = []
    for kind in (kind for kind in kinds if kind in fitted):
        entries += [one.entry for one in fitted[kind] if not one.beaten]
        if task is not None and kind not in parts:
            pair = [pools[(*kind, False)], pools.get((*kind, True))]
            entries += task.entries(kind, pair, [one.entry for one in fitted[kind]])
    if not entries:
        raise InvalidInput("the dumps hold no features to train on")
    return entries


@dataclass(frozen=True)
class Fitted:
    """An entry, and about how many bits a value it leaves other features of its kind."""

    entry: ProfileEntry
    bits: float
    takes: Callable[[float], float]  # bits a value of its own features, at an SNR in dB
    beaten: bool = False  # by another entry for the same features, at any SNR


def _pays(pool: Pool, own: Sequence[Fitted], of_all: Sequence[Fitted]) -> bool:
    """Return whether entries of a part of some features save more than their bytes."""
    if not own or not of_all:
        return False
    entry = of_all[0].entry
    model = GridModel.unpack(entry.model, entry.channels)
    if model.block not in pool.samples:
        return False
    values = ValueAlignment(entry.lower, entry.upper, entry.mean, entry.std)
    classes = merged(pool.samples[model.block], values)
    energy = fitting.energy_of(fitting.latents_of(model, classes, "float32"), model.block)
    bits = math.exp(_logarithm(model.scales, energy, (own[0].entry.std / entry.std) ** 2))
    saved = (bits - own[0].bits) * OF_PART * own[0].entry.values
    return saved > 8 * sum(len(one.entry.pack()) for one in own)


def _as_rows(groups: Iterable[Group], source: Source, options: Options) -> Iterator[Group]:
    """Yield tables whose rows are read as channels, which nobody states, with rows of channels too.

    Another dump may have more rows, and fit only so.
    """
    tensors = {tensor.name: tensor for tensor in source.tensors}
    for group in groups:
        tensor = tensors.get(group.names[0])
        rows = {"DL": "LD", "DN": "ND"}.get(group.layout.axes)
        if rows and tensor and not is_stated(tensor, source.metadata or {}, options):
            yield replace(group, layout=Layout(rows))


def _fitted(pool: Pool, prefix: Pool | None) -> list[Fitted]:
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
        return [*entries, _entry(prefix, values, [min(prefix.samples)])]
    others = list(_of_zeros(pool, values, FEWER * entries[0].takes(FINE)))
    beaten = others and all(
        min(other.takes(snr) for other in others) < BEATEN * entries[0].takes(snr) for snr in ALL
    )
    return [replace(entries[0], beaten=bool(beaten)), *others]


def _of_zeros(pool: Pool, values: ValueAlignment, most: float) -> Iterator[Fitted]:
    """Yield the entry without axes of sparse features, if it takes at most so many bits a value.

    Those of lines and maps have context modelling, where neighbours tell: for coarse steps, for
    fine ones and for those between.
    """
    values = replace(values, mean=0.0)
    plain = _without_transform(pool, values)
    fine = most if plain is None else min(most, FEWER * plain.takes(FINE))
    contexts = list(_with_contexts(pool, values)) if pool.maps else []
    if contexts and contexts[-1].takes(FINE) < fine:
        yield from contexts
    elif plain is not None and plain.takes(FINE) < most:
        yield plain


def _with_contexts(pool: Pool, values: ValueAlignment) -> Iterator[Fitted]:
    block = max(pool.maps, key=math.prod)
    classes, positive = merged(pool.maps[block], values), values.lower >= values.mean
    for snrs in RANGES:
        model = context_model(classes, block, positive, snrs)
        takes = cache(partial(context_bits, model, classes, positive))
        yield Fitted(_stated(pool, values, model), math.inf, takes)


def _without_transform(pool: Pool, values: ValueAlignment) -> Fitted | None:
    block = min(pool.samples)
    classes = merged(pool.samples[block], values)
    if not is_sparse(classes.values()):
        return None
    centre = np.zeros(len(next(iter(classes.values()))), np.int64)
    model = fitting.linear_model(block, None, 0, 1, centre)
    model = replace(model, scales=_scales(fitting.energy_of(classes, block)))
    return _as_entry(pool, values, _code_length(classes, block), model, classes)


def _entry(pool: Pool, values: ValueAlignment, blocks: list[Sizes]) -> Fitted:
    mean, _ = pool.moments()
    scaled = (mean - values.mean) / values.std * (1 << fitting.CENTRE_EXPONENT)
    centre = np.rint(scaled).astype(np.int64)
    most = limits.PROFILE_KLT_NUMBERS
    variance = float(pool.moments()[1].sum()) / values.std**2
    found = pool.axes()
    spectrum, rank = paying(found, variance, pool.count, fitting.most_axes(len(centre), most))
    vectors = householder.factor(spectrum.axes, rank, spectrum.magnitudes[:rank])[None]
    whole = GridModel("linear", (), centre, fitting.CENTRE_EXPONENT, vectors, np.zeros((0, 1)))
    whole = fitting.low_rank(whole, most)
    best: tuple[float, GridModel, Classes] | None = None
    for block in blocks:
        classes = merged(pool.samples[block], values)
        shape = (1,) if pool.prefix else block
        banded = _banded(pool.bands.get(block), centre, values.std**2)
        model = banded or replace(whole, block=shape)
        latents = fitting.latents_of(model, classes, "float32")
        if banded is None:
            factors = flattery(found, rank).astype(np.float32)[:, None, None]
            latents = {sizes: a * factors for sizes, a in latents.items()}
        model = replace(model, scales=_scales(fitting.energy_of(latents, shape)))
        length = _code_length(latents, shape)
        if best is None or length < best[0] + NEARLY:  # shorter blocks come later
            best = (length, model, latents)
    assert best is not None
    return _as_entry(pool, values, *best)


def _as_entry(
    pool: Pool, values: ValueAlignment, length: float, model: GridModel, latents: Classes
) -> Fitted:
    """Return the entry of a model whose latents have a code length."""
    model = replace(model, tables=learn_tables([(model, latents)]))
    takes = cache(partial(symbol_bits, model, latents))
    return Fitted(_stated(pool, values, model), math.exp(length), takes)


def _stated(pool: Pool, values: ValueAlignment, model: GridModel) -> ProfileEntry:
    """Return the entry of a model."""
    group = pool.group
    return ProfileEntry(
        group.label,
        group.architecture,
        group.layout.axes,
        group.layout.prefix,
        group.layout.grid,
        pool.prefix,
        len(model.centre),
        pool.count * len(model.centre),
        values.mean,
        values.std,
        values.lower,
        values.upper,
        model.pack(),
    )


def _scales(energy: Energy) -> np.ndarray:
    """Return scales, those of few latents near what others of their channel and place have."""
    return energy.towards(separable(energy.scales())).scales()


def _code_length(latents: Classes, block: Sizes) -> float:
    """Return about how many bits other latents take; the logarithm of the mean at some errors.

    What the sample takes by its own scales is flattered; what its second half takes by the scales
    of the first, of half as many latents, is twice as far from what scales without error would
    give. That is what counts: the encoder corrects scales.
    """
    halves = [{sizes: a[..., : -(-a.shape[2] // 2)] for sizes, a in latents.items()}]
    halves += [{sizes: a[..., -(-a.shape[2] // 2) :] for sizes, a in latents.items()}]
    if not sum(a.size for a in halves[1].values()):
        return math.inf
    first, second = (fitting.energy_of(half, block) for half in halves)
    every = fitting.energy_of(latents, block)
    return (2 * _logarithm(_scales(every), every) + _logarithm(_scales(first), second)) / 3


def _logarithm(scales: np.ndarray, energy: Energy, variance: float = 1.0) -> float:
    """Return the logarithm of the bits that latents of an energy take by some scales."""
    expected = 2.0 ** (scales / 2)
    found = energy.moment / np.maximum(energy.count, 1)
    weight = energy.count / (energy.count.sum() * len(expected))
    length = 0.0
    for error in variance * np.array(ERRORS):
        ratio = (found + error) / (expected + error)
        bits = (np.log2(expected / error + 1) + (ratio - 1) / math.log(2)) / 2
        length += math.log(max(float((weight * bits).sum()), TINY)) / len(ERRORS)
    return length


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
