"""Coders of one plane of values: casts, uniform steps with a packer, bounded errors.

`setting` is the step or the bound on the error; coders of one rate ignore it.
"""

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ..align.numbers import STORED, from_float, to_float
from ..errors import Unreachable
from .packers import Packer

MOST_AXES = 4  # that SZ3 and zfp take

Array = np.ndarray
Shape = tuple[int, ...]


class Coder(ABC):
    """Codes planes (channels, tokens or samples, grid...); decoding is told their shape."""

    fixed = False

    @abstractmethod
    def encode(self, plane: Array, setting: float) -> bytes:
        """Return the bytes of a plane."""

    @abstractmethod
    def decode(self, data: bytes, shape: Shape, setting: float) -> Array:
        """Return the plane as float32."""

    def lossy(self, plane: Array, setting: float) -> Array:
        """Return what decoding the plane would give."""
        return self.decode(self.encode(plane, setting), plane.shape, setting)


class Cast(Coder):
    """Another floating type, as it is or packed."""

    fixed = True

    def __init__(self, dtype: str, packer: Packer) -> None:
        self.dtype, self.packer = dtype, packer

    def encode(self, plane: Array, setting: float) -> bytes:
        return self.packer.pack(from_float(plane, self.dtype))

    def decode(self, data: bytes, shape: Shape, setting: float) -> Array:
        return to_float(self.packer.unpack(data, STORED[self.dtype], shape), self.dtype)


class Int8(Coder):
    """Eight bits a value, scaled by the largest magnitude of each channel."""

    fixed = True

    def encode(self, plane: Array, setting: float) -> bytes:
        flat = plane.reshape(plane.shape[0], -1)
        scales = np.abs(flat).max(axis=1, keepdims=True) / np.float32(127)
        codes = np.rint(flat / np.where(scales > 0, scales, 1)).astype("<i1")
        return scales.astype("<f4").tobytes() + codes.tobytes()

    def decode(self, data: bytes, shape: Shape, setting: float) -> Array:
        scales = np.frombuffer(data, "<f4", shape[0])[:, None]
        codes = np.frombuffer(data, "<i1", offset=scales.nbytes).reshape(shape[0], -1)
        return (codes * scales).reshape(shape)


class Step(Coder):
    """A uniform step; the integers, in the fewest bytes that hold them all, are packed."""

    def __init__(self, packer: Packer, rounding: float = 1 / 2) -> None:
        """`rounding` is added to magnitudes before they are cut: less than half is a dead zone."""
        self.packer, self.rounding = packer, np.float32(rounding)

    def encode(self, plane: Array, setting: float) -> bytes:
        symbols = self._symbols(plane, setting)
        reach = float(np.abs(symbols).max(initial=0))
        width = next((w for w in (1, 2, 4) if reach < 2 ** (8 * w - 1)), None)
        if width is None:
            raise Unreachable("a symbol takes more than 32 bits")
        return bytes((width,)) + self.packer.pack(symbols.astype(f"<i{width}"))

    def decode(self, data: bytes, shape: Shape, setting: float) -> Array:
        symbols = self.packer.unpack(data[1:], np.dtype(f"<i{data[0]}"), shape)
        return symbols.astype(np.float32) * np.float32(setting)

    def lossy(self, plane: Array, setting: float) -> Array:
        return self._symbols(plane, setting) * np.float32(setting)

    def _symbols(self, plane: Array, setting: float) -> Array:
        scaled = plane / np.float32(setting)
        return np.copysign(np.floor(np.abs(scaled) + self.rounding), scaled)


class Sz3(Coder):
    """SZ3 with an absolute bound on the error."""

    def __init__(self, package: Any, algorithm: str) -> None:
        self.package = package
        self.config = package.szConfig()
        self.config.errorBoundMode = package.szErrorBoundMode.ABS
        self.config.cmprAlgo = getattr(package.szAlgorithm, algorithm)

    def encode(self, plane: Array, setting: float) -> bytes:
        self.config.absErrorBound = setting
        return self.package.sz.compress(_few_axes(plane), self.config)[0].tobytes()

    def decode(self, data: bytes, shape: Shape, setting: float) -> Array:
        stored, kind = np.frombuffer(data, np.uint8), np.dtype(np.float32)
        values: Array = self.package.sz.decompress(stored, kind, _few_sizes(shape))[0]
        return values.reshape(shape)


class Zfp(Coder):
    """zfp with an absolute tolerance, of which it uses powers of two."""

    def __init__(self, package: Any) -> None:
        self.package = package

    def encode(self, plane: Array, setting: float) -> bytes:
        return self.package.compress_numpy(_few_axes(plane), tolerance=setting)

    def decode(self, data: bytes, shape: Shape, setting: float) -> Array:
        values: Array = self.package.decompress_numpy(data)
        return values.reshape(shape)


def _few_axes(plane: Array) -> Array:
    return plane.reshape(_few_sizes(plane.shape)).astype(np.float32, copy=False)


def _few_sizes(shape: Shape) -> Shape:
    spare = max(len(shape) - MOST_AXES, 0)
    return (math.prod(shape[: spare + 1]), *shape[spare + 1 :])
