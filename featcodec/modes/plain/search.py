"""When an encoder tries no transform: where context modelling does not suffice."""

import math
from dataclasses import replace

import numpy as np

from ...coding.parts.base import Sizes
from ...encoding.bounded.sample_domain import Sample, Way
from ...encoding.fit import fitting
from ...encoding.fit.plain import plain_model
from ...encoding.search.race import Race
from ...encoding.search.saturation import enter_sample_domain
from ..context.search import SEARCH as CONTEXT
from ..search import ModeSearch
from .candidate import PlainCandidate


class PlainSearch(ModeSearch):
    """Clusters of channels, unless context modelling has neighbours enough to beat them."""

    family = "none"
    candidate = PlainCandidate

    def enter(self, race: Race) -> None:
        if race.family == self.family or (race.family == "auto" and not CONTEXT.suffices(race)):
            model, values = plain_model(race.samples, math.sqrt(12 * race.target))
            enter_sample_domain(race, model, values, PlainCandidate.LAMBDAS)

    def ways(self, sample: Sample, step: float, sparse: bool) -> list[Way]:
        ones: Sizes = tuple(1 for _ in sample.block)
        model = fitting.linear_model(ones, None, 0, 1, sample.centre)
        model = replace(model, centre_exponent=sample.exponent)
        flat = [a.reshape(len(a), 1, -1) for a in sample.latents.values()]
        single = {ones: np.concatenate(flat, axis=2)}
        energy = fitting.energy_of(single, ones)
        candidate = PlainCandidate(
            model, None, "float64", single, single, energy, sample.fraction, True
        )
        coder, bits = candidate.tuned(step, plain=True)
        return [Way(candidate.part(coder), coder, bits + candidate.side_bits())]


SEARCH = PlainSearch()
