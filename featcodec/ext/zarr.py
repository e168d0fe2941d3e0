"""A codec of arrays to bytes for zarr v3."""

import asyncio
from dataclasses import dataclass
from typing import Any

try:
    from zarr.abc.codec import ArrayBytesCodec
except ImportError as error:
    raise ImportError("featcodec.ext.zarr needs zarr 3: pip install 'featcodec[zarr]'") from error

from ..errors import InvalidInput
from .chunks import ChunkCodec


@dataclass(frozen=True, init=False)
class Featcodec(ArrayBytesCodec):
    """Codes the chunks of an array, alone or within the codec of shards.

    zarr finds it by its name, `featcodec`, when an array is opened.

    >>> import numpy as np
    >>> import zarr
    >>> from featcodec.ext.zarr import Featcodec
    >>> codec = Featcodec(snr=10, layout="NCHW")
    >>> x = np.random.default_rng(0).normal(size=(64, 32, 4, 4)).astype("f4")
    >>> array = zarr.create_array({}, data=x, chunks=(32, 32, 4, 4), serializer=codec,
    ...                           compressors=None)
    >>> array[:2].shape
    (2, 32, 4, 4)
    """

    chunks: ChunkCodec
    is_fixed_size = False

    def __init__(self, profile: Any = None, layout: str | None = None, **quality: Any) -> None:
        """Take what all chunks have in common.

        Args:
            profile: A profile, its path or name, or its SHA-256: the array's metadata hold the
                latter, by which it is found again (`featcodec profiles add`).
            layout: The axes of a chunk, such as NCHW, where there is no profile.
            **quality: One of `snr` (dB, 20 without), `bpfp`, `max_error` and `lossless=True`.

        Raises:
            InvalidInput: For two qualities, a layout beside a profile, and a profile that cannot be
                read.
        """
        object.__setattr__(self, "chunks", ChunkCodec(profile, layout, **quality))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Featcodec) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.chunks.configuration.items()))

    @classmethod
    def from_dict(cls, data: Any) -> "Featcodec":
        """Make the codec that an array's metadata name."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> Any:
        """Return what an array's metadata hold."""
        return {"name": "featcodec", "configuration": dict(self.chunks.configuration)}

    def validate(self, *, dtype: Any, **_: Any) -> None:
        """Raise InvalidInput for a type that cannot be coded."""
        self.chunks.check(dtype.to_native_dtype())

    def compute_encoded_size(self, _input_byte_length: int, _chunk_spec: Any) -> int:
        """Sizes depend on values."""
        raise NotImplementedError

    async def _encode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        data = await asyncio.to_thread(self.chunks.encode, chunk_data.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        shape = tuple(chunk_spec.shape)
        array = await asyncio.to_thread(self.chunks.decode, chunk_data.to_bytes(), shape)
        wanted = chunk_spec.dtype.to_native_dtype()
        if array.dtype.newbyteorder("=") != wanted.newbyteorder("="):
            raise InvalidInput(f"a chunk of {array.dtype} in an array of {wanted}")
        array = array.astype(wanted, copy=False)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(array)
