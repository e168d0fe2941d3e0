"""Symbols coded near what neighbours and other channels let expect, for dense maps (SPEC §7.16)."""

from dataclasses import dataclass

from ... import limits
from ...container.wire import Builder, Cursor
from ..mode import Fields, Mode

PASSES = 7


@dataclass(frozen=True)
class InterpolatedFields(Fields):
    """The weights, the corrections of tables and the offsets of reconstruction points."""

    weights: bytes  # packed

    def pack(self, out: Builder) -> None:
        out.blob(self.weights)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "InterpolatedFields":
        return cls(cursor.blob())

    def check(self, channels: int) -> None:
        weights = PASSES * channels**2
        limits.check(weights, limits.CHANNEL_WEIGHTS, "the number of weights of channels")


MODES = (Mode("interpolated", 8, fields=InterpolatedFields),)
