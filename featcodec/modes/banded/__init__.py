"""A DCT over the positions of each block, then a KLT for each band of frequencies (SPEC §6.2)."""

from dataclasses import dataclass

from ...container.wire import Builder, Cursor
from ...errors import Corrupt
from ..mode import Fields, Mode

BANDS = range(2, 17)


@dataclass(frozen=True)
class BandedFields(Fields):
    """The number of bands, and the band of each place of the longest block."""

    bands: int
    places: bytes  # packed integers

    @property
    def klts(self) -> int:
        return self.bands

    def pack(self, out: Builder) -> None:
        out.varint(self.bands)
        out.blob(self.places)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "BandedFields":
        bands, places = cursor.varint(), cursor.blob()
        if bands not in BANDS:
            raise Corrupt(f"a model has {bands} bands, not {BANDS.start} to {BANDS.stop - 1}")
        return cls(bands, places)


MODES = (Mode("banded", 2, fields=BandedFields, in_profiles=True, trellis=True),)
