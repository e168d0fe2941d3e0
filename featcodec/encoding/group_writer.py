"""A group of features to a header and row groups, coded by the coder that the header stands for."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..coding.from_header import grid_of, row_group_coder
from ..coding.profile import Profile
from ..coding.row_group import FINE_ONE, FINE_PER_OCTAVE, RowGroupCoder
from ..container.group import GroupHeader, Lossy
from ..container.writer import Writer
from ..elements import BITS
from ..request import RowGroupSize
from .choice import Choice, slabs_per_row_group
from .rate_control.fine_step import ErrorBudget
from .row_group import Distortion, RowGroupEncoder
from .tensors.group import Group
from .tensors.repeats import stated

MANY = 8  # row groups
FINE_PER_LAMBDA_OCTAVE = 32  # of fine steps: so much more of it changes the error as much


@dataclass(frozen=True)
class Written:
    """A header whose row groups are in the file, and what became of the values."""

    header: GroupHeader
    distortion: Distortion
    mean_step: float  # of the row groups
    of_task: bool  # what counts is the error of a task
    each: Sequence[tuple[int, Distortion]] = ()  # of the row groups, and their fine steps

    @property
    def spent(self) -> float:
        """The squared error that counts."""
        return self.distortion.task if self.of_task else self.distortion.squared


@dataclass
class GroupWriter:
    """Writes a group by choices that differ in step and lambda_scale alone.

    What a choice believes of the group counts for nothing here: a header is packed and read back,
    and its row groups are coded by the coder that a decoder builds from it.
    """

    writer: Writer
    group: Group
    profile: Profile | None
    progress: Callable[[int], None] | None = None
    size: RowGroupSize = field(default_factory=RowGroupSize)
    _built: RowGroupCoder | None = None
    _errors: np.ndarray | None = None  # of row groups when last written, but for fine steps

    def write(
        self, choice: Choice, measured: bool, bound: float = math.inf, budget: float | None = None
    ) -> Written:
        """Write all row groups.

        With a `budget` of squared error, later row groups make up for what earlier ones missed.
        """
        header = GroupHeader.unpack(self._header(choice).pack())
        coder, quantiser = self._coder(header, choice), choice.quantiser
        slabs, per = header.slabs, header.slabs_per_row_group
        exceptions = choice.stats.cut > 0 or math.isfinite(bound)
        total, each = Distortion(), []
        # A few differ too much for one to make up for another, and all can be coded once more.
        even = budget is not None and slabs >= MANY * per
        starts = range(0, slabs, per)
        lengths = np.diff([*starts, slabs])
        spending = ErrorBudget(budget or math.inf, lengths, self._errors)
        for start in starts:
            last = min(start + per, slabs)
            fine = spending.fine if even else FINE_ONE
            finer = coder.at_fine_step(fine)
            if quantiser.on_saturation:  # the step is to stay, thresholds do as much
                finer = coder.at_lambda_scale(2 ** ((fine - FINE_ONE) / FINE_PER_LAMBDA_OCTAVE))
            gains = self.group.gains
            decoded = measured or exceptions or self.group.rows is not None or gains is not None
            row_group = RowGroupEncoder(finer, exceptions, decoded, bound, gains)
            payload, distortion = row_group.encode(start, last, self.group.tensor)
            stored = FINE_ONE if quantiser.on_saturation else fine
            self.writer.section(b"ROWS", bytes((stored,)) + payload)
            total.add(distortion)
            each.append((fine, distortion))
            spending.add(distortion.task if choice.of_task else distortion.squared, fine)
            if self.progress:
                self.progress(self.group.present * (last - start) // slabs)
        if self.group.rows is not None:  # what counts is how many are kept in the file
            assert header.lossy is not None
            header = replace(header, lossy=replace(header.lossy, clipped=total.exceptions))
        self._errors = spending.at_one_step if any(spending.errors) else None
        usual = float(np.array(spending.fines) @ lengths / slabs - FINE_ONE) / FINE_PER_OCTAVE
        mean_step = quantiser.step * (1 if quantiser.on_saturation else 2**usual)
        return Written(header, total, mean_step, choice.of_task, each)

    def _coder(self, header: GroupHeader, choice: Choice) -> RowGroupCoder:
        """Return the coder of a header, with the thresholds of the choice."""
        lossy = header.lossy
        assert lossy is not None
        if self._built is None:
            profile = None if lossy.profile is None else self.profile
            grid = grid_of(lossy, self.group.shapes, profile, header.repeats)
            self._built = row_group_coder(header.dtype, lossy, grid, profile)
        return deciding_like(self._built.at(lossy), choice)

    def _header(self, choice: Choice) -> GroupHeader:
        """Return the header of row groups that come next in the file; not yet what they reach."""
        group, grid = self.group, self.group.grid(choice.block)
        profile = None
        if choice.uses_profile:
            assert self.profile is not None
            profile = self.writer.profile(self.profile.digest)
        lossy = Lossy(
            architecture=group.architecture,
            layout=group.layout.axes,
            prefix=group.layout.prefix,
            grid=group.layout.grid,
            lower=choice.values.lower,
            upper=choice.values.upper,
            clipped=choice.stats.cut,
            mean=choice.values.mean,
            std=choice.values.std,
            step=choice.quantiser.step,
            step_scale=choice.quantiser.step_scale,
            clamp=choice.clamp,
            dependent=choice.quantiser.dependent,
            curve=choice.curve,
            constants=group.constants,
            gains=group.gains is not None,
            double=choice.compute_dtype == "float64",
            profile=profile,
            parts=tuple(part for _, (part, _) in sorted(choice.parts.items())),
            neural=choice.picture is not None,
            picture_step=choice.picture.step if choice.picture else 0,
            refined=choice.refinement is not None,
            logarithmic=choice.refinement is not None and choice.refinement.logarithmic,
        )
        first = len(self.writer.index.sections)
        per = slabs_per_row_group(grid, self.size, BITS[group.dtype] // 8)
        repeats = stated(group.rows)
        header = GroupHeader(
            group.dtype, grid.slabs, per, first, math.nan, math.nan, lossy, repeats
        )
        self.writer.needs(header.version)
        return header


def deciding_like(coder: RowGroupCoder, choice: Choice) -> RowGroupCoder:
    """Return the coder with the thresholds of a choice."""
    parts = {
        prefix: part.deciding_like(choice.parts[prefix][1], choice.quantiser.lambda_scale)
        for prefix, part in coder.parts.items()
    }
    return replace(coder, parts=parts)
