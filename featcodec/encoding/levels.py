"""Groups at an SNR whose elements become one of few, and are coded as they are then (SPEC §5).

Exact coding knows the neighbours of an element across a whole map and rows that repeat, and takes
hardly any side information. So maps of probabilities and other values of which few carry the
variance take fewer bytes than by any transform, as long as few elements are left; so do values that
saturate.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..align.numbers import STORED, from_float, to_float, unsigned
from ..container.group import GroupHeader
from ..container.writer import Writer
from ..entropy import bin_choice
from . import tuning
from .brief import above, stated_snr
from .contest import Contest, Way
from .lossless import write_lossless
from .measured import Measured, measured_elements
from .rate_control.slices import AIM, BELOW
from .reached import decibels
from .tensors.group import Group
from .tensors.lossless import LosslessGroup, likely_layouts, of_parts
from .tensors.samples import Samples

PARTS = (1.0, 0.5, 0.25)  # of the error that the SNR leaves
MOST_VALUES = 1 << 21  # of a group
TRIED = 2  # are written
LEVELED = 3  # times that they are sought, ever finer, until no slice has too little
MORE = 1.25  # times what a slice lacks
SEED = 5
ROUNDINGS = (0.5, 0.4, 1 / 3)  # of a step: from there on a value falls to the level further out
MOST, FEW = 1024, 256  # levels; where they are more, one way to round is tried
MANTISSA = 8  # bits of a level: more cost more than they bring it near to the mean of its values
FAR = 1.25  # times the bits that may still be the fewest: more are far more
# Of values that are not concentrated, times the bits by a model: the bits by levels, about, and
# those of levels by how often each occurs. States of recurrent networks that saturate, of which
# many are near 1 and -1, took 0.6 of what they occur by, others 0.97 at most.
NEAR, FAR_MORE = 1.03, 1.6
# Of a group: of fewer little can be gained, and lists of single values take much room.
LEAST_VALUES, LEAST_CHANNELS = 1 << 14, 4
ZERO = 1 / 32  # of a step: so close to it a level is zero
FINEST, COARSEST, HALVINGS = 2.0**-12, 2.0**6, 24  # of the deviation, steps that are tried


@dataclass(frozen=True)
class Levels:
    """Rounds elements to the level of the cell that they lie in."""

    dtype: str
    edges: np.ndarray  # between cells, float64, ascending
    elements: np.ndarray  # of the cells, unsigned integers

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """Return the levels (n,) of elements, unsigned integers both."""
        return self.elements[self.cells(numbers)]

    def cells(self, numbers: np.ndarray) -> np.ndarray:
        """Return the indices (n,) of the cells that elements lie in."""
        values = to_float(numbers.view(STORED[self.dtype]), self.dtype)
        return np.searchsorted(self.edges, values, side="right")


@dataclass(frozen=True)
class Ordered:
    """The values of a group in order, of which the error of any cells follows at once."""

    dtype: str
    values: np.ndarray  # float64, ascending
    sums: np.ndarray  # of values, and of their squares: (2, n + 1), of all below

    @classmethod
    def of(cls, dtype: str, values: np.ndarray) -> "Ordered":
        values = np.sort(values.astype(np.float64))
        sums = np.zeros((2, len(values) + 1))
        np.cumsum(values, out=sums[0, 1:])
        np.cumsum(np.square(values), out=sums[1, 1:])
        return cls(dtype, values, sums)

    def levels(self, step: float, rounding: float) -> tuple[Levels, float] | None:
        """Return the levels of cells of a width about the median, and the squared error.

        The cell in the middle is wider, and cells without values are none. None for too many.
        """
        centre = self.values[len(self.values) // 2]
        below, above = centre - self.values[0], self.values[-1] - centre
        down, up = (int(distance / step + rounding) for distance in (below, above))
        if down + up >= MOST:
            return None
        outwards = np.concatenate(
            [-np.arange(down, 0, -1) + rounding, np.arange(up) + 1 - rounding]
        )
        edges = centre + step * outwards
        places = np.concatenate([[0], np.searchsorted(self.values, edges), [len(self.values)]])
        counts, (sums, squares) = np.diff(places), np.diff(self.sums[:, places])
        taken = np.flatnonzero(counts)
        means = sums[taken] / counts[taken]
        fraction, octave = np.frexp(np.where(np.abs(means) < ZERO * step, 0.0, means))
        wanted = np.ldexp(np.rint(np.ldexp(fraction, MANTISSA)), octave - MANTISSA)
        elements = from_float(wanted, self.dtype)
        found = to_float(elements, self.dtype).astype(np.float64)
        errors = squares[taken] - 2 * found * sums[taken] + counts[taken] * found * found
        known = Levels(self.dtype, edges[taken[1:] - 1], elements.view(unsigned(self.dtype)))
        return known, float(errors.sum())

    def within(self, error: float, rounding: float) -> Levels | None:
        """Return the levels of the widest cells found that leave a squared error at most."""
        deviation = float(self.values.std())
        low, high, best = FINEST * deviation, COARSEST * deviation, None
        for _ in range(HALVINGS):
            step = float(np.sqrt(low * high))
            found = self.levels(step, rounding)
            if found is None or found[1] <= error:
                low, best = step, found
            else:
                high = step
        return None if best is None else best[0]


def levels_for(samples: Samples, snr: float, most: float) -> list[Levels]:
    """Return the likeliest levels for an SNR in dB, where they may take fewer than `most` bytes."""
    group = samples.group
    if not _serves(samples):
        return []
    enough = group.values >= LEAST_VALUES and group.channels >= LEAST_CHANNELS
    if not samples.concentrated and not enough:
        return []
    few = 8 * most < tuning.SCARCE * group.values or snr < tuning.COARSE_BELOW  # bits, or levels
    likely = samples.concentrated and (few or group.values <= tuning.WRITTEN_VALUES)
    stored = np.concatenate([_flat(group, i) for i in range(len(group.shapes))])
    values = to_float(stored, group.dtype)
    if not np.isfinite(values).all():
        return []
    ordered = Ordered.of(group.dtype, values)
    error = len(values) * float(ordered.values.var()) / 10 ** (snr / 10)
    numbers, rasters = stored.view(unsigned(group.dtype)), LosslessGroup.of(group).rasters
    least = 8 * most * NEAR
    if likely:
        least = max(8 * most * tuning.NEAR_FEW, tuning.FEW_BITS)
    bits: dict[bytes, float] = {}
    found: dict[bytes, Levels] = {}
    # Of two levels, those that leave less error may have smoother borders between them.
    for rounding, part in itertools.product(ROUNDINGS, PARTS if likely else PARTS[:1]):
        levels = ordered.within(error * part, rounding)
        if levels is None or (key := levels.edges.tobytes()) in bits:
            continue
        if bits and len(levels.elements) > FEW:
            continue
        cells = levels.cells(numbers)
        share = min(_new(cells, group, columns) for columns in (False, True))
        if not likely and share * _entropy(cells) > FAR_MORE * least:
            break
        chosen = bin_choice.choose_bins(levels.elements[cells], True, rasters)
        bits[key] = np.inf if chosen is None else chosen.bits * share
        found[key] = levels
        if bits[key] > (FAR if likely else 1) * least:  # finer ones, and like these, take no fewer
            break
    return [found[key] for key in sorted(bits, key=bits.__getitem__)[:TRIED] if bits[key] < least]


def _entropy(cells: np.ndarray) -> float:
    """Return the bits of cells by how often each occurs."""
    counts = np.bincount(cells)
    return float(-(counts * np.log2(np.maximum(counts, 1) / cells.size)).sum())


def _flat(group: Group, i: int) -> np.ndarray:
    return np.asarray(group.tensor(i)).reshape(-1)


def _new(cells: np.ndarray, group: Group, columns: bool) -> float:
    """Return what is left of the bits without rows, or columns of maps, that repeat earlier ones.

    About: each row counts by the frequency of its cells, each repeat by that of the rows kept.
    """
    shape = group.shapes[0]
    if len(group.shapes) > 1 or len(shape) < 2:
        return 1.0
    rows = cells.reshape(-1, shape[-1])
    rows = rows.T if columns else rows
    weights = np.random.default_rng(SEED).integers(1 << 62, size=rows.shape[1], dtype=np.uint64)
    _, first = np.unique(rows.astype(np.uint64) @ weights, return_index=True)
    counts = np.bincount(cells)
    bits = -np.log2(np.maximum(counts, 1) / cells.size)[rows].sum(axis=1)
    repeats = len(rows) - len(first)
    kept = float(bits[first].sum()) + repeats * math.log2(len(first))
    return min(kept / max(float(bits.sum()), 1.0), 1.0)


def _serves(samples: Samples) -> bool:
    """Return whether values of a group are few, and all of them plain."""
    group = samples.group
    kept = samples.stats.cut or group.gains or group.slices or group.truncated
    few = group.values <= MOST_VALUES and group.values == group.present
    return few and not kept and samples.search.thorough


def enter_levels(contest: Contest, samples: Samples, way_of: Callable[[Levels], Way]) -> None:
    """Write a group by levels for the SNR and, while slices have too little, for more."""
    least = contest.snr - BELOW
    wanted = contest.snr
    for _ in range(LEVELED):
        lowest = math.inf
        for levels in levels_for(samples, wanted, contest.least[1]):
            contest.enter(way_of(levels))
            lowest = min(lowest, contest.last.lowest if contest.last else math.inf)
        if lowest >= least:
            break
        wanted += MORE * (least - lowest) + AIM


def write_levels(
    writer: Writer, samples: Samples, levels: Levels, asked: float
) -> tuple[GroupHeader, Measured]:
    """Write a group by its levels; return its header, and what its slices have.

    The levels reach the SNR that is `asked` for, in dB.
    """
    group = samples.group
    exact, ranks = LosslessGroup.of(group), {len(shape) for shape in group.shapes}
    layouts = likely_layouts(ranks)
    if group.trimmed or group.parts:
        layouts = of_parts(layouts)
    exact = replace(exact, layouts=layouts or exact.layouts, rounded=levels.of)
    header = write_lossless(writer, exact)
    found = measured_elements(replace(group, rows=None), levels.of)  # constant rows err, too
    count, total, squares, noise = found.slices.sum(axis=(1, 2))
    reached = stated_snr(float(decibels(squares - total**2 / count, noise)), asked)
    return replace(header, snr_db=reached, max_error=above(_largest(group, levels))), found


def _largest(group: Group, levels: Levels) -> float:
    """Return the largest error of a value."""
    largest = 0.0
    for i in range(len(group.shapes)):
        stored = _flat(group, i)
        rounded = levels.of(stored.view(unsigned(group.dtype))).view(stored.dtype)
        values, found = (to_float(one, group.dtype).astype(np.float64) for one in (stored, rounded))
        largest = max(largest, float(np.abs(found - values).max(initial=0)))
    return largest
