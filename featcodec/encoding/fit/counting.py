"""What latents of a sample become under a coder: symbols by table, and the squared error.

All runs of a sample are quantised at once: a coder takes one after the other, which suits row
groups, but for so few latents each call costs more than its work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...coding.parts.base import PartCoder, Run, Sizes
from ...coding.parts.dependent import DependentCoder
from ...entropy import dependent_family, fit
from ...quantise.scalar import LARGEST

Latents = Mapping[Sizes, np.ndarray]  # (channels, points, blocks)
AT_ONCE = (PartCoder, DependentCoder)  # of which this module does what they do
NARROW = 1 << 10  # magnitude of symbols that are counted for all tables at once


@dataclass
class Counts:
    """What a part's latents became under one step: counts and centroids by number of table."""

    histograms: dict[int, fit.Histogram]
    offsets: dict[int, tuple[float, float]]
    error: float
    total: int


def squared_error(part: PartCoder, latents: Latents) -> float:
    """Return the squared error of quantised latents."""
    if type(part) not in AT_ONCE:
        return sum(part.encode_latents(values, sizes)[1] for sizes, values in latents.items())
    error = 0.0
    for sizes, values in latents.items():
        flat = values.reshape(-1, values.shape[-1])
        scalar, runs = part.split(sizes)
        error += Scalar.of(part, scalar, flat).error
        if isinstance(part, DependentCoder):
            error += part.along_chains(flat, runs)[2]
    return error


def count_symbols(part: PartCoder, latents: Latents) -> Counts:
    """Quantise latents and count the symbols of each table."""
    counts = Counts({}, {}, 0.0, 0)
    sums: dict[int, np.ndarray] = {}
    for sizes, values in latents.items():
        counts.total += values.size
        flat = values.reshape(-1, values.shape[-1])
        scalar, runs = part.split(sizes)
        at_once = Scalar.of(part, scalar, flat)
        counts.error += at_once.error
        found = at_once.counted()
        if isinstance(part, DependentCoder):
            symbols, second, error = part.along_chains(flat, runs)
            counts.error += error
            found |= _of_chains(part, runs, flat, symbols, second)
        for number, (histogram, moments) in found.items():
            before = counts.histograms.get(number)
            counts.histograms[number] = histogram if before is None else before + histogram
            sums[number] = sums.get(number, 0) + moments
    for number, (ones, first, more, further) in sums.items():
        pair = (first / max(ones, 1), further / max(more, 1))
        counts.offsets[number] = (float(pair[0]), float(pair[1]))
    return counts


def moments(latents: np.ndarray, symbols: np.ndarray, spacing: float) -> np.ndarray:
    """Return count and sum of (|y| / spacing - m) for m = 1 and for m > 1."""
    size = np.abs(symbols)
    excess = np.abs(latents)
    excess *= latents.dtype.type(1 / spacing)
    excess -= size
    one, nonzero = size == 1, size > 0
    ones, all_ones = float(np.count_nonzero(one)), float(np.vdot(one, excess))
    return np.array(
        [ones, all_ones, np.count_nonzero(nonzero) - ones, np.vdot(nonzero, excess) - all_ones]
    )


Counted = dict[int, tuple[fit.Histogram, np.ndarray]]  # by number of table, with its moments


