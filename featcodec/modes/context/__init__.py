"""Context modelling of maps in the sample domain (SPEC §7.9, §7.13, §7.14).

Decoded neighbours pick the entropy table of each symbol. With `context`, the neighbours on all four
sides set its reconstruction point too. `context-v3` takes the reconstruction points of the tables;
it is only read.
"""

from dataclasses import dataclass

from ...container.sections import V3, V4
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


MODES = (
    Mode("context-v3", 2, V3, "context"),
    Mode("context", 6, V4, fields=ContextFields, trellis=True),
)
