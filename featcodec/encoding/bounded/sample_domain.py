"""What the ways to code the sample domain within a bound on the error have in common."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from ...coding.model import GridModel
from ...coding.parts.base import PartCoder, Sizes
from ...container.part import Part
from ...entropy import fit
from ..fit import counting, fitting
from ..fit.fitting import Classes
from ..search.candidate import Candidate

# Deviations in a step: of finer ones, tables that neighbours choose tell less than a prediction.
FINEST = 1 / 128

C = TypeVar("C", bound=Candidate)


@dataclass(frozen=True)
class Way:
    """How a part is coded, and the bits of all of it, side information included."""

    part: Part
    coder: PartCoder
    bits: float


@dataclass(frozen=True)
class Sample:
    """Values of a part less the centres of their channels, float64, and what is known of them."""

    latents: Classes
    block: Sizes  # the longest
    centre: np.ndarray  # (channels,) int, as models have it
    exponent: int  # of the centre
    bounds: tuple[float, float]  # of all values, centres not subtracted
    positive: bool  # no value of the group is below the mean
    fraction: float  # of all values that the sample has

    def reaches(self, step: float) -> float:
        """Return the largest magnitude of a value, in steps."""
        centre = np.abs(self.centre).max() * 2.0**-self.exponent
        return float(max(map(abs, self.bounds)) + centre) / step

    def model(self, transform: str, scales: np.ndarray) -> GridModel:
        """Return a model of the sample domain; scales are in half octaves."""
        none = np.zeros((1, len(self.centre), 0), np.int64)
        return GridModel(
            transform, self.block, self.centre, self.exponent, none, scales, scale_unit=2
        )

    def candidate(self, kind: type[C], model: GridModel, **more: Any) -> C:
        """Return a candidate of a model of the sample domain, its values as they are."""
        energy = fitting.energy_of(self.latents, self.block)
        values, fraction = self.latents, self.fraction
        more["positive"] = self.positive
        return kind(model, None, "float64", values, values, energy, fraction, True, **more)


def with_tables(
    model: GridModel,
    coder: PartCoder,
    coded: Iterable[tuple[int, np.ndarray]],
    fraction: float,
) -> Way:
    """Return the way with tables of its own where they pay; `coded` is that of a sample."""
    histograms: dict[int, fit.Histogram] = {}
    for number, symbols in coded:
        found, before = fit.Histogram.of(symbols), histograms.get(number)
        histograms[number] = found if before is None else before + found
    # A symbol stands for the middle of its cell.
    counts = counting.Counts(histograms, dict.fromkeys(histograms, (0.0, 0.0)), 0.0, 0)
    tables, bits = fitting.choose_tables(coder, counts, fraction, empty=False)
    side = len(model.pack().pack())
    part = Part(model.transform, replace(model, tables=tables).pack())
    return Way(part, replace(coder, tables=tables), bits + 8 * side)
