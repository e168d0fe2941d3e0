"""The index and the group headers agree, and state no more than the file holds (SPEC §10.2)."""

import itertools
import math
from collections.abc import Sequence

from .. import elements, limits
from ..errors import Corrupt
from .dump import quoted
from .group import GroupHeader, Lossy
from .index import Index, TensorEntry

CHANNEL = "CD"  # letters of a layout


def check_groups(index: Index, headers: Sequence[GroupHeader], version: tuple[int, int]) -> None:
    """Raise Corrupt or LimitExceeded unless index and headers fit a file of that version.

    The number of values that tensors state is checked against the row groups of their group before
    memory is taken for them.
    """
    limits.check(len(headers), limits.GROUPS, "the number of tensor groups")
    members: list[list[TensorEntry]] = [[] for _ in headers]
    for tensor in index.tensors:
        if tensor.group >= len(headers):
            group = f"group {tensor.group}; the file has {len(headers)} groups"
            raise Corrupt(f"tensor {quoted(tensor.name)} is in {group}")
        if headers[tensor.group].dtype != tensor.dtype:
            dtypes = f"{tensor.dtype}, its group {headers[tensor.group].dtype}"
            raise Corrupt(f"tensor {quoted(tensor.name)} has element type {dtypes}")
        members[tensor.group].append(tensor)
    _check_rows(index, headers)
    for number, (header, tensors) in enumerate(zip(headers, members, strict=True)):
        if not tensors:
            raise Corrupt(f"group {number} has no tensors")
        _check_values(header, tensors)
        if header.lossy is None:
            continue
        if header.lossy.version > version:
            needs, has = (".".join(map(str, v)) for v in (header.lossy.version, version))
            raise Corrupt(f"group {number} needs format version {needs}; the file has {has}")
        if header.lossy.profile is not None and header.lossy.profile >= len(index.profiles):
            wanted = f"profile number {header.lossy.profile}"
            raise Corrupt(f"group {number} needs {wanted}; the file names {len(index.profiles)}")
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
            raise Corrupt(
                f"a group states {count} row groups from section {first} on, not all its own"
            )
        end = last
    stated = sum(count for _, count in spans)
    if stated != before[-1]:
        raise Corrupt(f"the groups state {stated} row groups; the file has {before[-1]}")


def _check_values(header: GroupHeader, tensors: Sequence[TensorEntry]) -> None:
    """Raise Corrupt or LimitExceeded unless the row groups can hold the values of the tensors."""
    per = min(header.slabs_per_row_group, header.slabs)
    limits.check(per, limits.ROW_GROUP_VALUES, "the number of slabs of a row group")
    if header.lossy is None:
        wanted = sum(elements.count(t.dtype, t.values) for t in tensors)
        if header.slabs != wanted:
            raise Corrupt(f"a group states {header.slabs} elements; its tensors have {wanted}")
        return
    most = header.row_groups * limits.ROW_GROUP_VALUES
    what = f"the number of values of the group of tensor {quoted(tensors[0].name)}"
    limits.check(sum(tensor.values for tensor in tensors), most, what)


def _check_channels(lossy: Lossy, tensors: Sequence[TensorEntry]) -> None:
    """Raise Corrupt or LimitExceeded unless models and layout fit the tensors."""
    axes = [axis for axis, letter in enumerate(lossy.layout) if letter in CHANNEL]
    for tensor in tensors:
        if len(tensor.shape) != len(lossy.layout):
            axes_of = f"{len(tensor.shape)} axes, its layout {quoted(lossy.layout)}"
            raise Corrupt(f"tensor {quoted(tensor.name)} has {axes_of}")
        what = f"the number of channels of tensor {quoted(tensor.name)}"
        channels = math.prod(tensor.shape[axis] for axis in axes)
        limits.check(channels, limits.CHANNELS, what)
    for part in lossy.parts:
        if part.model is not None:
            part.model.check(channels, limits.KLT_NUMBERS)
