"""Context modelling of lines and maps in the sample domain (SPEC §7.9, §7.13 to §7.15, §7.18).

Decoded neighbours and the shape of the neighbourhood pick the entropy table of each symbol, and set
its reconstruction point. `context-means` is for maps whose means would err.
"""

from dataclasses import dataclass

from ...container.wire import Builder, Cursor
from ..mode import Fields, Mode


@dataclass(frozen=True)
class ContextFields(Fields):
    """The offsets of reconstruction points, and tables: numbers of shapes are beyond a byte."""

    offsets: bytes  # packed integers
    own_tables: bytes  # deflated

    def pack(self, out: Builder) -> None:
        out.blob(self.offsets)
        out.blob(self.own_tables)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "ContextFields":
        return cls(cursor.blob(), cursor.blob())


@dataclass(frozen=True)
class MeansFields(ContextFields):
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
    Mode("context", 6, fields=ContextFields, trellis=True),
    Mode("context-means", 7, "context", MeansFields, trellis=True),
)
