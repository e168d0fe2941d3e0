"""Bit-exact coding of numbers by byte planes (SPEC §8).

The bytes of the numbers are coded plane by plane, lowest first: as they are, as one repeated
byte, or by rANS with the table of the plane, whichever is smallest. Floating numbers are rotated
left by one bit first, so that the exponent lies in the highest plane and the sign in the lowest.
"""

import zlib

import numpy as np

from . import rans
from .symbols import SymbolError, _read_varint, _varint
from .tables import TOTAL

RAW, CONSTANT, CODED = 0, 1, 2
_COUNT_BITS = 12  # counts are stored relative to 2**12


def encode(numbers: np.ndarray, rotate: bool) -> bytes:
    """Code unsigned integers (n,) of 1, 2, 4 or 8 bytes."""
    crc = zlib.crc32(numbers.astype(numbers.dtype.newbyteorder("<")).data)
    out = bytearray(crc.to_bytes(4, "little"))
    if rotate:
        numbers = (numbers << 1) | (numbers >> (8 * numbers.itemsize - 1))
    for plane in range(numbers.itemsize):
        out += _encode_plane((numbers >> (8 * plane)).astype(np.uint8))
    return bytes(out)


def decode(data: bytes | memoryview, count: int, itemsize: int, rotate: bool) -> np.ndarray:
    """Return the `count` unsigned integers; SymbolError when `data` is damaged."""
    view = memoryview(data)
    dtype = np.dtype(f"<u{itemsize}")
    numbers = np.zeros(count, dtype)
    position = 4
    for plane in range(itemsize):
        values, position = _decode_plane(view, position, count)
        numbers |= values.astype(dtype) << dtype.type(8 * plane)
    if rotate:
        numbers = (numbers >> dtype.type(1)) | (numbers << dtype.type(8 * itemsize - 1))
    if position != len(view) or zlib.crc32(numbers.data) != int.from_bytes(view[:4], "little"):
        raise SymbolError("bit-exact values fail their checksum")
    return numbers


def _encode_plane(values: np.ndarray) -> bytes:
    if not values.size or (values == values[0]).all():
        return bytes((CONSTANT, values[0] if values.size else 0))
    counts = np.bincount(values, minlength=256)
    levels = _levels(counts)
    chances = _frequencies(levels) / TOTAL
    expected = len(values) * -(counts / len(values) * np.log2(np.maximum(chances, 1e-9))).sum() / 8
    if expected < len(values):
        coder = rans.Encoder()
        rank = np.cumsum(levels > 0) - 1
        coder.put(rank.astype(np.int32)[values], _frequencies(levels)[levels > 0])
        packed = zlib.compress(levels.astype("<u2").tobytes(), 9)
        words = coder.finish()
        body = _varint(len(packed)) + packed + _varint(len(words)) + words
        if len(body) < len(values):
            return bytes((CODED,)) + body
    return bytes((RAW,)) + values.tobytes()


def _decode_plane(view: memoryview, start: int, count: int) -> tuple[np.ndarray, int]:
    if start + 2 > len(view) and count:
        raise SymbolError("a byte plane is missing")
    kind = view[start]
    if kind == CONSTANT:
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
    return present[coder.get(count, _frequencies(levels)[levels > 0])], begin + size


def _levels(counts: np.ndarray) -> np.ndarray:
    """Return the counts relative to 2**12, at least 1 where a byte occurs."""
    levels = (counts << _COUNT_BITS) // max(int(counts.sum()), 1)
    return np.where(counts > 0, np.maximum(levels, 1), 0)


def _frequencies(levels: np.ndarray) -> np.ndarray:
    """Return frequencies in proportion to the levels; the largest takes what rounding left."""
    scaled = levels * TOTAL // max(int(levels.sum()), 1)
    scaled[np.argmax(levels)] += TOTAL - int(scaled.sum())
    return scaled
