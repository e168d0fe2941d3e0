"""How a group of features is coded: everything its header says, and how it is quantised."""

from dataclasses import dataclass

from .. import limits
from ..align.curve import Curve
from ..align.grids import GroupGrid
from ..align.value import Spread, ValueAlignment
from ..coding.parts.base import PartCoder, Sizes
from ..coding.picture import NeuralModel
from ..container.group import Part

MISS = 0.04  # dB between the SNR wanted and reached on the sample
SPIKE_MISS = 0.5  # the same where thresholds, not steps, make up for it
ROW_GROUP_VALUES = 3 << 18  # about what the caches of one core hold


@dataclass(frozen=True)
class Choice:
    """Everything the header of a group says, and how the encoder quantises."""

    spread: Spread
    values: ValueAlignment
    parts: dict[bool, tuple[Part, PartCoder]]  # as stored, and as they quantised the sample
    step: float
    step_scale: int
    clamp: bool
    block: Sizes
    uses_profile: bool
    work: str
    curve: Curve | None = None  # of the correction
    on_spike: bool = False  # the step divides a value that many have, and is to stay
    bits: float = 0.0  # estimated, of the whole group
    # By how many dB the SNR is missed on the sample: it jumps where a step lets a spike of the
    # values fall on another symbol.
    miss: float = 0.0
    strictness: float = 1.0  # multiplies the trade of the quantiser
    network: NeuralModel | None = None  # its picture comes first, the parts code what it leaves
    picture_step: int = 0  # eighths of an octave, above the step
    dependent: bool = False  # quantisation

    @property
    def transforms(self) -> bool:
        """Return whether the grid is transformed at all."""
        return self.parts[False][0].transform in ("linear", "banded")

    @property
    def sound(self) -> bool:
        """Return whether the wanted SNR can be met by a small change of step or thresholds."""
        return self.miss < (SPIKE_MISS if self.on_spike else MISS)

    @property
    def coarsest(self) -> bool:
        """Return whether no lower quality is to be had."""
        if self.network is None or self.picture_step:
            return False
        return self.step >= self.network.weights.largest_step


def slabs_per_row_group(grid: GroupGrid) -> int:
    """Return how many slabs make a row group of about ROW_GROUP_VALUES values."""
    what, remedy = "the number of values of a slab", "name its axes otherwise with --layout"
    largest = limits.check_input(grid.largest_slab(), limits.SLAB_VALUES, what, remedy)
    return max(ROW_GROUP_VALUES // max(largest, 1), 1)
