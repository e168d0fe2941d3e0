"""The most frequent number of each channel, exchanged for zero (SPEC §8.2).

Behind a rectifier, a normalisation or a bias makes another number of the zeros of each channel. As
zeros, they are frequent again, whatever the channel.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from . import varints
from .errors import SymbolError

CHUNK = 1 << 20  # numbers that are swapped together
SAMPLE = 1 << 16  # numbers on which channels are chosen
WORTHWHILE = 1 / 16  # of the numbers must become zero
LEAST_TOKENS = 8  # of a channel in a sample
LEAST_COUNT = 4  # of a number in a sample, and a part of its channel, so that it is no chance
MOST_CHANNELS = 1 << 16

Axis = tuple[int, int]  # numbers from one channel to the next, channels


@dataclass(frozen=True)
class Swaps:
    """Number `i` of a row group is in channel `(i + phase) // distance % channels`."""

    distance: int
    phase: int
    numbers: np.ndarray  # (channels,) unsigned integers

    def swapped(self, numbers: np.ndarray) -> np.ndarray:
        """Return numbers (n,) with zero and the number of their channel exchanged."""
        found, count = numbers.copy(), len(numbers)
        first, inside = divmod(self.phase, self.distance)
        # Distances may be beyond what NumPy counts to: then there is one turn at most.
        turn, distance = min(self.distance - inside, count), min(self.distance, count + 1)
        for start in range(0, count, CHUNK):
            some = found[start : start + CHUNK]
            places = np.arange(start - turn, start - turn + len(some))
            own = self.numbers[(places // distance + first + 1) % len(self.numbers)]
            some[:] = np.where(some == own, 0, np.where(some == 0, own, some))
        return found

    def pack(self) -> bytes:
        kind = self.numbers.dtype.newbyteorder("<")
        packed = zlib.compress(self.numbers.astype(kind).tobytes(), 9)
        head = (self.distance, self.phase, len(self.numbers), len(packed))
        return b"".join(map(varints.pack, head)) + packed

    @classmethod
    def unpack(cls, view: memoryview, start: int, itemsize: int) -> tuple["Swaps", int]:
        """Return the swaps at a position and where they end; raise SymbolError for bad ones."""
        head = []
        for _ in range(4):
            number, start = varints.read(view, start, varints.ANY_VARINT)
            head.append(number)
        distance, phase, channels, size = head
        if not distance or not 0 < channels <= MOST_CHANNELS or phase >= distance * channels:
            raise SymbolError(f"swaps of {channels} channels, {distance} apart, from {phase} on")
        unpacker = zlib.decompressobj()
        try:
            raw = unpacker.decompress(view[start : start + size], channels * itemsize + 1)
        except zlib.error:
            raise SymbolError("the zlib stream of swapped numbers is damaged") from None
        if len(raw) != channels * itemsize or not unpacker.eof or unpacker.unused_data:
            raise SymbolError(f"swapped numbers do not unpack to {channels * itemsize} bytes")
        return cls(distance, phase, np.frombuffer(raw, f"<u{itemsize}")), start + size


def choose(numbers: np.ndarray, axes: Iterable[Axis], first: int) -> Swaps | None:
    """Return swaps that make enough of numbers (n,) zero; None when none do.

    `first` is the position of the first number in a group; channels are counted from there.
    """
    found = [swaps for axis in axes if (swaps := _of(numbers, axis, first)) is not None]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _of(numbers: np.ndarray, axis: Axis, first: int) -> tuple[float, Swaps] | None:
    distance, channels = axis
    phase = first % (distance * channels)
    if not 1 < channels <= min(MOST_CHANNELS, SAMPLE // LEAST_TOKENS):
        return None
    step = max(len(numbers) // SAMPLE, 1)
    step += step % 2 == 0  # odd, so that no axis of even length is seen in part
    own, share = _modes(numbers, step, phase, axis)
    if share < WORTHWHILE:
        return None
    own, share = _modes(numbers, 1, phase, axis)
    pays = share * len(numbers) > 8 * own.nbytes  # a bit for each
    return (share, Swaps(distance, phase, own)) if pays and share >= WORTHWHILE else None


def _modes(numbers: np.ndarray, step: int, phase: int, axis: Axis) -> tuple[np.ndarray, float]:
    """Return the most frequent number of each channel, and the share of all that are such.

    Numbers that are frequent everywhere, zero and the most frequent one of all, do not count, nor
    do those that chance may have made so.
    """
    distance, channels = axis
    channel = np.arange(phase, phase + len(numbers), step) // distance % channels
    some = numbers[::step]
    order = np.lexsort((some, channel))
    channel, some = channel[order], some[order]
    starts = np.flatnonzero(np.diff(channel, prepend=-1) | (np.diff(some, prepend=some[:1]) != 0))
    counts = np.diff(starts, append=len(some))
    order = np.lexsort((counts, channel[starts]))
    best = order[np.flatnonzero(np.diff(channel[starts][order], append=channels))]
    where, modes, most = channel[starts][best], some[starts][best], counts[best]
    own = np.zeros(channels, numbers.dtype)
    own[where] = modes
    tokens = np.bincount(channel, minlength=channels)[where]
    telling = (modes != 0) & (modes != modes[most.argmax()])
    telling &= most >= np.maximum(LEAST_COUNT, tokens * WORTHWHILE)
    return own, float(most[telling].sum()) / len(some)
