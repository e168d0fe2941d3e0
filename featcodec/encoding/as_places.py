"""Layers that are coded as places or channels: the SNR of each, as if they lay side by side."""

from collections.abc import Callable, Sequence

import numpy as np

from ..align.layout import SAMPLE
from ..align.numbers import to_float
from ..coding.profile import Profile
from ..container.group import GroupHeader
from ..container.writer import Writer
from .exact_groups import ExactGroup
from .measured import coder_of, row_group, snrs_of
from .outcome import Outcome
from .tensors.group import Group
from .tensors.stacked import layers_axis

LOOKED_AT = 1 << 22  # values that tell enough of the layers


def with_enough(
    group: Group,
    least: float,
    write: Callable[[Group], Outcome],
    writer: Writer,
    profile: Profile | None,
) -> Outcome:
    """Write a group; once more with layers side by side where one has less than so many dB."""
    mark, found = writer.mark(), write(group)
    header = found.header
    axis = None if group.layered is None else layers_axis(group.layered)
    if group.layered is None or axis is None or header.lossy is None or header.exact:
        return found
    if lowest_along(axis, writer, group, header, profile) >= least:
        return found
    writer.rewind(mark)
    return write(group.written_as(group.layered.axes))


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
