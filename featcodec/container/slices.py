"""The gains of tensors or samples, and of channels, in the header of a group (SPEC §6.9)."""

from dataclasses import dataclass

from .wire import Builder, Cursor


@dataclass(frozen=True)
class PackedGains:
    """The gains of a group: integers, still packed."""

    per_sample: bool  # else one for each tensor
    tensors: bytes
    channels: bytes

    def pack(self, out: Builder) -> None:
        """Write the fields."""
        out.u8(self.per_sample)
        out.blob(self.tensors)
        out.blob(self.channels)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "PackedGains":
        """Read the fields."""
        return cls(cursor.flag(), cursor.blob(), cursor.blob())
