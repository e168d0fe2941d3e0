"""Split symbols of uniformly quantised values, which bounds every error (SPEC §7.12)."""

from dataclasses import dataclass

from ...container.wire import Builder, Cursor
from ..mode import Fields, Mode


@dataclass(frozen=True)
class SplitFields(Fields):
    """The peak: the magnitude that values at the upper bound count as; 0: no kind of their own."""

    peak: int = 0

    def pack(self, out: Builder) -> None:
        out.varint(self.peak)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "SplitFields":
        return cls(cursor.varint())


MODES = (Mode("split", 10, fields=SplitFields),)
