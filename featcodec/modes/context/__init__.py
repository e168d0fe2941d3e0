"""Context modelling of maps in the sample domain (SPEC §7.9, §7.13, §7.14).

Decoded neighbours pick the entropy table of each symbol. With `restored`, all four neighbours set
its reconstruction point too; `context` of format 3.0 has those of its table, and is only read.
"""

from dataclasses import dataclass

from ...container.sections import V3, V4
from ...container.wire import Builder, Cursor
from ..mode import Fields, Mode


@dataclass(frozen=True)
class ContextFields(Fields):
    """Where symbols are reconstructed, by what their neighbours are."""

    offsets: bytes  # packed integers

    def pack(self, out: Builder) -> None:
        out.blob(self.offsets)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "ContextFields":
        return cls(cursor.blob())


MODES = (
    Mode("context", 2, V3),
    Mode("restored", 6, V4, "context", ContextFields, trellis=True),
)
