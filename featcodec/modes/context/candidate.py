"""Maps without a transform as a candidate: scales, tables and offsets fitted to a sample."""

from dataclasses import replace
from functools import partial

import numpy as np

from ...coding.model import pack_scales
from ...coding.parts.base import PartCoder
from ...container.part import Part
from ...encoding.fit import counting, fitting
from ...encoding.search import cost
from ...encoding.search.candidate import Candidate, scale_of
from ...entropy import contexts, fit, integers, shapes
from ...quantise.scalar import quantise
from . import reconstruction
from .coder import Own
from .dependent import DependentContextCoder
from .fit import ShapeCounts, choose
from .gathered import Coded, Gathered
from .means import NUMBER, MeanErrors, fitted
from .scalar import START, ContextCoder


class ContextCandidate(Candidate):
    """The sample domain: neighbours and the mean magnitude of the channel choose the tables."""

    LAMBDAS = (0.08,)

    def rough(self, step: float) -> PartCoder:
        return self._fitted(step, rounds=1)[0]

    def nearly(self, step: float) -> PartCoder:
        return self._fitted(step, rounds=2)[0]

    def tuned(self, step: float) -> tuple[PartCoder, float]:
        """Return a coder, with tables of its own where they pay, and all its bits."""
        return self._fitted(step, rounds=2, by_shape=True)

    def _fitted(
        self, step: float, rounds: int, by_shape: bool = False
    ) -> tuple[ContextCoder, float]:
        default = self._default(step)
        coder, coded, of_means = default, list[Coded](), 0.0
        # Thresholds depend on the tables, and the tables on the symbols. Shapes are told apart only
        # where that may pay for their tables.
        for last in [False] * (rounds - 1) + [True]:
            shaped = ShapeCounts.empty() if last and by_shape else None
            counts, after, coded = self._counted(coder, shaped)
            own, bits = fitting.choose_tables(default, counts, self.fraction, empty=False)
            if shaped:
                found, fewer = choose(default, counts, shaped, self.fraction)
                own, bits = (found, fewer) if fewer < bits else (own, bits)
            coder = after.with_tables(own)
        assert coder.offsets is not None
        side = pack_scales(coder.scales), integers.pack(coder.offsets.ravel())
        # A step that divides the saturation value leaves most values no error to be moved by.
        if rounds > 1 and not self.on_saturation:
            values = counts.total / self.fraction
            saved = partial(cost.bits_of_error, bits=bits, values=values)
            errors = [
                MeanErrors.of(coder.errors(*each), each[1], step, len(coder.scales))
                for each in coded
            ]
            means, of_means = fitted(errors, self.fraction, saved)
            coder = replace(coder, means=means)
        return coder, bits + of_means + 8 * sum(map(len, side))

    def within(self, step: float) -> tuple[PartCoder, float]:
        """Return a coder whose symbols stand for the middles of their cells, and all its bits."""
        none = np.zeros((1, reconstruction.CLASSES, reconstruction.KINDS), np.int64)
        middles = dict.fromkeys(range(shapes.NUMBERS), (0.0, 0.0, 0.0))
        coder = replace(self._default(step), lmbda=0.0, offsets=none, expected=middles)
        shaped = ShapeCounts.empty()
        counts, _, _ = self._counted(coder, shaped)
        own, bits = fitting.choose_tables(coder, counts, self.fraction, empty=False)
        found, fewer = choose(coder, counts, shaped, self.fraction)
        own, bits = (found, fewer) if fewer < bits else (own, bits)
        return coder.with_tables(own), bits + 8 * len(pack_scales(coder.scales))

    def _default(self, step: float) -> ContextCoder:
        """Return a coder with the built-in tables."""
        step_scale = scale_of(step)
        kind = DependentContextCoder if self.dependent else ContextCoder
        symbols = [quantise(a, step, START) for a in self.latents.values()]
        sums = np.sum([np.abs(a).sum(axis=(1, 2)) for a in symbols], axis=0)
        levels = contexts.level_of(sums * self.model.channels / self.size)
        scales = step_scale + 2 * levels.reshape(-1, *(1 for _ in self.model.block))
        return kind(
            self.transform,
            np.broadcast_to(scales, self.model.scales.shape),
            {},
            step,
            step_scale,
            self.compute_dtype,
            lmbda=self.lmbda,
            positive=self.positive,
        )

    def count(self, coder: PartCoder) -> counting.Counts:
        assert isinstance(coder, ContextCoder)
        counts, _, _ = self._counted(coder)
        return counts

    def part(self, coder: PartCoder) -> Part:
        """Return what the group header stores."""
        assert isinstance(coder, ContextCoder)
        assert coder.offsets is not None
        model = replace(self.model, scales=coder.scales, scale_unit=2)
        transform = "context" if coder.means is None else "context-means"
        own = Own(coder.offsets, coder.tables, coder.means)
        model = replace(model, transform=transform, own=own)
        return Part(model.transform, model.pack())

    def _counted(
        self, coder: ContextCoder, shaped: ShapeCounts | None = None
    ) -> tuple[counting.Counts, ContextCoder, list[Coded]]:
        """Return counts, the coder with what is best for them, and what they are of.

        These are the mean reconstruction points of each table, the offsets and, where it had none,
        the weight of the errors of means. Symbols are counted by shapes, too, where that is asked.
        """
        gathered = Gathered(self.dependent, shaped)
        coded = [gathered.add(coder, *each) for each in self.latents.items()]
        counts, after = gathered.counts(self.size), gathered.told(coder)
        if coder.offsets is None:
            return counts, after, coded
        for each in coded:
            of_means, errors = coder.with_means(*each)
            counts.error += float(np.vdot(errors, errors))
            if of_means is not None:
                found, before = fit.Histogram.of(of_means), counts.histograms.get(NUMBER)
                counts.histograms[NUMBER] = found if before is None else before + found
        return counts, after, coded
