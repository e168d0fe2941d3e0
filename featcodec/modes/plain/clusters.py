"""Clusters of channels that share an entropy table.

Lloyd's algorithm with code length as the distance: fit a table to the channels of each cluster,
move each channel to the table of the fewest bits, and repeat.
"""

from collections.abc import Sequence

import numpy as np

from ...encoding.fit.counting import moments
from ...encoding.fit.fitting import with_offsets
from ...entropy import fit
from ...entropy.tables import EMPTY, Table, bits
from ...quantise.scalar import Thresholds, quantise, thresholds

ROUNDS = 3
NARROW_BITS = 9  # of magnitudes that are compared by histograms
START = Thresholds(0.55, -0.5)


def cluster(
    rows: np.ndarray,
    step: float,
    count: int,
    fraction: float,
    lmbda: float,
    plain: Thresholds | None,
) -> tuple[np.ndarray, list[Table], float]:
    """Return the cluster of each channel, a table per cluster, and bits with side information.

    `rows` is (channels, values), `lmbda` that of `quantise.scalar.thresholds`. With `plain`, these
    thresholds stay, and tables have no offsets.
    """
    channels = len(rows)
    activity = np.minimum(np.abs(rows), 2 * step).mean(axis=1)
    labels = np.empty(channels, np.int64)
    for label, members in enumerate(np.array_split(np.argsort(activity, kind="stable"), count)):
        labels[members] = label
    limits = [plain or START] * count
    tables: list[Table] = [EMPTY] * count
    total = np.inf
    for _ in range(ROUNDS):
        symbols = np.empty(rows.shape, np.int32)
        for label in range(count):
            mine = labels == label
            symbols[mine] = quantise(rows[mine], step, limits[label])
        narrow = int(np.abs(symbols).max(initial=0)).bit_length() <= NARROW_BITS
        histograms = _histograms(symbols) if narrow else None
        for label in range(count):
            mine = labels == label
            table = fit.fit_mixture(fit.Histogram.of(symbols[mine])) if mine.any() else EMPTY
            if not plain and table.magnitude:
                ones, first, more, further = moments(rows[mine], symbols[mine], step)
                table = with_offsets(table, first / max(ones, 1), further / max(more, 1))
                limits[label] = thresholds(bits(table), table.offsets, lmbda)
            tables[label] = table
        # The empty table codes zeros alone.
        silent = np.where(symbols.any(axis=1), np.inf, 0.0)
        costs = np.stack(
            [_costs(symbols, histograms, t) if t.magnitude else silent for t in tables], axis=1
        )
        labels = costs.argmin(axis=1)
        total = float(costs.min(axis=1).sum()) / fraction
    side = 8 * sum(fit.table_bytes(table) + 1 for table in tables) + _label_bits(labels)
    return labels, tables, total + side


def _histograms(symbols: np.ndarray) -> np.ndarray:
    """Return (channels, 2 * reach + 1) counts of symbols (channels, values)."""
    reach = int(np.abs(symbols).max(initial=0))
    width = 2 * reach + 1
    base = np.arange(len(symbols))[:, None] * width + reach
    counts = np.bincount((symbols + base).ravel(), minlength=len(symbols) * width)
    return counts.reshape(len(symbols), width)


def _costs(symbols: np.ndarray, histograms: np.ndarray | None, table: Table) -> np.ndarray:
    """Return the bits of the symbols of each channel under a table.

    Without histograms, symbols are far apart, and are looked up one by one.
    """
    if histograms is None:
        return _rates(symbols, table).sum(axis=1)
    reach = histograms.shape[1] // 2
    return np.asarray(histograms @ _rates(np.arange(-reach, reach + 1), table))


def _rates(symbols: np.ndarray, table: Table) -> np.ndarray:
    """Return the bits of each symbol under a table."""
    shifted = (symbols + (1 << table.shift >> 1)) >> table.shift
    rates = bits(table)[np.clip(shifted, -table.magnitude, table.magnitude) + table.magnitude]
    excess = np.abs(shifted) - table.magnitude
    escaped = excess >= 0
    rates[escaped] += 8 * fit.varint_bytes(excess[escaped])
    return rates


def _label_bits(labels: Sequence[int] | np.ndarray) -> float:
    chances = np.bincount(labels) / len(labels)
    return float(-len(labels) * (chances[chances > 0] * np.log2(chances[chances > 0])).sum())
