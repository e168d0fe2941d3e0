"""A codec for numcodecs, and so for zarr v2, kerchunk and what else takes its codecs."""

from typing import Any

import numpy as np

try:
    from numcodecs.abc import Codec
    from numcodecs.compat import ndarray_copy
except ImportError as error:
    raise ImportError(
        "featcodec.ext.numcodecs needs numcodecs: pip install 'featcodec[zarr]'"
    ) from error

from .chunks import ChunkCodec


class Featcodec(Codec):
    """Codes arrays of numbers; what is decoded has the shape and type that were encoded.

    numcodecs finds it by its name, `featcodec`, in a configuration.

    >>> import numpy as np
    >>> from featcodec.ext.numcodecs import Featcodec
    >>> codec = Featcodec(snr=10, layout="NLD")
    >>> codec.decode(codec.encode(np.ones((32, 16, 64), np.float16))).shape
    (32, 16, 64)
    """

    codec_id = "featcodec"

    def __init__(self, profile: Any = None, layout: str | None = None, **quality: Any) -> None:
        """Take what all arrays have in common.

        Arguments and errors are those of `featcodec.ext.zarr.Featcodec`.
        """
        self._chunks = ChunkCodec(profile, layout, **quality)

    def encode(self, buf: Any) -> bytes:
        """Return the bytes of an array, which has its shape: bytes alone are no features."""
        return self._chunks.encode(np.asarray(buf))

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Return the array of some bytes; with `out`, it is filled, too."""
        found = self._chunks.decode(buf)
        return found if out is None else ndarray_copy(found, out)

    def get_config(self) -> dict[str, Any]:
        """Return what makes the codec anew."""
        return {"id": self.codec_id, **self._chunks.configuration}

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self._chunks.configuration.items())
        return f"Featcodec({said})"
