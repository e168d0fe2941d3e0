"""Files of one tensor on a grid, whose symbols are made up block by block."""

import io
import math
from collections.abc import Callable, Iterable

import numpy as np

from featcodec.align.grids import GroupGrid
from featcodec.align.layout import Layout
from featcodec.container import index
from featcodec.container.group import GroupHeader
from featcodec.container.lossy import Lossy
from featcodec.container.wire import Builder
from featcodec.container.writer import Writer
from featcodec.entropy import symbols
from featcodec.entropy.tables import Table

SIZES = (9, 7)  # of the grid behind two prefix tokens
ON_GRID = {"layout": "NLD", "prefix": 2, "grid": SIZES, "step_scale": 4}
SHAPE = (3, 2 + math.prod(SIZES), 3)
PER = 2  # samples of a row group

Coded = tuple[np.ndarray, Table]


def file_of(header: Lossy, made: Callable[[tuple[int, ...], int], Iterable[Coded]]) -> bytes:
    """Write a tensor of SHAPE; `made` gives the symbols of so many blocks of a size.

    The grid is cut as the first part says; prefix tokens are blocks of one.
    """
    block = header.parts[0].model.block
    grid = GroupGrid(Layout(header.layout, header.prefix, header.grid), [SHAPE], block)
    out = io.BytesIO()
    writer = Writer(out)
    for first in range(0, grid.slabs, PER):
        arrays: list[Coded] = []
        for (_, sizes), boxes in grid.boxes(first, min(first + PER, grid.slabs)).items():
            arrays += made(sizes, sum(box.count for box in boxes))
        rows = Builder()
        rows.u8(100)
        rows.varint(0)
        writer.section(b"ROWS", bytes(rows + symbols.encode(arrays)))
    group = GroupHeader("F32", grid.slabs, PER, 0, 1.0, np.nan, header)
    writer.section(b"GRUP", group.pack())
    writer.index.tensors = [index.TensorEntry("x", "F32", SHAPE, 0)]
    writer.finish()
    return out.getvalue()
