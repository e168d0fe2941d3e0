"""Candidates from recipes and samples."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ... import modes
from ...align.value import ValueAlignment
from ...coding.model import GridModel
from .. import tuning
from ..fit import fitting
from ..fit.fitting import Classes
from ..tensors.samples import Samples
from .candidate import Candidate

if TYPE_CHECKING:
    from .race import Recipe

# Blocks in a sample that is not all, to fit scales of single coefficients to; four times as many
# where candidates are compared, which must not win by fitting noise.
SINGLE_BLOCKS = 48


@dataclass(frozen=True)
class CandidateBuilder:
    """Builds candidates for a group."""

    samples: Samples
    target: float  # mean squared error, of the variance

    def goal(self, values: ValueAlignment) -> float:
        """Return the wanted mean squared error of aligned values, those of constants among them."""
        return self.target * self.samples.varying * (self.samples.std / values.std) ** 2

    def goal_on(self, values: ValueAlignment, *parts: Candidate) -> float:
        """Return the mean squared error of the samples of all parts at which they have the SNR.

        They are aligned by `values`.
        """
        if self.samples.group.slices is not None:
            return self.goal(values)
        arrays = [array for part in parts for array in part.values.values()]
        return self.target * self.samples.variance_of(arrays)

    def budget(self, recipe: "Recipe", wanted: int) -> int:
        """Return how many values a sample for a recipe has, of about so many."""
        search = modes.search_of(recipe.model.transform)
        return self.samples.budget(recipe.model.block, wanted, search.least_blocks)

    def candidate(self, recipe: "Recipe", budget: int) -> Candidate:
        """Return the candidate of a recipe, fitted to a sample of about so many values."""
        model, values = recipe.model, recipe.values
        search = modes.search_of(model.transform)
        parts, fraction = self.samples.sample(
            model.block, budget, values, search.least_blocks, centre=model.centres
        )
        final = budget == self.samples.sizes.fit
        made = self.fitted(model, recipe.entry, parts[False], fraction, final)
        made.lmbda, made.on_saturation = recipe.lmbda, recipe.on_saturation
        made.positive = values.positive
        error = math.sqrt(self.target) * self.samples.std
        if search.blurs_bounds and self.samples.near_bounds(error):
            low, high = values.lower - values.mean, values.upper - values.mean
            made.bounds = (low / values.std, high / values.std)
            made.lmbda = tuning.CORRECTED_LAMBDA
        return made

    def fitted(
        self,
        model: GridModel,
        entry: int | None,
        classes: Classes,
        fraction: float,
        final: bool = True,
    ) -> Candidate:
        """Return a candidate with a sample of aligned values, of which a group has so many more."""
        dtype = self.samples.group.compute_dtype
        latents = fitting.latents_of(model, classes, dtype)
        energy = fitting.energy_of(latents, model.block)
        blocks = sum(a.shape[-1] for a in latents.values())
        single = fraction > 0.99 or blocks >= (SINGLE_BLOCKS if final else 4 * SINGLE_BLOCKS)
        kind = modes.search_of(model.transform).candidate
        return kind(model, entry, dtype, classes, latents, energy, fraction, single)
