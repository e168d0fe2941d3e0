"""A group of features to a header and row groups, coded by the coder that the header stands for."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ..align.gains import Gains
from ..align.slices import SliceGains
from ..coding.from_header import grid_of, row_group_coder
from ..coding.profile import Profile
from ..coding.row_group import FINE_ONE, FINE_PER_OCTAVE, RowGroupCoder
from ..container.group import GroupHeader
from ..container.lossy import Lossy
from ..container.slices import PackedGains
from ..container.stacks import StatedStacks
from ..container.writer import Writer
from ..elements import BITS
from ..entropy import integers
from ..request import RowGroupSize
from .brief import above, below, short
from .choice import Choice, slabs_per_row_group
from .measured import Comparing, Measured
from .rate_control.fine_step import ErrorBudget, Foreseen, Spendable
from .row_group import Distortion, RowGroupEncoder, Tensors
from .sections import Coded, Sections
from .tensors.group import Group
from .tensors.repeats import stated
from .workers import MOST_AHEAD, Workers

MANY = 8  # row groups; of so many times as many, some are coded at once
CORRECTIONS = 2  # of the last row groups, before all are coded again
FINE_PER_LAMBDA_OCTAVE = 32  # of fine steps: so much more of it changes the error as much


@dataclass(frozen=True)
class Written:
    """A header whose row groups are in the file, and what became of the values."""

    header: GroupHeader
    distortion: Distortion
    mean_step: float  # of the row groups
    of_task: bool  # what counts is the error of a task
    each: Sequence[tuple[int, Distortion]] = ()  # of the row groups, and their fine steps
    found: Measured | None = None  # where values were decoded
    before: np.ndarray | None = None  # errors of row groups that its fine steps began with

    @property
    def spent(self) -> float:
        """The squared error that counts."""
        return self.distortion.task if self.of_task else self.distortion.squared


@dataclass(frozen=True)
class Coding:
    """Codes row groups of a group, each by its fine step and its first and last slab."""

    coder: RowGroupCoder
    on_saturation: bool
    exceptions: bool
    decoded: bool
    bound: float
    gains: Gains | None
    tensor: Tensors
    comparing: Comparing | None = None  # what is decoded anyway with the tensors
    of_all: bool = False  # the error is that of all rows that the coded ones stand for

    def __call__(self, row_group: tuple[int, int, int]) -> Coded:
        fine, first, last = row_group
        finer = self.coder.at_fine_step(fine)
        if self.on_saturation:  # the step is to stay, thresholds do as much
            factor = 2 ** ((fine - FINE_ONE) / FINE_PER_LAMBDA_OCTAVE)
            finer = self.coder.at_lambda_scale(factor)
        encoder = RowGroupEncoder(finer, self.exceptions, self.decoded, self.bound, self.gains)
        found = None
        if self.comparing is not None:
            found = self.comparing.nothing
            encoder.see = partial(self.comparing.add, found)
        payload, distortion = encoder.encode(first, last, self.tensor)
        if found is not None and self.of_all:
            distortion.squared = found.noise
        return fine, payload, distortion, found


@dataclass(frozen=True)
class Kept:
    """A group that was written at an SNR, and the choice by which it was."""

    group: Group
    choice: Choice
    measured: bool  # the error of decoded values is not that of their latents
    each: Sequence[tuple[int, Distortion]]  # of the row groups, and their fine steps


@dataclass
class GroupWriter:
    """Writes a group by choices, most of which differ in step and lambda_scale alone.

    What a choice believes of the group counts for nothing here: a header is packed and read back,
    and its row groups are coded by the coder that a decoder builds from it.
    """

    writer: Writer
    group: Group
    profile: Profile | None
    progress: Callable[[int], None] | None = None
    size: RowGroupSize = field(default_factory=RowGroupSize)
    workers: Workers = field(default_factory=Workers)
    _built: RowGroupCoder | None = None
    _like: Lossy | None = None  # that it is built with, but for the step
    errors: np.ndarray | None = None  # of row groups when last written, but for fine steps
    foreseen: Foreseen | None = None  # before they are

    def write(
        self,
        choice: Choice,
        measured: bool,
        bound: float = math.inf,
        budget: Spendable | None = None,
        slices: SliceGains | None = None,
    ) -> Written:
        """Write all row groups, with some gains of `slices`.

        With a `budget` of squared error, later row groups make up for what earlier ones missed, and
        the last ones are coded again where that is not enough.
        """
        header = GroupHeader.unpack(self._header(choice, slices).pack())
        coder, quantiser = self._coder(header, choice), choice.quantiser
        slabs, per = header.slabs, header.slabs_per_row_group
        starts = range(0, slabs, per)
        lengths = np.diff([*starts, slabs])
        # A few differ too much for one to make up for another, and all can be coded once more.
        even = budget is not None and slabs >= MANY * per
        ahead = max(min(len(starts) // MANY, MOST_AHEAD), 1) if even else MOST_AHEAD
        before, aim = self.errors, budget.aim if budget is not None and even else math.inf
        if before is not None and len(before) != len(starts):  # in blocks of another size
            before = None
        spending = ErrorBudget(aim, lengths, before, ahead=ahead)
        if before is None and self.foreseen is not None and self.foreseen.edges[-1] == slabs:
            spending = replace(spending, slabs=self.foreseen.of(starts, slabs), sampled=True)
        coding = self._coding(coder, choice, measured, bound, slices)
        if coding.decoded and choice.picture is None:
            of_all = self.group.rows is not None and self.group.gains is None
            comparing = Comparing.of(self.group, header)
            coding = replace(coding, comparing=comparing, of_all=of_all)
        spans = [(start, min(start + per, slabs)) for start in starts]
        sections = Sections(self.writer, spending, choice.of_task, quantiser.on_saturation)
        row_groups = ((spending.next(), *span) for span in spans)
        for coded in self.workers.map(self.group, coding, row_groups, ahead):
            sections.add(coded)
            if self.progress:
                low, high = spans[len(sections.each) - 1]
                self.progress(self.group.present * (high - low) // slabs)
        if budget is not None and not quantiser.on_saturation:  # thresholds do too much at once
            self._correct(sections, coding, budget, spans)
        total, found = sections.total, sections.found
        if self.group.rows is not None:  # what counts is how many are kept in the file
            assert header.lossy is not None
            header = replace(header, lossy=replace(header.lossy, clipped=total.exceptions))
        self.errors = spending.at_one_step if any(spending.errors) else None
        usual = float(np.array(spending.fines) @ lengths / slabs - FINE_ONE) / FINE_PER_OCTAVE
        mean_step = quantiser.step * (1 if quantiser.on_saturation else 2**usual)
        return Written(header, total, mean_step, choice.of_task, sections.each, found, before)

    def _correct(
        self,
        sections: Sections,
        coding: Coding,
        budget: Spendable,
        spans: Sequence[tuple[int, int]],
    ) -> None:
        """Code the last row groups again, so that the budget is met; as far as they can do that."""
        again: tuple[int, int] | None = None
        for _ in range(CORRECTIONS):
            spending = sections.spending
            if budget.met(sum(spending.errors)):
                return
            again = spending.again(budget.aim, None if again is None else again[0])
            if again is None:
                return
            fines = sections.forget(*again)
            some = zip(fines, spans[-len(fines) :], strict=True)
            row_groups = ((fine, *span) for fine, span in some)
            for coded in self.workers.map(self.group, coding, row_groups):
                sections.add(coded)

    def _coding(
        self,
        coder: RowGroupCoder,
        choice: Choice,
        measured: bool,
        bound: float,
        slices: SliceGains | None,
    ) -> Coding:
        group, exceptions = self.group, choice.stats.cut > 0 or math.isfinite(bound)
        decoded = measured or exceptions or group.rows is not None or group.gains is not None
        decoded |= slices is not None
        saturates = choice.quantiser.on_saturation
        return Coding(coder, saturates, exceptions, decoded, bound, group.gains, group.tensor)

    def _coder(self, header: GroupHeader, choice: Choice) -> RowGroupCoder:
        """Return the coder of a header, with the thresholds of the choice."""
        lossy = header.lossy
        assert lossy is not None
        like = replace(lossy, step=1.0, picture_step=0)
        if self._built is None or like != self._like:
            self._like = like
            profile = None if lossy.profile is None else self.profile
            grid = grid_of(lossy, self.group.shapes, profile, header.repeats)
            self._built = row_group_coder(header.dtype, lossy, grid, profile)
        return deciding_like(self._built.at(lossy), choice)

    def _header(self, choice: Choice, slices: SliceGains | None) -> GroupHeader:
        """Return the header of row groups that come next in the file; not yet what they reach."""
        group, grid = self.group, self.group.grid(choice.block)
        profile, stacks = None, group.stacks
        if choice.uses_profile:
            assert self.profile is not None
            profile = self.writer.profile(self.profile.digest)
        values, loose = choice.values, choice.tolerant
        mean = short(values.mean, group.dtype)
        lower, upper = values.lower, values.upper
        if loose:
            lower, upper = below(lower), above(upper)
        if values.lower >= mean > lower:  # which says that no symbol is negative
            lower = values.lower
        lossy = Lossy(
            architecture=group.architecture,
            layout=group.layout.axes,
            prefix=group.layout.prefix,
            grid=group.layout.grid,
            lower=lower,
            upper=upper,
            clipped=choice.stats.cut,
            mean=mean,
            std=short(values.std, group.dtype, loose),
            step=short(choice.quantiser.step, group.dtype, loose),
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
            slices=None if slices is None else packed(slices),
            stacks=None if stacks is None else StatedStacks(stacks.count, stacks.distance),
        )
        first = len(self.writer.index.sections)
        longer = choice.longer(group.values)
        per = slabs_per_row_group(grid, self.size, BITS[group.dtype] // 8, longer)
        repeats = stated(group.rows)
        header = GroupHeader(
            group.dtype, grid.slabs, per, first, math.nan, math.nan, lossy, repeats
        )
        return header


def packed(gains: SliceGains) -> PackedGains:
    """Return gains as a header has them."""
    exponents = integers.pack(gains.exponents.ravel())
    return PackedGains(gains.per_sample, gains.exponents.shape[1], exponents)


def deciding_like(coder: RowGroupCoder, choice: Choice) -> RowGroupCoder:
    """Return the coder with the thresholds of a choice."""
    parts = {
        prefix: part.deciding_like(choice.parts[prefix][1], choice.quantiser.lambda_scale)
        for prefix, part in coder.parts.items()
    }
    return replace(coder, parts=parts)
