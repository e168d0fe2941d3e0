"""Dense maps as a candidate: weights, tables and offsets fitted to a sample."""

import math
from dataclasses import dataclass, replace

import numpy as np

from ...coding.parts.base import Coded, PartCoder, Sizes
from ...container.part import Part
from ...encoding.fit import counting
from ...encoding.fit.fitting import Classes
from ...encoding.search.candidate import Candidate, scale_of
from ...entropy import fit, integers
from ...entropy.interpolation import Weights
from ...entropy.located import CLASSES, NUMBERS
from ...entropy.tables import MAX_MAGNITUDE, bits
from ...quantise.scalar import Thresholds, quantise
from .coder import pack
from .fit import axis_of, fit_weights
from .part import ESCAPE_BITS, KINDS, UNIT, InterpolatedCoder, Own, kinds
from .tables import fit_tables

START = Thresholds(0.58, 0.52)  # before there are tables
PRIOR = 4  # values at offset 0 that a fit counts in
FITTED = 1 << 19  # latents that weights and tables are fitted to,
ENOUGH = 1 << 14  # of each channel at most within a bound: of one channel, more is memory alone
CLOSE_STEP = 0.03  # of its logarithm, where weights hardly change
SIZE = 2 * MAX_MAGNITUDE + 1


class InterpolatedCandidate(Candidate):
    """The sample domain: expected values and their spreads choose the tables."""

    LAMBDAS = (0.1,)
    known: tuple[float, Weights] | None = None  # a step, and weights fitted at it

    def rough(self, step: float) -> PartCoder:
        """Return a coder that quantises alone, which shows the error of a step well enough."""
        return _Quantiser(
            self.transform, self.model.scales, {}, step, scale_of(step), self.compute_dtype
        )

    def tuned(self, step: float) -> tuple[PartCoder, float]:
        """Return a coder, and the bits of its symbols and fields."""
        coder, total = self._fitted(step)
        assert coder.own is not None
        return coder, total + 8.0 * len(pack(coder.own))

    def within(self, step: float) -> tuple[PartCoder, float]:
        """Return a coder whose symbols stand for the middles of their cells, and all its bits."""
        coder, total = self._fitted(step, middles=True)
        assert coder.own is not None
        return coder, total + 8.0 * len(pack(coder.own))

    def least_bits(self, step: float) -> float:
        """Return the bits of symbols alone, which are fitted too well on a small sample."""
        return self._fitted(step)[1]

    def _fitted(self, step: float, middles: bool = False) -> tuple[InterpolatedCoder, float]:
        most = min(FITTED, ENOUGH * len(self.model.centre)) if middles else FITTED
        every = max(self.size // most, 1)
        some = {sizes: a[..., ::every] for sizes, a in self.latents.items()}
        fraction = self.fraction * sum(a.size for a in some.values()) / self.size
        weights = self._weights(step, some, fraction)
        own = Own(
            weights,
            np.zeros(CLASSES, np.int64),
            np.zeros(NUMBERS, np.int64),
            np.zeros((CLASSES, KINDS), np.int64),
        )
        coder = self._coder(step, own)
        for _ in range(1 if middles else 2):  # tables follow the symbols, and symbols the tables
            found = self._counted(coder, some)
            tweaks, zeros = fit_tables(found.counts, fraction, self.positive)
            offsets = np.zeros_like(found.offsets) if middles else found.offsets
            coder = self._coder(step, Own(weights, tweaks, zeros, offsets))
        total = 0.0
        for number in np.flatnonzero(found.counts.any(axis=1)).tolist():
            total += float(found.counts[number] @ _bits_of(coder, number))
        return coder, total / fraction

    def _weights(self, step: float, some: Classes, fraction: float) -> Weights:
        """Return weights for symbols at a step, those of one close to it where they are known."""
        if self.known is None or abs(math.log(step / self.known[0])) > CLOSE_STEP:
            symbols = {sizes: quantise(a, step, START) for sizes, a in some.items()}
            weights = fit_weights(symbols, fraction, self.positive, axis_of(symbols))
            self.known = step, weights
        return self.known[1]

    def _coder(self, step: float, own: Own) -> InterpolatedCoder:
        return InterpolatedCoder(
            self.transform,
            self.model.scales,
            {},
            step,
            scale_of(step),
            self.compute_dtype,
            lmbda=self.lmbda,
            own=own,
            positive=self.positive,
        )

    def _counted(self, coder: InterpolatedCoder, some: Classes) -> "_Counted":
        counts = np.zeros(NUMBERS * SIZE, np.int64)
        sums = np.zeros((2, CLASSES * KINDS))
        error = 0.0
        for sizes, latents in some.items():
            for step, mine, symbols in coder.decided(latents, sizes):
                rest = np.clip(symbols - step.bases, -MAX_MAGNITUDE, MAX_MAGNITUDE)
                rest += np.multiply(step.numbers, SIZE, dtype=np.int32) + MAX_MAGNITUDE
                counts += np.bincount(rest.reshape(-1), minlength=len(counts))
                kind = kinds(step, symbols, self.positive).reshape(-1)
                left = (mine / coder.step - symbols).reshape(-1)
                sums[0] += np.bincount(kind, minlength=sums.shape[1])
                sums[1] += np.bincount(kind, left, sums.shape[1])
                mine -= coder.levels_of(step, symbols)
                error += float(np.vdot(mine, mine))
        offsets = np.clip(np.rint(UNIT * sums[1] / (sums[0] + PRIOR)), -2 * UNIT, 2 * UNIT)
        return _Counted(
            counts.reshape(NUMBERS, SIZE),
            offsets.astype(np.int64).reshape(CLASSES, KINDS),
            error,
        )

    def count(self, coder: PartCoder) -> counting.Counts:
        assert isinstance(coder, InterpolatedCoder)
        found = self._counted(coder, self.latents)
        counts = counting.Counts({}, {}, found.error, self.size)
        for number in np.flatnonzero(found.counts.any(axis=1)).tolist():
            seen = np.flatnonzero(found.counts[number])
            counts.histograms[number] = fit.Histogram(
                seen - MAX_MAGNITUDE, found.counts[number][seen]
            )
        return counts

    def part(self, coder: PartCoder) -> Part:
        """Return what the group header stores."""
        assert isinstance(coder, InterpolatedCoder)
        model = replace(self.model, own=coder.own)
        return Part(model.transform, model.pack())

    def side_bits(self) -> float:
        return 8.0 * len(integers.pack(self.model.centre))


@dataclass(frozen=True)
class _Counted:
    """What a sample came to."""

    counts: np.ndarray  # (NUMBERS, SIZE) of symbols less their base
    offsets: np.ndarray  # the best ones, (CLASSES, KINDS)
    error: float  # squared, with those of the coder


class _Quantiser(PartCoder):
    """Quantises as symbols are before there are tables."""

    def encode_latents(self, latents: np.ndarray, sizes: Sizes) -> tuple[list[Coded], float]:
        symbols = quantise(latents, self.step, START)
        error = latents - symbols * latents.dtype.type(self.step)
        return [], float(np.vdot(error, error))


def _bits_of(coder: InterpolatedCoder, number: int) -> np.ndarray:
    table = coder.table(number)
    symbols = np.arange(-MAX_MAGNITUDE, MAX_MAGNITUDE + 1)
    limit = table.magnitude
    found: np.ndarray = bits(table)[np.clip(symbols, -limit, limit) + limit]
    return found + ESCAPE_BITS * (np.abs(symbols) >= limit)
