"""Groups that are kept bit for bit (SPEC §8)."""

import math
import zlib

import numpy as np

from ..align.numbers import elements_of
from ..container.group import GroupHeader
from ..container.writer import Writer
from ..elements import BITS, FLOATS
from ..entropy import exact
from . import tuning
from .outcome import Outcome
from .tensors.group import Group
from .tensors.lossless import LosslessGroup
from .tensors.repeats import stated
from .without_repeats import without_repeats

ROW_GROUP_VALUES = 1 << 20
LOOK, GLANCE = 1 << 17, 1 << 14  # bytes of a tensor that are looked at; before that
SURELY = 0.5  # of what a glance shows: less is less than what a look shows


def surely_less(size: float, group: Group) -> bool:
    """Return whether a size is less than a group of features takes bit for bit at the least."""
    return size < SURELY * _least(group, GLANCE) or size < _least(group, LOOK)


def _least(group: Group, look: int) -> float:
    """Return how many bytes a group takes bit for bit at the very least, about."""
    bytes_of = BITS[group.dtype] // 8
    some = min(look // bytes_of, math.prod(group.shapes[0]))
    first = np.ascontiguousarray(elements_of(group.tensor(0), 0, some))
    # Bytes of like weight side by side, as `exact` has them; codes and masks nearly vanish.
    planes = first.view(np.uint8).reshape(-1, first.itemsize).T
    share = len(zlib.compress(planes.tobytes(), 6)) / max(planes.size, 1)
    worthwhile = tuning.WORTHWHILE if share > tuning.REGULAR else tuning.WORTHWHILE_REGULAR
    return worthwhile * min(share, 1.0) * bytes_of * group.present


def write_lossless(writer: Writer, group: LosslessGroup) -> GroupHeader:
    """Write the row groups of a group bit for bit; return its header.

    Repeated rows are left out where that saves bytes.
    """
    reduced = group.without_repeats
    if reduced is None:
        return _write(writer, group)
    assert reduced.reduced is not None
    start = writer.position
    ways = [
        lambda g=g: Outcome.of(writer, start, _write(writer, g)) for g in (reduced, group, group)
    ]
    return without_repeats(writer, reduced.reduced.rows, *ways).header


def _write(writer: Writer, group: LosslessGroup) -> GroupHeader:
    first = len(writer.index.sections)
    coder = exact.ExactEncoder(group.dtype in FLOATS, group.rasters, group.axes)
    for start in range(0, group.elements, ROW_GROUP_VALUES):
        numbers = group.read(start, min(start + ROW_GROUP_VALUES, group.elements))
        payload = coder.encode(numbers)
        writer.section(b"ROWS", payload)
    repeats = None
    if group.reduced is not None:
        rows = group.reduced.rows
        repeats = stated(rows, rows.layout.axes)
        assert repeats is not None
    return GroupHeader(
        group.dtype, group.elements, ROW_GROUP_VALUES, first, math.inf, 0.0, repeats=repeats
    )
