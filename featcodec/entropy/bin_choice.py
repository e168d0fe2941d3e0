"""The encoder's choice of bins, rasters and tables for `bins`; every choice can be decoded."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .bins import MOST_BINS, MOST_CHANNELS, MOST_CODE, BinModel, Low, level
from .raster import GRADES, SUMS, Cells, Kinds, Raster
from .raster_choice import choose_raster

SAMPLE = 1 << 16  # numbers that bins are chosen on
LEAST = 64  # numbers
STRETCH = 1 << 18  # consecutive numbers that kinds are compared on
FEW = 512  # different numbers at most, for a bin each,
MORE, TIMES = 2048, 256  # or even more where each occurs so often
PREFIXES = 192
LONG = 4  # bytes of a number, of which low bits may be more to make whole bytes
PREFIX_BITS = 24  # of the bin of a prefix, about
# A number has a bin of its own where that pays and it is ABOVE times as frequent as its neighbours.
ABOVE = 4
VALUE_BITS = 200  # of the bin of one value, about
VALUES = 1024  # of which bins there are at most
TABLES = (1, 8, 32)
KINDS, PLACES = 16, 4  # of channels, of places
ROUNDS = 5  # of clustering
TABLE_BITS = 6  # of a level, about
DEAR = 1 / 32  # of all bits: a model that takes more may be no better than one without kinds
KIND_BITS = 3  # of the kind of a channel or place
TOP_LEVEL = 20  # octaves below the sum of levels
LOOKUP = 1 << 21  # range of prefixes up to which a lookup table replaces a search


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
    shift, low, prefixes, values, of_number = _bins(numbers)
    grades = _grades(8 * numbers.itemsize - shift, low, prefixes, values, of_number, floating)
    count = len(of_number)
    if like is not None and like.width * len(like.kinds.channels) <= count:
        raster = like.raster(count)
    else:
        fitting = [(w, c) for w, c in rasters if 0 < w * c <= count and c <= MOST_CHANNELS]
        sheets = [Raster(count, *pair) for pair in fitting or [(1, 1)]]
        raster, like = choose_raster(sheets, grades, of_number), None
    bins_ = (shift, low, prefixes, values, grades)
    below = Low.of(numbers[of_number < len(prefixes)] if low else numbers[:0], shift, low)
    kinds = _kinds(raster, grades, of_number, like.kinds.different if like else None)
    found, side = _modelled(bins_, raster, kinds, of_number, below)
    if kinds.count > 1 and side > DEAR * found.bits:
        alike, _ = _modelled(bins_, raster, _alike(raster), of_number, below)
        found = min(found, alike, key=lambda choice: choice.bits)
    return found


def _modelled(
    bins_: tuple[int, int, np.ndarray, np.ndarray, np.ndarray],
    raster: Raster,
    kinds: Kinds,
    of_number: np.ndarray,
    below: Low,
) -> tuple[BinChoice, float]:
    """Return the choice of kinds with the best number of tables, and the bits of its model."""
    grades = bins_[-1]
    cells = raster.cells(grades, kinds, of_number)
    counts = _counts(cells, kinds, len(grades))
    sizes = TABLES if kinds.count == 1 else TABLES[-1:]
    cost, maps, codes = min((_tables(counts, grades, n) for n in sizes), key=lambda t: t[0])
    model = BinModel(*bins_, raster.width, kinds, maps, codes)
    side = 8.0 * len(model.pack(bins_[2].itemsize))
    bits = cost - TABLE_BITS * np.count_nonzero(codes) + side + below.expected
    return BinChoice(bits, cells, below, model), side


def _bins(numbers: np.ndarray) -> tuple[int, int, np.ndarray, np.ndarray, np.ndarray]:
    """Return shift, low bits, prefixes, values, and the bin of each number."""
    ones = int(np.bitwise_or.reduce(numbers))
    shift = (ones & -ones).bit_length() - 1
    numbers = numbers >> numbers.dtype.type(shift)
    sample = numbers[:: max(len(numbers) // SAMPLE, 1)]
    seen, counts = np.unique(sample, return_counts=True)
    low = 0
    few = max(min(FEW, len(numbers) // 16), min(MORE, len(numbers) // TIMES))
    if len(seen) > few:
        low = _low(seen, min(PREFIXES, len(numbers) // 64))
        low = _better(sample, low, 8 * numbers.itemsize - shift)
    prefixes, place = _distinct(numbers >> numbers.dtype.type(low))
    if len(prefixes) > MOST_BINS // 2:  # the sample did not show how many there are
        low += _low(prefixes, PREFIXES)
        prefixes, place = _distinct(numbers >> numbers.dtype.type(low))
    values = _frequent(seen, counts, low) if low else seen[:0]
    if len(values):
        near = np.isin(prefixes, values >> values.dtype.type(low))
        at = np.flatnonzero(near.take(place))
        guess = np.searchsorted(values, numbers[at])
        hit = values[np.minimum(guess, len(values) - 1)] == numbers[at]
        place[at[hit]] = len(prefixes) + guess[hit]
    return shift, low, prefixes.astype(np.uint64), values.astype(np.uint64), place


def _low(ascending: np.ndarray, most: int) -> int:
    """Return how many low bits to drop so that at most `most` numbers differ."""
    low = 0
    while np.count_nonzero(np.diff(ascending >> ascending.dtype.type(low))) >= max(most, 2):
        low += 1
    return low


def _better(sample: np.ndarray, low: int, width: int) -> int:
    """Return the low bits, or as many as make whole bytes: only those are coded.

    Numbers have `width` bits. Of short ones, neighbours tell more of the bits that would be low.
    """
    whole = -(-low // 8) * 8
    if whole == low or whole >= width or sample.itemsize < LONG:
        return low

    def bits(low: int) -> float:
        _, counts = np.unique(sample >> sample.dtype.type(low), return_counts=True)
        tops = -float(counts @ np.log2(counts / len(sample)))
        return tops + PREFIX_BITS * len(counts) + Low.of(sample, 0, low).expected

    return min(low, whole, key=bits)


def _distinct(tops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different numbers, ascending, and the place (n,) of each in that list."""
    least = tops.min()
    if int(tops.max()) - int(least) >= LOOKUP:
        found = np.unique(tops)
        return found, np.searchsorted(found, tops).astype(np.int32)
    offset = (tops - least).astype(np.int32)
    used = np.bincount(offset) > 0
    found = np.flatnonzero(used).astype(tops.dtype) + least
    return found, (np.cumsum(used, dtype=np.int32) - np.int32(1)).take(offset)


