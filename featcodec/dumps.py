"""Safetensors dumps: read where they are wanted, written tensor by tensor as values arrive."""

import json
import math
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open

from . import formats, limits
from .align.numbers import stored_dtype
from .container.source import File
from .elements import BITS, nbytes
from .errors import InvalidInput
from .file_array import FileArray
from .tensors import Tensor


class Dump:
    """A safetensors file as a source of tensors; nothing is read before it is asked for.

    Use it in a `with` block, or drop it: the file is closed with it. `tensors` has their names,
    types and shapes in the order of the file, `metadata` its texts, `data_bytes` the size of the
    file in bytes.

    >>> from featcodec.dumps import Dump
    >>> with Dump("feats.safetensors") as dump:
    ...     [(tensor.name, tensor.dtype, tensor.shape) for tensor in dump.tensors]
    [('labels', 'I64', (360,)), ('features', 'F16', (360, 17, 64))]
    """

    def __init__(self, path: str | Path) -> None:
        """Read the header of the file at `path`.

        Raises InvalidInput when there is no such file or it is no sound safetensors file.
        """
        self.path = Path(path)
        self._file = File.open(path)
        self.data_bytes = self._file.size
        self._refuse_others()
        try:
            with safe_open(self.path, framework="numpy") as checked:  # refuses what is malformed
                names = list(checked.keys())
        except SafetensorError as error:
            raise InvalidInput(f"{path} is not a sound safetensors file: {error}") from None
        except OSError as error:
            raise InvalidInput(f"{path}: {error.strerror or error}") from None
        File.reopen(str(path), str(path), self._file.identity)  # what was checked is what is read
        size = int.from_bytes(self._file.read(0, 8), "little")
        header = json.loads(self._file.read(8, size))
        # The file's own order of keys: that of the library changes from run to run.
        self.metadata: dict[str, str] | None = header.get("__metadata__")
        self._data = FileArray.of(self._file)[8 + size :]
        # Empty tensors share their offset with the next: the order of the header decides.
        order = {name: i for i, name in enumerate(header)}
        names.sort(key=lambda name: (header[name]["data_offsets"], order[name]))
        self.tensors: Sequence[Tensor] = [self._tensor(name, header[name]) for name in names]

    def __enter__(self) -> "Dump":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def check(self) -> None:
        """Raise InvalidInput when the file has changed since it was opened."""
        self._file.check()

    def _refuse_others(self) -> None:
        """Raise InvalidInput for a file that is known to be of another kind."""
        kind = formats.recognise(self._file.read(0, formats.HEAD))
        if kind is not None and kind is not formats.SAFETENSORS:
            raise InvalidInput(f"{self.path} is not a safetensors dump but {kind.hint(self.path)}")

    def _tensor(self, name: str, entry: dict) -> Tensor:
        dtype, shape = entry["dtype"], tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        if dtype not in BITS:
            raise InvalidInput(f"tensor {name!r} has type {dtype}, which featcodec does not know")
        if len(shape) > limits.RANK:
            raise InvalidInput(
                f"tensor {name!r} has {len(shape)} axes, more than the limit of {limits.RANK};"
                " merge some"
            )
        data, kind = self._data, stored_dtype(dtype)
        return Tensor(name, dtype, shape, lambda: data[begin:end].view(kind))


def header_bytes(
    tensors: Sequence[tuple[str, str, tuple[int, ...]]], metadata: dict[str, str] | None
) -> tuple[bytes, list[int]]:
    """Return a safetensors header and the offset in the file of each tensor."""
    header: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    offsets, position = [], 0
    for name, dtype, shape in tensors:
        size = nbytes(dtype, math.prod(shape))
        header[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [position, position + size],
        }
        offsets.append(position)
        position += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    start = 8 + len(text)
    return len(text).to_bytes(8, "little") + text, [start + o for o in offsets]


class DumpWriter:
    """A safetensors file of known tensors, filled in any order through a memory map."""

    def __init__(
        self,
        out: BinaryIO,
        tensors: Sequence[tuple[str, str, tuple[int, ...]]],
        metadata: dict[str, str] | None,
        *,
        reserved: bool = False,
    ) -> None:
        """Reserve the whole file, unless that was done; OSError when the disk has no room for it.

        The file may be opened and written by several processes, each its own tensors or rows.
        """
        head, offsets = header_bytes(tensors, metadata)
        self._kinds = [stored_dtype(dtype) for _, dtype, _ in tensors]
        self._counts = [
            nbytes(dtype, math.prod(shape)) // stored_dtype(dtype).itemsize
            for _, dtype, shape in tensors
        ]
        self._offsets = offsets
        sizes = [n * k.itemsize for n, k in zip(self._counts, self._kinds, strict=True)]
        self.total = total = len(head) + sum(sizes)
        if not reserved:
            _reserve(out, total)
        self._map = mmap.mmap(out.fileno(), total)
        self._map[: len(head)] = head

    def tensor(self, number: int) -> np.ndarray:
        """Return the elements of tensor `number`, flat, to write to."""
        kind, count = self._kinds[number], self._counts[number]
        return np.frombuffer(self._map, kind, count, self._offsets[number])

    def release(self) -> None:
        """Let go of the pages that were written."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.flush()
            self._map.madvise(mmap.MADV_DONTNEED)


def _reserve(out: BinaryIO, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(out.fileno(), 0, size)
    else:
        out.truncate(size)
