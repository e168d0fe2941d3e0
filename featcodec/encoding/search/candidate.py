"""A candidate: one way to code one part, fitted to a sample."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from ...coding.model import GridModel, pack_scales, pack_tables
from ...coding.parts.base import PartCoder
from ...coding.parts.dependent import DependentCoder
from ...container.part import Part
from ...entropy import family
from ...quantise.scalar import LAMBDA
from ...transform.base import Transform
from .. import tuning
from ..fit import counting, fitting
from ..fit.fitting import Classes
from .correction import Correction, correct

# Quarter octaves by which the scale of a step is best below the step under dependent quantisation.
CORRECTED_VALUES = 1 << 16  # of a sample, for a first look


@dataclass
class Candidate:
    """One way to code one part: a model fitted here, or an entry of the profile."""

    model: GridModel
    entry: int | None  # of the profile
    compute_dtype: str
    values: Classes  # of the sample, aligned
    latents: Classes
    energy: fitting.Energy
    fraction: float  # of the group's values that is in the sample
    single: bool  # the sample is large enough to tell single scales
    lmbda: float = LAMBDA
    on_saturation: bool = False  # the step divides the saturation value, and lambda is sought
    bounds: tuple[float, float] | None = None  # that many values lie near
    dependent: bool = False  # quantisation; never without a transform
    positive: bool = False  # no value of the group is below the mean
    fitted: ClassVar[bool] = True  # scales and tables are, at each step
    even: bool = True  # some part of the group has scales of its own, in half octaves
    # Coders with the sample's own scales, by step scale, and what was counted last and how.
    _rough: dict[tuple[int, bool], PartCoder] = field(init=False, default_factory=dict)
    _last: tuple[PartCoder, counting.Counts] | None = field(init=False, default=None)

    @cached_property
    def transform(self) -> Transform:
        return self.model.transform_in(self.compute_dtype)

    def correction(self, coder: PartCoder, budget: int = CORRECTED_VALUES) -> Correction:
        """Return what the bounds say of about `budget` values that a coder decodes."""
        if self.bounds is None:
            return Correction()
        return correct(coder, self.values, self.latents, self.bounds, budget)

    @property
    def size(self) -> int:
        return sum(a.size for a in self.latents.values())

    def at(self, step: float, step_scale: int, scales: np.ndarray, tables: Mapping) -> PartCoder:
        kind = DependentCoder if self.dependent else PartCoder
        return kind(
            self.transform, scales, tables, step, step_scale, self.compute_dtype, lmbda=self.lmbda
        )

    def rough(self, step: float) -> PartCoder:
        """Return a coder with the sample's own scales, for a first look at a step."""
        key = scale_of(step), self.dependent
        if key not in self._rough:
            scales = self.energy.scales()
            self._rough[key] = self.at(step, key[0], scales, self.model.tables)
        return replace(self._rough[key], step=step, lmbda=self.lmbda)

    def nearly(self, step: float) -> PartCoder:
        """Return a coder that errs as that with scales and tables as they will be stored."""
        return self.tuned(step)[0]

    def step_scales(self, step: float) -> tuple[int, int]:
        """Return the step in quarter octaves as it is for the choice of tables, and as stored."""
        if not self.dependent:
            return scale_of(step), scale_of(step)
        exact = round(4 * math.log2(step) - tuning.DEPENDENT_SCALE)
        stored = exact - exact % 2 if self.even else exact
        return exact if self.entry is None else stored, stored

    def tuned(self, step: float) -> tuple[PartCoder, float]:
        """Return a coder with scales and tables as they will be stored, and all its bits."""
        step_scale, stored = self.step_scales(step)
        floor = step_scale - 2 * family.UNIT - 2
        if self.entry is None:
            base = separable(np.maximum(self.energy.scales(), floor))
        else:
            base = self.model.scales
        wanted = np.maximum(self.energy.towards(base).scales(), floor)
        blocks = self.energy.count / self.fraction
        scales = fitting.worthwhile(base, wanted, blocks, step_scale, self.single)
        if self.entry is None:
            scales = 2 * ((scales - step_scale + stored + 1) // 2)
        default = self.at(step, stored, scales, self.model.tables)
        coder = default
        # Thresholds follow the tables and the tables what the thresholds leave: twice is enough.
        for _ in range(2):
            counts = counting.count_symbols(coder, self.latents)
            tables, bits = fitting.choose_tables(
                default, counts, self.fraction, empty=not self.dependent
            )
            before, coder = coder.tables, replace(default, tables={**self.model.tables, **tables})
            if coder.tables == before:
                self._last = coder, counts
                break
        return coder, bits + 8 * len(pack_scales(scales - self._base_scales()))

    def _base_scales(self) -> np.ndarray:
        return self.model.scales if self.entry is not None else np.zeros_like(self.model.scales)

    def side_bits(self) -> float:
        """Return the bits of what is stored beside scales and tables."""
        if self.entry is not None:
            return 8.0 * 34
        bare = replace(self.model, scales=np.zeros_like(self.model.scales), tables={})
        return 8.0 * len(bare.pack().pack())

    def count(self, coder: PartCoder) -> counting.Counts:
        if self._last is None or self._last[0] is not coder:
            self._last = coder, counting.count_symbols(coder, self.latents)
        return self._last[1]

    def part(self, coder: PartCoder) -> Part:
        """Return what the group header stores."""
        base = self.model.tables
        own = {n: t for n, t in coder.tables.items() if base.get(n) != t}
        if self.entry is not None:
            correction = pack_scales(coder.scales - self.model.scales)
            return Part(self.model.transform, None, self.entry, correction, pack_tables(own))
        model = replace(self.model, scales=coder.scales, tables=own, scale_unit=2)
        return Part(model.transform, model.pack())


def scale_of(step: float) -> int:
    """Return the step in quarter octaves, even, as scales stored in half octaves want it."""
    return 2 * round(2 * math.log2(step))


def separable(wanted: np.ndarray) -> np.ndarray:
    """Return the sum of a channel term and a band term nearest to the scales, in half octaves."""
    flat = wanted.reshape(len(wanted), -1) // 2
    channel = np.rint(flat.mean(axis=1, keepdims=True))
    band = np.rint((flat - channel).mean(axis=0, keepdims=True))
    return (2 * (channel + band)).astype(np.int64).reshape(wanted.shape)
