"""Dictionaries of torch tensors to bytes and files, and back; the names of safetensors.torch."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

try:
    import torch
except ImportError as error:
    raise ImportError("featcodec.torch needs torch: pip install 'featcodec[torch]'") from error

from .access import safe_open
from .files import complete
from .numpy import Arrays, save_source

_DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "U16": torch.uint16,
    "U32": torch.uint32,
    "U64": torch.uint64,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "C64": torch.complex64,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def save(
    tensors: Mapping[str, torch.Tensor],
    metadata: dict[str, str] | None = None,
    *,
    profile: Any = None,
    transform: str = "auto",
    layout: Mapping[str, str] | str | None = None,
    **quality: Any,
) -> bytes:
    """Return the file of some tensors as bytes; options as for `featcodec.numpy.save`."""
    stored = {name: (_stored(t), _NAMES[t.dtype]) for name, t in tensors.items()}
    return save_source(Arrays(stored, metadata), profile, transform, layout, quality)


def save_file(
    tensors: Mapping[str, torch.Tensor],
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
    **options: Any,
) -> None:
    """Write the file of some tensors; an existing file is replaced."""
    data = save(tensors, metadata, **options)
    with complete(filename, overwrite=True) as out:
        out.write(data)


def load_file(
    filename: str | os.PathLike[str], device: str = "cpu", *, profile: Any = None
) -> dict[str, torch.Tensor]:
    """Return the tensors of a file, by name, on a device."""
    with safe_open(filename, "torch", device, profile=profile) as file:
        found: dict[str, torch.Tensor] = file.get_tensors()
        return found


def load(data: bytes, *, profile: Any = None) -> dict[str, torch.Tensor]:
    """Return the tensors of a file given as bytes."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="featcodec-") as folder:
        path = Path(folder) / "bytes"
        path.write_bytes(data)
        return load_file(path, profile=profile)


def from_stored(stored: np.ndarray, dtype: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a tensor of stored elements."""
    raw = torch.from_numpy(np.ascontiguousarray(stored).reshape(-1).view(np.uint8).copy())
    return raw.view(_DTYPES[dtype]).reshape(shape)


def _stored(tensor: torch.Tensor) -> np.ndarray:
    """Return the elements of a tensor in the NumPy type featcodec handles them in."""
    from .dumps import stored_dtype

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    kind = stored_dtype(_NAMES[tensor.dtype])
    elements: np.ndarray = flat.view(torch.uint8).numpy().view(kind).reshape(tuple(tensor.shape))
    return elements
