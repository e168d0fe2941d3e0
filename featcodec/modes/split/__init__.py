"""Uniform quantisation in the sample domain, zeros split from magnitudes (SPEC §7.12)."""

from dataclasses import dataclass

from ...container.sections import V4
from ...container.wire import Builder, Cursor
from ..mode import Fields, Mode


@dataclass(frozen=True)
class SplitFields(Fields):
    """The symbol of values at the upper bound; 0: they have no kind of their own."""

    peak: int = 0

    def pack(self, out: Builder) -> None:
        out.varint(self.peak)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "SplitFields":
        return cls(cursor.varint())


MODES = (Mode("split", 5, V4, fields=SplitFields),)
