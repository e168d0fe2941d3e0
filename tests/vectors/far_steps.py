"""Steps as far from their scales as the format has them, either way (SPEC §7.3)."""

import io
from collections.abc import Iterator

import numpy as np

from featcodec.coding.model import pack_scales
from featcodec.container import index
from featcodec.container.group import GroupHeader
from featcodec.container.lossy import Lossy
from featcodec.container.model import Model
from featcodec.container.part import Part
from featcodec.container.writer import Writer
from featcodec.entropy import family, symbols

from .edit import PLAIN
from .store import Vector, valid


def made() -> Iterator[Vector]:
    yield valid("016-far-steps", by_hand())


def by_hand() -> bytes:
    """Write two groups, which have the first and the last of the tables."""
    out = io.BytesIO()
    writer = Writer(out)
    found = np.random.default_rng(14).integers(-9, 10, 6).astype("i4")
    for scale, step_scale in ((-9, (1 << 63) - 1), (9, -(1 << 63))):
        table = family.table(0 if step_scale > 0 else 255)
        writer.section(b"ROWS", b"\x80\0" + symbols.encode([(found, table)]))
        model = Model("none", scales=pack_scales(np.full((2, 1), scale)))
        features = Lossy(**PLAIN | {"step_scale": step_scale}, parts=(Part("none", model),))
        at = len(writer.index.tensors)
        writer.section(b"GRUP", GroupHeader("F32", 3, 3, 2 * at, 1.0, np.nan, features).pack())
        writer.index.tensors.append(index.TensorEntry(f"x{at}", "F32", (3, 2), at))
    writer.finish()
    return out.getvalue()
