"""What index and group headers say together: no more than the file has room for (SPEC §10.2)."""

import itertools
import math
from collections.abc import Sequence

from .. import elements, limits
from ..errors import Corrupt
from .dump import quoted
from .group import GroupHeader, Lossy
from .index import Index, TensorEntry
from .repeats import RepeatedRows

SAMPLE, GRID, CHANNEL = "N", "LHWT", "CD"  # letters of a layout


def check_groups(index: Index, headers: Sequence[GroupHeader], version: tuple[int, int]) -> None:
    """Raise Corrupt or LimitExceeded unless they can be of one file of that version.

    What the tensors of a group claim is held against its row groups before anybody takes memory
    for it.
    """
    limits.check(len(headers), limits.GROUPS, "the number of tensor groups")
    members: list[list[TensorEntry]] = [[] for _ in headers]
    for tensor in index.tensors:
        if tensor.group >= len(headers) or headers[tensor.group].dtype != tensor.dtype:
            raise Corrupt(f"tensor {quoted(tensor.name)} belongs to no group of its type")
        members[tensor.group].append(tensor)
    _check_rows(index, headers)
    for header, tensors in zip(headers, members, strict=True):
        if not tensors:
            raise Corrupt("a group without tensors")
        if header.version > version:
            raise Corrupt("a group uses what the version of the file does not have")
        _check_values(header, tensors)
        if header.lossy is None:
            continue
        if header.lossy.profile is not None and header.lossy.profile >= len(index.profiles):
            raise Corrupt("a group refers to a profile that the file does not name")
        _check_channels(header.lossy, tensors)


def _check_rows(index: Index, headers: Sequence[GroupHeader]) -> None:
    """Raise Corrupt unless every ROWS section belongs to exactly one group."""
    is_rows = (kind == b"ROWS" for kind, _ in index.sections)
    before = list(itertools.accumulate(is_rows, initial=0))  # ROWS sections before each section
    end = 0
    spans = sorted((h.first_section, h.row_groups) for h in headers if h.row_groups)
    for first, count in spans:
        last = first + count
        if first < end or last >= len(before) or before[last] - before[first] != count:
            raise Corrupt("a group states row groups that it does not have")
        end = last
    if sum(count for _, count in spans) != before[-1]:
        raise Corrupt("a row group belongs to no group")


def _check_values(header: GroupHeader, tensors: Sequence[TensorEntry]) -> None:
    """Raise LimitExceeded when the row groups cannot hold what the tensors claim."""
    per = min(header.slabs_per_row_group, header.slabs)
    limits.check(per, limits.ROW_GROUP_VALUES, "the number of slabs of a row group")
    if header.repeats is not None:
        _check_rows_of(header, tensors)
    elif header.lossy is None:
        if header.slabs != sum(elements.count(t.dtype, t.values) for t in tensors):
            raise Corrupt("a group does not hold as many elements as its tensors")
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


def _check_channels(lossy: Lossy, tensors: Sequence[TensorEntry]) -> None:
    """Raise Corrupt or LimitExceeded unless models and layout fit the tensors."""
    axes = [axis for axis, letter in enumerate(lossy.layout) if letter in CHANNEL]
    for tensor in tensors:
        if len(tensor.shape) != len(lossy.layout):
            raise Corrupt(f"tensor {quoted(tensor.name)} has not the axes of its layout")
        what = f"the number of channels of tensor {quoted(tensor.name)}"
        channels = math.prod(tensor.shape[axis] for axis in axes)
        limits.check(channels, limits.CHANNELS, what)
    for part in lossy.parts:
        if part.model is not None:
            part.model.check(channels, limits.KLT_NUMBERS)
