"""Profiles in closed form, from any number of dumps read once."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from .. import limits
from ..align.value import ValueAlignment, typical_bounds
from ..coding.model import GridModel
from ..coding.parts.base import PartCoder, Sizes
from ..coding.parts.dependent import DependentCoder
from ..container.model import ProfileEntry
from ..encoding.fit import fitting
from ..encoding.fit.fitting import Classes, Counts
from ..encoding.room import check_features
from ..encoding.search.candidate import scale_of
from ..encoding.search.solve import solve_step
from ..encoding.tensors.group import Group
from ..encoding.tensors.grouping import group_tensors
from ..entropy import dependent_family, family, fit
from ..entropy.tables import EMPTY, Table
from ..errors import InvalidInput
from ..modes.banded.fit import EDGES, Moments, banded_model, radial
from ..request import Options
from ..tensors import Source
from ..transform import householder
from ..transform.linear import principal_axes

KEPT_VALUES = 1 << 22  # a sample of so many values per entry, for scales and tables
MAGNITUDE = 64.0  # of the reflectors' integers: a profile is stored once, for many files
COARSE = 16.0  # the same where there are several bands, each of which counts less
MOST_AXES = 1024  # channels of a KLT for each band: beyond, profiles grow more than rates shrink
LEAST_TOKENS = 1.5  # for each channel, that a band must have to get a KLT of its own
TABLE_SNRS = (2, 4, 7, 10, 14, 18, 22, 26, 30)  # dB, at which the tables are fitted
LEAST_COUNT = 200  # symbols unlike zero, for a table of a profile's own


@dataclass
class Pool:
    """What is kept of all features of one kind: moments of all, and a sample."""

    group: Group
    prefix: bool
    count: int = 0
    pivot: np.ndarray | None = None
    total: np.ndarray | None = None
    products: np.ndarray | None = None
    lower: float = math.inf
    upper: float = -math.inf
    bands: dict[Sizes, Moments] = field(default_factory=dict)  # by longest block
    samples: dict[Sizes, list[dict[Sizes, np.ndarray]]] = field(default_factory=dict)
    kept: int = 0

    def add(self, values: np.ndarray) -> None:
        """Take in values (channels, n), not yet normalised."""
        if self.pivot is None:
            self.pivot = values.mean(axis=1, dtype=np.float64)
            self.total = np.zeros(len(values))
            self.products = np.zeros((len(values), len(values)))
        assert self.total is not None and self.products is not None
        shifted = values - self.pivot.astype(values.dtype)[:, None]
        self.total += shifted.sum(axis=1, dtype=np.float64)
        self.products += shifted @ shifted.T
        self.count += values.shape[1]
        self.lower = min(self.lower, float(values.min()))
        self.upper = max(self.upper, float(values.max()))

    def add_bands(self, values: np.ndarray, sizes: Sizes, block: Sizes) -> None:
        """Take in values (channels, points, blocks) once more, by bands of frequencies."""
        if block not in self.bands:
            self.bands[block] = Moments(radial(block, max(EDGES)), len(values))
        assert self.pivot is not None and self.total is not None
        mean = self.pivot + self.total / self.count
        self.bands[block].add(values - mean.astype(values.dtype)[:, None, None], sizes)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and covariance of the channels."""
        assert self.pivot is not None and self.total is not None and self.products is not None
        mean = self.total / self.count
        return self.pivot + mean, self.products / self.count - np.outer(mean, mean)


def train(sources: Iterable[Source], options: Options) -> list[ProfileEntry]:
    """Return an entry for each kind of features: model and layer, channels, layout.

    Raises InvalidInput when the dumps hold no features to train on.
    """
    pools: dict[tuple, Pool] = {}
    for source in sources:
        groups = group_tensors(source, options, lossless=False)
        check_features(groups)
        for group in groups:
            if isinstance(group, Group):
                _collect(pools, group)
    entries = []
    for key in sorted(pools, key=lambda key: key[:2]):
        if not key[-1]:
            prefix = pools.get((*key[:-1], True))
            entries += _entries(pools[key], prefix)
    if not entries:
        raise InvalidInput("the dumps hold no features to train on")
    return entries


