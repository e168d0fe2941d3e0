"""Bit-exact coding of numbers by byte planes, or by bins (SPEC §8).

The bytes of the numbers are coded plane by plane, lowest first: as they are, as one repeated
byte, or by rANS with the table of the plane, whichever is smallest. Floating numbers are rotated
left by one bit first, so that the exponent lies in the highest plane and the sign in the lowest.
Where it is smaller, `bins` code the numbers instead.
"""

import zlib
from collections.abc import Iterable

import numpy as np

from . import bin_choice, bins, rans
from .bins import frequencies
from .symbols import SymbolError, _read_varint, _varint
from .tables import TOTAL

RAW, CONSTANT, CODED, BINS = 0, 1, 2, 3
_COUNT_BITS = 12  # counts are stored relative to 2**12
WORTHWHILE = 0.995  # of the bits of planes, and so many bits less, for bins
BINS_BITS = 2000


def encode(
    numbers: np.ndarray, rotate: bool, rasters: Iterable[tuple[int, int]] | None = None
) -> bytes:
    """Code unsigned integers (n,) of 1, 2, 4 or 8 bytes; those of floating numbers to be rotated.

    `rasters` are the (width, channels) in which neighbours may be alike; without them, there are
    no bins.
    """
    crc = zlib.crc32(numbers.astype(numbers.dtype.newbyteorder("<")).data)
    out = bytearray(crc.to_bytes(4, "little"))
    turned = (numbers << 1) | (numbers >> (8 * numbers.itemsize - 1)) if rotate else numbers
    planes = [(turned >> (8 * plane)).astype(np.uint8) for plane in range(numbers.itemsize)]
    chosen = None if rasters is None else bin_choice.choose(numbers, rotate, rasters)
    if chosen is not None:
        bits = sum(8 * min(_expected(plane), len(plane)) for plane in planes)
        if chosen.bits + BINS_BITS < WORTHWHILE * bits:
            return bytes(out) + bytes((BINS,)) + bins.encode(numbers, *chosen[1:])
    for plane in planes:
        out += _encode_plane(plane)
    return bytes(out)


def has_bins(data: bytes | memoryview) -> bool:
    """Return whether numbers are coded by bins, which old versions of the format do not have."""
    return len(data) > 4 and data[4] == BINS


def decode(
    data: bytes | memoryview, count: int, itemsize: int, rotate: bool, refined: bool = False
) -> np.ndarray:
    """Return the `count` unsigned integers; SymbolError when `data` is damaged.

    `refined` allows bins.
    """
    view = memoryview(data)
    dtype = np.dtype(f"<u{itemsize}")
    numbers = np.zeros(count, dtype)
    if refined and has_bins(view):
        numbers, end = bins.decode(view, 5, count, itemsize)
        return _checked(numbers, view, end)
    position = 4
    for plane in range(itemsize):
        values, position = _decode_plane(view, position, count)
        numbers |= values.astype(dtype) << dtype.type(8 * plane)
    if rotate:
        numbers = (numbers >> dtype.type(1)) | (numbers << dtype.type(8 * itemsize - 1))
    return _checked(numbers, view, position)


def _checked(numbers: np.ndarray, view: memoryview, end: int) -> np.ndarray:
    if end != len(view) or zlib.crc32(numbers.data) != int.from_bytes(view[:4], "little"):
        raise SymbolError("bit-exact values fail their checksum")
    return numbers


def _encode_plane(values: np.ndarray) -> bytes:
    if not values.size or (values == values[0]).all():
        return bytes((CONSTANT, values[0] if values.size else 0))
    if _expected(values) < len(values):
        levels = _levels(np.bincount(values, minlength=256))
        coder = rans.Encoder()
        rank = np.cumsum(levels > 0) - 1
        coder.put(rank.astype(np.int32)[values], frequencies(levels)[levels > 0])
        packed = zlib.compress(levels.astype("<u2").tobytes(), 9)
        words = coder.finish()
        body = _varint(len(packed)) + packed + _varint(len(words)) + words
        if len(body) < len(values):
            return bytes((CODED,)) + body
    return bytes((RAW,)) + values.tobytes()


def _expected(values: np.ndarray) -> float:
    """Return how many bytes the words of a plane take."""
    counts = np.bincount(values, minlength=256)
    chances = frequencies(_levels(counts)) / TOTAL
    return float(-(counts * np.log2(np.maximum(chances, 1e-9))).sum() / 8)


def _decode_plane(view: memoryview, start: int, count: int) -> tuple[np.ndarray, int]:
    if start + 1 + (count > 0) > len(view):
        raise SymbolError("a byte plane is missing")
    kind = view[start]
    if kind == CONSTANT and start + 2 <= len(view):
        return np.full(count, view[start + 1], np.uint8), start + 2
    if kind == RAW:
        if start + 1 + count > len(view):
            raise SymbolError("a byte plane ends too early")
        return np.frombuffer(view[start + 1 : start + 1 + count], np.uint8), start + 1 + count
    if kind != CODED:
        raise SymbolError("a byte plane of unknown kind")
    size, begin = _read_varint(view, start + 1)
    try:
        raw = zlib.decompressobj().decompress(view[begin : begin + size], 513)
    except zlib.error:
        raise SymbolError("the table of a byte plane is damaged") from None
    size, begin = _read_varint(view, begin + size)
    levels = np.frombuffer(raw, "<u2").astype(np.int64) if len(raw) == 512 else np.zeros(256)
    if begin + size > len(view) or size % 4 or np.count_nonzero(levels) < 2:
        raise SymbolError("a byte plane is damaged")
    try:
        coder = rans.Decoder(view[begin : begin + size])
    except ValueError:
        raise SymbolError("a byte plane is damaged") from None
    present = np.flatnonzero(levels).astype(np.uint8)
    return present[coder.get(count, frequencies(levels)[levels > 0])], begin + size


def _levels(counts: np.ndarray) -> np.ndarray:
    """Return the counts relative to 2**12, at least 1 where a byte occurs."""
    levels = (counts << _COUNT_BITS) // max(int(counts.sum()), 1)
    return np.where(counts > 0, np.maximum(levels, 1), 0)
