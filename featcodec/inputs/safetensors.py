"""Safetensors files: tensors lie in them as they are read."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from .. import limits
from ..align.numbers import stored_dtype
from ..container.source import File
from ..elements import BITS
from ..errors import InvalidInput
from ..file_array import FileArray
from ..tensors import Tensor
from .contents import Contents

# Bytes of tensors that are read at once when the first is touched: an encoder looks at each of many
# small ones dozens of times, and each look at a file takes longer than its elements.
AT_ONCE = 1 << 22


def read(file: File) -> Contents:
    """Return what a safetensors file holds; InvalidInput when it is not sound."""
    try:
        with safe_open(file.path, framework="numpy") as checked:  # refuses what is malformed
            names = list(checked.keys())
    except SafetensorError as error:
        why = _cut(file) or str(error).removeprefix("Error while deserializing header: ")
        raise InvalidInput(f"{file.name} is not a sound safetensors file: {why}") from None
    except OSError as error:
        raise InvalidInput(f"{file.name}: {error.strerror or error}") from None
    File.reopen(file.path, file.name, file.identity)  # what was checked is what is read
    size = int.from_bytes(file.read(0, 8), "little")
    header = json.loads(file.read(8, size))
    data = _data(file, 8 + size)
    # Empty tensors share their offset with the next: the order of the header decides; that of the
    # library changes from run to run.
    order = {name: i for i, name in enumerate(header)}
    names.sort(key=lambda name: (header[name]["data_offsets"], order[name]))
    tensors = [_tensor(name, header[name], data) for name in names]
    return Contents(tensors, header.get("__metadata__"))


def _cut(file: File) -> str:
    """Return that a file has not the bytes that it states; nothing where that is not the fault."""
    end = 8 + int.from_bytes(file.read(0, 8), "little")
    if file.size < end:
        return f"it has {file.size:,} bytes, its header alone takes {end:,}"
    try:
        header = json.loads(file.read(8, end - 8))
        tensors = [entry for name, entry in header.items() if name != "__metadata__"]
        stated = end + max((entry["data_offsets"][1] for entry in tensors), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return ""
    return (
        "" if stated == file.size else f"it has {file.size:,} bytes, its header states {stated:,}"
    )


def _data(file: File, start: int) -> Callable[[], Any]:
    """Return what gives the bytes of all tensors, or where they are in the file."""
    there = FileArray.of(file)[start:]
    if there.nbytes > AT_ONCE:
        return lambda: there
    return cache(lambda: np.asarray(there))


def _tensor(name: str, entry: dict, data: Callable[[], Any]) -> Tensor:
    dtype, shape = entry["dtype"], tuple(entry["shape"])
    begin, end = entry["data_offsets"]
    if dtype not in BITS:
        raise InvalidInput(f"tensor {name!r} has type {dtype}, which featcodec does not know")
    limits.check_rank(shape, f"tensor {name!r}")
    kind = stored_dtype(dtype)

    def read() -> Any:
        found = data()[begin:end].view(kind)
        return np.require(found, requirements="A") if isinstance(found, np.ndarray) else found

    return Tensor(name, dtype, shape, read)