@dataclass(frozen=True)
class Scalar:
    """Latents of the scalar quantiser, the rows of a run side by side."""

    numbers: Sequence[int]  # of the tables of runs
    starts: np.ndarray  # of runs, in rows
    empty: Sequence[bool]  # tables
    latents: np.ndarray  # (rows, blocks)
    sizes: np.ndarray  # in steps
    magnitudes: np.ndarray  # of the symbols
    error: float

    @classmethod
    def of(cls, part: PartCoder, runs: Sequence[Run], latents: np.ndarray) -> "Scalar":
        """Quantise latents (coefficients, blocks)."""
        tables = [part.table(number) for number, _ in runs]
        at = [part.thresholds(table) if table.magnitude else None for table in tables]
        limits = [(t.dead, t.edge) if t else (np.inf, np.inf) for t in at]
        lengths = [len(rows) for _, rows in runs]
        every = np.array([(*a, *t.offsets) for a, t in zip(limits, tables, strict=True)])
        every = every.reshape(-1, 4).astype(latents.dtype).repeat(lengths, axis=0)
        dead, edge, first, further = every.T[:, :, None]
        mine = latents[np.concatenate([rows for _, rows in runs] or [np.zeros(0, np.intp)])]
        sizes = np.abs(mine)
        sizes *= latents.dtype.type(1 / part.step)
        np.minimum(sizes, 2 * LARGEST, out=sizes)  # infinite ones, less an edge, are no numbers
        magnitudes, left = np.zeros_like(sizes), sizes.copy()
        # At low rates most rows are nothing but zeros.
        rows = np.flatnonzero((sizes >= np.minimum(dead, edge + 1)).any(axis=1))
        if rows.size:
            some = sizes[rows] - edge[rows]
            np.maximum(some, 0, out=some)
            np.floor(some, out=some)
            some += sizes[rows] >= dead[rows]
            np.minimum(some, LARGEST, out=some)
            magnitudes[rows] = some
            some = sizes[rows] - some
            some -= (magnitudes[rows] == 1) * first[rows]
            some -= (magnitudes[rows] > 1) * further[rows]
            left[rows] = some
        error = float(np.einsum("rn,rn->r", left, left).sum(dtype=np.float64)) * part.step**2
        starts = np.cumsum([0, *lengths], dtype=np.int64)[:-1]
        empty = [not table.magnitude for table in tables]
        return cls([n for n, _ in runs], starts, empty, mine, sizes, magnitudes, error)

    def counted(self) -> Counted:
        """Return the counts of symbols of tables that are not empty, and their moments.

        Those are the count and the sum of what magnitudes lie above the symbol, of 1 and of more.
        """
        if not len(self.latents):
            return {}
        one, more = self.magnitudes == 1, self.magnitudes > 1
        excess = self.sizes - self.magnitudes
        each = [one.sum(axis=1), np.einsum("rn,rn->r", one, excess)]
        each += [more.sum(axis=1), np.einsum("rn,rn->r", more, excess)]
        sums = np.add.reduceat(np.array(each, np.float64), self.starts, axis=1)
        symbols = np.copysign(self.magnitudes, self.latents).astype(np.int32)
        parts = np.split(symbols, self.starts[1:])
        runs = zip(self.numbers, self.empty, parts, sums.T, strict=True)
        return {
            number: (fit.Histogram.of(some), moments)
            for number, empty, some, moments in runs
            if not empty
        }


def _of_chains(
    part: DependentCoder,
    runs: Sequence[Run],
    latents: np.ndarray,
    symbols: np.ndarray,
    second: np.ndarray,
) -> Counted:
    """Return the counts and moments of symbols along chains, of which `second` are of quantiser 1.

    `latents` (coefficients, blocks) hold those of all runs, `symbols` those of these in order.
    """
    if not symbols.size:
        return {}
    lengths = [len(rows) * latents.shape[-1] for _, rows in runs]
    keys = np.repeat(np.arange(0, 2 * len(runs), 2, dtype=np.int32), lengths)
    keys += second
    excess = np.abs(latents[np.concatenate([rows for _, rows in runs])].reshape(-1))
    excess *= excess.dtype.type(1 / part.lattice(dependent_family.FIRST)[0])
    magnitudes = np.abs(symbols)
    excess -= magnitudes
    excess += 0.5 * second
    one = magnitudes == 1
    more = magnitudes > 1
    count = 2 * len(runs)
    sums = [w for some in (one, more) for w in _sums(keys, excess, some, count)]
    most = int(magnitudes.max())
    wide = 2 * most + 1
    table = None
    if most <= NARROW:
        flat = keys * wide
        flat += symbols
        flat += most
        table = np.bincount(flat, minlength=count * wide).reshape(count, wide)
    found: Counted = {}
    for key in range(count):
        if table is not None:
            seen = np.flatnonzero(table[key])
            histogram = fit.Histogram(seen - most, table[key, seen])
        else:
            histogram = fit.Histogram.of(symbols[keys == key])
        number = dependent_family.number(runs[key >> 1][0], bool(key & 1))
        found[number] = histogram, np.array([of[key] for of in sums])
    return found


def _sums(
    keys: np.ndarray, excess: np.ndarray, some: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    mine = keys[some]
    return np.bincount(mine, minlength=count), np.bincount(mine, excess[some], count)
