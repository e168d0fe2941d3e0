"""How one token grid of a group is coded, as its header states it (SPEC §5)."""

from dataclasses import dataclass

from .. import limits
from ..errors import Corrupt
from ..modes import BY_CODE, MODES
from .model import Model
from .wire import Builder, Cursor


@dataclass(frozen=True)
class Part:
    """How one token grid of the group, the grid or the prefix tokens, is coded."""

    transform: str
    model: Model | None  # None: the profile's entry number `entry`
    entry: int = 0
    scales: bytes = b""  # added to the scales of the entry
    tables: bytes = b""  # in place of tables of the entry

    def pack(self, out: Builder) -> None:
        out.u8(self.model is None)
        if self.model is None:
            out.u8(MODES[self.transform].code)
            out.varint(self.entry)
            out.blob(self.scales)
            out.blob(self.tables)
        else:
            out.blob(self.model.pack())

    @classmethod
    def unpack(cls, cursor: Cursor) -> "Part":
        if cursor.flag():
            mode = BY_CODE[cursor.code(BY_CODE, "a transform")]
            if not mode.in_profiles:
                raise Corrupt(
                    f"a part of transform {mode.name} refers to a profile, which has none"
                )
            entry = limits.check(cursor.varint(), limits.PROFILE_ENTRIES, "a profile entry")
            return cls(mode.name, None, entry, cursor.blob(), cursor.blob())
        model = Model.unpack(cursor.blob())
        return cls(model.transform, model)
