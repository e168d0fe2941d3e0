"""Context modelling with an entry of a profile as a candidate."""

import numpy as np

from ...coding.parts.base import PartCoder
from ...container.part import Part
from ...encoding.fit import counting
from ...encoding.search.candidate import scale_of
from ...entropy import fit
from ..coder import CoderArguments
from ..context.candidate import ContextCandidate
from ..context.coder import context_coder
from ..context.scalar import ContextCoder


class SharedCandidate(ContextCandidate):
    """The tables and offsets of the entry, which are of many steps."""

    fitted = False

    def rough(self, step: float) -> PartCoder:
        return self._at(step)

    def nearly(self, step: float) -> PartCoder:
        return self._at(step)

    def tuned(self, step: float) -> tuple[PartCoder, float]:
        """Return a coder, and all its bits."""
        coder = self._at(step)
        found = self.count(coder).histograms.items()
        bits = sum(float(fit.cost(histogram, coder.table(n))) for n, histogram in found)
        return coder, bits / self.fraction

    def count(self, coder: PartCoder) -> counting.Counts:
        """Return the counts of the symbols of tables, and their error; no table takes offsets."""
        if self._last is None or self._last[0] is not coder:
            symbols, error = dict[int, list[np.ndarray]](), 0.0
            for sizes, latents in self.latents.items():
                coded, missed = coder.encode_latents(latents, sizes)
                error += missed
                for number, some in coded:
                    symbols.setdefault(number, []).append(some)
            found = {n: fit.Histogram.of(np.concatenate(some)) for n, some in symbols.items()}
            self._last = coder, counting.Counts(found, {}, error, self.size)
        return self._last[1]

    def _at(self, step: float) -> ContextCoder:
        arguments = CoderArguments(
            self.transform, self.model.scales, {}, step, scale_of(step), self.compute_dtype
        )
        return context_coder(self.model.own, arguments, self.dependent, self.positive)

    def part(self, coder: PartCoder) -> Part:
        """Return what the group header stores."""
        return Part(self.model.transform, None, self.entry or 0)
