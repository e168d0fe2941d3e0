"""The index and the group headers agree, and state no more than the file holds (SPEC §10.2)."""

import itertools
import math
from collections.abc import Collection, Sequence

from .. import elements, limits
from ..errors import Corrupt
from .dump import quoted
from .group import GroupHeader
from .index import Index, PartEntry, TensorEntry
from .lossy import Lossy
from .repeats import RepeatedRows
from .slices import PackedGains

SAMPLE, GRID, CHANNEL = "N", "LHWT", "CD"  # letters of a layout


def check_groups(
    index: Index,
    headers: Sequence[GroupHeader],
    lost: Collection[int] = (),
) -> None:
    """Raise Corrupt or LimitExceeded unless index and headers agree.

    The number of values that tensors state is checked against the row groups of their group before
    memory is taken for them. Of the groups that are `lost`, whose headers are damaged, only that.
    """
    limits.check(len(headers), limits.GROUPS, "the number of tensor groups")
    members: list[list[TensorEntry]] = [[] for _ in headers]
    for tensor in itertools.chain.from_iterable(index.parts):
        if tensor.group >= len(headers):
            group = f"group {tensor.group}; the file has {len(headers)} groups"
            raise Corrupt(f"tensor {quoted(tensor.name)} is in {group}")
        if headers[tensor.group].dtype != tensor.dtype:
            dtypes = f"{tensor.dtype}, its group {headers[tensor.group].dtype}"
            raise Corrupt(f"tensor {quoted(tensor.name)} has element type {dtypes}")
        members[tensor.group].append(tensor)
    _check_rows(index, headers, members, lost)
    for number, (header, tensors) in enumerate(zip(headers, members, strict=True)):
        if not tensors:
            raise Corrupt(f"group {number} has no tensors")
        _check_values(header, tensors)
        layout = header.repeats.layout if header.repeats else ""
        layout = header.lossy.layout if header.lossy else layout
        for tensor in tensors:
            if isinstance(tensor, PartEntry):
                _check_samples(tensor, layout)
        if header.lossy is None:
            continue
        if header.lossy.profile is not None and header.lossy.profile >= len(index.profiles):
            wanted = f"profile number {header.lossy.profile}"
            raise Corrupt(f"group {number} needs {wanted}; the file names {len(index.profiles)}")
        _check_channels(header.lossy, tensors)
        if header.lossy.slices is not None:
            _check_gains(header.lossy, header.lossy.slices, tensors)


def _check_rows(
    index: Index,
    headers: Sequence[GroupHeader],
    members: Sequence[Sequence[TensorEntry]],
    lost: Collection[int],
) -> None:
    """Raise Corrupt unless every ROWS section belongs to exactly one group.

    Those of lost groups are what is left; LimitExceeded unless these can hold their values.
    """
    is_rows = (kind == b"ROWS" for kind, _ in index.sections)
    before = list(itertools.accumulate(is_rows, initial=0))  # ROWS sections before each section
    end = 0
    known = [header for i, header in enumerate(headers) if i not in lost and header.row_groups]
    spans = sorted((header.first_section, header.row_groups) for header in known)
    for first, count in spans:
        last = first + count
        if first < end or last >= len(before) or before[last] - before[first] != count:
            raise Corrupt(
                f"a group states {count} row groups from section {first} on, not all its own"
            )
        end = last
    stated = sum(count for _, count in spans)
    left = before[-1] - stated
    if left and not lost:
        raise Corrupt(f"the groups state {stated} row groups; the file has {before[-1]}")
    values = sum(tensor.values for number in lost for tensor in members[number])
    most = left * limits.ROW_GROUP_VALUES
    limits.check(values, most, "the number of values of groups whose headers are damaged")


def _check_values(header: GroupHeader, tensors: Sequence[TensorEntry]) -> None:
    """Raise Corrupt or LimitExceeded unless the row groups can hold the values of the tensors."""
    per = min(header.slabs_per_row_group, header.slabs)
    limits.check(per, limits.ROW_GROUP_VALUES, "the number of slabs of a row group")
    if header.repeats is not None:
        _check_rows_of(header, tensors)
    elif header.lossy is None:
        wanted = sum(elements.count(t.dtype, t.values) for t in tensors)
        if header.slabs != wanted:
            raise Corrupt(f"a group states {header.slabs} elements; its tensors have {wanted}")
        return
    most = header.row_groups * limits.ROW_GROUP_VALUES
    what = f"the number of values of the group of tensor {quoted(tensors[0].name)}"
    limits.check(sum(tensor.values for tensor in tensors), most, what)


