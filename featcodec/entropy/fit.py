"""From symbols to the table that codes them in the fewest bits, its description included."""

from dataclasses import dataclass

import numpy as np

from .tables import BUCKET, EMPTY, MAX_MAGNITUDE, Table, bits, chance_code

TABLE_BYTES = 7  # beside the hazards
WIDE = 1 << 12  # a range of symbols in which it takes longer to look for those that occur
RARE = 1 / 8192  # chance of a symbol that may be escaped
STARTS = np.flatnonzero(np.diff(BUCKET, prepend=-1))  # of buckets, from magnitude 1 on


@dataclass(frozen=True)
class Histogram:
    """The symbols that occur, ascending, and their counts."""

    values: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, symbols: np.ndarray) -> "Histogram":
        """Count symbols of any range."""
        flat = symbols.ravel()
        low, high = int(flat.min(initial=0)), int(flat.max(initial=0))
        if high - low > max(4 * flat.size, 1 << 16):
            return cls(*np.unique(flat, return_counts=True))
        counts = np.bincount(flat - low)
        seen = np.flatnonzero(counts)
        return cls(seen + low, counts[seen])

    def __add__(self, other: "Histogram") -> "Histogram":
        return _regroup(
            np.concatenate([self.values, other.values]),
            np.concatenate([self.counts, other.counts]),
        )

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def nonzero(self) -> int:
        return int(self.counts[self.values != 0].sum())

    def shifted(self, shift: int) -> "Histogram":
        """Return the counts of (k + half) >> shift: the symbols without low bits."""
        return _regroup((self.values + (1 << shift >> 1)) >> shift, self.counts)


def _regroup(values: np.ndarray, counts: np.ndarray) -> Histogram:
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if high - low > WIDE:
        unique, where = np.unique(values, return_inverse=True)
        return Histogram(unique, np.bincount(where, counts, len(unique)).astype(np.int64))
    total = np.bincount(values - low, counts)
    seen = np.flatnonzero(total)
    return Histogram(seen + low, total[seen].astype(np.int64))


def shift_of(histogram: Histogram) -> int:
    """Return the low bits to code uniformly, so that nearly all symbols need no escape."""
    values = histogram.values  # which ascend
    if not len(values) or max(-int(values[0]), int(values[-1])) <= MAX_MAGNITUDE:
        return 0
    size = np.abs(values)
    order = np.argsort(size)
    inside = np.cumsum(histogram.counts[order])
    # All but one in a thousand.
    need = int(size[order][np.searchsorted(inside, inside[-1] * 0.999)])
    return max(need.bit_length() - MAX_MAGNITUDE.bit_length(), 0)


def fit(histogram: Histogram) -> Table:
    """Return the table for symbols with these counts."""
    return _with_shift(histogram, shift_of(histogram))


def fit_mixture(histogram: Histogram) -> Table:
    """Return the table for symbols that may be of several kinds: most zero, and some large.

    Low bits of so many zeros may cost more than escapes of the few that are large.
    """
    most = shift_of(histogram) if 2 * histogram.nonzero < histogram.total else 0
    if not most:
        return fit(histogram)
    tables = (_with_shift(histogram, shift) for shift in range(most + 1))
    return min(tables, key=lambda table: cost(histogram, table, exactly=True))


def _with_shift(histogram: Histogram, shift: int) -> Table:
    if shift:
        histogram = histogram.shifted(shift)
    values, counts = histogram.values, histogram.counts
    size = np.minimum(np.abs(values), MAX_MAGNITUDE)
    magnitudes = np.bincount(size, counts, 2)[1:]
    total, above = float(counts.sum()), float(counts[values.searchsorted(1) :].sum())
    seen = magnitudes.cumsum()
    nonzero = float(seen[-1])
    if not nonzero:
        return EMPTY
    # Nearly all magnitudes, and some more: the symbols may be of a sample, or of a larger step.
    # Others are escaped, because a short table is searched faster.
    common = 1 + int(np.argmax(nonzero - seen <= total * RARE))
    limit = min(common + 1 + common // 4, MAX_MAGNITUDE)
    coded = np.zeros(limit)
    kept = min(limit, len(magnitudes))
    coded[:kept] = magnitudes[:kept]
    coded[-1] += nonzero - seen[kept - 1]  # which are escaped
    stops, risks, best = _hazards(coded)
    parts = np.concatenate([[total - nonzero, above], stops])
    wholes = np.concatenate([[total, nonzero], risks])
    zero, positive, *codes = chance_code(parts, wholes).tolist()
    return Table(limit, shift, zero, positive, (*codes[:best], codes[len(codes) // 2 + best]))


def _hazards(magnitudes: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return what the hazards of buckets are of, single and pooled, and how many single ones pay.

    A hazard has to pay for its byte; `magnitudes` counts 1..M, of which M, 2 at least, has none.
    """
    at_risk = magnitudes[::-1].cumsum()[::-1]
    starts = STARTS[: STARTS.searchsorted(len(magnitudes) - 1)]
    stops = np.add.reduceat(magnitudes[:-1], starts)
    risks = np.add.reduceat(at_risk[:-1], starts)
    tail_stops, tail_risks = stops[::-1].cumsum()[::-1], risks[::-1].cumsum()[::-1]
    stops = np.concatenate([stops, tail_stops])
    risks = np.concatenate([risks, tail_risks])
    single, totals = _cost(stops, risks).reshape(2, -1)
    totals[1:] += single.cumsum()[:-1]
    totals += 8 * np.arange(len(totals))
    return stops, risks, int(np.argmin(totals))


def _cost(stops: np.ndarray, risks: np.ndarray) -> np.ndarray:
    """Return the bits of `stops` events in `risks` trials."""
    chance = np.minimum(np.maximum(stops / np.maximum(risks, 1), 1e-9), 1 - 1e-9)
    return -stops * np.log2(chance) - (risks - stops) * np.log2(1 - chance)


def cost(histogram: Histogram, table: Table, exactly: bool = False) -> float:
    """Return the bits of symbols with these counts under a table.

    An escape counts as 12 bits, or exactly as the bytes of its varint.
    """
    if table.magnitude == 0:
        return float("inf") if histogram.nonzero else 0.0
    if table.shift:
        histogram = histogram.shifted(table.shift)
    limit, values = table.magnitude, histogram.values
    if values.size and -limit < values[0] and values[-1] < limit:  # which ascend
        return float(histogram.counts @ bits(table)[values + limit])
    excess = np.abs(histogram.values) - limit
    escaped = histogram.counts[excess >= 0]
    each = 8 * varint_bytes(excess[excess >= 0]) if exactly else np.full(len(escaped), 12)
    inside = np.clip(histogram.values, -limit, limit) + limit
    return float(histogram.counts @ bits(table)[inside]) + int(escaped @ each)


def varint_bytes(numbers: np.ndarray) -> np.ndarray:
    """Return how many bytes numbers of at least 0 take as varints."""
    return (np.maximum(np.frexp(numbers)[1], 1) + 6) // 7


def table_bytes(table: Table) -> int:
    return TABLE_BYTES + len(table.hazards)
