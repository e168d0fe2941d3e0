"""Prediction in the sample domain (SPEC §7.11): a file by hand, and faulty ones."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from featcodec.coding.model import pack_scales, pack_tables
from featcodec.container import index
from featcodec.container.group import GroupHeader
from featcodec.container.lossy import Lossy
from featcodec.container.model import Model
from featcodec.container.part import Part
from featcodec.container.sections import SECTION
from featcodec.container.wire import Builder
from featcodec.entropy import family, integers, symbols
from featcodec.entropy.prediction import Prediction, pass_of
from featcodec.entropy.tables import Table
from featcodec.modes.predicted import PredictedFields
from featcodec.modes.predicted.coder import pack_weights

from . import grids
from .edit import PLAIN, LaxWriter, damaged, header_of, lossy, rewrite, with_model
from .store import Vector, fault, sound, valid

MANY = 5794  # channels, the fewest with more than 2^24 weights of each other
NONE = {  # weights, all zero
    "neighbours": np.zeros((4, 2, 3), np.int64),
    "octaves": np.zeros(3, np.int64),
    "rows": np.zeros((3, 3), np.int64),
}


def weights_of(**weights: Any) -> PredictedFields:
    return PredictedFields(pack_weights(Prediction(precision=0, **NONE | weights)))


def made() -> Iterator[Vector]:
    maps, ours = sound("130-predicted-map"), by_hand()
    large, rows, one = NONE["neighbours"].copy(), NONE["rows"].copy(), NONE["rows"].copy()
    large[2, 1, 0] = 257
    rows[2, :2] = 511, -2
    one[2, 0] = 1
    longer = header_of(maps)[2].lossy.parts[0].model.fields.weights + b"\0"

    def with_weights(**weights: Any) -> bytes:
        """Change the weights for the prefix tokens, which are all zero."""
        return rewrite(ours, with_model(fields=weights_of(**weights)))

    yield valid("136-predicted-by-hand", ours)
    yield fault(
        "predicted-reflector",
        "transform predicted with a reflector, of zeros",
        rewrite(maps, with_model(reflectors=1)),
    )
    yield fault(
        "predicted-neighbour", "a weight of neighbours of 257", with_weights(neighbours=large)
    )
    yield fault("predicted-weights", "weights of channels beyond 2^25", with_weights(rows=rows))
    yield fault(
        "predicted-exponent",
        "a weight of channels times 2^33",
        with_weights(octaves=np.array([0, 0, 17]), rows=one),
    )
    yield fault("predicted-residual", "a residual beyond 2^20", by_hand((1 << 20) + 1))
    yield fault("predicted-index", "an index beyond 2^20", by_hand(1 << 20))
    yield fault("predicted-many", "weights of 5,794 channels", of_many_channels())
    yield fault(
        "predicted-dependent",
        "transform predicted with dependent quantisation",
        rewrite(maps, lossy(dependent=True)),
    )
    yield fault(
        "predicted-trailing",
        "a byte behind a prediction",
        rewrite(maps, with_model(fields=PredictedFields(longer))),
    )
    yield fault(
        "predicted-symbols", "resealed damage to residuals", damaged(maps, 0, SECTION.size + 60)
    )


def by_hand(first: int = 0) -> bytes:
    """Code maps of two sizes behind prefix tokens, with weights at their limits.

    `first` is the first residual, when not 0.
    """
    rng = np.random.default_rng(7)
    neighbours = rng.integers(-40, 41, (4, 2, 3))
    neighbours[0, 0], neighbours[3, 1] = 256, -256
    rows = np.zeros((3, 3), np.int64)
    # 2 ** 25 is the largest sum of weights: 511 and 1 times 2 ** 16.
    rows[1, 0], rows[2, 0], rows[2, 1] = -1023, 511, -1
    weights = Prediction(neighbours, 3, np.array([-2, 0, 1]), rows)
    scales = rng.integers(-8, 30, (3, 5))
    tables = {6: Table(1, 5, 90, 140), 7: Table(2, 0, 100, 120, (110,)), 11: Table(0)}
    model = Model(
        "predicted",
        (5, 4),
        centre_exponent=3,
        fields=PredictedFields(pack_weights(weights)),
        centre=integers.pack(np.array([5, 0, -90])),
        scales=pack_scales(scales),
        tables=pack_tables(tables),
    )
    alone = replace(model, block=(1,), fields=weights_of(rows=rows // 100))
    header = Lossy(
        **PLAIN | grids.ON_GRID | {"upper": 2e9},
        parts=(Part("predicted", model), Part("predicted", alone)),
    )

    def symbols_of(sizes: tuple[int, ...], blocks: int) -> Iterator[grids.Coded]:
        nonlocal first
        numbers = family.numbers(scales[:, pass_of(sizes)].ravel(), header.step_scale)
        for number, count in zip(*np.unique(numbers, return_counts=True), strict=True):
            table = tables.get(int(number)) or family.table(int(number))
            found = np.rint(rng.laplace(scale=0.8, size=count * blocks)).astype("i4")
            if table.magnitude:
                found[0], first = first or found[0], 0
            else:
                found[:] = 0
            yield found, table

    return grids.file_of(header, symbols_of)


def of_many_channels() -> bytes:
    """Write one token of MANY channels."""
    weights = Builder()
    weights.blob(b"")
    weights.u8(0)
    weights.blob(b"")
    weights.blob(integers.pack(np.ones(1, np.int64)))
    model = Model("predicted", fields=PredictedFields(bytes(weights)))
    header = Lossy(**PLAIN, parts=(Part("predicted", model),))
    out = io.BytesIO()
    writer = LaxWriter(out)
    writer.section(b"ROWS", b"\x80\0" + symbols.encode([]))
    writer.section(b"GRUP", GroupHeader("F32", 1, 1, 0, 1.0, np.nan, header).pack())
    writer.index.tensors = [index.TensorEntry("x", "F32", (1, MANY), 0)]
    writer.finish()
    return out.getvalue()
