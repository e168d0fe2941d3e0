"""Context modelling of lines and maps in the sample domain (SPEC §7.9, §7.13 to §7.15).

Decoded neighbours pick the entropy table of each symbol, and set its reconstruction point. With
`context`, the shape of the neighbourhood picks it too; `context-v4` is for maps where that does not
pay. `context-v3` takes the reconstruction points of the tables; it is only read.
"""

from dataclasses import dataclass

from ...container.sections import V3, V4, V5
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


MODES = (
    Mode("context-v3", 2, V3, "context"),
    Mode("context-v4", 6, V4, "context", ContextFields, trellis=True),
    Mode("context", 7, V5, fields=ShapedFields, trellis=True),
)