def _check_rows_of(header: GroupHeader, tensors: Sequence[TensorEntry]) -> None:
    """Raise Corrupt unless tensors can have rows: some values each, of whole bytes, and axes."""
    assert header.repeats is not None
    if elements.BITS[header.dtype] < 8 or not all(tensor.values for tensor in tensors):
        raise Corrupt("a group repeats rows that cannot be")
    axes = len(header.repeats.layout if header.lossy is None else header.lossy.layout)
    if any(len(tensor.shape) != axes for tensor in tensors):
        raise Corrupt("a group repeats rows of tensors that have not the axes of its layout")
    rows = sum(_rows(header.repeats, header.lossy, tensor.shape) for tensor in tensors)
    most = header.row_groups * limits.REPEAT_ROWS
    limits.check(rows, most, f"the number of rows of the group of tensor {quoted(tensors[0].name)}")


def _rows(repeats: RepeatedRows, lossy: Lossy | None, shape: Sequence[int]) -> int:
    """Return how many rows a tensor has."""
    layout = repeats.layout if lossy is None else lossy.layout
    samples = math.prod(n for letter, n in zip(layout, shape, strict=True) if letter == SAMPLE)
    lengths = [n for letter, n in zip(layout, shape, strict=True) if letter in GRID]
    if lossy is not None and lossy.grid:
        lengths = list(lossy.grid)
    if repeats.whole or not lengths or (lossy is not None and lossy.prefix):
        return samples
    return samples * lengths[0]


def _check_samples(part: PartEntry, layout: str) -> None:
    """Raise Corrupt unless the samples of a part are evenly apart in its tensor."""
    letters = iter(layout)
    found = ["" if isinstance(at, int) else next(letters, "") for at in part.where]
    places = [axis for axis, letter in enumerate(found) if letter == SAMPLE]
    inner = any(part.axes[axis] for axis in places[1:])
    if inner or (places and "" in found[places[0] : places[-1]]):
        raise Corrupt(f"tensor {quoted(part.name)} is cut along inner sample axes, or between some")


def _check_channels(lossy: Lossy, tensors: Sequence[TensorEntry]) -> None:
    """Raise Corrupt or LimitExceeded unless models and layout fit the tensors."""
    axes = [axis for axis, letter in enumerate(lossy.layout) if letter in CHANNEL]
    stacked = lossy.stacks.count if lossy.stacks else 1
    if stacked > 1 and not all(tensor.values for tensor in tensors):
        raise Corrupt(f"a group stacks tensors like {quoted(tensors[0].name)}, some without values")
    for tensor in tensors:
        if len(tensor.shape) != len(lossy.layout):
            axes_of = f"{len(tensor.shape)} axes, its layout {quoted(lossy.layout)}"
            raise Corrupt(f"tensor {quoted(tensor.name)} has {axes_of}")
        what = f"the number of channels of tensor {quoted(tensor.name)}"
        channels = stacked * math.prod(tensor.shape[axis] for axis in axes)
        limits.check(channels, limits.CHANNELS, what)
    for part in lossy.parts:
        if part.model is not None:
            part.model.check(channels, limits.KLT_NUMBERS)


def _check_gains(lossy: Lossy, gains: PackedGains, tensors: Sequence[TensorEntry]) -> None:
    """Raise LimitExceeded for more gains of tensors or samples than a group may have."""
    axes = [axis for axis, letter in enumerate(lossy.layout) if letter == SAMPLE]
    samples = sum(math.prod(tensor.shape[axis] for axis in axes) for tensor in tensors)
    count = gains.runs * (samples if gains.per_sample else len(tensors))
    count //= lossy.stacks.count if lossy.stacks else 1
    limits.check(count, limits.SLICES, "the number of gains of tensors or samples of a group")
