"""The encoder's choice of bins: one for a number, or one for all with the same top bits."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .bins import MOST_BINS, Low
from .raster import GRADES

SAMPLE = 1 << 16  # numbers that bins are chosen on
FEW = 512  # different numbers at most, for a bin each,
MORE, TIMES = 2048, 256  # or even more where each occurs so often
LEAST_OFTEN = 4  # times that a number is to occur, for a bin each to be worth a try
PREFIXES = 192
FINER = 2  # bits that prefixes may have more
LONG = 4  # bytes of a number, of which low bits may be more to make whole bytes
PREFIX_BITS = 24  # of the bin of a prefix, about
# A number has a bin of its own where that pays and it is ABOVE times as frequent as its neighbours.
ABOVE = 4
VALUE_BITS = 200  # of the bin of one value, about
VALUES = 1024  # of which bins there are at most
FLAT = 0.6  # exponent of the counts by which ranks may follow
MOST_GROUPS = 512  # of like bins, a multiple of the grades
LOOKUP = 1 << 21  # range of prefixes up to which a lookup table replaces a search


@dataclass(frozen=True)
class Bins:
    """Bins, and that of each number."""

    shift: int
    low: int
    prefixes: np.ndarray
    values: np.ndarray
    ranks: np.ndarray  # of bins by value, from 0 to 1: those of like ranks are taken for alike
    of_number: np.ndarray

    @cached_property
    def grades(self) -> np.ndarray:
        """The sixteenth of the ranks that each bin lies in."""
        return np.minimum(self.ranks * GRADES, GRADES - 1).astype(np.uint8)

    @cached_property
    def groups(self) -> np.ndarray:
        """The group of each bin; of many bins, tables are chosen by groups of like ones."""
        if len(self.ranks) <= MOST_GROUPS:
            return np.arange(len(self.ranks), dtype=np.int32)
        groups = np.minimum(self.ranks * MOST_GROUPS, MOST_GROUPS - 1).astype(np.int32)
        return np.unique(groups, return_inverse=True)[1].astype(np.int32)

    @cached_property
    def grouped(self) -> "Bins":
        """Groups in place of bins."""
        _, first = np.unique(self.groups, return_index=True)
        if len(first) == len(self.ranks):
            return self
        of_number = self.groups.take(self.of_number)
        return replace(self, ranks=self.ranks[first], of_number=of_number)

    @cached_property
    def flattened(self) -> "Bins":
        """Bins whose ranks tell less of frequent numbers, and more of rare ones."""
        order = np.argsort(self.ranks, kind="stable")
        counts = np.bincount(self.of_number, minlength=len(order))[order] ** FLAT
        ranks = np.empty(len(order))
        ranks[order] = (np.cumsum(counts) - counts / 2) / counts.sum()
        return replace(self, ranks=ranks)


def bins_of(numbers: np.ndarray, floating: bool) -> Iterator[Bins]:
    """Yield bins to choose from: usual ones, those of longer prefixes, and one for each number.

    `numbers` (n,) are unsigned integers, some of them different.
    """
    ones = int(np.bitwise_or.reduce(numbers))
    shift = (ones & -ones).bit_length() - 1
    numbers = numbers >> numbers.dtype.type(shift)
    sample = numbers[:: max(len(numbers) // SAMPLE, 1)]
    seen = np.unique(sample, return_counts=True)
    width = 8 * numbers.itemsize - shift
    few = max(min(FEW, len(numbers) // 16), min(MORE, len(numbers) // TIMES))
    low = 0
    if len(seen[0]) > few:
        low = _low(seen[0], min(PREFIXES, len(numbers) // 64))
        low = _better(sample, low, width)
    prefixes, place = _distinct(numbers >> numbers.dtype.type(low))
    if len(prefixes) > MOST_BINS // 2:  # the sample did not show how many there are
        low += _low(prefixes, PREFIXES)
        prefixes, place = _distinct(numbers >> numbers.dtype.type(low))
    yield _with_values(numbers, (shift, low, width), prefixes, place, seen, floating)
    each = low and len(seen[0]) <= min(MOST_BINS, len(numbers) // LEAST_OFTEN)
    for less in ([low - FINER] if low > FINER else []) + ([0] if each else []):
        prefixes, place = _distinct(numbers >> numbers.dtype.type(less))
        if len(prefixes) <= MOST_BINS - (VALUES if less else 0):
            yield _with_values(numbers, (shift, less, width), prefixes, place, seen, floating)


def _with_values(
    numbers: np.ndarray,
    bits: tuple[int, int, int],
    prefixes: np.ndarray,
    place: np.ndarray,
    seen: tuple[np.ndarray, np.ndarray],
    floating: bool,
) -> Bins:
    """Return bins of prefixes, with such of frequent numbers; `seen` has numbers and counts.

    `bits` are the shift, the low bits, and all bits of a number.
    """
    shift, low, width = bits
    values = _frequent(*seen, low) if low else prefixes[:0]
    if len(values):
        near = np.isin(prefixes, values >> values.dtype.type(low))
        at = np.flatnonzero(near.take(place))
        guess = np.searchsorted(values, numbers[at])
        hit = values[np.minimum(guess, len(values) - 1)] == numbers[at]
        place[at[hit]] = len(prefixes) + guess[hit]
    whole = prefixes.astype(np.uint64), values.astype(np.uint64)
    return Bins(shift, low, *whole, _ranks(width, low, *whole, place, floating), place)


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


def _ranks(
    width: int,
    low: int,
    prefixes: np.ndarray,
    values: np.ndarray,
    of_number: np.ndarray,
    floating: bool,
) -> np.ndarray:
    """Return the share of all numbers that lie below the middle of each bin."""
    start = np.concatenate([prefixes << np.uint64(low), values])
    if floating:  # the negative ones descend
        sign = np.uint64(1 << (width - 1))
        start = np.where(start & sign, ~start & (sign - np.uint64(1)), start | sign)
    order = np.argsort(start, kind="stable")
    counts = np.bincount(of_number, minlength=len(start))[order]
    middle = np.cumsum(counts) - counts / 2
    ranks = np.empty(len(start))
    ranks[order] = middle / len(of_number)
    return ranks
