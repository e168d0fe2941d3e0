"""Reflectors in runs, each with a table of its own (SPEC §6.2).

The integers of an axis are the smaller the less variance it has: one table for all wastes bits.
"""

import numpy as np

from ...container.wire import Builder, Cursor
from ...entropy import integers
from ...errors import Damage

OCTAVE = 0.7  # by so much a magnitude falls within a run
LEAST = 512  # integers of a run, that pay for its table


def pack(vectors: np.ndarray) -> bytes:
    """Return runs of the reflectors (channels, K): how many they hold, and their integers."""
    out = Builder()
    if not vectors.any():
        return b""
    for first, last in _runs(vectors):
        out.varint(last - first)
        out.blob(integers.pack(np.concatenate([vectors[j:, j] for j in range(first, last)])))
    return bytes(out)


def unpack(data: bytes, channels: int, count: int) -> np.ndarray:
    """Invert `pack`; raise Damage unless the runs hold `count` reflectors in all."""
    cursor, vectors, first = Cursor(data, "a basis"), np.zeros((channels, count), np.int64), 0
    while first < count:
        number = cursor.varint()
        if not 1 <= number <= count - first:
            raise Damage(f"a run holds {number} of the last {count - first} reflectors")
        sizes = channels - np.arange(first, first + number)
        flat = integers.unpack(cursor.blob(), int(sizes.sum()))
        for j, integers_of in enumerate(np.split(flat, np.cumsum(sizes)[:-1]), first):
            vectors[j:, j] = integers_of
        first += number
    cursor.end()
    return vectors


def _runs(vectors: np.ndarray) -> list[tuple[int, int]]:
    """Return runs of reflectors whose integers are about as large."""
    channels, count = vectors.shape
    below = np.maximum(channels - 1 - np.arange(count), 1)  # the diagonal is no measure of the rest
    sizes = (np.abs(vectors).sum(axis=0) - np.abs(np.diagonal(vectors))) / below
    level = np.log2(np.minimum.accumulate(sizes) + 0.05)
    runs, first, held = [], 0, 0
    for j in range(count):
        if held >= LEAST and level[j] < level[first] - OCTAVE:
            runs.append((first, j))
            first, held = j, 0
        held += channels - j
    return [*runs, (first, count)]
