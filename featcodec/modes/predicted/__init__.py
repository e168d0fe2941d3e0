"""Prediction of uniformly quantised values, which bounds every error (SPEC §7.11)."""

from dataclasses import dataclass

from ... import limits
from ...container.wire import Builder, Cursor
from ..mode import Fields, Mode


@dataclass(frozen=True)
class PredictedFields(Fields):
    """The weights of neighbours and of channels of a prediction."""

    weights: bytes  # packed

    def pack(self, out: Builder) -> None:
        out.blob(self.weights)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "PredictedFields":
        return cls(cursor.blob())

    def check(self, channels: int) -> None:
        if self._weighs_channels():
            weights = channels * (channels - 1) // 2
            limits.check(weights, limits.CHANNEL_WEIGHTS, "the number of weights of channels")

    def _weighs_channels(self) -> bool:
        if not self.weights:
            return False
        cursor = Cursor(self.weights, "prediction")
        cursor.blob()
        cursor.u8()
        cursor.blob()
        return bool(cursor.varint())


MODES = (Mode("predicted", 9, fields=PredictedFields),)
