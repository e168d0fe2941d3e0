"""Builds coders with prediction."""

import math

import numpy as np

from ...coding.model import GridModel
from ...coding.parts.base import PartCoder
from ...container.lossy import Lossy
from ...container.model import Model
from ...container.wire import Builder, Cursor
from ...entropy import integers
from ...entropy.prediction import LINES, PASSES, Prediction, Predictor
from ...errors import Corrupt
from ..coder import CoderArguments, ModeCoder
from . import PredictedFields
from .part import PredictedCoder


class PredictedModeCoder(ModeCoder):
    """The fields of the mode are the weights of its prediction; scales are (channels, passes)."""

    def scale_shape(self, block: tuple[int, ...]) -> tuple[int, ...]:
        return (PASSES,)

    def check(self, model: Model) -> None:
        check_maps(model)

    def unpack(self, model: Model, channels: int, dependent: bool) -> Prediction:
        assert isinstance(model.fields, PredictedFields)
        return unpack_weights(model.fields.weights, channels)

    def pack(self, own: Prediction) -> PredictedFields:
        return PredictedFields(pack_weights(own))

    def coder(self, model: GridModel, header: Lossy, arguments: CoderArguments) -> PartCoder:
        return PredictedCoder(*arguments, predictor=Predictor(model.own))


CODER = PredictedModeCoder()


def check_maps(model: Model) -> None:
    """Raise Corrupt when a model of the sample domain has a KLT, or blocks that are no maps."""
    if model.reflectors or math.prod(model.block[:-2]) > 1:
        stated = f"{model.reflectors} reflectors and blocks {model.block}"
        raise Corrupt(f"a model of the sample domain has {stated}; they must be 0, and maps")


def pack_weights(prediction: Prediction) -> bytes:
    """Return the weights of neighbours, and those of channels: precision, octaves, rows."""
    out = Builder()
    out.blob(integers.pack(prediction.neighbours))
    out.u8(prediction.precision)
    out.blob(integers.pack(np.diff(prediction.octaves, prepend=0)))
    out.blob(integers.pack(prediction.rows[_below(len(prediction.rows))]))
    return bytes(out)


def unpack_weights(data: bytes, channels: int) -> Prediction:
    """Invert `pack_weights`."""
    cursor = Cursor(data, "prediction")
    neighbours = integers.unpack(cursor.blob(), (PASSES - 1) * LINES * channels)
    precision = cursor.u8()
    octaves = np.cumsum(integers.unpack(cursor.blob(), channels), dtype=np.int64)
    packed = cursor.blob()
    cursor.end()
    rows = np.zeros((channels, channels) if packed else (0, 0), np.int32)
    if packed:
        rows[_below(channels)] = integers.unpack(packed, channels * (channels - 1) // 2)
    return Prediction(
        neighbours.reshape(PASSES - 1, LINES, channels).astype(np.int64), precision, octaves, rows
    )


def _below(channels: int) -> np.ndarray:
    """Return where a matrix (channels, channels) is below its diagonal."""
    return np.tri(channels, k=-1, dtype=bool)
