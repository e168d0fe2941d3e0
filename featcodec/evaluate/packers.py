"""Lossless packers of arrays of integers or halves."""

from typing import Any, Protocol

import numpy as np

from ..errors import Unreachable
from .pictures import mosaic, plane_of, strips

ZSTD_LEVEL = 19
PCODEC_LEVEL = 8
JXL_EFFORT = 7

Array = np.ndarray
Shape = tuple[int, ...]


class Packer(Protocol):
    """Codes arrays of integers or halves bit for bit; holds what it needs but their shape."""

    def pack(self, values: Array) -> bytes:
        """Return the bytes of an array."""

    def unpack(self, data: bytes, dtype: np.dtype, shape: Shape) -> Array:
        """Return the array."""


class Raw:
    """The bytes as they are."""

    def pack(self, values: Array) -> bytes:
        return values.tobytes()

    def unpack(self, data: bytes, dtype: np.dtype, shape: Shape) -> Array:
        return np.frombuffer(data, dtype).reshape(shape)


class Zstd:
    """Zstandard, channels first or last: the shorter of two."""

    def __init__(self, package: Any, level: int = ZSTD_LEVEL) -> None:
        self.compressor = package.ZstdCompressor(level=level)
        self.decompressor = package.ZstdDecompressor()

    def pack(self, values: Array) -> bytes:
        orders = (values, np.moveaxis(values, 0, -1))
        packed = [self.compressor.compress(each.tobytes()) for each in orders]
        return min((bytes((last,)) + data for last, data in enumerate(packed)), key=len)

    def unpack(self, data: bytes, dtype: np.dtype, shape: Shape) -> Array:
        values = np.frombuffer(self.decompressor.decompress(data[1:]), dtype)
        if data[0]:
            return np.moveaxis(values.reshape(*shape[1:], shape[0]), -1, 0)
        return values.reshape(shape)


class Pcodec:
    """pcodec; it takes 16 bits and more."""

    def __init__(self, package: Any, level: int = PCODEC_LEVEL) -> None:
        self.standalone = package.standalone
        self.config = package.ChunkConfig(compression_level=level)

    def pack(self, values: Array) -> bytes:
        wide = values.astype(np.int16) if values.itemsize == 1 else values
        return self.standalone.simple_compress(wide.ravel(), self.config)

    def unpack(self, data: bytes, dtype: np.dtype, shape: Shape) -> Array:
        values: Array = self.standalone.simple_decompress(data)
        return values.astype(dtype).reshape(shape)


class JpegXl:
    """Lossless JPEG XL: all channels of all samples as tiles of one picture, the shorter of two."""

    ARRANGEMENTS = (strips, mosaic)

    def __init__(self, package: Any, effort: int = JXL_EFFORT) -> None:
        self.package, self.effort = package, effort

    def pack(self, values: Array) -> bytes:
        low = int(values.min())
        levels = int(values.max()) - low
        if levels >= 1 << 16:
            raise Unreachable("a sample of a picture has 16 bits, the step asks for more")
        unsigned = (values.astype(np.int64) - low).astype(np.uint8 if levels < 256 else np.uint16)
        pictures = [
            bytes((number,))
            + self.package.jpegxl_encode(
                np.ascontiguousarray(arrange(unsigned)),
                lossless=True,
                effort=self.effort,
                numthreads=1,
            )
            for number, arrange in enumerate(self.ARRANGEMENTS)
        ]
        return low.to_bytes(4, "little", signed=True) + min(pictures, key=len)

    def unpack(self, data: bytes, dtype: np.dtype, shape: Shape) -> Array:
        low = int.from_bytes(data[:4], "little", signed=True)
        picture = self.package.jpegxl_decode(data[5:], numthreads=1).astype(np.int64) + low
        return plane_of(picture, self.ARRANGEMENTS[data[4]], shape).astype(dtype)
