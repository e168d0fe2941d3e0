"""Builds coders with context modelling, for the scalar and the dependent quantiser."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...coding.model import GridModel
from ...coding.parts.base import PartCoder
from ...container.lossy import Lossy
from ...container.model import Model
from ...container.wire import Builder, Unpacker, deflate
from ...entropy import integers, shapes
from ...entropy.tables import Table
from ...errors import Corrupt, Damage
from ..coder import CoderArguments, ModeCoder
from ..mode import Fields
from . import ContextFields, MeansFields, reconstruction
from .dependent import DependentContextCoder
from .means import ACTIVITIES, LARGEST, Means
from .scalar import ContextCoder

MOST_BYTES = 1 << 20  # of tables, unpacked


@dataclass(frozen=True)
class Own:
    """The fields of the mode, unpacked."""

    offsets: np.ndarray  # of reconstruction points
    tables: Mapping[int, Table]  # those of shapes among them
    means: Means | None = None  # of maps


class ContextModeCoder(ModeCoder):
    """Blocks are lines or maps."""

    def check(self, model: Model) -> None:
        fits = 1 <= len(model.block) <= 3 and math.prod(model.block[:-2]) == 1
        if model.reflectors or not fits:
            has = f"{model.reflectors} reflectors and blocks {model.block}"
            raise Corrupt(f"a model with context modelling has {has}; blocks are lines or maps")
        if model.tables:
            raise Corrupt("a model with tables of shapes has tables without, too")

    def sets(self, dependent: bool) -> int:
        """Return how many sets of offsets a model has."""
        return reconstruction.SETS if dependent else 1

    def unpack(self, model: Model, channels: int, dependent: bool) -> Own:
        fields = model.fields
        assert isinstance(fields, ContextFields)
        shape = self.sets(dependent), reconstruction.CLASSES, reconstruction.KINDS
        offsets = integers.unpack(fields.offsets, math.prod(shape)).astype(np.int64)
        if np.abs(offsets).max() > reconstruction.LARGEST:
            raise Corrupt(f"the offset of a reconstruction point is above {reconstruction.LARGEST}")
        means = unpack_means(fields, channels) if isinstance(fields, MeansFields) else None
        return Own(offsets.reshape(shape), unpack_tables(fields.own_tables), means)

    def pack(self, own: Own) -> Fields:
        offsets, tables = integers.pack(own.offsets.ravel()), pack_tables(own.tables)
        if own.means is None:
            return ContextFields(offsets, tables)
        return MeansFields(offsets, tables, *own.means.pack())

    def coder(self, model: GridModel, header: Lossy, arguments: CoderArguments) -> PartCoder:
        return context_coder(model.own, arguments, header.dependent, header.positive)


def context_coder(
    own: Own, arguments: CoderArguments, dependent: bool, positive: bool
) -> ContextCoder:
    """Return the coder of a model; tables of the arguments take the place of its own."""
    kind = DependentContextCoder if dependent else ContextCoder
    offsets = own.offsets[: reconstruction.SETS if dependent else 1]
    made = kind(*arguments, positive=positive, offsets=offsets, means=own.means)
    return made.with_tables({**own.tables, **arguments.tables})


def pack_tables(tables: Mapping[int, Table]) -> bytes:
    """Return the tables behind their numbers, ascending, deflated; no bytes when there are none."""
    out = Builder()
    for number in sorted(tables):
        out.varint(number)
        out += integers.pack_table(tables[number])
    return deflate(bytes(out)) if out else b""


def unpack_tables(data: bytes) -> dict[int, Table]:
    """Invert `pack_tables`; raise Corrupt, Damage or LimitExceeded when a rule is broken."""
    tables: dict[int, Table] = {}
    if not data:
        return tables
    cursor, last = Unpacker(data, "list of tables", MOST_BYTES), -1
    while cursor.left:
        number = cursor.varint()
        if not last < number < shapes.NUMBERS * (1 + shapes.SHAPES):
            raise Damage(f"table {number} follows table {last}; numbers must ascend")
        head = bytes(cursor.take(integers.TABLE_HEAD))
        tables[number], _ = integers.unpack_table(head + bytes(cursor.take(head[-1])), 0)
        last = number
    cursor.end()
    return tables


def unpack_means(fields: MeansFields, channels: int) -> Means:
    """Invert `Means.pack`; raise Corrupt, or SymbolError when a rule is broken."""
    both = integers.unpack(fields.means, channels + ACTIVITIES).astype(np.int64)
    if np.abs(both).max() > LARGEST:
        raise Corrupt(f"an expected mean of a map is above {LARGEST}")
    table, end = integers.unpack_table(fields.mean_table, 0)
    if end != len(fields.mean_table):
        raise Corrupt("the table of the means of maps has bytes left over")
    return Means(both[:channels], both[channels:], table)


CODER = ContextModeCoder()
