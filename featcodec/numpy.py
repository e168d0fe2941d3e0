"""Dictionaries of NumPy arrays to bytes and files, and back; the names of safetensors.numpy."""

import io
import os
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .access import _NUMPY, profiles_of, safe_open
from .errors import InvalidInput
from .files import complete
from .pipeline.encode import encode
from .pipeline.grouping import Options, Tensor
from .pipeline.quality import Quality

_NAMES = {np.dtype(code): name for name, code in _NUMPY.items()}


class Arrays:
    """Arrays in memory as a source of tensors."""

    def __init__(
        self, tensors: Mapping[str, tuple[np.ndarray, str]], metadata: dict[str, str] | None
    ) -> None:
        """`tensors` holds the stored elements and the safetensors type of each name."""
        self.metadata = metadata
        self.tensors = [
            Tensor(name, dtype, stored.shape, partial(np.asarray, stored))
            for name, (stored, dtype) in tensors.items()
        ]
        self.data_bytes = sum(stored.nbytes for stored, _ in tensors.values())


def save(
    tensors: Mapping[str, np.ndarray],
    metadata: dict[str, str] | None = None,
    *,
    profile: Any = None,
    transform: str = "auto",
    layout: Mapping[str, str] | str | None = None,
    **quality: Any,
) -> bytes:
    """Return the file of some arrays as bytes.

    `quality` is one of `snr` (dB), `bpfp`, `max_error` and `lossless=True`; 20 dB without.
    `layout` is one for all tensors or one by name, `profile` a profile or its path.
    """
    return save_source(Arrays(_stored(tensors), metadata), profile, transform, layout, quality)


def save_file(
    tensors: Mapping[str, np.ndarray],
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
    **options: Any,
) -> None:
    """Write the file of some arrays; options as for `save`. An existing file is replaced."""
    data = save(tensors, metadata, **options)
    with complete(filename, overwrite=True) as out:
        out.write(data)


def load(data: bytes, *, profile: Any = None) -> dict[str, np.ndarray]:
    """Return the arrays of a file given as bytes."""
    with tempfile.TemporaryDirectory(prefix="featcodec-") as folder:
        path = Path(folder) / "bytes"
        path.write_bytes(data)
        return load_file(path, profile=profile)


def load_file(filename: str | os.PathLike[str], *, profile: Any = None) -> dict[str, np.ndarray]:
    """Return the arrays of a file, by name."""
    with safe_open(filename, "numpy", profile=profile) as file:
        return file.get_tensors()


def save_source(
    source: Arrays, profile: Any, transform: str, layout: Any, quality: dict[str, Any]
) -> bytes:
    """Return the file of a source as bytes."""
    layouts = {"": layout} if isinstance(layout, str) else dict(layout or {})
    profiles = profiles_of(profile)
    out = io.BytesIO()
    options = Options(transform, layouts)
    encode(source, out, Quality.choose(**quality), profiles[0] if profiles else None, options)
    return out.getvalue()


def _stored(tensors: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, str]]:
    found = {}
    for name, array in tensors.items():
        little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        if little.dtype not in _NAMES:
            raise InvalidInput(f"array {name!r} has type {array.dtype}, which safetensors lacks")
        found[name] = (little.reshape(array.shape), _NAMES[little.dtype])
    return found
