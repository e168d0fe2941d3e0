"""Dependent quantisation with tables and scales that no encoder takes (SPEC §7.10, §7.14, §7.15).

The header is by hand, the symbols are what the encoder's trellis finds, so that their bytes change
when that does.
"""

import io
import itertools
from collections.abc import Callable

import numpy as np

from featcodec.coding.from_header import grid_of, row_group_coder
from featcodec.coding.model import pack_scales, pack_tables
from featcodec.container import index
from featcodec.container.group import GroupHeader
from featcodec.container.lossy import Lossy
from featcodec.container.model import Model
from featcodec.container.part import Part
from featcodec.container.writer import Writer
from featcodec.encoding.row_group import RowGroupEncoder
from featcodec.entropy import contexts, integers, shapes
from featcodec.entropy import dependent_family as family
from featcodec.entropy.tables import Table
from featcodec.modes.context import ContextFields, coder

from .edit import PLAIN

ON_GRID = {"layout": "NLD", "prefix": 1, "upper": 2e9, "step": 0.5, "step_scale": -4}
ON_GRID |= {"double": True}


def encoded() -> dict[str, Callable[[], bytes]]:
    """Return name -> what makes the file."""
    return {
        "174-dependent-by-hand": of_latents,
        "183-dependent-maps-by-hand": of_maps,
        "205-dependent-shapes-by-hand": of_shapes,
        "206-sparse-shapes-by-hand": of_sparse_shapes,
    }


def of_latents() -> bytes:
    """Code latents of all scales, prefix tokens among them."""
    rng = np.random.default_rng(9)
    scales = rng.integers(-12, 90, (5, 2, 3))
    scales[0] = 30
    scales[1, 0, :2] = 300, 140
    own = {
        3: Table(1, 2, 90, 140),
        family.number(5, 0): Table(1, 0, 100, 120, (), 10, 250),
        family.number(5, 1): Table(2, 0, 100, 120, (110,), 250, 10),
        family.number(17, 1): Table(40, 4, 60, 100, (90, 80)),
        family.number(63, 0): Table(3, 24, 1, 2, (3,)),
    }
    model = Model("linear", (2, 3), scales=pack_scales(scales), tables=pack_tables(own))
    first = Model("none", (1,), scales=pack_scales(np.arange(40, 45).reshape(5, 1)))
    parts = Part("linear", model), Part("none", first)
    header = Lossy(**PLAIN | ON_GRID | {"grid": (5, 7)}, parts=parts, dependent=True)
    values = rng.laplace(size=(30, 36, 5)) * 2.0 ** rng.integers(-2, 12, 5)
    values[::7] *= 1000
    return file_of(header, values, 20, (128, 140))


def of_maps() -> bytes:
    """Code maps behind prefix tokens along chains."""
    offsets = integers.pack(np.random.default_rng(11).integers(-128, 129, 144))
    return _of_maps(ContextFields(offsets, coder.pack_tables(OF_MAPS)))


def of_shapes() -> bytes:
    """Code the same with tables of shapes."""
    own = {number: table for number, table in OF_MAPS.items() if number < shapes.NUMBERS}
    for number, quantiser, shape in itertools.product(
        range(6, 78, 3), range(-1, 2), range(shapes.SHAPES)
    ):
        if (number + quantiser + shape) % 4:
            mine = contexts.of_quantiser(number, quantiser)
            own[shapes.with_shape(mine, shape)] = Table(2 + shape, 0, 100 + shape, 128, (99, 95))
    offsets = integers.pack(np.random.default_rng(11).integers(-128, 129, 144))
    return _of_maps(ContextFields(offsets, coder.pack_tables(own)))


def of_sparse_shapes() -> bytes:
    """Code maps that are nearly all zeros, with tables of the scalar quantiser's shapes alone.

    Numbers of the scalar quantiser lie between those of chains, and come first.
    """
    own = {
        shapes.with_shape(number, shape): Table(3, 0, 180 - shape, 128, (140, 120))
        for number, shape in itertools.product(range(78), range(shapes.SHAPES))
        if number % contexts.CLASSES < contexts.LEAST and (number + shape) % 3
    }
    fields = ContextFields(integers.pack(np.arange(144) % 60), coder.pack_tables(own))
    return _of_maps(fields, (-30, -18, -8), 0.3)


OF_MAPS = {
    5: Table(0),
    7: Table(3, 1, 2, 3, (4,)),  # of a number that chains have
    contexts.of_quantiser(8, 0): Table(1, 0, 100, 120, (), 10, 250),
    contexts.of_quantiser(8, 1): Table(2, 0, 100, 120, (110,)),
    contexts.of_quantiser(12, 1): Table(40, 2, 60, 100, (90, 80)),
    contexts.of_quantiser(77, 0): Table(3, 1, 1, 2, (3,)),
    240: Table(3, 0, 1, 2, (3,)),
}


def _of_maps(
    fields: ContextFields,
    levels: tuple[int, ...] = (-2, 16, 40),
    spread: float = 1,
) -> bytes:
    rng = np.random.default_rng(11)
    scales = np.zeros((3, 8, 8), np.int64)
    scales[:, 0, 0] = levels
    model = Model(
        "context",
        (8, 8),
        fields=fields,
        centre=integers.pack(np.array([0, -3, 2])),
        scales=pack_scales(scales),
    )
    first = Model("context", (1,), fields=fields, scales=pack_scales(scales[:, :1, 0]))
    parts = Part("context", model), Part("context", first)
    header = Lossy(**PLAIN | ON_GRID | {"grid": (9, 7)}, parts=parts, dependent=True)
    values = rng.laplace(size=(20, 64, 3)) * 2.0 ** rng.integers(-2, 9, 3)
    return file_of(header, values * spread, 14, (128, 121))


def file_of(
    header: Lossy,
    values: np.ndarray,
    per: int,
    fines: tuple[int, ...],
) -> bytes:
    """Return a file of one tensor, of row groups of `per` samples with these fine steps."""
    group = GroupHeader("F64", len(values), per, 0, 1.0, np.nan, header)
    grid = grid_of(header, [values.shape], None)
    coder = row_group_coder(group.dtype, header, grid, None)
    out = io.BytesIO()
    writer = Writer(out)
    for number, fine in enumerate(fines):
        low, high = number * per, min((number + 1) * per, len(values))
        row_group = RowGroupEncoder(coder.at_fine_step(fine))
        payload, _ = row_group.encode(low, high, lambda _: values)
        writer.section(b"ROWS", bytes([fine]) + payload)
    writer.section(b"GRUP", group.pack())
    writer.index.tensors = [index.TensorEntry("x", group.dtype, values.shape, 0)]
    writer.finish()
    return out.getvalue()
