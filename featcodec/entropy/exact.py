"""Lossless coding of numbers: planes, bins or packed, whichever is smallest (SPEC §8).

Before, the most frequent number of each channel may be exchanged for zero.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import bin_choice, bins, planes, swaps
from .errors import SymbolError

BINS, PACKED, SWAPPED = 3, 4, 5  # lower values belong to the first plane
WORTHWHILE = 0.995  # of the bytes of planes: what bins and packed elements must take at most
SMALL = 1 << 16  # numbers: of fewer, the tables of planes tell
STRETCH = 1 << 17  # numbers on which swaps must pay
PACKED_SAMPLE, LOOKS = 1 << 16, 4  # bytes on which packing is estimated, at so many places


@dataclass
class ExactEncoder:
    """Codes the row groups of a group, one after the other.

    `rasters` are the (width, channels) to choose from; without them, there are only planes.
    """

    floating: bool
    rasters: Sequence[tuple[int, int]] | None = None
    axes: Sequence[swaps.Axis] = ()  # along which channels may have a frequent number each
    _like: bins.BinModel | None = None  # the model of the last row group
    _done: int = 0  # numbers of earlier row groups

    def encode(self, numbers: np.ndarray, seed: int = 0) -> bytes:
        """Return the bytes of unsigned integers (n,) of 1, 2, 4 or 8 bytes."""
        raw = numbers.astype(numbers.dtype.newbyteorder("<"), copy=False).tobytes()
        crc = zlib.crc32(raw, seed).to_bytes(4, "little")
        found = swaps.choose(numbers, self.axes, self._done)
        if found is not None and not self._fewer(numbers, found):
            found = None
        self._done += len(numbers)
        if found is None:
            return crc + self._coded(numbers, raw)
        numbers = found.swapped(numbers)
        raw = numbers.astype(numbers.dtype.newbyteorder("<"), copy=False).tobytes()
        return crc + bytes((SWAPPED,)) + found.pack() + self._coded(numbers, raw)

    def _fewer(self, numbers: np.ndarray, found: swaps.Swaps) -> bool:
        """Return whether numbers take fewer bits when they are swapped, by a stretch of them."""
        if self.rasters is None:
            return True
        some = numbers[:STRETCH]
        bits = []
        for each in (some, found.swapped(some)):
            choice = bin_choice.choose_bins(each, self.floating, self.rasters)
            bits.append(choice.bits if choice else 0.0)
        return bits[1] <= bits[0]

    def _coded(self, numbers: np.ndarray, raw: bytes) -> bytes:
        split = planes.split(_rotated(numbers) if self.floating else numbers, numbers.itemsize)
        if self.rasters is None:
            return planes.encode(split)
        few = planes.encode(split) if len(numbers) < SMALL else b""
        least = WORTHWHILE * (len(few) or planes.expected(split))
        chosen = bin_choice.choose_bins(numbers, self.floating, self.rasters, self._like)
        if chosen is not None and chosen.bits / 8 >= least:
            chosen = None
        least = chosen.bits / 8 if chosen else least
        packed = _packed(raw, least)
        if packed and len(packed) < least:
            return bytes((PACKED,)) + packed
        if chosen is None:
            return few or planes.encode(split)
        self._like = chosen.model
        coded = bytes((BINS,)) + bins.encode(numbers, *chosen[1:])
        return few if 0 < len(few) <= len(coded) else coded


def _rotated(numbers: np.ndarray) -> np.ndarray:
    """Return floating numbers with the exponent on top and the sign in the lowest bit."""
    one, top = numbers.dtype.type(1), numbers.dtype.type(8 * numbers.itemsize - 1)
    return numbers << one | numbers >> top


def _packed(raw: bytes, most: float) -> bytes:
    """Return the bytes packed, or nothing when samples predict more than `most` bytes."""
    if _packed_bytes(raw) > most:
        return b""
    return zlib.compress(raw, 9)


def _packed_bytes(raw: bytes) -> float:
    """Return about how many bytes packed ones take, by samples from all parts of them."""
    if len(raw) <= LOOKS * PACKED_SAMPLE:
        return len(zlib.compress(raw, 5))
    more, half = 0, PACKED_SAMPLE // 2  # the first half only fills the window of zlib
    for part in range(LOOKS):
        start = (len(raw) - PACKED_SAMPLE) * part // (LOOKS - 1)
        sample = raw[start : start + PACKED_SAMPLE]
        more += len(zlib.compress(sample, 5)) - len(zlib.compress(sample[:half], 5))
    return more * len(raw) / (LOOKS * half)


def decode(
    data: bytes | memoryview, count: int, itemsize: int, floating: bool, seed: int = 0
) -> np.ndarray:
    """Return `count` unsigned integers; raise SymbolError when `data` is damaged."""
    view, start, found = memoryview(data), 4, None
    kind = view[4] if len(view) > 4 else 0
    if kind == SWAPPED:
        found, start = swaps.Swaps.unpack(view, 5, itemsize)
        kind = view[start] if start < len(view) else 0
    numbers, end = _decoded(view, start, count, itemsize, floating, kind)
    if found is not None:
        numbers = found.swapped(numbers)
    if end != len(view) or zlib.crc32(numbers.data, seed) != int.from_bytes(view[:4], "little"):
        raise SymbolError("the CRC-32 of the elements does not match")
    return numbers


def _decoded(
    view: memoryview, start: int, count: int, itemsize: int, floating: bool, kind: int
) -> tuple[np.ndarray, int]:
    """Return the numbers at a position, of one kind of coding, and where they end."""
    if kind in (BINS, PACKED):
        coding = bins.decode if kind == BINS else _unpacked
        return coding(view, start + 1, count, itemsize)
    numbers, end = planes.decode(view, start, count, itemsize, np.dtype(f"<u{itemsize}"))
    if floating:
        one, top = numbers.dtype.type(1), numbers.dtype.type(8 * itemsize - 1)
        numbers = (numbers >> one) | (numbers << top)
    return numbers, end


def _unpacked(view: memoryview, start: int, count: int, itemsize: int) -> tuple[np.ndarray, int]:
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(view[start:], count * itemsize + 1)
    except zlib.error:
        raise SymbolError("the zlib stream of packed elements is damaged") from None
    if len(raw) != count * itemsize or not unpacker.eof or unpacker.unused_data:
        wanted = count * itemsize
        raise SymbolError(f"packed elements do not unpack to {wanted} bytes")
    return np.frombuffer(raw, f"<u{itemsize}"), len(view)
