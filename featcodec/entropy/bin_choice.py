"""The encoder's choice of bins, rasters and tables for `bins`; every choice can be decoded."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .bin_sets import Bins, bins_of
from .bins import MOST_CHANNELS, MOST_CODE, BinModel, Low, level
from .raster import GRADES, SUMS, Cells, Kinds, Raster
from .raster_choice import choose_raster

LEAST = 64  # numbers
STRETCH = 1 << 18  # consecutive numbers that kinds are compared on
TABLES = (1, 8, 32)
KINDS, PLACES = 16, 4  # of channels, of places
ROUNDS = 5  # of clustering
TABLE_BITS = 6  # of a level, about
DEAR = 1 / 32  # of all bits: a model that takes more may be no better than one without kinds
KIND_BITS = 3  # of the kind of a channel or place
TOP_LEVEL = 20  # octaves below the sum of levels


class BinChoice(NamedTuple):
    """A model of numbers, and an estimate of the bits that it takes."""

    bits: float
    cells: Cells
    low: Low
    model: BinModel


def choose_bins(
    numbers: np.ndarray,
    floating: bool,
    rasters: Iterable[tuple[int, int]],
    like: BinModel | None = None,
) -> BinChoice | None:
    """Return the choice for unsigned integers (n,); None when they are few or all equal.

    `rasters` are the (width, channels) to choose from. With `like`, its raster and kinds are kept.
    """
    if numbers.size < LEAST or (numbers == numbers[0]).all():
        return None
    count, some = len(numbers), list(bins_of(numbers, floating))
    if like is not None and like.width * len(like.kinds.channels) <= count:
        sheets = [like.raster(count)]
    else:
        fitting = [(w, c) for w, c in rasters if 0 < w * c <= count and c <= MOST_CHANNELS]
        sheets, like = [Raster(count, *pair) for pair in fitting or [(1, 1)]], None

    def alike(bins_: Bins, sheets: Sequence[Raster]) -> tuple[float, Bins, Raster]:
        raster = sheets[0]
        if len(sheets) > 1:
            raster = choose_raster(sheets, bins_.grades, bins_.of_number)
        choice, _ = _modelled(numbers, bins_, raster, _alike(raster), TABLES[:2])
        return choice.bits, bins_, raster

    found = [alike(some[0], sheets)]
    found += [alike(each, [found[0][2]]) for each in some[1:]]
    best = min(found, key=lambda pair: pair[0])
    flat = alike(best[1].flattened, sheets)
    wanted = like.kinds.different if like else None
    ended: list[tuple[BinChoice, float, Bins, Kinds]] = []
    for _, bins_, raster in sorted((best, flat), key=lambda pair: pair[0]):
        kinds = _kinds(raster, bins_.grouped, wanted)
        ended.append((*_modelled(numbers, bins_, raster, kinds), bins_, kinds))
        if kinds.count == 1:
            break  # which of the ranks tell more is known then
    choice, side, bins_, kinds = min(ended, key=lambda each: each[0].bits)
    raster = choice.model.raster(count)
    if kinds.count > 1 and side > DEAR * choice.bits:
        plain, _ = _modelled(numbers, bins_, raster, _alike(raster))
        choice = min(choice, plain, key=lambda choice: choice.bits)
    return choice


def _modelled(
    numbers: np.ndarray,
    bins_: Bins,
    raster: Raster,
    kinds: Kinds,
    tables: Sequence[int] = TABLES,
) -> tuple[BinChoice, float]:
    """Return the choice of kinds with the best number of tables, and the bits of its model."""
    below = numbers[bins_.of_number < len(bins_.prefixes)] if bins_.low else numbers[:0]
    low = Low.of(below, bins_.shift, bins_.low)
    cells = raster.cells(bins_.grades, kinds, bins_.of_number)
    sizes = tables if kinds.count == 1 else tables[-1:]
    counts = _counts(cells, kinds, bins_.groups)
    cost, maps, codes = min((_tables(counts, cells, bins_, n) for n in sizes), key=lambda t: t[0])
    own = bins_.shift, bins_.low, bins_.prefixes, bins_.values, bins_.grades
    model = BinModel(*own, raster.width, kinds, maps, codes)
    side = 8.0 * len(model.pack(numbers.itemsize))
    bits = cost - TABLE_BITS * np.count_nonzero(codes) + side + low.expected
    return BinChoice(bits, cells, low, model), side


def _counts(cells: Cells, kinds: Kinds, groups: np.ndarray) -> np.ndarray:
    """Return how often bins of each group occur in each cell (cells, groups)."""
    size = int(groups.max()) + 1
    counts = np.zeros(2 * kinds.count * SUMS * size, np.int64)
    for of_pass, bins_of_pass in cells:
        counts += np.bincount(
            of_pass * np.int32(size) + groups.take(bins_of_pass), minlength=len(counts)
        )
    return counts.reshape(-1, size)


def _alike(raster: Raster) -> Kinds:
    places, channels = np.zeros(raster.places, np.uint8), np.zeros(raster.channels, np.uint8)
    return Kinds(places, channels, (1, 1))


def _kinds(raster: Raster, bins_: Bins, wanted: tuple[int, int] | None) -> Kinds:
    """Return the kinds: channels clustered by their bins, places by distance from the median."""
    grades, of_number = bins_.grades, bins_.of_number
    channels, places = raster.channels, raster.count // raster.channels
    if channels < 8 or places < 64 or wanted == (1, 1):
        return _alike(raster)
    whole = of_number[: places * channels]
    channel = np.tile(np.arange(channels, dtype=np.int32) * np.int32(len(grades)), places)
    counts = np.bincount(channel + whole, minlength=channels * len(grades))
    label = _clusters(counts.reshape(channels, -1).astype(np.float32), grades, KINDS, True)
    reach = np.abs(grades - (GRADES - 1) / 2).astype(np.float32)
    reached = reach.take(whole).reshape(places, channels).mean(1)
    of_places = np.zeros(raster.places, np.uint8)
    of_places[:places] = _quantiles(reached, np.ones(places), PLACES)
    of_channels = label.astype(np.uint8)
    candidates = (
        _alike(raster),
        Kinds(np.zeros_like(of_places), of_channels, (1, KINDS)),
        Kinds(of_places, of_channels, (PLACES, KINDS)),
    )
    for kinds in candidates:
        if kinds.different == wanted:
            return kinds
    return min(candidates, key=lambda kinds: _kinds_cost(kinds, raster, bins_))


def _kinds_cost(kinds: Kinds, raster: Raster, bins_: Bins) -> float:
    """Return the bits of numbers under such kinds, estimated on a stretch of them."""
    places = min(STRETCH, raster.count) // raster.channels
    part = replace(raster, count=places * raster.channels)
    kinds_of_part = replace(kinds, places=kinds.places[:places])
    cells = part.cells(bins_.grades, kinds_of_part, bins_.of_number[: part.count])
    counts = _counts(cells, kinds, bins_.groups) * (raster.count / part.count)
    cost, _, _ = _tables(counts, cells, bins_, TABLES[-1])
    pairs = zip((kinds.places, kinds.channels), kinds.different, strict=True)
    return cost + KIND_BITS * sum(len(each) for each, different in pairs if different > 1)


def _tables(
    counts: np.ndarray, cells: Cells, bins_: Bins, tables: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return bits, maps (cells,) and codes (tables, bins) of at most `tables` tables.

    `counts` (cells, groups) are of groups of bins.
    """
    every, (grades, groups) = len(counts), (bins_.grouped.grades, bins_.groups)
    used = np.flatnonzero(counts.any(1))
    counts = counts[used].astype(np.float32)
    label = _clusters(counts, grades, tables, every > 2 * SUMS)
    _, label = np.unique(label, return_inverse=True)
    maps = np.zeros(every, np.uint8)
    maps[used] = label
    sums = _sums(counts, label, int(label.max()) + 1)
    if sums.shape[1] < len(groups):
        size, shape = len(groups), (len(sums), len(groups))
        found = np.zeros(sums.shape[0] * size, np.int64)
        for of_pass, bins_of_pass in cells:
            keys = maps.take(of_pass) * np.int32(size) + bins_of_pass
            found += np.bincount(keys, minlength=len(found))
        sums = found.reshape(shape).astype(np.float32)
    codes = _codes(sums)
    levels = level(codes)
    chances = levels / levels.sum(1, keepdims=True)
    bits = -(sums * np.log2(np.where(sums > 0, chances, 1))).sum()
    return bits + TABLE_BITS * np.count_nonzero(sums), maps, codes


