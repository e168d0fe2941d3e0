"""Context modelling of lines and maps in the sample domain (SPEC §7.9, §7.13 to §7.15, §7.18).

Decoded neighbours pick the entropy table of each symbol, and set its reconstruction point. With
`context`, the shape of the neighbourhood picks it too; `context-v4` is for maps where that does not
pay, `context-means` for maps whose means would err. `context-v3` takes the reconstruction points of
the tables; it is only read.
"""

from dataclasses import dataclass

from ...container.wire import Builder, Cursor
from ..mode import Fields, Mode


@dataclass(frozen=True)
class ContextFields(Fields):
    """The offsets of reconstruction points, by the neighbours of a symbol."""

    offsets: bytes  # packed integers

    def pack(self, out: Builder) -> None:
        out.blob(self.offsets)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "ContextFields":
        return cls(cursor.blob())


@dataclass(frozen=True)
class ShapedFields(ContextFields):
    """Tables, too: those of shapes have numbers beyond a byte."""

    own_tables: bytes  # deflated

    def pack(self, out: Builder) -> None:
        super().pack(out)
        out.blob(self.own_tables)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "ShapedFields":
        return cls(cursor.blob(), cursor.blob())


@dataclass(frozen=True)
class MeansFields(ShapedFields):
    """What is expected of the means of maps, and the table of what is not."""

    means: bytes  # packed integers
    mean_table: bytes

    def pack(self, out: Builder) -> None:
        super().pack(out)
        out.blob(self.means)
        out.blob(self.mean_table)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "MeansFields":
        return cls(*(cursor.blob() for _ in range(4)))


MODES = (
    Mode("context-v3", 2, "context"),
    Mode("context-v4", 6, "context", ContextFields, trellis=True),
    Mode("context", 7, fields=ShapedFields, trellis=True),
    Mode("context-means", 11, "context", MeansFields, trellis=True),
)
