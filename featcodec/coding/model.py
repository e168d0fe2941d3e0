"""Models of token grids as arrays, unpacked from a `container.model.Model` (SPEC §6)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .. import modes
from ..container.model import Model
from ..container.wire import Builder, Cursor
from ..entropy import integers
from ..entropy.tables import Table
from ..errors import Damage, damaged
from ..transform import householder
from ..transform.base import Transform


@dataclass(frozen=True)
class GridModel:
    """Centre, basis, scales and tables of a token grid."""

    transform: str
    block: tuple[int, ...]
    centre: np.ndarray  # (channels,) int, times 2 ** -centre_exponent
    centre_exponent: int
    vectors: np.ndarray  # (bands, channels, K) int Householder vectors
    scales: np.ndarray  # (channels, *block) int, quarter octaves of the latents' deviation
    tables: Mapping[int, Table] = field(default_factory=dict)
    scale_unit: int = 1  # divides all scales
    own: Any = None  # fields of the mode, unpacked by its `ModeCoder`

    @property
    def channels(self) -> int:
        return len(self.centre)

    @property
    def centres(self) -> np.ndarray:
        return self.centre * 2.0**-self.centre_exponent

    @property
    def numbers(self) -> int:
        """The size of the model in numbers, with unpacked KLTs."""
        matrices = len(self.vectors) * self.channels**2 if self.vectors.size else 0
        return self.scales.size + self.vectors.size + matrices

    @cached_property
    def bases(self) -> list[np.ndarray]:
        """The KLT (channels, channels) of each band."""
        return [householder.basis(vectors, self.channels) for vectors in self.vectors]

    def transform_in(self, dtype: str) -> Transform:
        """Return the transform in float32 or float64 arithmetic."""
        return modes.coder_of(self.transform).transform(self, dtype)

    def pack(self) -> Model:
        """Return the stored form."""
        return Model(
            self.transform,
            self.block,
            self.vectors.shape[2],
            self.centre_exponent,
            self.scale_unit,
            modes.coder_of(self.transform).pack(self.own),
            centre=integers.pack(self.centre),
            basis=modes.coder_of(self.transform).pack_basis(self.transform, self.vectors),
            scales=pack_scales(self.scales // self.scale_unit),
            tables=pack_tables(self.tables),
        )

    @classmethod
    def unpack(cls, model: Model, channels: int, dependent: bool = False) -> "GridModel":
        """Return the arrays of a stored model; raise Corrupt when it breaks a rule.

        The container has checked that its sizes are within their limits.
        """
        coder = modes.coder_of(model.transform)
        coder.check(model)
        with damaged("a model"):
            return cls(
                model.transform,
                model.block,
                integers.unpack(model.centre, channels).astype(np.int64),
                model.centre_exponent,
                _unpack_vectors(model, channels),
                unpack_scales(model.scales, channels, coder.scale_shape(model.block))
                * model.scale_unit,
                unpack_tables(model.tables),
                model.scale_unit,
                coder.unpack(model, channels, dependent),
            )


def _unpack_vectors(model: Model, channels: int) -> np.ndarray:
    """Return the reflectors of each band; an empty basis is the identity and has none."""
    if not model.basis:
        return np.zeros((model.fields.klts, channels, 0), np.int64)
    return modes.coder_of(model.transform).unpack_basis(model, channels)


def pack_scales(scales: np.ndarray) -> bytes:
    """Return integer scales as a term of the channel, a term of the place, and residuals."""
    channels = len(scales)
    if not scales.any():
        return b""
    flat = scales.reshape(channels, -1)
    channel = np.rint(np.median(flat, axis=1)).astype(np.int64)
    residual = flat - channel[:, None]
    place = np.rint(np.median(residual, axis=0)).astype(np.int64)
    residual = residual - place
    out = Builder()
    for term in (np.diff(channel, prepend=0), place, residual):
        out.blob(integers.pack(term))
    return bytes(out)


def unpack_scales(data: bytes, channels: int, block: tuple[int, ...]) -> np.ndarray:
    """Invert `pack_scales`."""
    points = math.prod(block)
    if not data:
        return np.zeros((channels, *block), np.int64)
    cursor = Cursor(data, "scales")
    counts = (channels, points, channels * points)
    channel, place, residual = (integers.unpack(cursor.blob(), n).astype(np.int64) for n in counts)
    cursor.end()
    scales = np.cumsum(channel)[:, None] + place + residual.reshape(channels, points)
    return scales.reshape(channels, *block)


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
            raise Damage(f"table {number} follows table {last}; numbers must ascend")
        tables[number], position = integers.unpack_table(data, position + 1)
        last = number
    return tables
