"""Which tensors of a group stand side by side as one, in the header of the group (SPEC §5.1)."""

from dataclasses import dataclass

from ..errors import Corrupt
from .wire import Builder, Cursor


@dataclass(frozen=True)
class StatedStacks:
    """So many tensors make a stack, and are so far apart in their group."""

    count: int
    distance: int

    def pack(self, out: Builder) -> None:
        """Write the fields."""
        out.varints((self.count, self.distance))

    @classmethod
    def unpack(cls, cursor: Cursor) -> "StatedStacks":
        """Read the fields; raise Corrupt for stacks of one tensor, or of no distance."""
        found = cls(cursor.varint(), cursor.varint())
        if found.count < 2 or found.distance < 1:
            stated = f"{found.count} tensors, {found.distance} apart"
            raise Corrupt(f"a group has stacks of {stated}; there must be 2, and 1, at least")
        return found
