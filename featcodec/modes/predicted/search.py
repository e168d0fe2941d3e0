"""When an encoder tries prediction: under a bound on the error (SPEC §7.11)."""

from dataclasses import replace

import numpy as np

from ...encoding.bounded.sample_domain import Sample, Way, with_tables
from ...encoding.fit import fitting
from ...encoding.fit.fitting import Classes, Energy
from ...encoding.search.candidate import scale_of, separable
from ...entropy import contexts, family, prediction
from ...entropy.prediction import LARGEST, PASSES, Predictor
from ...quantise.scalar import PLAIN, quantise
from ..search import ModeSearch
from .fit import fit_prediction
from .part import PredictedCoder


class PredictedSearch(ModeSearch):
    """Under any bound, when values are not too many steps."""

    def ways(self, sample: Sample, step: float, sparse: bool) -> list[Way]:
        return _ways(sample, step)


SEARCH = PredictedSearch()


def _ways(sample: Sample, step: float) -> list[Way]:
    if sample.reaches(step) > LARGEST / 2:
        return []
    indices = {sizes: quantise(a, step, PLAIN) for sizes, a in sample.latents.items()}
    fitted = fit_prediction(indices)
    predictor = Predictor(fitted)
    residuals = {sizes: predictor.residuals(a, sizes) for sizes, a in indices.items()}
    step_scale = scale_of(step)
    energy = _energy(residuals, step)
    # No table may be empty: later predictions depend on every residual.
    floor = step_scale - 2 * family.UNIT + 4
    base = separable(np.maximum(energy.scales(), floor))
    wanted = np.maximum(energy.towards(base).scales(), floor)
    scales = fitting.worthwhile(base, wanted, energy.count / sample.fraction, step_scale, True)
    scales = np.maximum(2 * ((scales + 1) // 2), floor)
    model = replace(sample.model("predicted", scales), own=fitted)
    coder = PredictedCoder(
        model.transform_in("float64"), scales, {}, step, step_scale, "float64", predictor=predictor
    )
    coded = (found for sizes, a in residuals.items() for found in coder.arrays(a, sizes))
    return [with_tables(model, coder, coded, sample.fraction)]


def _energy(residuals: Classes, step: float) -> Energy:
    """Return the energy of residuals by channel and pass; a pass without places takes the first."""
    channels = len(next(iter(residuals.values())))
    moment, count = np.zeros((channels, PASSES)), np.zeros((1, PASSES))
    for sizes, array in residuals.items():
        for number, (places, _) in enumerate(contexts.lattice(prediction.as_map(sizes))):
            mine = array[:, places].astype(np.float64)
            moment[:, number] += np.einsum("cpn,cpn->c", mine, mine) * step**2
            count[0, number] += mine[0].size
    empty = count[0] == 0
    moment[:, empty], count[:, empty] = moment[:, :1], count[:, :1]
    return Energy(moment, count)
