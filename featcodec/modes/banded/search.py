"""When an encoder tries a KLT for each band: where a single KLT pays."""

import math

from ...encoding.fit.spectrum import FULL, ranks_of
from ...encoding.search.race import Race, Recipe
from ..linear.search import fitted_to
from ..search import ModeSearch
from .fit import Moments, banded_model, radial

GAIN = 0.15  # of the bits with one KLT: the most that further KLTs may take
LIKE = 1.01  # times the bits with one KLT: of more axes, bands may take fewer bits all the same
NEAR = (0.85, 1.1)  # of the bits with one KLT: two bands are tried when three take as many


class BandedSearch(ModeSearch):
    """Three bands; two as well when three are about as good as one."""

    blurs_bounds = True
    trellis_gain = 0.95
    begins_with = "linear"

    def enter(self, race: Race) -> None:
        whole = race.klt
        if whole is None or math.prod(whole.recipe.model.block) == 1:
            return
        model, values = whole.recipe.model, whole.recipe.values
        if model.channels > FULL:
            return
        most = max(
            trial.recipe.model.vectors.shape[2]
            for trial in race.trials
            if trial.recipe.model.block == model.block and trial.bits <= LIKE * whole.bits
        )
        # No basis of another band takes less than half a bit a number, whatever its axes are.
        if model.channels / 2 > GAIN * whole.bits:
            return
        moments = Moments(radial(model.block, 3), model.channels)
        for sizes, a in fitted_to(race, model.block, values).items():
            moments.add(a - model.centres.astype(a.dtype)[:, None, None], sizes)
        more = race.samples.group.values / (moments.tokens.sum() * model.channels)
        for wanted in range(len(moments.tokens), 1, -1):
            fewer = moments.merged(radial(model.block, wanted))
            spectra = fewer.spectra(race.goal(values), more)
            banded = []
            for count in ranks_of(spectra, most):
                bits = sum(float(spectrum.bits[:count].sum()) for spectrum in spectra)
                if bits * (wanted - 1) / wanted < GAIN * whole.bits:
                    made = banded_model(fewer.bands, spectra, count, model.centre)
                    banded.append(race.consider(Recipe(made, None, values)).bits)
            if banded and not NEAR[0] < min(banded) / whole.bits < NEAR[1]:
                return


SEARCH = BandedSearch()