def _codes(counts: np.ndarray) -> np.ndarray:
    """Return the codes of levels in proportion to counts, 0 only for a count of 0."""
    wanted = counts * float(1 << TOP_LEVEL) / counts.sum(1, keepdims=True)
    steps = level(np.arange(MOST_CODE + 1))
    middles = (steps[1:-1] + steps[2:]) / 2
    return np.where(counts > 0, 1 + np.searchsorted(middles, wanted), 0).astype(np.uint8)


def _clusters(counts: np.ndarray, grades: np.ndarray, most: int, scales: bool) -> np.ndarray:
    """Return the cluster (n,) of each row of counts (n, bins), by Kullback-Leibler divergence."""
    sums = counts.sum(1)
    mean = counts @ grades.astype(np.float32) / sums
    if most == 1:
        return np.zeros(len(counts), np.int64)
    label = _quantiles(mean, sums, most if not scales else max(most // 4, 1))
    if scales:
        reach = counts @ np.abs(grades - np.float32((GRADES - 1) / 2)) / sums
        label = 4 * label + _quantiles(reach, sums, 4)
    share = counts.sum(0) / sums.sum()
    for _ in range(ROUNDS):
        totals = _sums(counts, label, most) + share
        totals /= totals.sum(1, keepdims=True)
        last, label = label, np.argmax(counts @ np.log2(np.maximum(totals, 1e-12)).T, axis=1)
        if (last == label).all():
            break
    return label


def _sums(counts: np.ndarray, label: np.ndarray, most: int) -> np.ndarray:
    """Return the sums (most, bins) of the rows of each label."""
    return (label == np.arange(most)[:, None]).astype(np.float32) @ counts


def _quantiles(values: np.ndarray, weights: np.ndarray, parts: int) -> np.ndarray:
    order = np.argsort(values, kind="stable")
    middle = np.cumsum(weights[order]) - weights[order] / 2
    label = np.empty(len(values), np.int64)
    label[order] = np.minimum(middle * parts // weights.sum(), parts - 1)
    return label
