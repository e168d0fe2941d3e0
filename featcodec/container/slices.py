"""The gains of tensors or samples in the header of a group (SPEC §6.9)."""

from dataclasses import dataclass

from ..errors import Corrupt
from .wire import Builder, Cursor


@dataclass(frozen=True)
class PackedGains:
    """The gains of a group: integers, still packed."""

    per_sample: bool  # else those of tensors
    runs: int  # of equally many channels, each of which has a gain
    exponents: bytes

    def pack(self, out: Builder) -> None:
        """Write the fields."""
        out.u8(self.per_sample)
        out.varint(self.runs)
        out.blob(self.exponents)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "PackedGains":
        """Read the fields; raise Corrupt for no runs."""
        found = cls(cursor.flag(), cursor.varint(), cursor.blob())
        if not found.runs:
            raise Corrupt("a group has gains of 0 runs of channels; there must be 1 at least")
        return found
