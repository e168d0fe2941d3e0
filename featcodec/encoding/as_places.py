"""Layers that are coded as places or channels: the SNR of each, as if they lay side by side."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..align.layout import SAMPLE
from ..align.numbers import to_float
from ..coding.profile import Profile
from ..container.group import GroupHeader
from ..container.writer import Writer
from ..request import Quality
from .contest import Contest
from .exact_groups import ExactGroup
from .measured import coder_of, row_group, snrs_of
from .outcome import Outcome
from .rate_control.slices import AIM, BELOW
from .tensors.group import Group
from .tensors.stacked import layers_axis

LOOKED_AT = 1 << 22  # values that tell enough of the layers
MOST_LACK = 3.0  # dB: to have more, all would take more bits than layers side by side

Write = Callable[[Group, Quality], Outcome]


def with_enough(
    group: Group, quality: Quality, write: Write, writer: Writer, profile: Profile | None
) -> Outcome:
    """Write a group; where a layer has too little, with layers side by side or at a higher SNR.

    Frames of a film look like layers: as places they take fewer bytes at an SNR that leaves all of
    them enough. The smaller is kept.
    """
    mark, found = writer.mark(), write(group, quality)
    axis = None if group.layered is None else layers_axis(group.layered)
    if group.layered is None or axis is None or quality.snr is None:
        return found
    snr, layered = quality.snr, group.layered
    lack = snr - BELOW - _lowest(axis, writer, group, found, profile)
    if lack <= 0:
        return found

    def higher() -> Outcome | None:
        more = write(group, replace(quality, snr=snr + lack + AIM))
        return more if _lowest(axis, writer, group, more, profile) >= snr - BELOW else None

    writer.rewind(mark)
    contest = Contest(writer)
    contest.enter(lambda: write(group.written_as(layered.axes), quality))
    if lack < MOST_LACK:
        contest.enter(higher)
    return contest.surely_kept()


def as_written(
    groups: Sequence[Group | ExactGroup], headers: Sequence[GroupHeader]
) -> list[Group | ExactGroup]:
    """Return groups in the layouts of their headers."""
    return [
        group.written_as(header.lossy.layout)
        if isinstance(group, Group) and header.lossy
        else group
        for group, header in zip(groups, headers, strict=True)
    ]


def _lowest(
    axis: int, writer: Writer, group: Group, found: Outcome, profile: Profile | None
) -> float:
    """Return the lowest SNR in dB of the indices of an axis of a group that was just written."""
    if found.header.lossy is None or found.header.exact:
        return math.inf
    return lowest_along(axis, writer, group, found.header, profile)


def lowest_along(
    axis: int, writer: Writer, group: Group, header: GroupHeader, profile: Profile | None
) -> float:
    """Return the lowest SNR in dB of the indices of an axis, from the row groups last written."""
    coder, merged = coder_of(group, header, profile), group.layout.axes.count(SAMPLE) > 1
    length = max(shape[axis] for shape in group.shapes)
    sums = np.zeros((4, length))

    def indices(i: int) -> np.ndarray:
        shape = group.shapes[i]
        along = [n if at == axis else 1 for at, n in enumerate(shape)]
        found = np.broadcast_to(np.arange(shape[axis], dtype=np.uint8).reshape(along), shape)
        return np.ascontiguousarray(found) if merged else found  # of which axes can be merged

    every = -(-group.present // LOOKED_AT)
    for number in range(0, header.row_groups, every):
        payload, first, last = row_group(writer, header, number)
        fine = coder.at_fine_step(payload[0])
        for blocks in fine.decode(memoryview(payload)[1:], first, last):
            pairs = zip(blocks.pairs(group.tensor), blocks.pairs(indices), strict=True)
            for (stored, decoded), (at, _) in pairs:
                x, y = (to_float(a, header.dtype).astype(np.float64) for a in (stored, decoded))
                for total, values in zip(sums, (np.ones_like(x), x, x * x, (x - y) ** 2)):
                    total += np.bincount(at.ravel(), np.nan_to_num(values).ravel(), length)
    return float(np.nanmin(snrs_of(sums), initial=np.inf))
