"""The model of one token grid as arrays: what a `container.Model` packs (SPEC §6)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .. import limits
from ..container.model import Model
from ..container.wire import Builder, Cursor
from ..entropy import integers
from ..entropy.prediction import LARGEST, LINES, PASSES, Prediction
from ..entropy.tables import Table
from ..errors import Corrupt, Damage, damaged
from ..transform import householder
from ..transform.banded import Banded
from ..transform.base import Transform
from ..transform.linear import Centred, Linear
from .parts import restoration

# Transforms whose scales are not those of places in a block, and of how many instead.
WITHOUT_PLACES = {"predicted": (PASSES,), "split": (1,)}


@dataclass(frozen=True)
class GridModel:
    """Centre, basis, scales and tables of a token grid with so many channels."""

    transform: str
    block: tuple[int, ...]
    centre: np.ndarray  # (channels,) int, times 2 ** -centre_exponent
    centre_exponent: int
    vectors: np.ndarray  # (bands, channels, K) int Householder vectors
    scales: np.ndarray  # (channels, *block) int, quarter octaves of the latents' deviation
    tables: Mapping[int, Table] = field(default_factory=dict)
    scale_unit: int = 1  # divides all scales
    bands: np.ndarray | None = None  # block of ints: the band of each place; None: all in one
    prediction: Prediction | None = None  # scales are then (channels, passes)
    peak: int = 0  # magnitude that values at the bound count as, when split
    offsets: np.ndarray | None = (
        None  # (sets, classes, kinds) int, of restoration, where there is one
    )

    @property
    def channels(self) -> int:
        return len(self.centre)

    @property
    def centres(self) -> np.ndarray:
        return self.centre * 2.0**-self.centre_exponent

    @property
    def numbers(self) -> int:
        """How many numbers it has, its KLTs unpacked."""
        matrices = len(self.vectors) * self.channels**2 if self.vectors.size else 0
        return self.scales.size + self.vectors.size + matrices

    @cached_property
    def bases(self) -> list[np.ndarray]:
        """The KLT (channels, channels) of each band that the reflectors make."""
        return [householder.basis(vectors, self.channels) for vectors in self.vectors]

    def transform_in(self, work: str) -> Transform:
        """Return the transform that works in float32 or float64."""
        if self.transform in ("context", "restored", *WITHOUT_PLACES):
            return Centred(self.centres, work)
        if not self.vectors.size:
            return Linear(self.centres, None, work)
        if self.bands is not None:
            return Banded(self.centres, self.bases, self.bands, work)
        return Linear(self.centres, self.bases[0], work)

    def pack(self) -> Model:
        """Return the model as it is stored."""
        return Model(
            self.transform,
            self.block,
            self.vectors.shape[2],
            self.centre_exponent,
            integers.pack(self.centre),
            integers.pack(np.concatenate([householder.pack(v) for v in self.vectors])),
            self.scale_unit,
            pack_scales(self.scales // self.scale_unit),
            pack_tables(self.tables),
            len(self.vectors),
            b"" if self.bands is None else integers.pack(self.bands.ravel()),
            b"" if self.prediction is None else pack_prediction(self.prediction),
            self.peak,
            b"" if self.offsets is None else integers.pack(self.offsets.ravel()),
        )

    @classmethod
    def unpack(cls, model: Model, channels: int, dependent: bool = False) -> "GridModel":
        """Raise Corrupt when the model is no model of so many channels, quantised so.

        Its sizes are known to be within their limits: the container has checked them.
        """
        if model.transform in ("context", "restored") and (
            model.reflectors or len(model.block) != 2
        ):
            raise Corrupt("a model with contexts has a KLT, or no rows and columns")
        shape = WITHOUT_PLACES.get(model.transform, model.block)
        if shape is not model.block and (model.reflectors or math.prod(model.block[:-2]) > 1):
            raise Corrupt("a model of the sample domain has a KLT, or blocks that are no maps")
        limits.check(model.peak, LARGEST, "a symbol at the bound")
        predicted = model.transform == "predicted"
        with damaged("a model"):
            return cls(
                model.transform,
                model.block,
                integers.unpack(model.centre, channels).astype(np.int64),
                model.centre_exponent,
                _unpack_vectors(model, channels),
                unpack_scales(model.scales, channels, shape) * model.scale_unit,
                unpack_tables(model.tables),
                model.scale_unit,
                _unpack_bands(model) if model.transform == "banded" else None,
                unpack_prediction(model.prediction, channels) if predicted else None,
                model.peak,
                _unpack_offsets(model, dependent) if model.transform == "restored" else None,
            )


def _unpack_vectors(model: Model, channels: int) -> np.ndarray:
    """Return the reflectors of each band; none when all are zero and stand for the identity."""
    if not model.basis:
        return np.zeros((model.bands, channels, 0), np.int64)
    count = householder.packed_length(channels, model.reflectors)
    flat = integers.unpack(model.basis, model.bands * count).reshape(model.bands, count)
    return np.stack([householder.unpack(v, channels, model.reflectors) for v in flat])


def _unpack_bands(model: Model) -> np.ndarray:
    """Return the band of each place of the longest block."""
    bands = integers.unpack(model.places, math.prod(model.block)).astype(np.int64)
    if not np.array_equal(np.unique(bands), np.arange(model.bands)):
        raise Corrupt("a model has a place in a band that it has not, or a band without places")
    return bands.reshape(model.block)


def _unpack_offsets(model: Model, dependent: bool) -> np.ndarray:
    """Return where symbols of a map are reconstructed."""
    shape = restoration.SETS if dependent else 1, restoration.CLASSES, restoration.KINDS
    offsets = integers.unpack(model.offsets, math.prod(shape)).astype(np.int64)
    if np.abs(offsets).max() > restoration.LARGEST:
        raise Corrupt("a model restores symbols more than two steps away")
    return offsets.reshape(shape)


def pack_scales(scales: np.ndarray) -> bytes:
    """Return a channel term, a band term and what they leave of integer scales."""
    channels = len(scales)
    if not scales.any():
        return b""
    flat = scales.reshape(channels, -1)
    channel = np.rint(np.median(flat, axis=1)).astype(np.int64)
    rest = flat - channel[:, None]
    band = np.rint(np.median(rest, axis=0)).astype(np.int64)
    rest = rest - band
    out = Builder()
    for term in (np.diff(channel, prepend=0), band, rest):
        out.blob(integers.pack(term))
    return bytes(out)


def unpack_scales(data: bytes, channels: int, block: tuple[int, ...]) -> np.ndarray:
    """Invert `pack_scales`."""
    points = math.prod(block)
    if not data:
        return np.zeros((channels, *block), np.int64)
    cursor = Cursor(data, "scales")
    counts = (channels, points, channels * points)
    channel, band, rest = (integers.unpack(cursor.blob(), n).astype(np.int64) for n in counts)
    cursor.end()
    scales = np.cumsum(channel)[:, None] + band + rest.reshape(channels, points)
    return scales.reshape(channels, *block)


def pack_prediction(prediction: Prediction) -> bytes:
    """Return the weights of neighbours, and those of channels: precision, octaves, rows."""
    out = Builder()
    out.blob(integers.pack(prediction.neighbours))
    out.u8(prediction.precision)
    out.blob(integers.pack(np.diff(prediction.octaves, prepend=0)))
    out.blob(integers.pack(prediction.rows[_below(len(prediction.rows))]))
    return bytes(out)


def unpack_prediction(data: bytes, channels: int) -> Prediction:
    """Invert `pack_prediction`."""
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


def pack_tables(tables: Mapping[int, Table]) -> bytes:
    """Return the tables behind their numbers, ascending."""
    return b"".join(bytes((t,)) + integers.pack_table(tables[t]) for t in sorted(tables))


def unpack_tables(data: bytes) -> dict[int, Table]:
    """Invert `pack_tables`."""
    tables: dict[int, Table] = {}
    position, last = 0, -1
    while position < len(data):
        number = data[position]
        if number <= last:
            raise Damage("tables out of order")
        tables[number], position = integers.unpack_table(data, position + 1)
        last = number
    return tables
