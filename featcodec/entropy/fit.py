"""From symbols to the table that codes them in the fewest bits, its own bytes counted."""

import numpy as np

from .tables import BUCKET, EMPTY, MAX_MAGNITUDE, Table, chance_code, frequencies

TABLE_BYTES = 7  # beside the hazards
RARE = 1 / 8192  # chance of a symbol that may be escaped


def histogram(symbols: np.ndarray) -> np.ndarray:
    """Return counts of the symbols -R..R, an odd number, R as small as it can be."""
    reach = int(np.abs(symbols).max(initial=0))
    return np.bincount(symbols.ravel() + reach, minlength=2 * reach + 1)


def shift_of(counts: np.ndarray) -> int:
    """Return the low bits to code uniformly so that nearly all symbols are below the escape."""
    reach = len(counts) // 2
    if reach <= MAX_MAGNITUDE:
        return 0
    folded = counts[reach:].copy()
    folded[1:] += counts[reach - 1 :: -1]
    beyond = folded.sum() - np.cumsum(folded)
    need = int(np.searchsorted(-beyond, -folded.sum() / 1000))  # all but one in a thousand
    return max(int(need).bit_length() - MAX_MAGNITUDE.bit_length(), 0)


def fit(counts: np.ndarray) -> Table:
    """Return the table for symbols with these counts (of -R..R)."""
    shift = shift_of(counts)
    if shift:
        counts = _shifted(counts, shift)
    reach = len(counts) // 2
    below, above = counts[:reach][::-1], counts[reach + 1 :]
    magnitudes = (below + above).astype(np.float64)
    if not magnitudes.any():
        return EMPTY
    # Some more than nearly all that was seen, which may be from a sample, or at a larger step. What
    # is beyond is escaped: a short table is searched faster.
    beyond = magnitudes.sum() - magnitudes.cumsum()
    common = 1 + int(np.argmax(beyond <= counts.sum() * RARE))
    limit = min(common + 1 + common // 4, MAX_MAGNITUDE)
    magnitudes = np.append(magnitudes, np.zeros(max(limit - reach, 0)))
    magnitudes[limit - 1] = magnitudes[limit - 1 :].sum()
    magnitudes = magnitudes[:limit]
    return Table(
        limit,
        shift,
        int(chance_code(counts[reach], counts.sum())),
        int(chance_code(above.sum(), magnitudes.sum())),
        _hazards(magnitudes),
    )


def _hazards(magnitudes: np.ndarray) -> tuple[int, ...]:
    """Return as many hazards as pay for their byte; `magnitudes` counts 1..M."""
    at_risk = magnitudes[::-1].cumsum()[::-1]
    buckets = BUCKET[: len(magnitudes)]
    stops = np.bincount(buckets[:-1], magnitudes[:-1], minlength=1)
    risks = np.bincount(buckets[:-1], at_risk[:-1], minlength=1)
    tail_stops, tail_risks = stops[::-1].cumsum()[::-1], risks[::-1].cumsum()[::-1]
    single = _cost(stops, risks).cumsum()
    pooled = _cost(tail_stops, tail_risks)
    totals = pooled + np.concatenate([[0], single[:-1]]) + 8 * np.arange(len(stops))
    best = int(np.argmin(totals))
    codes = chance_code(stops, risks)
    return (*(int(c) for c in codes[:best]), int(chance_code(tail_stops, tail_risks)[best]))


def _cost(stops: np.ndarray, risks: np.ndarray) -> np.ndarray:
    """Return the bits of so many stops among so many chances to stop."""
    chance = np.clip(stops / np.maximum(risks, 1), 1e-9, 1 - 1e-9)
    return -stops * np.log2(chance) - (risks - stops) * np.log2(1 - chance)


def _shifted(counts: np.ndarray, shift: int) -> np.ndarray:
    """Return the counts of (k + half) >> shift."""
    reach = len(counts) // 2
    values = (np.arange(-reach, reach + 1) + (1 << shift >> 1)) >> shift
    return np.bincount(values + reach, counts, minlength=2 * reach + 1)[
        reach - int(np.abs(values).max()) : reach + int(np.abs(values).max()) + 1
    ].astype(np.int64)


def cost(counts: np.ndarray, table: Table) -> float:
    """Return the bits of symbols with these counts under a table, escapes at 12 bits each."""
    if table.shift:
        counts = _shifted(counts, table.shift)
    reach, limit = len(counts) // 2, table.magnitude
    if limit == 0:
        return 0.0 if not counts.sum() - counts[reach] else float("inf")
    rates = 24 - np.log2(frequencies(table)) + table.shift
    if reach <= limit:
        return float(counts @ rates[limit - reach : limit + reach + 1])
    inner = counts[reach - limit : reach + limit + 1].astype(np.float64)
    below, above = counts[: reach - limit].sum(), counts[reach + limit + 1 :].sum()
    inner[0] += below
    inner[-1] += above
    return float(inner @ rates + 12 * (below + above))


def table_bytes(table: Table) -> int:
    return TABLE_BYTES + len(table.hazards)
