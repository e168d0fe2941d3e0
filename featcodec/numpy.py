"""Dictionaries of NumPy arrays to bytes and files, and back; the names of safetensors.numpy."""

import io
import os
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .access import profiles_of, safe_open
from .arrays import check, shape_of, to_stored
from .encoding.dump import encode
from .files import complete
from .request import Options, Quality
from .tensors import Tensor


class Arrays:
    """Arrays in memory as a source of tensors."""

    def __init__(
        self, tensors: Mapping[str, tuple[np.ndarray, str]], metadata: dict[str, str] | None
    ) -> None:
        """`tensors` holds the stored elements and the safetensors type of each name."""
        self.metadata = metadata
        self.tensors = [
            Tensor(name, dtype, shape_of(stored, dtype), partial(np.asarray, stored))
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
    `layout` is one for all tensors or one by name, `profile` a profile or its path. Types that
    NumPy lacks are those of the package ml_dtypes.

    Raises InvalidInput for arrays of types that safetensors lacks.
    """
    stored = {name: to_stored(array, f"array {name!r}") for name, array in tensors.items()}
    return save_source(Arrays(stored, metadata), profile, transform, layout, quality)


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
    """Return the arrays of a file given as bytes; types as for `load_file`."""
    with tempfile.TemporaryDirectory(prefix="featcodec-") as folder:
        path = Path(folder) / "bytes"
        path.write_bytes(data)
        return load_file(path, profile=profile)


def load_file(filename: str | os.PathLike[str], *, profile: Any = None) -> dict[str, np.ndarray]:
    """Return the arrays of a file, by name.

    Where the package ml_dtypes is installed, types that NumPy lacks are its types, bfloat16 and
    float8_e4m3fn among them, and sums and means of such arrays are as coarse as the type. Without
    it, BF16, F8_E4M3 and F8_E5M2 are float32, which holds the same values, and others are refused:
    InvalidInput. `astype(np.float32)` makes both alike.
    """
    with safe_open(filename, "numpy", profile=profile) as file:
        names = file.keys()
        for name in names:
            check(file.get_slice(name).get_dtype(), f"tensor {name!r}")
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
