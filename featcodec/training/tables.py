"""Tables fitted to the latents of models, at steps from coarse to fine."""

import math
from collections.abc import Mapping

import numpy as np

from ..coding.model import GridModel
from ..coding.parts.base import PartCoder
from ..coding.parts.dependent import DependentCoder
from ..encoding.fit import counting, fitting
from ..encoding.fit.counting import Counts
from ..encoding.fit.fitting import Classes
from ..encoding.search.candidate import scale_of
from ..encoding.search.solve import solve_step
from ..entropy import dependent_family, family, fit
from ..entropy.tables import EMPTY, Table

SNRS = (2, 4, 7, 10, 14, 18, 22, 26, 30)  # dB, at which the tables are fitted
LEAST_COUNT = 200  # symbols unlike zero, for a table of a profile's own


def learn_tables(models: list[tuple[GridModel, Classes]]) -> dict[int, Table]:
    """Return tables fitted to latents at steps from coarse to fine, by number.

    The tables of a number serve latents of about the same deviation in steps, whatever the step.
    """
    tables: dict[int, Table] = {}
    for kind in (PartCoder, DependentCoder):
        fitted: dict[int, Table] = {}
        for _ in range(2):  # the thresholds follow the tables
            fitted = _fit_tables(models, kind, {**tables, **fitted})
        tables |= fitted
    return tables


def symbol_bits(model: GridModel, latents: Classes, snr: float) -> float:
    """Return the bits a latent that symbols take at about an SNR."""
    counts = _count_at(model, latents, PartCoder, model.tables, snr)
    coder = PartCoder(model.transform_in("float32"), model.scales, model.tables, 1.0, 0, "float32")
    bits = sum(fit.cost(found, coder.table(n)) for n, found in counts.histograms.items())
    return float(bits) / counts.total


def _fit_tables(
    models: list[tuple[GridModel, Classes]], kind: type[PartCoder], tables: Mapping[int, Table]
) -> dict[int, Table]:
    histograms: dict[int, fit.Histogram] = {}
    moments: dict[int, list[tuple[float, float, float]]] = {}
    for model, latents in models:
        for snr in SNRS:
            counts = _count_at(model, latents, kind, tables, snr)
            for number, histogram in counts.histograms.items():
                before = histograms.get(number)
                histograms[number] = histogram if before is None else before + histogram
                weight = float(histogram.total)
                moments.setdefault(number, []).append((weight, *counts.offsets[number]))
    return {
        number: _table(histogram, moments[number])
        for number, histogram in histograms.items()
        if (number >= dependent_family.FIRST) == (kind is DependentCoder)
        and number % dependent_family.TABLES <= family.LAST
        and histogram.nonzero >= LEAST_COUNT
    }


def _table(histogram: fit.Histogram, moments: list[tuple[float, float, float]]) -> Table:
    table = fit.fit(histogram)
    if table is EMPTY:
        return table
    weights, first, further = np.array(moments).T
    offsets = (
        float(np.average(first, weights=weights)),
        float(np.average(further, weights=weights)),
    )
    return fitting.with_offsets(table, *offsets)


def _count_at(
    model: GridModel,
    latents: Classes,
    kind: type[PartCoder],
    tables: Mapping[int, Table],
    snr: float,
) -> Counts:
    """Quantise a sample at about an SNR and count its symbols."""
    transform = model.transform_in("float32")

    def coder(kind: type[PartCoder], step: float) -> PartCoder:
        return kind(transform, model.scales, tables, step, scale_of(step), "float32")

    def error(step: float) -> float:
        counts = counting.count_symbols(coder(PartCoder, step), latents)
        return counts.error / counts.total

    target = 10 ** (-snr / 10)
    step = solve_step(error, target, math.sqrt(12 * target), precision=0.05)
    return counting.count_symbols(coder(kind, step), latents)
