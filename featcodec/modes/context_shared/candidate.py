"""Context modelling with an entry of a profile as a candidate."""

from ...coding.parts.base import PartCoder
from ...container.part import Part
from ...encoding.search.candidate import scale_of
from ...entropy import fit
from ..coder import CoderArguments
from ..context.candidate import ContextCandidate
from ..context.coder import context_coder
from ..context.gathered import Gathered
from ..context.scalar import ContextCoder


class SharedCandidate(ContextCandidate):
    """The tables and offsets of the entry, which are of all steps."""

    def rough(self, step: float) -> PartCoder:
        return self._at(step)

    def nearly(self, step: float) -> PartCoder:
        return self._at(step)

    def tuned(self, step: float) -> tuple[PartCoder, float]:
        """Return a coder, and all its bits."""
        coder, gathered = self._at(step), Gathered(self.dependent)
        for each in self.latents.items():
            gathered.add(coder, *each)
        found = gathered.counts(self.size).histograms.items()
        bits = sum(float(fit.cost(histogram, coder.table(n))) for n, histogram in found)
        return coder, bits / self.fraction

    def _at(self, step: float) -> ContextCoder:
        arguments = CoderArguments(
            self.transform, self.model.scales, {}, step, scale_of(step), self.compute_dtype
        )
        return context_coder(self.model.own, arguments, self.dependent, self.positive)

    def part(self, coder: PartCoder) -> Part:
        """Return what the group header stores."""
        return Part(self.model.transform, None, self.entry or 0)
