"""Bit-exact coding of numbers by bins, whose neighbours choose the tables (SPEC §8.1).

A number is a bin and what lies below it: a bin is either one value or all numbers with the same
top bits. Bins are coded by rANS, the rest as it is. The numbers lie on a plane of rows, columns
and channels, which is coded in seven passes; what the earlier passes left around a number says
which table codes it.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from . import rans
from .symbols import SymbolError, _read_varint, _varint
from .tables import TOTAL

HEAD = struct.Struct("<BBHHHIIB")
CLASSES = 16
MIDDLE = CLASSES // 2  # the class of what lies outside
SUMS = 4 * (CLASSES - 1) + 2  # sums of four classes; the last: no neighbours
MOST_BINS, MOST_TABLES, MOST_CHANNELS, MOST_KINDS = 1 << 12, 1 << 8, 1 << 16, 64
MOST_LEVELS = 1 << 20  # bins x tables
LARGEST_CODE = 80  # of a level
BYTES = 1 << 21  # of a model, unpacked

# First row and column of a pass, the distance between its rows and columns, where its
# neighbours lie, and whether they touch.
DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
DIRECT = ((-1, 0), (1, 0), (0, -1), (0, 1))
PASSES = (
    (0, 0, 4, (), 0),
    (2, 2, 4, tuple((2 * y, 2 * x) for y, x in DIAGONAL), 0),
    (2, 0, 4, tuple((2 * y, 2 * x) for y, x in DIRECT), 0),
    (0, 2, 4, tuple((2 * y, 2 * x) for y, x in DIRECT), 0),
    (1, 1, 2, DIAGONAL, 0),
    (1, 0, 2, DIRECT, 1),
    (0, 1, 2, DIRECT, 1),
)


@dataclass(frozen=True)
class Plane:
    """Numbers i = (row * width + column) * channels + channel; the last row may be cut off."""

    count: int
    width: int
    channels: int

    @property
    def rows(self) -> int:
        return -(-self.count // (self.width * self.channels))

    def blank(self) -> np.ndarray:
        """Return the classes of a plane that holds nothing yet, with a border of 2."""
        shape = (self.rows + 4, self.width + 4 * (self.width > 1), self.channels)
        return np.full(shape, MIDDLE, np.uint8)

    def cells(self, classes: np.ndarray, kinds: np.ndarray) -> Iterator[tuple["Pass", np.ndarray]]:
        """Yield each pass and the cell of each of its numbers: kind, touching, sum of classes.

        `classes` is `blank`, and must hold a pass when the next one is asked for.
        """
        margin = 2 * (self.width > 1)
        for top, left, step, neighbours, touching in PASSES:
            one = Pass(self, (slice(top, None, step), slice(left, None, step)))
            if not one.count:
                continue
            high, wide = one.shape[:2]
            sums = np.zeros(one.shape, np.uint8) if neighbours else np.uint8(SUMS - 1)
            for y, x in neighbours:
                if margin:
                    columns = slice(margin + left + x, margin + left + x + step * wide, step)
                elif x == 0:
                    columns = slice(None)
                else:
                    sums += np.uint8(MIDDLE)
                    continue
                first = 2 + top + y
                sums += classes[first : first + step * high : step, columns][:high, :wide]
            sets = (2 * kinds.astype(np.int32) + touching) * SUMS
            yield one, np.broadcast_to(sets + sums, one.shape).reshape(-1)[: one.count]


@dataclass(frozen=True)
class Pass:
    """The numbers of a plane in some of its rows and columns."""

    plane: Plane
    place: tuple[slice, slice]

    @property
    def shape(self) -> tuple[int, int, int]:
        rows = len(range(self.plane.rows)[self.place[0]])
        return rows, len(range(self.plane.width)[self.place[1]]), self.plane.channels

    @property
    def count(self) -> int:
        """How many there are; what is cut off of the last row comes last."""
        rows, columns, channels = self.shape
        whole, left = divmod(self.plane.count, self.plane.width * channels)
        inside = len(range(whole)[self.place[0]]) * columns * channels
        if left and whole in range(self.plane.rows)[self.place[0]]:
            full, rest = divmod(left, channels)
            inside += len(range(full)[self.place[1]]) * channels
            inside += rest if full in range(self.plane.width)[self.place[1]] else 0
        return inside

    def put(self, plane: np.ndarray, values: np.ndarray, fill: int = 0) -> None:
        """Write the values (count,) of this pass into an array (rows, columns, channels)."""
        padded = np.full(self.shape, fill, plane.dtype)
        padded.reshape(-1)[: self.count] = values
        plane[self.place] = padded


@dataclass(frozen=True)
class Model:
    """Everything but the numbers: bins, plane, and the tables of its cells."""

    shift: int  # zero bits at the end of all numbers
    low: int  # bits of a number, shifted, below its bin when that is a prefix
    prefixes: np.ndarray  # uint64, ascending; the first bins
    values: np.ndarray  # uint64, ascending; the other bins, shifted too
    classes: np.ndarray  # uint8, of each bin
    width: int
    kinds: np.ndarray  # uint8, of each channel of the plane
    maps: np.ndarray  # uint8 (2 x kinds, SUMS): tables of the cells
    codes: np.ndarray  # uint8 (tables, bins): levels

    def pack(self, itemsize: int) -> bytes:
        kinds = len(self.maps) // 2
        bins, tables = len(self.classes), len(self.codes)
        sizes = (len(self.prefixes), len(self.values), tables)
        head = HEAD.pack(self.shift, self.low, *sizes, self.width, len(self.kinds), kinds)
        gaps = [np.diff(list_, prepend=np.uint64(0)) for list_ in (self.prefixes, self.values)]
        parts = [gap.astype(f"<u{itemsize}") for gap in gaps]
        parts += [self.classes, self.kinds[: len(self.kinds) * (kinds > 1)], self.maps]
        parts.append(self.codes.reshape(tables, bins))
        return zlib.compress(head + b"".join(part.tobytes() for part in parts), 9)

    @classmethod
    def unpack(cls, data: memoryview, itemsize: int, count: int) -> "Model":
        """Return the model for `count` numbers; SymbolError when it is none."""
        unpacker = zlib.decompressobj()
        try:
            raw = unpacker.decompress(data, BYTES)
        except zlib.error:
            raise SymbolError("a model of bins is damaged") from None
        if not unpacker.eof or unpacker.unused_data or len(raw) < HEAD.size:
            raise SymbolError("a model of bins is damaged")
        shift, low, prefixes, values, tables, width, channels, kinds = HEAD.unpack_from(raw)
        bins = prefixes + values
        sound = shift + low < 8 * itemsize and bins <= MOST_BINS and 0 < tables <= MOST_TABLES
        sound &= bins * tables <= MOST_LEVELS and 0 < channels <= MOST_CHANNELS
        sound &= 0 < kinds <= MOST_KINDS and 0 < width and width * channels <= max(count, 1)
        named = channels * (kinds > 1)
        sizes = (itemsize * prefixes, itemsize * values, bins, named, 2 * kinds * SUMS)
        ends = np.cumsum((HEAD.size, *sizes, bins * tables))
        if not sound or ends[-1] != len(raw):
            raise SymbolError("a model of bins that cannot be")
        part = [np.frombuffer(raw[a:b], np.uint8) for a, b in zip(ends, ends[1:], strict=False)]
        lists = [part[i].view(f"<u{itemsize}").astype(np.uint64) for i in (0, 1)]
        model = cls(
            shift,
            low,
            *(np.cumsum(gaps, dtype=np.uint64) for gaps in lists),
            part[2],
            width,
            part[3] if kinds > 1 else np.zeros(channels, np.uint8),
            part[4].reshape(2 * kinds, SUMS),
            part[5].reshape(tables, bins),
        )
        model.check(itemsize, lists, kinds)
        return model

    def check(self, itemsize: int, gaps: list[np.ndarray], kinds: int) -> None:
        """Raise SymbolError unless lists ascend and everything is within bounds."""
        fits = all(
            (gap[1:] > 0).all() and int(gap.sum(dtype=object)) < 1 << 8 * itemsize - taken
            for gap, taken in zip(gaps, (self.shift + self.low, self.shift), strict=True)
        )
        if not fits or (self.classes >= CLASSES).any() or (self.kinds >= kinds).any():
            raise SymbolError("bins that cannot be")
        sums = level(self.codes).sum(1)
        if (self.codes > LARGEST_CODE).any() or (sums == 0).any() or (sums > TOTAL).any():
            raise SymbolError("a table of bins that cannot be")
        if (self.maps >= len(self.codes)).any():
            raise SymbolError("a table of bins that is not there")

    def plane(self, count: int) -> Plane:
        return Plane(count, self.width, len(self.kinds))


def level(codes: np.ndarray) -> np.ndarray:
    """Return the levels (int64) that stand behind codes: 0, then 4 5 6 7 8 10 12 14 16 20 ..."""
    code = np.maximum(codes.astype(np.int64) - 1, 0)
    return np.where(codes > 0, (4 + code % 4) << (code >> 2), 0)


def frequencies(levels: np.ndarray) -> np.ndarray:
    """Return frequencies in proportion to the levels; the largest takes what rounding left."""
    scaled = levels * TOTAL // max(int(levels.sum()), 1)
    scaled[np.argmax(levels)] += TOTAL - int(scaled.sum())
    return scaled


def encode(numbers: np.ndarray, bins: np.ndarray, model: Model) -> bytes:
    """Code unsigned integers (n,), the bins of which are known."""
    plane = model.plane(len(numbers))
    coder = rans.Encoder()
    levels = level(model.codes)
    ranks = (np.cumsum(levels > 0, 1) - 1).astype(np.int32)
    for table, of_table in _by_table(plane, model, bins):
        if np.count_nonzero(levels[table]) > 1:
            coder.put(ranks[table][of_table], frequencies(levels[table])[levels[table] > 0])
    words = coder.finish()
    wide = numbers[bins < len(model.prefixes)] >> numbers.dtype.type(model.shift)
    packed = model.pack(numbers.itemsize)
    parts = [_varint(len(packed)), packed, _varint(len(words)), words, _pack_low(wide, model.low)]
    return b"".join(parts)


def _by_table(
    plane: Plane, model: Model, bins: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield tables and the bins that they code, in the order of coding."""
    values = np.zeros((plane.rows, plane.width, plane.channels), bins.dtype)
    values.reshape(-1)[: len(bins)] = bins
    for one, cells in plane.cells(filled(plane, model.classes, bins), model.kinds):
        tables = model.maps.reshape(-1).take(cells)
        order = np.argsort(tables, kind="stable")
        ends = np.cumsum(np.bincount(tables, minlength=len(model.codes)))
        of_pass = values[one.place].reshape(-1)[: one.count][order]
        for table in np.unique(tables):
            yield int(table), of_pass[ends[table - 1] if table else 0 : ends[table]]