def _frequent(seen: np.ndarray, counts: np.ndarray, low: int) -> np.ndarray:
    """Return the numbers far more frequent than others with the same top bits."""
    _, starts, place = np.unique(
        seen >> seen.dtype.type(low), return_index=True, return_inverse=True
    )
    usual = (np.add.reduceat(counts, starts)[place] - counts) / 2.0**low
    worth = np.flatnonzero((counts * low > VALUE_BITS) & (counts > ABOVE * usual))
    most = worth[np.argsort(-counts[worth], kind="stable")[:VALUES]]
    return seen[np.sort(most)]


def _grades(
    width: int,
    low: int,
    prefixes: np.ndarray,
    values: np.ndarray,
    of_number: np.ndarray,
    floating: bool,
) -> np.ndarray:
    """Return the grade of each bin: the sixteenth of all numbers, by value, that it lies in."""
    start = np.concatenate([prefixes << np.uint64(low), values])
    if floating:  # the negative ones descend
        sign = np.uint64(1 << (width - 1))
        start = np.where(start & sign, ~start & (sign - np.uint64(1)), start | sign)
    order = np.argsort(start, kind="stable")
    counts = np.bincount(of_number, minlength=len(start))[order]
    middle = np.cumsum(counts) - counts / 2
    grades = np.empty(len(start), np.uint8)
    grades[order] = np.minimum(middle * GRADES / len(of_number), GRADES - 1)
    return grades


def _counts(cells: Cells, kinds: Kinds, bins_: int) -> np.ndarray:
    """Return how often each bin occurs in each cell (cells, bins)."""
    counts = np.zeros(2 * kinds.count * SUMS * bins_, np.int64)
    for of_pass, bins_of_pass in cells:
        counts += np.bincount(of_pass * np.int32(bins_) + bins_of_pass, minlength=len(counts))
    return counts.reshape(-1, bins_)


def _alike(raster: Raster) -> Kinds:
    places, channels = np.zeros(raster.places, np.uint8), np.zeros(raster.channels, np.uint8)
    return Kinds(places, channels, (1, 1))


def _kinds(
    raster: Raster, grades: np.ndarray, of_number: np.ndarray, wanted: tuple[int, int] | None
) -> Kinds:
    """Return the kinds: channels clustered by their bins, places by distance from the median."""
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
    return min(candidates, key=lambda kinds: _kinds_cost(kinds, raster, grades, of_number))


def _kinds_cost(kinds: Kinds, raster: Raster, grades: np.ndarray, of_number: np.ndarray) -> float:
    """Return the bits of numbers under such kinds, estimated on a stretch of them."""
    places = min(STRETCH, raster.count) // raster.channels
    part = replace(raster, count=places * raster.channels)
    kinds_of_part = replace(kinds, places=kinds.places[:places])
    cells = part.cells(grades, kinds_of_part, of_number[: part.count])
    counts = _counts(cells, kinds, len(grades)) * (raster.count / part.count)
    cost, _, _ = _tables(counts, grades, TABLES[-1])
    pairs = zip((kinds.places, kinds.channels), kinds.different, strict=True)
    return cost + KIND_BITS * sum(len(each) for each, different in pairs if different > 1)


def _tables(
    cells: np.ndarray, grades: np.ndarray, tables: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return bits, maps (cells,) and codes (tables, bins) of at most `tables` tables."""
    used = np.flatnonzero(cells.any(1))
    counts = cells[used].astype(np.float32)
    label = _clusters(counts, grades, tables, len(cells) > 2 * SUMS)
    _, label = np.unique(label, return_inverse=True)
    sums = _sums(counts, label, int(label.max()) + 1)
    maps = np.zeros(len(cells), np.uint8)
    maps[used] = label
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
