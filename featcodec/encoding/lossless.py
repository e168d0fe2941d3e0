"""Groups that are kept bit for bit (SPEC §8)."""

import math

from ..container.group import GroupHeader
from ..container.sections import V4
from ..container.writer import Writer
from ..elements import FLOATS
from ..entropy import exact
from .tensors.lossless import LosslessGroup

ROW_GROUP_VALUES = 1 << 20


def write_lossless(writer: Writer, group: LosslessGroup) -> GroupHeader:
    """Write the row groups of a group bit for bit; return its header."""
    first = len(writer.index.sections)
    coder = exact.ExactEncoder(group.dtype in FLOATS, group.rasters)
    for start in range(0, group.elements, ROW_GROUP_VALUES):
        numbers = group.read(start, min(start + ROW_GROUP_VALUES, group.elements))
        payload = coder.encode(numbers)
        if exact.refined(payload):
            writer.needs(V4)
        writer.section(b"ROWS", payload)
    return GroupHeader(group.dtype, group.elements, ROW_GROUP_VALUES, first, math.inf, 0.0)