def _collect(pools: dict[tuple, Pool], group: Group) -> None:
    """Add a group to the pools of its kind: all values to the moments, some to the sample."""
    layout = group.layout
    channels = layout.token_grid(group.shapes[0])[-1]
    axes = len(group.grids[0])
    key = (
        group.label,
        channels,
        layout.axes,
        layout.prefix,
        layout.grid,
        axes,
        group.compute_dtype,
    )
    ones = tuple(1 for _ in group.grids[0])
    for prefix, _, values in _chunks(group, ones):
        pool = pools.setdefault((*key, prefix), Pool(group, prefix))
        pool.add(values.reshape(channels, -1))
    if 2 <= channels <= MOST_AXES:
        for block in fitting.blocks_worth_trying(group.grids):
            for prefix, sizes, values in _chunks(group, block):
                if not prefix:
                    pools[(*key, False)].add_bands(values, sizes, block)
    _sample(pools, key, group)


def _chunks(group: Group, block: Sizes) -> Iterator[tuple[bool, Sizes, np.ndarray]]:
    """Yield all blocks of a group: of the prefix or not, sizes, values made harmless."""
    grid = group.grid(block)
    per = max((1 << 20) // max(grid.largest_slab(), 1), 1)
    bounds: tuple[float, float] | None = None
    for first in range(0, grid.slabs, per):
        boxes = grid.boxes(first, min(first + per, grid.slabs))
        for (prefix, sizes), found in boxes.items():
            values = grid.collect(found, group.tensor, group.floats)
            if bounds is None:
                finite = values[np.isfinite(values)]
                bounds = typical_bounds(finite) if finite.size else (0.0, 0.0)
            yield prefix, sizes, np.clip(np.nan_to_num(values, nan=0.0), *bounds)


def _sample(pools: dict[tuple, Pool], key: tuple, group: Group) -> None:
    """Keep blocks of a group in every size worth trying."""
    room = KEPT_VALUES - pools[(*key, False)].kept
    if room <= 0:
        return
    ones = tuple(1 for _ in group.grids[0])
    for block in [*fitting.blocks_worth_trying(group.grids), ones]:
        arrays, _ = group.sample(block, min(room, KEPT_VALUES // 4))
        for prefix in (False, True):
            mine = {sizes: a for (p, sizes), a in arrays.items() if p == prefix}
            if mine:
                pools[(*key, prefix)].samples.setdefault(block, []).append(mine)
        pools[(*key, False)].kept += sum(a.size for a in arrays.values()) // 3


def _entries(pool: Pool, prefix: Pool | None) -> list[ProfileEntry]:
    """Return the entry of a grid and, where there is one, that of its prefix tokens."""
    mean_vector, covariance = pool.moments()
    mean = float(mean_vector.mean())
    std = math.sqrt(
        float(np.trace(covariance)) / len(mean_vector) + float(((mean_vector - mean) ** 2).mean())
    )
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
    mean, covariance = pool.moments()
    scaled = (mean - values.mean) / values.std * (1 << fitting.CENTRE_EXPONENT)
    centre = np.rint(scaled).astype(np.int64)
    vectors = np.zeros((1, len(centre), 0), np.int64)
    if len(centre) ** 2 <= limits.PROFILE_KLT_NUMBERS:  # no profile holds a larger one
        _, axes = principal_axes(covariance / values.std**2)
        vectors = householder.factor(axes, len(centre) - 1, MAGNITUDE)[None]
    whole = GridModel("linear", (), centre, fitting.CENTRE_EXPONENT, vectors, np.zeros(0))
    best: tuple[float, GridModel, Classes] | None = None
    for block in blocks:
        classes = _merge(pool.samples[block], values)
        shape = (1,) if pool.prefix else block
        model = _banded(pool.bands.get(block), centre) or replace(whole, block=shape)
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


def _banded(moments: Moments | None, centre: np.ndarray) -> GridModel | None:
    """Return a model with as many bands as there are tokens for, None when that is one."""
    if moments is None:
        return None
    block = moments.bands.shape
    for count in sorted(EDGES, reverse=True):
        fewer = moments.merged(radial(block, count))
        if len(fewer.tokens) > 1 and fewer.tokens.min() >= LEAST_TOKENS * len(centre):
            return banded_model(fewer.bands, fewer.axes(), len(centre) - 1, COARSE, centre)
    return None


def _merge(samples: list[dict[Sizes, np.ndarray]], values: ValueAlignment) -> dict:
    """Return normalised samples of all dumps, by size of block."""
    merged: dict[Sizes, list[np.ndarray]] = {}
    for sample in samples:
        for sizes, a in sample.items():
            inside = np.clip(np.nan_to_num(a, nan=values.mean), values.lower, values.upper)
            merged.setdefault(sizes, []).append(values.forward(inside.astype(np.float32)))
    return {sizes: np.concatenate(arrays, axis=2) for sizes, arrays in merged.items()}


def learn_tables(models: list[tuple[GridModel, Classes]]) -> dict[int, Table]:
    """Return tables fitted to latents at steps from coarse to fine, by number.

    The tables of a number serve latents of about the same deviation in steps, whatever the step.
    """
    tables: dict[int, Table] = {}
    for kind in (PartCoder, DependentCoder):
        fitted: dict[int, Table] = {}
        for _ in range(2):  # the thresholds follow the tables
            fitted = _fit_tables(models, kind, {**tables, **fitted})
        tables |= fitted
    return tables


def _fit_tables(
    models: list[tuple[GridModel, Classes]], kind: type[PartCoder], tables: Mapping[int, Table]
) -> dict[int, Table]:
    histograms: dict[int, fit.Histogram] = {}
    moments: dict[int, list[tuple[float, float, float]]] = {}
    for model, latents in models:
        for snr in TABLE_SNRS:
            counts = _count_at(model, latents, kind, tables, snr)
            for number, histogram in counts.histograms.items():
                before = histograms.get(number)
                histograms[number] = histogram if before is None else before + histogram
                weight = float(histogram.total)
                moments.setdefault(number, []).append((weight, *counts.offsets[number]))
    return {
        number: _table(histogram, moments[number])
        for number, histogram in histograms.items()
        if (number >= dependent_family.FIRST) == (kind is DependentCoder)
        and number % dependent_family.TABLES <= family.LAST
        and histogram.nonzero >= LEAST_COUNT
    }


def _table(histogram: fit.Histogram, moments: list[tuple[float, float, float]]) -> Table:
    table = fit.fit(histogram)
    if table is EMPTY:
        return table
    weights, first, further = np.array(moments).T
    offsets = (
        float(np.average(first, weights=weights)),
        float(np.average(further, weights=weights)),
    )
    return fitting.with_offsets(table, *offsets)


def _count_at(
    model: GridModel,
    latents: Classes,
    kind: type[PartCoder],
    tables: Mapping[int, Table],
    snr: float,
) -> Counts:
    """Quantise a sample at about an SNR and count its symbols."""
    transform = model.transform_in("float32")

    def coder(kind: type[PartCoder], step: float) -> PartCoder:
        return kind(transform, model.scales, tables, step, scale_of(step), "float32")

    def error(step: float) -> float:
        counts = fitting.count_symbols(coder(PartCoder, step), latents)
        return counts.error / counts.total

    target = 10 ** (-snr / 10)
    step = solve_step(error, target, math.sqrt(12 * target), precision=0.05)
    return fitting.count_symbols(coder(kind, step), latents)
