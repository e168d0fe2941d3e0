"""A group whose tensor goes on along the leading axis, coded by the models of its first samples.

A row group is some rows of the tensor, as many in each but the last. Where the leading axis is one
of samples, the tensor grows; where it is one of the grid, each row group is a part (SPEC §4.3).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..align.grids import GroupGrid
from ..align.layout import GRID, SAMPLE
from ..coding.from_header import row_group_coder
from ..coding.profile import Profile
from ..coding.row_group import FINE_ONE, FINE_PER_OCTAVE, RowGroupCoder
from ..container.group import GroupHeader
from ..container.lossy import Lossy
from ..request import RowGroupSize
from ..threads import ONE_THREAD
from . import choice as choices
from .group_writer import FINE_PER_LAMBDA_OCTAVE, Kept, deciding_like
from .rate_control.fine_step import FINE_MOST, RESPONSE
from .rate_control.snr import AIM
from .reached import decibels
from .row_group import Distortion, RowGroupEncoder
from .tensors.group import Group
from .tensors.sums import Sums

ATTEMPTS = 5  # at a row group
FINER = 1.02  # of what an error is to shrink by, where it is too large
WIDER = 0.5  # of the span of the first values, that others may lie beyond it


class Unfit(Exception):
    """Rows are too unlike the first for their models: they need some of their own."""


def rows_per_row_group(size: RowGroupSize, shape: tuple[int, ...], itemsize: int) -> int:
    """Return how many rows of a tensor of that shape make a row group."""
    each = max(int(np.prod(shape[1:])), 1)
    if size.samples is not None:
        return size.samples
    values = choices.ROW_GROUP_VALUES if size.bytes is None else size.bytes // itemsize
    return max(round(values / each), 1)


def can_grow(kept: Kept | None, header: GroupHeader) -> bool:
    """Return whether further rows may be coded as the first were."""
    lossy = header.lossy
    if kept is None or lossy is None or header.repeats is not None or header.task_snr is not None:
        return False
    group, layout = kept.group, kept.group.layout
    lead = layout.axes[0] == SAMPLE or (layout.axes[0] in GRID and not layout.grid)
    alone = len(group.names) == 1 and group.cut_as is None
    plain = (
        not (lossy.refined or lossy.neural or lossy.slices)
        and lossy.step == kept.choice.quantiser.step
    )
    return lead and alone and plain and (group.gains is None or not group.gains.relative)


@dataclass(frozen=True)
class Grown:
    """How far a group has come."""

    signals: tuple[Sums, ...]  # of what is coded and, with gains, of the values
    rows: int = 0
    slabs: int = 0
    distortion: Distortion = field(default_factory=Distortion)
    fines: int = 0  # the sum of fine steps, each as often as it has rows

    def reached(self) -> float:
        """Return the SNR in dB; with gains the lower of that of what is coded and of values."""
        return min(_decibels(sums, error) for sums, error in self.against(self.distortion))

    def against(self, distortion: Distortion) -> list[tuple[Sums, float]]:
        """Return the signals, each with the error that counts against it."""
        return list(zip(self.signals, (distortion.squared, distortion.of_values), strict=False))


@dataclass(frozen=True)
class GrowingGroup:
    """Codes rows of one tensor by a header and the choice that it was written by."""

    kept: Kept
    header: GroupHeader
    profile: Profile | None
    snr: float
    per: int  # rows of a row group, but for the last
    settled: int  # rows from which on the SNR is held at any time
    alike: bool  # the row groups that are written are of as many slabs

    @classmethod
    def of(
        cls, kept: Kept, header: GroupHeader, profile: Profile | None, snr: float, per: int
    ) -> "GrowingGroup":
        """Return the group that begins with the rows of `header`, in row groups of `per` samples.

        Of a grid a row group has as many rows as those that are written.
        """
        lossy, group = header.lossy, kept.group
        assert lossy is not None
        if not (group.wide or lossy.clamp or lossy.curve) and lossy.lower < lossy.mean:
            reach = WIDER * (lossy.upper - lossy.lower)
            lossy = replace(lossy, lower=lossy.lower - reach, upper=lossy.upper + reach)
        block, shape = kept.choice.block, group.shapes[0]
        if group.layout.axes[0] != SAMPLE:
            samples = group.layout.token_grid(shape)[0]
            per = max(header.slabs_per_row_group // samples, 1) * block[0]
        slabs = GroupGrid(group.layout, [(per, *shape[1:])], block).slabs
        written = header.slabs_per_row_group
        header = replace(header, lossy=lossy, slabs_per_row_group=slabs)
        return cls(kept, header, profile, snr, per, shape[0] // per * per, slabs == written)

    @property
    def by_parts(self) -> bool:
        """Whether each row group is a part of the tensor."""
        return self.kept.group.layout.axes[0] != SAMPLE

    @property
    def lossy(self) -> Lossy:
        assert self.header.lossy is not None
        return self.header.lossy

    @property
    def start(self) -> Grown:
        """A group without rows."""
        signals = [Sums(self.lossy.mean, self.lossy.lower, self.lossy.upper)]
        if self.kept.group.gains is not None:
            signals.append(Sums(self.lossy.mean, -np.inf, np.inf))
        return Grown(tuple(signals))

    def begin(self, rows: np.ndarray, written: Sequence[bytes]) -> tuple[list[bytes], Grown, int]:
        """Return the row groups that the first rows fill, and how far the group is then.

        The first of those that are written already stay; the last number says how many. Raises
        Unfit where the SNR is not reached.
        """
        payloads, grown, same = [], self.start, self._same(len(rows))
        for number in range(self.settled // self.per):
            some = rows[number * self.per : (number + 1) * self.per]
            after = self._with(grown, some, number) if number < same else None
            if after is None or (after.rows == self.settled and after.reached() < self.snr):
                payload, after = self.add(grown, some)
                same = min(same, number)
            else:
                payload = written[number]
            payloads.append(payload)
            grown = after
        return payloads, grown, same

    def add(self, grown: Grown, rows: np.ndarray) -> tuple[bytes, Grown]:
        """Return the payload of further rows of stored elements, and how far the group is then.

        Raises Unfit where that would fall below the SNR.
        """
        with ONE_THREAD, np.errstate(all="ignore"):  # NaN are data here
            return self._add(grown, self._group(rows), len(rows))

    def _add(self, grown: Grown, group: Group, rows: int) -> tuple[bytes, Grown]:
        signals = _signals(grown, group)
        exceptions = signals[0].cut > grown.signals[0].cut
        with_rows = replace(grown, signals=signals, rows=grown.rows + rows)
        fine = self._fine(with_rows, grown.rows)
        for attempt in range(ATTEMPTS):
            payload, slabs, distortion = self._encoded(group, fine, exceptions)
            total = replace(grown.distortion)
            total.add(distortion)
            fines = grown.fines + fine * rows
            after = replace(with_rows, slabs=grown.slabs + slabs, distortion=total, fines=fines)
            if after.reached() >= self.snr or after.rows < self.settled:
                return payload, after
            less = self._finer(with_rows, distortion)
            if fine == 1 or less is None:
                break
            fine = max(fine - (less << attempt), 1)  # at low rates an error hardly follows the step
        raise Unfit

    def _same(self, rows: int) -> int:
        """Return how many of the row groups that are written are as they would be here."""
        layout, block = self.kept.group.layout, self.kept.choice.block
        if not self.alike:
            return 0
        if not self.by_parts:
            return rows // self.per
        if SAMPLE in layout.axes:
            return 0
        count = -(-rows // block[0])  # of blocks, of which the last may be shorter by one
        whole = count if count * block[0] == rows else rows % count
        return whole // self.header.slabs_per_row_group if rows // count + 1 >= block[0] else 0

    def _with(self, grown: Grown, rows: np.ndarray, number: int) -> Grown:
        """Return how far the group is with rows in a row group that is written already."""
        fine, distortion = self.kept.each[number]
        with ONE_THREAD, np.errstate(all="ignore"):
            signals = _signals(grown, self._group(rows))
        total = replace(grown.distortion)
        total.add(distortion)
        slabs = grown.slabs + self.header.slabs_per_row_group
        return Grown(signals, grown.rows + len(rows), slabs, total, grown.fines + fine * len(rows))

    def stated(self, grown: Grown) -> GroupHeader:
        """Return the header of a group that has come so far."""
        lossy = replace(self.lossy, clipped=grown.distortion.exceptions)
        return replace(self.header, lossy=lossy, slabs=grown.slabs, snr_db=grown.reached())

    def _fine(self, grown: Grown, before: int) -> int:
        """Return the fine step by which the SNR is what is wanted with the rows behind `before`."""
        errors = grown.against(grown.distortion)
        if not before or not all(spent > 0 for _, spent in errors):
            return FINE_ONE
        usual = (grown.fines / before - FINE_ONE) / FINE_PER_OCTAVE
        found = FINE_MOST
        for sums, spent in errors:
            left = _energy(sums) / 10 ** ((self.snr + AIM) / 10) - spent
            expected = spent * 2 ** (-RESPONSE * usual) * (grown.rows - before) / before
            octaves = math.log2(min(max(left / expected, 0.5), 2.0)) / RESPONSE
            found = min(found, round(FINE_PER_OCTAVE * octaves))
        return FINE_ONE + max(found, -FINE_MOST)

    def _finer(self, grown: Grown, mine: Distortion) -> int | None:
        """Return by how much finer a step has to be for the SNR; None where none is fine enough."""
        errors = zip(grown.against(grown.distortion), grown.against(mine), strict=True)
        ratios = [
            (_energy(sums) / 10 ** (self.snr / 10) - spent) / (FINER * error)
            for (sums, spent), (_, error) in errors
            if error
        ]
        if min(ratios) <= 0:
            return None
        return max(math.ceil(-FINE_PER_OCTAVE * math.log2(min(ratios)) / RESPONSE), 1)

    def _group(self, rows: np.ndarray) -> Group:
        """Return further rows as a group."""
        group = replace(self.kept.group, shapes=[rows.shape], tensor=lambda _: rows)
        if group.constants:
            found = replace(group, constants=()).with_constants.constants
            if not set(group.constants) <= set(found):
                raise Unfit
        return group

    def _encoded(self, group: Group, fine: int, exceptions: bool) -> tuple[bytes, int, Distortion]:
        """Return the payload of rows at a fine step, its slabs, and what it changed."""
        grid = group.grid(self.kept.choice.block)
        coder, on_saturation = (
            replace(self._coder, grid=grid),
            self.kept.choice.quantiser.on_saturation,
        )
        if on_saturation:
            coder = coder.at_lambda_scale(2 ** ((fine - FINE_ONE) / FINE_PER_LAMBDA_OCTAVE))
        else:
            coder = coder.at_fine_step(fine)
        decoded = self.kept.measured or exceptions or group.gains is not None
        encoder = RowGroupEncoder(coder, exceptions, decoded, gains=group.gains)
        payload, distortion = encoder.encode(0, grid.slabs, group.tensor)
        return bytes((FINE_ONE if on_saturation else fine,)) + payload, grid.slabs, distortion

    @cached_property
    def _coder(self) -> RowGroupCoder:
        profile = None if self.lossy.profile is None else self.profile
        grid = self.kept.group.grid(self.kept.choice.block)
        coder = row_group_coder(self.header.dtype, self.lossy, grid, profile)
        return deciding_like(coder, self.kept.choice)


def _signals(grown: Grown, group: Group) -> tuple[Sums, ...]:
    """Return the signals with those of further rows."""
    pairs = zip(grown.signals, (group, replace(group, gains=None)), strict=False)
    return tuple(replace(sums).add_all(each.chunks()) for sums, each in pairs)


def _energy(sums: Sums) -> float:
    stats = sums.stats
    return stats.count * stats.std**2


def _decibels(sums: Sums, error: float) -> float:
    return decibels(_energy(sums), error)
