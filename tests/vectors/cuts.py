"""Vectors of tensors that are cut into parts, and of several channel axes; faulty ones of both."""

import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from featcodec.container.group import GroupHeader
from featcodec.container.index import Index, TensorEntry
from featcodec.container.wire import Builder, Cursor, deflate
from featcodec.entropy import exact

from .edit import LaxWriter, lossy, rewrite
from .store import Vector, fault, sound, valid

MERGED = "243-merged-channels"
REPEATED = "190-repeated-tokens"


@dataclass
class RawIndex(Index):
    """An index with any bytes for its cuts."""

    raw: bytes = b""

    def pack(self) -> bytes:
        cursor = Cursor(super().pack())
        cursor.varint()
        return deflate(zlib.decompress(cursor.rest()) + self.raw)


def raw(*numbers: int) -> bytes:
    out = Builder()
    out.varints(numbers)
    return bytes(out)


def by_hand(
    cuts: bytes,
    shapes: Sequence[tuple[int, ...]] = ((2, 3),),
    groups: Sequence[int] = (0,),
    sizes: Sequence[int] = (6,),
    dtype: str = "F32",
) -> bytes:
    """Return a file of tensors bit for bit, in groups of so many elements, with these cuts."""
    out = io.BytesIO()
    writer = LaxWriter(out)
    writer.index = RawIndex(raw=cuts)
    kind = {"F32": "<u4", "F4": "<u1"}[dtype]
    for first, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
        numbers = np.arange(first, first + size).astype(kind)
        writer.section(b"ROWS", exact.ExactEncoder(dtype == "F32").encode(numbers))
    for number, size in enumerate(sizes):
        head = GroupHeader(dtype, size, max(size, 1), number, np.inf, 0.0)
        writer.section(b"GRUP", head.pack())
    writer.index.tensors = [
        TensorEntry(f"t{i}", dtype, shape, group)
        for i, (shape, group) in enumerate(zip(shapes, groups, strict=True))
    ]
    writer.finish()
    return out.getvalue()


def made() -> Iterator[Vector]:
    rows = by_hand(raw(1, 0, 1, 0, 1), groups=(0,), sizes=(3, 3))
    columns = by_hand(raw(2, 0, 0, 2, 1, 2, 0, 1, 1, 0, 1), ((2, 3), (2, 2)), (1, 1), (4, 6))
    yield valid("244-cut-rows-by-hand", rows)
    yield valid("245-cut-columns-by-hand", columns)
    for name, (reason, data) in faults().items():
        yield fault(name, reason, data)


def faults() -> dict[str, tuple[str, bytes]]:
    """Return name -> (reason, file)."""
    merged, repeated = sound(MERGED), sound(REPEATED)
    long = [(1 << 40, 2)]

    def samples(layout: str) -> bytes:
        return rewrite(sound("241-cut-heads"), lossy(layout=layout))

    return {
        "cuts-none": ("cuts of no tensor", by_hand(raw(0))),
        "cuts-beyond": ("a cut of a tensor that is not there", by_hand(raw(1, 1, 1, 0, 0))),
        "cuts-twice": ("a tensor that is cut twice", by_hand(raw(2, 0, 1, 0, 0, 0, 1, 0, 0))),
        "cuts-whole": ("a cut into one whole", by_hand(raw(1, 0, 0, 0))),
        "cuts-elements": ("a cut into elements", by_hand(raw(1, 0, 1, 1, 0, 0, 0, 0, 0))),
        "cuts-length-0": ("a part of no length", by_hand(raw(1, 0, 0, 2, 0, 3, 0))),
        "cuts-lengths": ("parts that are too short", by_hand(raw(1, 0, 0, 2, 1, 1, 0))),
        "cuts-empty": (
            "a cut of a tensor without values",
            by_hand(raw(1, 1, 1, 0, 0), ((2, 3), (2, 0)), (0, 0)),
        ),
        "cuts-half-bytes": (
            "a cut of elements of 4 bits",
            by_hand(raw(1, 0, 1, 0, 0), ((2, 6),), sizes=(6,), dtype="F4"),
        ),
        "cuts-group": ("a part in a group that is not there", by_hand(raw(1, 0, 1, 0, 1))),
        "cuts-trailing": ("a byte behind the cuts", by_hand(raw(1, 0, 1, 0, 0, 0))),
        "cuts-ends": ("cuts that end early", by_hand(raw(1, 0, 1, 0))),
        "cuts-sizes": ("parts of other groups' sizes", by_hand(raw(1, 0, 1, 0, 1), sizes=(4, 2))),
        "cuts-samples": ("a cut between samples", samples("NNL")),
        "channels-repeats": (
            "repeated rows of several channel axes",
            rewrite(repeated, lossy(layout="DC")),
        ),
        "independent-axis": (
            "the layout of a group with an axis K",
            rewrite(merged, lossy(layout="KCLD")),
        ),
        "hostile-parts": ("2^40 parts", by_hand(raw(1, 0, 1, 0), long)),
    }
