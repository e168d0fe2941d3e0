"""Channels without a transform as a candidate: clusters with a table each."""

from dataclasses import replace

import numpy as np

from ...coding.parts.base import PartCoder
from ...encoding.search.candidate import Candidate, scale_of
from ...entropy import family
from ...quantise.scalar import PLAIN
from .clusters import cluster


class PlainCandidate(Candidate):
    """Transform none: clusters of channels, and scales that are the numbers of their tables."""

    COUNTS = (1, 4, 16)
    # Sparse maps are far from the high rates at which quantise.scalar.LAMBDA is right.
    LAMBDAS: tuple[float, ...] = (0.06, 0.12)

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
                cluster(rows, step, count, self.fraction, self.lmbda, limits)
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
