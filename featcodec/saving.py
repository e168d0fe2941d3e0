"""Kinds of files that decoded tensors go to, by suffix: how their bytes lie there."""

import io
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, BinaryIO

import numpy as np

from .arrays import is_of_numpy, numpy_type
from .dumps import Described, header_bytes
from .elements import FLOATS
from .errors import InvalidInput

Layout = Callable[[Sequence[Described], dict[str, str] | None], tuple[bytes, list[int]]]
# Of a name, a type, a shape and the stored elements each.
Arrays = Iterator[tuple[Described, np.ndarray]]
Archive = Callable[[BinaryIO, Arrays], None]

CHUNK = 1 << 20  # elements written at once
TORCH = (".pt", ".pth", ".ckpt")
# What users may take for kinds that are written, since other programs do.
FOREIGN = (
    *(".h5", ".hdf5", ".parquet", ".arrow", ".feather", ".csv", ".txt", ".json", ".pkl", ".pickle"),
    *(".mat", ".gguf", ".zarr", ".tfrecord", ".zip", ".gz", ".zst"),
)


def layout_of(path: str | os.PathLike[str]) -> Layout:
    """Return how a file is laid out in which every tensor has its place beforehand."""
    return _npy_layout if PurePath(path).suffix == ".npy" else header_bytes


def archive_of(path: str | os.PathLike[str], tensors: Sequence[Described]) -> Archive | None:
    """Return what writes an archive of decoded tensors; None for files that have none.

    Raises InvalidInput, before anything is decoded, for tensors that the kind of file cannot hold.
    """
    suffix = PurePath(path).suffix
    if suffix in FOREIGN:
        raise InvalidInput(
            f"{path}: {suffix} files are not written; name a .safetensors, .npz, .npy or .pt file"
            f" here, and make the {suffix} file of that with your own program"
        )
    if suffix in (".npz", ".npy"):
        for name, dtype, _ in tensors:
            _check(suffix, name, dtype)
    if suffix == ".npy" and len(tensors) != 1:
        raise InvalidInput(
            f"{path} holds one array, here are {len(tensors)}: choose one with tensors=[NAME], or"
            " name a .npz file"
        )
    if suffix in TORCH:
        try:
            from .torch.tensors import check_types, save_weights
        except ImportError:
            raise InvalidInput(
                f"{path} is a torch file, which torch writes: pip install 'featcodec[torch]'"
            ) from None
        check_types(tensors)
        return save_weights
    return _write_npz if suffix == ".npz" else None


def _check(suffix: str, name: str, dtype: str) -> None:
    if not is_of_numpy(dtype):
        remedy = "add dtype='F32', or name" if dtype in FLOATS else "name"
        raise InvalidInput(
            f"tensor {name!r} has type {dtype}, which a {suffix} file cannot hold: {remedy}"
            " a .safetensors file"
        )
    if "\0" in name:
        raise InvalidInput(f"tensor {name!r} has a name that a {suffix} file cannot hold")


def _npy_layout(
    tensors: Sequence[Described], _metadata: dict[str, str] | None
) -> tuple[bytes, list[int]]:
    [(_, dtype, shape)] = tensors
    head = _npy_header(dtype, shape)
    return head, [len(head)]


def _npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    kind = numpy_type(dtype)
    assert kind is not None
    stream: Any = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False}
    np.lib.format.write_array_header_1_0(stream, {**described, "shape": shape})
    return bytes(stream.getvalue())


def _write_npz(out: BinaryIO, arrays: Arrays) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for (name, dtype, shape), stored in arrays:
            info = zipfile.ZipInfo(f"{name}.npy")  # of a fixed date: the same bytes every time
            with archive.open(info, "w", force_zip64=True) as member:
                member.write(_npy_header(dtype, shape))
                for start in range(0, stored.size, CHUNK):
                    member.write(stored[start : start + CHUNK].tobytes())
