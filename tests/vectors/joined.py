"""Vectors of tensors that are cut along sample axes, as where samples were appended."""

import io
from collections.abc import Iterator

import numpy as np

from featcodec.container.group import GroupHeader
from featcodec.container.index import TensorEntry
from featcodec.container.joining import Coded, join
from featcodec.container.reader import Reader
from featcodec.container.repeats import RepeatedRows
from featcodec.entropy import exact

from .cuts import RawIndex, raw
from .edit import LaxWriter
from .store import Vector, fault, sound, valid

SOURCES = {
    "310-appended-maps": "001-cnn-map",
    "311-appended-repeats": "192-repeated-samples",
    "312-appended-lossless": "195-repeated-lossless",
}


def twice(data: bytes) -> bytes:
    """Return a file with each tensor twice, one after the other along its leading axis."""
    out, coded = io.BytesIO(), Coded.of(Reader(io.BytesIO(data), "a vector"))
    join([coded, coded], out, coded.index.metadata)
    return out.getvalue()


def samples(cuts: bytes) -> bytes:
    """Return a file of one tensor of two sample axes bit for bit, whose last row is repeated."""
    out = io.BytesIO()
    writer = LaxWriter(out)
    writer.index = RawIndex(raw=cuts)
    numbers = np.arange(7, dtype="<u4")
    writer.section(b"ROWS", exact.ExactEncoder(True).encode(numbers))
    rows = RepeatedRows("NN", True, (7,), (1,), (1,))
    head = GroupHeader("F32", 7, 7, 0, np.inf, 0.0, repeats=rows)
    writer.section(b"GRUP", head.pack())
    writer.index.tensors = [TensorEntry("t", "F32", (2, 4), 0)]
    writer.finish()
    return out.getvalue()


def made() -> Iterator[Vector]:
    for name, source in SOURCES.items():
        yield valid(name, twice(sound(source)))
    outer = samples(raw(1, 0, 2, 1, 1, 0, 0))
    yield valid("313-outer-samples-by-hand", outer)
    inner = samples(raw(1, 0, 0, 2, 2, 2, 0))
    yield fault("cuts-inner-samples", "a cut along the inner of two sample axes", inner)
