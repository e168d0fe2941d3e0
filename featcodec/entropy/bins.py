"""Lossless coding of numbers by bins, with context modelling (SPEC §8.1).

A bin is one value, or all numbers that share their top bits. rANS codes the bins; the bits below
the top bits are stored. The neighbours of a number that earlier passes over a raster have decoded
choose the table of its bin.
"""

import itertools
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from . import planes, rans, varints
from .errors import SymbolError
from .raster import GRADES, MIDDLE, SUMS, Cells, Kinds, Raster
from .tables import TOTAL, proportional

MOST_BINS, MOST_TABLES, MOST_CHANNELS = 1 << 12, 1 << 8, 1 << 16
MOST_KINDS = 64  # of places x channels
MOST_LEVELS = 1 << 20  # bins x tables
MOST_CODE = 80  # of a level
LOW_WORTHWHILE = 0.99  # of the bytes of a plane of low bits, from which on it is stored
MOST_BYTES = 1 << 21  # of a model, unpacked
# Shift, low bits; numbers of prefixes, values, tables; width, channels; kinds of places, channels.
_HEAD = struct.Struct("<BBHHHIIBB")


@dataclass(frozen=True)
class BinModel:
    """The bins, the raster of neighbours, and the tables."""

    shift: int  # zero bits at the end of all numbers
    low: int  # bits of a number, shifted, behind a prefix
    prefixes: np.ndarray  # uint64, ascending: the first bins
    values: np.ndarray  # uint64, ascending: the other bins, shifted too
    grades: np.ndarray  # uint8, of the bins
    width: int  # of the raster
    kinds: Kinds
    maps: np.ndarray  # uint8, of any shape: the table of each cell
    codes: np.ndarray  # uint8 (tables, bins): levels

    @property
    def starts(self) -> np.ndarray:
        """The least number of each bin, not shifted (uint64)."""
        return np.concatenate([self.prefixes << np.uint64(self.low), self.values])

    def raster(self, count: int) -> Raster:
        return Raster(count, self.width, len(self.kinds.channels))

    def pack(self, itemsize: int) -> bytes:
        sizes = (len(self.prefixes), len(self.values), len(self.codes))
        extent = (self.width, len(self.kinds.channels), *self.kinds.different)
        head = _HEAD.pack(self.shift, self.low, *sizes, *extent)
        lists = (self.prefixes, self.values)
        parts = [np.diff(one, prepend=np.uint64(0)).astype(f"<u{itemsize}") for one in lists]
        parts.append(self.grades)
        parts += [self.kinds.places] if self.kinds.different[0] > 1 else []
        parts += [self.kinds.channels] if self.kinds.different[1] > 1 else []
        parts += [self.maps, self.codes]
        return zlib.compress(head + b"".join(part.tobytes() for part in parts), 9)

    @classmethod
    def unpack(cls, data: memoryview, itemsize: int, count: int) -> "BinModel":
        """Return the model of `count` numbers; raise SymbolError when it breaks a rule."""
        raw = _inflated(data)
        shift, low, prefixes, values, tables, width, channels, p, q = _HEAD.unpack_from(raw)
        bins, places, cells = prefixes + values, -(-count // max(channels, 1)), 2 * p * q * SUMS
        named = (places * (p > 1), channels * (q > 1))
        sizes = (itemsize * prefixes, itemsize * values, bins, *named, cells)
        ends = list(itertools.accumulate((_HEAD.size, *sizes, bins * tables)))
        bounds = (
            (shift + low, 8 * itemsize - 1),
            (bins, MOST_BINS),
            (tables, MOST_TABLES),
            (bins * tables, MOST_LEVELS),
            (channels, MOST_CHANNELS),
            (p * q, MOST_KINDS),
            (width * channels, max(count, 1)),
        )
        there = width * channels * tables * cells > 0 and ends[-1] == len(raw)
        if not there or any(number > most for number, most in bounds):
            raise SymbolError(
                "the sizes of a model of bins are inconsistent or beyond their limits"
            )
        part = [np.frombuffer(raw[a:b], np.uint8) for a, b in itertools.pairwise(ends)]
        kinds = Kinds(
            part[3] if p > 1 else np.zeros(places, np.uint8),
            part[4] if q > 1 else np.zeros(channels, np.uint8),
            (p, q),
        )
        model = cls(
            shift,
            low,
            _ascending(part[0].view(f"<u{itemsize}"), 8 * itemsize - shift - low),
            _ascending(part[1].view(f"<u{itemsize}"), 8 * itemsize - shift),
            part[2],
            width,
            kinds,
            part[5],
            part[6].reshape(tables, bins),
        )
        beyond = (kinds.places >= p).any() or (kinds.channels >= q).any()
        if (model.grades >= GRADES).any() or beyond:
            raise SymbolError(f"a grade is not below {GRADES}, or a kind not below {p} or {q}")
        sums = level(model.codes).sum(1)
        if (model.codes > MOST_CODE).any():
            raise SymbolError(f"the code of a level is above {MOST_CODE}")
        if (sums == 0).any() or (sums > TOTAL).any():
            raise SymbolError(f"the levels of a table of bins do not sum to 1 to {TOTAL}")
        if (model.maps >= tables).any():
            raise SymbolError(f"a cell has table {model.maps.max()}; there are {tables} tables")
        return model


def _inflated(data: memoryview) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(data, MOST_BYTES + 1)
    except zlib.error:
        raise SymbolError("a model of bins is damaged") from None
    sound = unpacker.eof and not unpacker.unused_data
    if not sound or not _HEAD.size <= len(raw) <= MOST_BYTES:
        raise SymbolError("a model of bins is damaged")
    return raw


def _ascending(gaps: np.ndarray, bits: int) -> np.ndarray:
    """Return the numbers (uint64) with these gaps; raise SymbolError for 2**bits or more."""
    if not (gaps[1:] > 0).all() or sum(gaps.tolist()) >> bits:
        raise SymbolError(f"the bins do not ascend, or exceed {bits} bits")
    return np.cumsum(gaps, dtype=np.uint64)


def level(codes: np.ndarray) -> np.ndarray:
    """Return the levels (int64) of codes: 0, then 4 5 6 7 8 10 12 14 16 20 and so on."""
    code = np.maximum(codes.astype(np.int64) - 1, 0)
    return np.where(codes > 0, (4 + code % 4) << (code >> 2), 0)


@dataclass(frozen=True)
class Low:
    """The low bits of the numbers whose bins are prefixes."""

    planes: list[np.ndarray]  # whole bytes, the lowest first
    bits: list[np.ndarray]  # of 0 and 1; the other bits, the lowest first

    @classmethod
    def of(cls, numbers: np.ndarray, shift: int, low: int) -> "Low":
        kind = numbers.dtype.type
        whole, rest = divmod(low, 8)
        top = (numbers >> kind(shift + 8 * whole)).astype(np.uint8)
        bits = [top >> np.uint8(i) & np.uint8(1) for i in range(rest)]
        return cls(planes.split(numbers >> kind(shift), whole), bits)

    @property
    def expected(self) -> float:
        """An estimate of the bits that they take."""
        return 8 * planes.expected(self.planes) + sum(map(len, self.bits))

    def pack(self) -> bytes:
        packed = [np.packbits(bit, bitorder="little").tobytes() for bit in self.bits]
        return planes.encode(self.planes, LOW_WORTHWHILE) + b"".join(packed)


def encode(numbers: np.ndarray, cells: Cells, low: Low, model: BinModel) -> bytes:
    """Code unsigned integers (n,) of given bins, cells and low bits."""
    coder = rans.RansEncoder()
    levels = level(model.codes)
    ranks = (np.cumsum(levels > 0, 1) - 1).astype(np.int32)
    for of_pass, bins_of_pass in cells:
        tables = model.maps.take(of_pass)
        ordered = bins_of_pass[np.argsort(tables, kind="stable")]
        ends = itertools.accumulate(np.bincount(tables).tolist(), initial=0)
        for table, (begin, end) in enumerate(itertools.pairwise(ends)):
            present = levels[table][levels[table] > 0]
            if end > begin and len(present) > 1:
                coder.put(ranks[table][ordered[begin:end]], proportional(present))
    words, packed = coder.finish(), model.pack(numbers.itemsize)
    return b"".join(
        (varints.pack(len(packed)), packed, varints.pack(len(words)), words, low.pack())
    )


def decode(view: memoryview, start: int, count: int, itemsize: int) -> tuple[np.ndarray, int]:
    """Return `count` numbers from position `start` and where they end; raise SymbolError."""
    size, begin = varints.read(view, start)
    model = BinModel.unpack(view[begin : begin + size], itemsize, count)
    size, begin = varints.read(view, begin + size)
    if begin + size > len(view) or size % 4:
        raise SymbolError("the words of bins are truncated")
    try:
        coder = rans.RansDecoder(view[begin : begin + size])
    except ValueError:
        raise SymbolError("the last word of bins is 0") from None
    bins = _decode_bins(coder, model, count)
    dtype = np.dtype(f"<u{itemsize}")
    numbers = model.starts.astype(dtype)[bins]
    end = begin + size
    if model.low:
        behind = np.flatnonzero(bins < len(model.prefixes))
        low, end = _unpack_low(view, end, len(behind), model.low, dtype)
        numbers[behind] |= low
    numbers <<= dtype.type(model.shift)
    return numbers, end


def _decode_bins(coder: rans.RansDecoder, model: BinModel, count: int) -> np.ndarray:
    raster = model.raster(count)
    levels = level(model.codes)
    present = [np.flatnonzero(row).astype(np.uint16) for row in levels]
    bins = np.zeros(raster.shape, np.uint16)
    bordered, inside = raster.bordered()
    for one, cells in raster.passes(bordered, model.kinds):
        tables = model.maps.take(cells)
        ordered = []
        for table, times in enumerate(np.bincount(tables).tolist()):
            some = present[table]
            if times and len(some) > 1:
                ordered.append(some[coder.get(times, proportional(levels[table][some]))])
            else:
                ordered.append(np.repeat(some[:1], times))
        found = np.empty(one.count, np.uint16)
        found[np.argsort(tables, kind="stable")] = np.concatenate(ordered)
        one.put(bins, found, 0)
        one.put(inside, model.grades[found], MIDDLE)
    if not coder.exhausted:
        raise SymbolError("words are left over behind the bins")
    return bins.reshape(-1)[:count]


def _unpack_low(
    view: memoryview, start: int, count: int, bits: int, dtype: np.dtype
) -> tuple[np.ndarray, int]:
    whole, rest = divmod(bits, 8)
    numbers, start = planes.decode(view, start, count, whole, dtype)
    packed = -(-count // 8)
    if start + packed * rest > len(view):
        raise SymbolError("the low bits are truncated")
    top = np.zeros(count, np.uint8)
    for i in range(rest):
        part = np.frombuffer(view[start : start + packed], np.uint8)
        top |= np.unpackbits(part, count=count, bitorder="little") << np.uint8(i)
        start += packed
    return numbers | top.astype(dtype) << dtype.type(8 * whole), start
