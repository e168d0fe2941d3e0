"""What a file says of its quality where the user looks, and of how it was read (SPEC §4.4)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .. import limits
from ..errors import Corrupt
from .wire import Builder, Cursor, Unpacker, deflate

SECTION = b"qual"
READINGS = ("read from the data", "stated by metadata", "stated by --layout")
BY_METADATA, BY_OPTION = 1, 2
PER_DB = 100


@dataclass(frozen=True)
class Figure:
    """An SNR in dB, and what has it: a tensor by its number, all of it or what an index names."""

    snr: float
    tensor: int
    index: str = ""


@dataclass(frozen=True)
class GroupQuality:
    """The lowest SNRs in a tensor group, measured on decoded values; None where nothing is lost."""

    reading: int = 0  # a number of READINGS
    tensor: Figure | None = None
    slice: Figure | None = None  # of layers and heads; None without any
    channels: float | None = None  # dB that nine channels in ten have
    rows: float | None = None  # dB, by their own norm, that nine rows in ten have

    def pack(self, out: Builder) -> None:
        """Write the fields."""
        out.u8(self.reading)
        out.u8(sum(1 << i for i, one in enumerate(self._fields()) if one is not None))
        for figure in (self.tensor, self.slice):
            if figure is not None:
                out.svarint(round(PER_DB * figure.snr))
                out.varint(figure.tensor)
        if self.slice is not None:
            out.string(self.slice.index, "the index of a slice")
        for snr in (self.channels, self.rows):
            if snr is not None:
                out.svarint(round(PER_DB * snr))

    def _fields(self) -> tuple[Figure | float | None, ...]:
        return self.tensor, self.slice, self.channels, self.rows

    @classmethod
    def unpack(cls, cursor: Cursor) -> "GroupQuality":
        """Read what `pack` wrote; raise Corrupt when it breaks a rule."""
        reading = cursor.choice(len(READINGS), "a reading")
        given = cursor.choice(1 << 4, "a set of figures")
        pairs = [_pair(cursor) if given & 1 << i else None for i in range(2)]
        index = cursor.string() if pairs[1] else ""
        figures = [pair and Figure(*pair, text) for pair, text in zip(pairs, ("", index))]
        tenths = [cursor.svarint() / PER_DB if given & 4 << i else None for i in range(2)]
        return cls(reading, figures[0], figures[1], tenths[0], tenths[1])


def _pair(cursor: Cursor) -> tuple[float, int]:
    return cursor.svarint() / PER_DB, cursor.varint()


def pack(groups: Sequence[GroupQuality]) -> bytes:
    """Return the payload of the section: what there is to say of each group, in order."""
    out = Builder()
    for group in groups:
        group.pack(out)
    return deflate(bytes(out))


def unpack(payload: bytes, groups: int, tensors: int) -> list[GroupQuality]:
    """Invert `pack` for a file of so many groups and tensors; raise Corrupt or LimitExceeded."""
    cursor = Unpacker(payload, "quality section", limits.INDEX_BYTES)
    found = [GroupQuality.unpack(cursor) for _ in range(groups)]
    cursor.end()
    for figure in (one for group in found for one in (group.tensor, group.slice)):
        if figure is not None and figure.tensor >= tensors:
            raise Corrupt(f"the quality of tensor {figure.tensor} is stated; there are {tensors}")
    return found


def known(snr: float) -> float | None:
    """Return an SNR, None where nothing is lost or nothing varies."""
    return snr if math.isfinite(snr) else None
