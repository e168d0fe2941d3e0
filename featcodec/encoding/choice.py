"""How a group of features is coded: everything its header says, and how it is quantised."""

from dataclasses import dataclass, field, replace

import numpy as np

from .. import limits, modes
from ..align.curve import Curve
from ..align.grids import GroupGrid
from ..align.value import ValueAlignment, ValueStats
from ..coding.parts.base import PartCoder, Sizes
from ..coding.picture import NeuralModel
from ..coding.refinement import Refinement
from ..container.part import Part
from ..request import RowGroupSize
from . import tuning

ROW_GROUP_VALUES = 3 << 18  # about what the caches of one core hold
# Bits a value that a task needs, below which row groups have so many times the values: each costs
# 35 bytes, which were 5 to 8 % of the files of layers in front of a pooling or of one token.
FEW, LONGER = 0.05, 4


@dataclass(frozen=True)
class Quantiser:
    """The step of a group, and how its latents are quantised."""

    step: float
    step_scale: int  # the step in quarter octaves, for the choice of tables
    dependent: bool = False
    on_saturation: bool = False  # the step divides the saturation value, and is to stay
    lambda_scale: float = 1.0  # multiplies lambda


@dataclass(frozen=True)
class Picture:
    """The network that codes a picture first; the parts code what it leaves."""

    network: NeuralModel
    step: int = 0  # eighths of an octave above the step of the parts


@dataclass(frozen=True)
class Estimate:
    """What the sample says of a choice."""

    bits: float = 0.0  # of the whole group
    # dB by which the SNR is missed: it jumps where a step lets the saturation value fall on another
    # symbol.
    miss: float = 0.0


@dataclass(frozen=True)
class Choice:
    """Everything the header of a group says, and how the encoder quantises."""

    stats: ValueStats
    values: ValueAlignment
    parts: dict[bool, tuple[Part, PartCoder]]  # as stored, and as they quantised the sample
    block: Sizes
    quantiser: Quantiser
    clamp: bool
    uses_profile: bool
    compute_dtype: str
    curve: Curve | None = None  # of the correction
    picture: Picture | None = None
    refinement: Refinement | None = None  # codes what the step leaves out
    estimate: Estimate = field(default_factory=Estimate)
    near_enough: bool = False  # is written again only where it is further from the SNR than usual

    @property
    def transform(self) -> str:
        """The mode of the grid."""
        return self.parts[False][0].transform

    @property
    def of_task(self) -> bool:
        """Whether the error of its latents is that of a task."""
        return modes.MODES[self.transform].of_task

    @property
    def tolerant(self) -> bool:
        """Whether bounds, deviation and step may be off in their last digits.

        No bound on the error depends on them, nor a saturation value, and nothing lies beyond.
        """
        exactly = self.quantiser.on_saturation or self.picture is not None or self.stats.cut
        return self.compute_dtype == "float32" and not exactly

    @property
    def has_klt(self) -> bool:
        """Whether the grid has a KLT."""
        model = self.parts[False][0].model
        return model is None or bool(model.basis)

    @property
    def of_layers(self) -> bool:
        """Whether it has a KLT across layers."""
        return modes.MODES[self.transform].of_layers

    @property
    def sound(self) -> bool:
        """Whether the wanted SNR can be met by a small change of step or thresholds."""
        most = tuning.SATURATION_MISS if self.quantiser.on_saturation else tuning.MISS
        return self.estimate.miss < most

    @property
    def coarsest(self) -> bool:
        """Whether no lower quality is to be had."""
        if self.picture is None or self.picture.step:
            return False
        return self.quantiser.step >= self.picture.network.weights.largest_step

    def longer(self, values: int) -> int:
        """Return how many times the usual row groups are those of so many values in all."""
        return LONGER if self.of_task and self.estimate.bits < FEW * values else 1

    def at_step(self, step: float) -> "Choice":
        """Return the choice with another step."""
        return replace(self, quantiser=replace(self.quantiser, step=step, on_saturation=False))

    def at_lambda_scale(self, scale: float) -> "Choice":
        """Return the choice with another lambda."""
        return replace(self, quantiser=replace(self.quantiser, lambda_scale=scale))


def slabs_per_row_group(grid: GroupGrid, size: RowGroupSize, itemsize: int, longer: int = 1) -> int:
    """Return how many slabs make a row group.

    It has about ROW_GROUP_VALUES values, or so many times as many, unless its size is asked for.
    """
    what, remedy = "the number of values of a slab", "name its axes otherwise in its layout"
    largest = limits.check_input(grid.largest_slab(), limits.SLAB_VALUES, what, remedy)
    values = longer * ROW_GROUP_VALUES if size.bytes is None else size.bytes // itemsize
    if size.samples is not None:
        slabs = np.diff(grid.starts)
        each = max(-(-int(n) // max(shape[0], 1)) for n, shape in zip(slabs, grid.shapes))
        values = size.samples * max(each, 1) * largest
    return max(min(values, limits.ROW_GROUP_VALUES) // max(largest, 1), 1)
