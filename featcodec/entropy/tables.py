"""Tables of symbol frequencies, described in a few bytes (SPEC §7.1-§7.3).

A table gives the symbols -M..M integer frequencies that sum to 2**24. Its description holds chances
in eighths of an octave of odds: that a symbol is zero, that it is positive when it is not zero,
and, for each bucket of magnitudes, the hazard: that a magnitude is not exceeded once it is reached.
All arithmetic is on integers, so every machine expands the same table.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..compiled import loops

TOTAL_BITS = 24
TOTAL = 1 << TOTAL_BITS
MAX_MAGNITUDE = 127
SAVED = 5e-9  # seconds a number, by compiled loops
KEPT = 2048  # expanded tables in a cache: more than one group has

# round(2 ** (15 + r / 8)) for r = 0..7
_EIGHTHS = (32768, 35734, 38968, 42495, 46341, 50535, 55109, 60097)


def _chance(code: int) -> int:
    """Return the chance with odds of 2 ** ((code - 128) / 8), in units of 2 ** -24."""
    octave, eighth = divmod(code - 128, 8)
    yes, no = _EIGHTHS[eighth], _EIGHTHS[0]
    if octave >= 0:
        yes <<= octave
    else:
        no <<= -octave
    return (yes << TOTAL_BITS) // (yes + no)


def eighths(exponent: int) -> int:
    """Return 2 ** (exponent / 8), rounded down to a whole number."""
    octave, eighth = divmod(exponent, 8)
    return (_EIGHTHS[eighth] << octave >> 15) if octave >= 0 else 0


CHANCES = tuple(_chance(code) for code in range(256))


def chance_code(part: np.ndarray | float, whole: np.ndarray | float) -> np.ndarray:
    """Return the codes of the chances part / whole, after a quarter is added to both counts."""
    odds = (np.asarray(part) + 0.25) / (np.asarray(whole) - np.asarray(part) + 0.25)
    codes = np.rint(128 + 8 * np.log2(odds))
    return np.minimum(np.maximum(codes, 0), 255).astype(np.int64)


def _bucket_of() -> np.ndarray:
    """Buckets hold 1 1 1 1 2 2 4 4 8 8 ... magnitudes, from magnitude 1 on."""
    sizes = [1, 1] + [1 << (i // 2) for i in range(14)]
    return np.repeat(np.arange(len(sizes)), sizes)[:MAX_MAGNITUDE]


BUCKET = _bucket_of()  # BUCKET[m - 1] is the bucket of magnitude m


@dataclass(frozen=True)
class Table:
    """The description of a table; symbols from `magnitude` on are escaped."""

    magnitude: int  # M; 0: every symbol is zero and none is coded
    shift: int = 0  # so many low bits of a symbol are coded uniformly
    zero: int = 128
    positive: int = 128
    hazards: tuple[int, ...] = ()  # one a bucket; the last one holds for all further buckets
    # Reconstruction points of magnitude 1, and of larger ones, lie (code - 128) / 256 steps above
    # them.
    first: int = 128
    further: int = 128

    @property
    def size(self) -> int:
        return 2 * self.magnitude + 1

    @property
    def offsets(self) -> tuple[float, float]:
        return (self.first - 128) / 256, (self.further - 128) / 256

    def expanded(self) -> np.ndarray:
        """Return the int64 frequencies of the symbols -M..M; each is at least 1."""
        budget = TOTAL - self.size
        left = budget - (budget * CHANCES[self.zero] >> TOTAL_BITS)
        counts = [0] * self.size
        counts[self.magnitude] = budget - left + 1
        for m in range(1, self.magnitude + 1):
            mass = left
            if m < self.magnitude:
                hazard = self.hazards[min(int(BUCKET[m - 1]), len(self.hazards) - 1)]
                mass = left * CHANCES[hazard] >> TOTAL_BITS
            left -= mass
            above = mass * CHANCES[self.positive] >> TOTAL_BITS
            counts[self.magnitude + m] = above + 1
            counts[self.magnitude - m] = mass - above + 1
        return np.array(counts, np.int64)


EMPTY = Table(0)


@lru_cache(maxsize=KEPT)
def frequencies(table: Table) -> np.ndarray:
    """Return the int64 frequencies of the symbols -M..M; each is at least 1 (SPEC §7.2)."""
    return table.expanded()


@lru_cache(maxsize=KEPT)
def bits(table: Table) -> np.ndarray:
    """Return the bits of each symbol -M..M, float64; encoders decide by them."""
    result: np.ndarray = TOTAL_BITS - np.log2(frequencies(table)) + table.shift
    return result


def by_table(numbers: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Return the table numbers (0 to 255) that occur and their flat positions, both ascending."""
    flat = numbers.reshape(-1).astype(np.uint8, copy=False)
    compiled = loops("featcodec.entropy.compiled_contexts", flat.size * SAVED)
    if compiled:
        order, counts = compiled.sort(flat)
    else:
        order = np.argsort(flat, kind="stable")  # a radix sort, because numbers are bytes
        counts = np.bincount(flat, minlength=256)
    edges = np.concatenate([[0], np.cumsum(counts)])
    found = np.flatnonzero(counts).tolist()
    return [(number, order[edges[number] : edges[number + 1]]) for number in found]


def proportional(levels: np.ndarray) -> np.ndarray:
    """Return frequencies in proportion to levels; the largest takes the rounding error."""
    scaled: np.ndarray = levels * TOTAL // max(int(levels.sum()), 1)
    scaled[np.argmax(levels)] += TOTAL - int(scaled.sum())
    return scaled


def uniform(bits: int) -> np.ndarray:
    """Return the frequencies of 2 ** bits equally likely symbols."""
    return np.full(1 << bits, TOTAL >> bits, np.int64)
