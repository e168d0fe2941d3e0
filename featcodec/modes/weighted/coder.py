"""Builds coders with a task metric: axes, weights and a KLT for each band."""

import math
from dataclasses import dataclass

import numpy as np

from ...coding.model import GridModel
from ...container.model import Model
from ...entropy import integers
from ...errors import Corrupt
from ...transform.base import Transform
from ...transform.weighted import Weighing, Weighted
from ..banded.coder import bands_of
from ..linear.coder import LinearCoder
from . import WeightedFields

UNIT = 8  # of gains: an octave
LARGEST_GAIN = 256


@dataclass(frozen=True)
class Metric:
    """The task, and the weights of errors as integers: octaves times UNIT."""

    task: str
    recommended: float  # task SNR in dB; 0: none
    bands: np.ndarray  # (*block) of ints: the band of each place
    channels: np.ndarray  # (bands, channels), of the axes of the metric
    places: np.ndarray  # (*block)


class WeightedCoder(LinearCoder):
    """The fields of the mode are those of a `Metric`."""

    def unpack(self, model: Model, channels: int, dependent: bool) -> Metric:
        fields = model.fields
        assert isinstance(fields, WeightedFields)
        bands = bands_of(fields.bands, fields.places, model.block)
        count = fields.bands * channels
        packed = integers.unpack(fields.gains, count + math.prod(model.block)).astype(np.int64)
        if np.abs(packed).max() > LARGEST_GAIN:
            raise Corrupt(f"a weight of a model is beyond ±{LARGEST_GAIN} eighths of an octave")
        gains, places = packed[:count], packed[count:]
        return Metric(
            fields.task,
            fields.recommended,
            bands,
            gains.reshape(fields.bands, channels),
            places.reshape(model.block),
        )

    def pack(self, own: Metric) -> WeightedFields:
        gains = np.concatenate([own.channels.ravel(), own.places.ravel()])
        bands = integers.pack(own.bands.ravel())
        head = (own.task, own.recommended, len(own.channels))
        return WeightedFields(*head, bands, integers.pack(gains))

    def transform(self, model: GridModel, dtype: str) -> Transform:
        metric, count = model.own, len(model.own.channels)
        weights = 2.0 ** (metric.channels / UNIT)
        triples = zip(model.bases[:count], weights, model.bases[count:], strict=True)
        weighings = [Weighing(*triple) for triple in triples]
        gains = 2.0 ** (metric.places / UNIT)
        return Weighted(model.centres, weighings, metric.bands, gains, dtype)


CODER = WeightedCoder()
