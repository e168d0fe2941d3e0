"""What the format knows of a mode: its code, its version, the fields of its own."""

from dataclasses import dataclass

from ..container.wire import Builder, Cursor


@dataclass(frozen=True)
class Fields:
    """What a mode stores between the sizes and the arrays of a model; most modes store nothing."""

    @property
    def klts(self) -> int:
        """How many KLTs the basis holds."""
        return 1

    def pack(self, out: Builder) -> None:
        """Write the fields."""

    @classmethod
    def unpack(cls, cursor: Cursor) -> "Fields":
        """Read the fields; Corrupt when one has no meaning."""
        return cls()

    def check(self, channels: int) -> None:
        """Raise LimitExceeded when they stand for too much, before it is unpacked."""


@dataclass(frozen=True)
class Mode:
    """A way to code a token grid, `transform` in the format."""

    name: str
    code: int
    since: tuple[int, int]  # version of the format
    folder: str = ""  # of its coder and its search; the name unless stated
    fields: type[Fields] = Fields
    in_profiles: bool = False  # a profile may hold models of it
    trellis: bool = False  # symbols may be quantised along a trellis, from version 4 on

    @property
    def module(self) -> str:
        return f"{__package__}.{self.folder or self.name}"
