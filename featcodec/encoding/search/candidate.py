"""Which transform, at which step: candidates tried on a sample, side information counted."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...coding.model import GridModel, pack_scales, pack_tables
from ...coding.parts.base import PartCoder
from ...coding.parts.dependent import DependentCoder
from ...container.group import Part
from ...container.wire import Builder
from ...entropy import family, fit
from ...quantise.scalar import PLAIN, TRADE
from ...transform.base import Transform
from ..fit import fitting
from ..fit.fitting import Classes
from .clusters import cluster
from .correction import Correction, correct

# Decibels per bit.
SLOPE = 6.02
# Quarter octaves by which the scale of a step is best below the step under dependent quantisation.
DEPENDENT_SCALE = 0.75
DIGEST_BYTES = 32  # of a profile, in the index
FAR = 0.3  # dB from the wanted error: too far to judge the bits there
CORRECTED_VALUES = 1 << 16  # of a sample, for a first look
LEAST_STEP, MOST_STEP = math.log(1e-9), math.log(1e4)  # in deviations
MOST_TRADE = 0.3
CLOSE_ERROR = 0.004  # of a logarithm: 0.017 dB


@dataclass
class Candidate:
    """One way to code one part: a model fitted here, or an entry of the profile."""

    model: GridModel
    entry: int | None  # of the profile
    work: str
    values: Classes  # of the sample, aligned
    latents: Classes
    energy: fitting.Energy
    share: float  # of the group's values that is in the sample
    single: bool  # the sample is large enough to tell single scales
    trade: float = TRADE
    bounds: tuple[float, float] | None = None  # that many values lie near
    dependent: bool = False  # quantisation; never without a transform
    positive: bool = False  # no value of the group is below the mean
    even: bool = True  # some part of the group has scales of its own, in half octaves

    @cached_property
    def transform(self) -> Transform:
        return self.model.transform_in(self.work)

    def correction(self, coder: PartCoder, budget: int = CORRECTED_VALUES) -> Correction:
        """Return what the bounds say of about `budget` values that a coder decodes."""
        if self.bounds is None:
            return Correction()
        return correct(coder, self.values, self.latents, self.bounds, budget)

    @property
    def size(self) -> int:
        return sum(a.size for a in self.latents.values())

    def at(self, step: float, step_scale: int, scales: np.ndarray, tables: Mapping) -> PartCoder:
        kind = DependentCoder if self.dependent else PartCoder
        return kind(self.transform, scales, tables, step, step_scale, self.work, trade=self.trade)

    def rough(self, step: float) -> PartCoder:
        """Return a coder with the sample's own scales, for a first look at a step."""
        scales = self.energy.scales()
        return self.at(step, scale_of(step), scales, self.model.tables)

    def step_scales(self, step: float) -> tuple[int, int]:
        """Return the step in quarter octaves as it is for the choice of tables, and as stored."""
        if not self.dependent:
            return scale_of(step), scale_of(step)
        exact = round(4 * math.log2(step) - DEPENDENT_SCALE)
        stored = exact - exact % 2 if self.even else exact
        return exact if self.entry is None else stored, stored

    def tuned(self, step: float) -> tuple[PartCoder, float]:
        """Return a coder with scales and tables as they will be stored, and all its bits."""
        step_scale, stored = self.step_scales(step)
        floor = step_scale - 2 * family.UNIT - 2
        if self.entry is None:
            base = separable(np.maximum(self.energy.scales(), floor))
        else:
            base = self.model.scales
        wanted = np.maximum(self.energy.towards(base).scales(), floor)
        blocks = self.energy.count / self.share
        scales = fitting.worthwhile(base, wanted, blocks, step_scale, self.single)
        if self.entry is None:
            scales = 2 * ((scales - step_scale + stored + 1) // 2)
        default = self.at(step, stored, scales, self.model.tables)
        coder = default
        # Thresholds follow the tables and the tables what the thresholds leave: twice is enough.
        for _ in range(2):
            counts = fitting.count_symbols(coder, self.latents)
            tables, bits = fitting.choose_tables(
                default, counts, self.share, empty=not self.dependent
            )
            coder = replace(default, tables={**self.model.tables, **tables}, _orders={})
        return coder, bits + 8 * len(pack_scales(scales - self._base_scales()))

    def _base_scales(self) -> np.ndarray:
        return self.model.scales if self.entry is not None else np.zeros_like(self.model.scales)

    def side_bits(self) -> float:
        """Return the bits of what is stored beside scales and tables."""
        if self.entry is not None:
            return 8.0 * 34
        bare = replace(self.model, scales=np.zeros_like(self.model.scales), tables={})
        return 8.0 * len(bare.pack().pack())

    def count(self, coder: PartCoder) -> fitting.Counts:
        return fitting.count_symbols(coder, self.latents)

    def part(self, coder: PartCoder) -> Part:
        """Return what the group header stores."""
        base = self.model.tables
        own = {n: t for n, t in coder.tables.items() if base.get(n) != t}
        if self.entry is not None:
            correction = pack_scales(coder.scales - self.model.scales)
            return Part(self.model.transform, None, self.entry, correction, pack_tables(own))
        model = replace(self.model, scales=coder.scales, tables=own, scale_unit=2)
        return Part(model.transform, model.pack())


class PlainCandidate(Candidate):
    """No transform: channels are clustered, and scales are the numbers of their tables."""

    COUNTS = (1, 4, 16)
    # Sparse maps are far from the high-rate regime in which quantise.TRADE is right.
    TRADES: tuple[float, ...] = (0.06, 0.12)

    def rough(self, step: float) -> PartCoder:
        return self.tuned(step, counts=self.COUNTS[1:2])[0]

    def tuned(
        self, step: float, plain: bool = False, counts: tuple[int, ...] = COUNTS
    ) -> tuple[PartCoder, float]:
        """Return a coder with a table for each cluster of channels, and all its bits."""
        step_scale = scale_of(step)
        rows = np.concatenate([a.reshape(len(a), -1) for a in self.latents.values()], axis=1)
        limits = PLAIN if plain else None
        labels, tables, bits = min(
            (
                cluster(rows, step, count, self.share, self.trade, limits)
                for count in counts
                if count <= len(rows) or count == counts[0]
            ),
            key=lambda found: found[2],
        )
        numbers = (labels + 1).reshape(-1, *(1 for _ in self.model.block))
        scales = step_scale + 2 * (numbers - family.UNIT)
        own = {label + 1: table for label, table in enumerate(tables) if label in labels}
        coder = self.at(step, step_scale, scales, own)
        return replace(coder, plain=plain, _orders={}), bits


def scale_of(step: float) -> int:
    """Return the step in quarter octaves, even, as scales stored in half octaves want it."""
    return 2 * round(2 * math.log2(step))


def separable(wanted: np.ndarray) -> np.ndarray:
    """Return the sum of a channel term and a band term nearest to the scales, in half octaves."""
    flat = wanted.reshape(len(wanted), -1) // 2
    channel = np.rint(flat.mean(axis=1, keepdims=True))
    band = np.rint((flat - channel).mean(axis=0, keepdims=True))
    return (2 * (channel + band)).astype(np.int64).reshape(wanted.shape)


def solve_step(
    error: Callable[[float], float],
    target: float,
    start: float,
    precision: float = 0.005,
    rounds: int = 12,
) -> float:
    """Return the step whose error, which grows with it, comes closest to `target`.

    Secant steps in the logarithms, the bracket kept; stops within that factor of the target, or
    after so many rounds.
    """
    low, high = -math.inf, math.inf
    x, slope = math.log(start), 2.0
    previous: tuple[float, float] | None = None
    for _ in range(rounds):
        y = math.log(max(error(math.exp(x)), 1e-300) / target)
        if abs(y) < precision:
            break
        if y > 0:
            high = min(high, x)
        else:
            low = max(low, x)
        if previous is not None and x != previous[0]:
            slope = min(max((y - previous[1]) / (x - previous[0]), 0.3), 3.0)
        previous = (x, y)
        x = min(max(x - min(max(y / slope, -3), 3), LEAST_STEP), MOST_STEP)
        if not low < x < high and math.isfinite(low + high):
            x = (low + high) / 2
    return math.exp(x)


def rough_step(candidate: Candidate, target: float, start: float) -> float:
    """Return the step at which a candidate reaches a mean squared error on its sample."""

    def error(step: float) -> float:
        coder = candidate.rough(step)
        found = fitting.squared_error(coder, candidate.latents)
        return found / candidate.size * candidate.correction(coder).curved

    return solve_step(error, target, start, precision=0.02)


def total_bits(candidate: Candidate, target: float, start: float) -> tuple[float, float]:
    """Return the bits of the whole part at that error, side information included, and the step."""
    step = rough_step(candidate, target, start)
    bits, excess = bits_at(candidate, target, step)
    if abs(excess) > FAR:
        # Tables of the sample's own may leave far more as zeros than those before.
        step *= 10 ** (-excess / 30)
        bits, _ = bits_at(candidate, target, step)
    return bits, step


def bits_at(candidate: Candidate, target: float, step: float) -> tuple[float, float]:
    """Return the bits of the whole part at a step, corrected to the wanted error, and by how much.

    That is in decibels, of the squared error.
    """
    coder, bits = candidate.tuned(step)
    counts = candidate.count(coder)
    error = counts.error / counts.total * candidate.correction(coder).curved
    excess = 10 * math.log10(max(error, 1e-300) / target)
    bits += bits_of_error(excess, counts) / candidate.share
    return bits + candidate.side_bits(), excess


def solve_trade(error: Callable[[float], float], target: float) -> float:
    """Return the trade whose error, which grows with it, comes closest to `target` from below."""

    def excess(trade: float) -> float:
        return math.log(max(error(trade), 1e-300) / target)

    low, high = 0.0, MOST_TRADE
    above = excess(high)
    if above <= 0:
        return high
    below = excess(low)
    if below > 0:
        return low
    for _ in range(5):
        share = min(max(below / (below - above), 0.1), 0.9)
        trade = low + share * (high - low)
        found = excess(trade)
        if abs(found) < CLOSE_ERROR:
            return trade
        if found > 0:
            high, above = trade, found
        else:
            low, below = trade, found
    return low


def trade_for(candidate: Candidate, step: float, target: float) -> float:
    """Return the trade at which a candidate has a mean squared error at a given step."""

    def error(trade: float) -> float:
        candidate.trade = trade
        return fitting.squared_error(candidate.rough(step), candidate.latents) / candidate.size

    return solve_trade(error, target)


def stored_bits(candidate: Candidate, coder: PartCoder) -> float:
    """Return the bits of a part's symbols, as its tables code them, and of its description."""
    counts = candidate.count(coder)
    symbols = sum(fit.cost(h, coder.table(number)) for number, h in counts.histograms.items())
    part = Builder()
    candidate.part(coder).pack(part)
    profile = 0 if candidate.entry is None else 8 * DIGEST_BYTES
    return symbols / candidate.share + 8 * len(part) + profile


def bits_of_error(decibels: float, counts: fitting.Counts) -> float:
    """Return the bits of symbols like those counted that make the squared error so much less."""
    nonzero = sum(histogram.nonzero for histogram in counts.histograms.values())
    # Where the error jumps to nothing, no more than an octave of steps could have been saved.
    return max(decibels, -SLOPE) / SLOPE * min(2.0 * float(nonzero), counts.total)


def lagrangian(candidate: Candidate, step: float, trade: float) -> float:
    """Return bits plus distortion in bits of a candidate at a given step."""
    coder, bits = candidate.tuned(step)
    error = fitting.squared_error(coder, candidate.latents) / candidate.share
    return bits + candidate.side_bits() + error / (trade * step * step)
