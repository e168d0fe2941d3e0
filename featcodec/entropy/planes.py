"""Numbers by byte planes (SPEC §8).

Plane by plane, lowest first, the bytes of the numbers are stored, given as one repeated byte, or
coded by rANS with a table of the plane, whichever is smallest.
"""

import zlib

import numpy as np

from . import rans, varints
from .errors import SymbolError
from .tables import TOTAL, proportional

RAW, CONSTANT, CODED = 0, 1, 2
_COUNT_BITS = 12  # counts are stored relative to 2**12


def split(numbers: np.ndarray, planes: int) -> list[np.ndarray]:
    """Return the lowest planes (n,) uint8 of unsigned integers (n,)."""
    places = range(0, 8 * planes, 8)
    return [(numbers >> numbers.dtype.type(place)).astype(np.uint8) for place in places]


def expected(planes: list[np.ndarray]) -> float:
    """Return an estimate of the bytes of the planes, without tables."""
    return sum(min(_expected(plane), len(plane)) for plane in planes)


def encode(planes: list[np.ndarray], worthwhile: float = 1.0) -> bytes:
    """Return the bytes of planes; one is coded when that takes less than a part of its bytes."""
    return b"".join(_encode_plane(plane, worthwhile) for plane in planes)


def decode(
    view: memoryview, start: int, count: int, planes: int, dtype: np.dtype
) -> tuple[np.ndarray, int]:
    """Return `count` numbers and where their planes end; raise SymbolError for damage."""
    numbers = np.zeros(count, dtype)
    for plane in range(planes):
        values, start = _decode_plane(view, start, count)
        numbers |= values.astype(dtype) << dtype.type(8 * plane)
    return numbers, start


def _encode_plane(values: np.ndarray, worthwhile: float) -> bytes:
    if not values.size or (values == values[0]).all():
        return bytes((CONSTANT, values[0] if values.size else 0))
    if _expected(values) < worthwhile * len(values):
        levels, packed = _cheapest(np.bincount(values, minlength=256))
        coder = rans.RansEncoder()
        rank = np.cumsum(levels > 0) - 1
        coder.put(rank.astype(np.int32)[values], proportional(levels)[levels > 0])
        words = coder.finish()
        body = varints.pack(len(packed)) + packed + varints.pack(len(words)) + words
        if len(body) < len(values):
            return bytes((CODED,)) + body
    return bytes((RAW,)) + values.tobytes()


def _expected(values: np.ndarray) -> float:
    """Return an estimate of the bytes of the words of a plane."""
    counts = np.bincount(values, minlength=256)
    return _words(counts, _levels(counts))


def _words(counts: np.ndarray, levels: np.ndarray) -> float:
    """Return about how many bytes the words of byte values with these counts take."""
    chances = proportional(levels) / TOTAL
    return float(-(counts * np.log2(np.maximum(chances, 1e-9))).sum() / 8)


def _cheapest(counts: np.ndarray) -> tuple[np.ndarray, bytes]:
    """Return the levels, exact or coarser, that take the fewest bytes, and these packed.

    Of few numbers, such as labels, exact levels take more bytes than they save.
    """
    exact = _levels(counts)
    octaves = 1 << np.rint(np.log2(np.maximum(exact, 1))).astype(np.int64)
    found = []
    for levels in (exact, np.where(exact > 0, octaves, 0), np.sign(exact)):
        packed = zlib.compress(levels.astype("<u2").tobytes(), 9)
        found.append((len(packed) + _words(counts, levels), levels, packed))
    return min(found, key=lambda each: each[0])[1:]


def _decode_plane(view: memoryview, start: int, count: int) -> tuple[np.ndarray, int]:
    if start + 1 + (count > 0) > len(view):
        raise SymbolError("a byte plane is missing")
    kind = view[start]
    if kind == CONSTANT and start + 2 <= len(view):
        return np.full(count, view[start + 1], np.uint8), start + 2
    if kind == RAW:
        if start + 1 + count > len(view):
            raise SymbolError("a byte plane is truncated")
        return np.frombuffer(view[start + 1 : start + 1 + count], np.uint8), start + 1 + count
    if kind != CODED:
        raise SymbolError(f"a byte plane has coding {kind}; the largest known is {CODED}")
    size, begin = varints.read(view, start + 1)
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(view[begin : begin + size], 513)
    except zlib.error:
        raise SymbolError("the zlib stream of the levels of a byte plane is damaged") from None
    if len(raw) != 512 or not unpacker.eof or unpacker.unused_data:
        raise SymbolError("the levels of a byte plane do not unpack to 512 bytes")
    size, begin = varints.read(view, begin + size)
    levels = np.frombuffer(raw, "<u2").astype(np.int64)
    if begin + size > len(view) or size % 4:
        raise SymbolError("the words of a byte plane are truncated")
    if np.count_nonzero(levels) < 2:
        raise SymbolError("a coded byte plane has fewer than 2 byte values")
    try:
        coder = rans.RansDecoder(view[begin : begin + size])
    except ValueError:
        raise SymbolError("the last word of a byte plane is 0") from None
    present = np.flatnonzero(levels).astype(np.uint8)
    values = present[coder.get(count, proportional(levels)[levels > 0])]
    if not coder.exhausted:
        raise SymbolError("words are left over behind a byte plane")
    return values, begin + size


def _levels(counts: np.ndarray) -> np.ndarray:
    """Return the counts relative to 2**12, at least 1 where a byte occurs."""
    levels = (counts << _COUNT_BITS) // max(int(counts.sum()), 1)
    return np.where(counts > 0, np.maximum(levels, 1), 0)
