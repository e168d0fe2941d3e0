"""Tensors that are cut into parts, each of which is a tensor to its group (SPEC §4.3)."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

from .. import elements, limits
from ..errors import Corrupt
from .dump import quoted
from .wire import Builder, Cursor

# How one axis is cut: () where it stays whole, None where each index is a part without the axis,
# else the lengths of the parts along it.
Along = tuple[int, ...] | None
Where = tuple[int | slice, ...]  # an index into the whole tensor


@dataclass(frozen=True)
class Cut:
    """How the axes of a tensor are cut, and the group of each part, the last axis fastest."""

    axes: tuple[Along, ...]
    groups: tuple[int, ...]

    def places(self, shape: tuple[int, ...]) -> list[Where]:
        """Return where in a tensor of that shape each part lies."""
        return places(self.axes, shape)


def places(axes: tuple[Along, ...], shape: tuple[int, ...]) -> list[Where]:
    """Return where in a tensor of a shape its parts lie.

    >>> places((None, (1, 2)), (2, 3))[1:3]
    [(0, slice(1, 3, None)), (1, slice(0, 1, None))]
    """
    ranges: list[list[Any]] = []
    for along, length in zip(axes, shape, strict=True):
        edges = [0, *itertools.accumulate(along)] if along else [0, length]
        pieces = [slice(*edge) for edge in itertools.pairwise(edges)]
        ranges.append(list(range(length)) if along is None else pieces)
    return list(itertools.product(*ranges))


def part_shape(where: Where) -> tuple[int, ...]:
    """Return the shape of the part that lies there."""
    return tuple(at.stop - at.start for at in where if isinstance(at, slice))


def pack_cuts(out: Builder, cuts: dict[int, Cut]) -> None:
    """Write the cuts of tensors by their number in the index."""
    parts = sum(len(cut.groups) for cut in cuts.values())
    remedy = "name fewer axes K in the layout"
    limits.check_input(parts, limits.PARTS, "the number of parts of all tensors", remedy)
    out.varint(len(cuts))
    for number, cut in sorted(cuts.items()):
        out.varint(number)
        for along in cut.axes:
            out.varint(1 if along is None else len(along))
            out.varints(along or ())
        out.varints(cut.groups[1:])


def unpack_cuts(cursor: Cursor, shapes: list[tuple[int, ...]], groups: list[int]) -> dict[int, Cut]:
    """Read what `pack_cuts` wrote; the first part of a tensor is in the group stated for it."""
    found: dict[int, Cut] = {}
    total, last = 0, -1
    count = cursor.varint()
    if not 1 <= count <= len(shapes):
        raise Corrupt(f"the index cuts {count} tensors of {len(shapes)}")
    for _ in range(count):
        number = cursor.varint()
        if not last < number < len(shapes):
            raise Corrupt(f"the index cuts tensor {number} behind {last} of {len(shapes)}")
        last, shape = number, shapes[number]
        axes = tuple(_along(cursor, length) for length in shape)
        parts = math.prod(
            n if along is None else max(len(along), 1) for along, n in zip(axes, shape, strict=True)
        )
        single = all(along is None for along in axes)
        if single or not math.prod(shape) or not any(along != () for along in axes):
            raise Corrupt(f"the index cuts tensor {number} into none, one whole or single elements")
        total = limits.check(total + parts, limits.PARTS, "the number of parts of all tensors")
        found[number] = Cut(axes, (groups[number], *cursor.varints(parts - 1)))
    return found


def _along(cursor: Cursor, length: int) -> Along:
    """Read how an axis is cut."""
    count = cursor.varint()
    if count < 2:
        return None if count else ()
    lengths = tuple(cursor.varints(count))
    if min(lengths) == 0 or sum(lengths) != length:
        raise Corrupt(f"an axis of length {length} is cut into parts of {sum(lengths)} in all")
    return lengths


def check_type(name: str, dtype: str) -> None:
    """Raise Corrupt for a tensor whose parts would not be of whole bytes."""
    if elements.BITS[dtype] < 8:
        raise Corrupt(f"tensor {quoted(name)} of {dtype} is cut into parts; its elements are less")