def filled(plane: Plane, classes: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return the classes of a plane all of whose bins (n,) are known."""
    result = plane.blank()
    whole = np.full((plane.rows, plane.width, plane.channels), MIDDLE, np.uint8)
    whole.reshape(-1)[: len(bins)] = classes[bins]
    inside(result, plane)[:] = whole
    return result


def inside(classes: np.ndarray, plane: Plane) -> np.ndarray:
    """Return the view of a bordered plane without its border."""
    margin = 2 * (plane.width > 1)
    return classes[2 : 2 + plane.rows, margin : margin + plane.width]


def decode(view: memoryview, start: int, count: int, itemsize: int) -> tuple[np.ndarray, int]:
    """Return the `count` numbers that begin at `start` and where they end; or SymbolError."""
    size, begin = _read_varint(view, start)
    model = Model.unpack(view[begin : begin + size], itemsize, count)
    size, begin = _read_varint(view, begin + size)
    if begin + size > len(view) or size % 4:
        raise SymbolError("bins that end too early")
    try:
        coder = rans.Decoder(view[begin : begin + size])
    except ValueError:
        raise SymbolError("bins that end in a zero word") from None
    bins = _decode_bins(coder, model, count)
    if not coder.exhausted:
        raise SymbolError("bins with words left over")
    dtype = np.dtype(f"<u{itemsize}")
    starts = np.concatenate([model.prefixes << np.uint64(model.low), model.values]).astype(dtype)
    numbers = starts[bins]
    if model.low:
        wide = np.flatnonzero(bins < len(model.prefixes))
        low, end = _unpack_low(view, begin + size, len(wide), model.low, dtype)
        numbers[wide] |= low
    else:
        end = begin + size
    numbers <<= dtype.type(model.shift)
    return numbers, end


def _decode_bins(coder: rans.Decoder, model: Model, count: int) -> np.ndarray:
    plane = model.plane(count)
    levels = level(model.codes)
    present = [np.flatnonzero(row).astype(np.uint16) for row in levels]
    bins = np.zeros((plane.rows, plane.width, plane.channels), np.uint16)
    classes = plane.blank()
    for one, cells in plane.cells(classes, model.kinds):
        tables = model.maps.reshape(-1).take(cells)
        decoded = []
        for table, times in enumerate(np.bincount(tables)):
            if times and len(present[table]) > 1:
                part = frequencies(levels[table])[present[table]]
                decoded.append(present[table][coder.get(int(times), part)])
            else:
                decoded.append(np.repeat(present[table], times))
        of_pass = np.empty(one.count, np.uint16)
        of_pass[np.argsort(tables, kind="stable")] = np.concatenate(decoded)
        one.put(bins, of_pass)
        one.put(inside(classes, plane), model.classes[of_pass], MIDDLE)
    return bins.reshape(-1)[:count]


def _pack_low(numbers: np.ndarray, bits: int) -> bytes:
    """Return the low bits of numbers: whole bytes of all, lowest first, then bit after bit."""
    whole = 8 * (bits // 8)
    out = [(numbers >> numbers.dtype.type(b)).astype(np.uint8) for b in range(0, whole, 8)]
    if bits > whole:
        rest = (numbers >> numbers.dtype.type(whole)).astype(np.uint8)
        out += [np.packbits(rest >> b & 1, bitorder="little") for b in range(bits - whole)]
    return b"".join(part.tobytes() for part in out)


def _unpack_low(
    view: memoryview, start: int, count: int, bits: int, dtype: np.dtype
) -> tuple[np.ndarray, int]:
    numbers = np.zeros(count, dtype)
    whole, packed = 8 * (bits // 8), -(-count // 8)
    end = start + count * (whole // 8) + packed * (bits - whole)
    if end > len(view):
        raise SymbolError("numbers that end too early")
    data = np.frombuffer(view[start:end], np.uint8)
    for b in range(0, whole, 8):
        part, data = data[:count], data[count:]
        numbers |= part.astype(dtype) << dtype.type(b)
    rest = np.zeros(count, np.uint8)
    for b in range(bits - whole):
        rest |= np.unpackbits(data[:packed], count=count, bitorder="little") << np.uint8(b)
        data = data[packed:]
    if bits > whole:
        numbers |= rest.astype(dtype) << dtype.type(whole)
    return numbers, end
