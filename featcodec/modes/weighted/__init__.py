"""A task metric: squared error counts by how much a network's output reacts (SPEC §6.7)."""

import math
from dataclasses import dataclass

from ... import limits
from ...container.wire import Builder, Cursor
from ...errors import Corrupt
from ..mode import Fields, Mode

BANDS = range(1, 17)


@dataclass(frozen=True)
class WeightedFields(Fields):
    """The task, the quality recommended for it, the bands and the weights."""

    task: str  # whose outputs count; for information
    recommended: float  # task SNR in dB; 0: none
    bands: int
    places: bytes  # packed integers: the band of each place of the longest block
    gains: bytes  # packed integers: of each band and channel, then of each place

    @property
    def for_task(self) -> str:
        return self.task

    @property
    def recommends(self) -> float:
        return self.recommended

    @property
    def klts(self) -> int:
        """The axes of the metric of each band, then the KLT of each."""
        return 2 * self.bands

    def pack(self, out: Builder) -> None:
        out.string(self.task, "the name of a task")
        out.real(self.recommended)
        out.varint(self.bands)
        out.blob(self.places)
        out.blob(self.gains)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "WeightedFields":
        task, recommended, bands = cursor.string(), cursor.real(), cursor.varint()
        if not 0 <= recommended < math.inf:
            raise Corrupt(
                f"the task SNR a model recommends is {recommended}; it must be finite and not"
                " below 0"
            )
        if bands not in BANDS:
            raise Corrupt(f"a model has {bands} bands, not {BANDS.start} to {BANDS.stop - 1}")
        return cls(task, recommended, bands, cursor.blob(), cursor.blob())

    def check(self, channels: int) -> None:
        limits.check(self.bands * channels, limits.COEFFICIENTS, "the number of weights")


MODES = (Mode("weighted", 3, fields=WeightedFields, in_profiles=True, trellis=True, of_task=True),)
