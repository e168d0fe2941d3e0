"""Dumps: read where they are wanted, written tensor by tensor as values arrive."""

import json
import math
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from . import formats
from .align.numbers import stored_dtype
from .container.source import File
from .elements import nbytes
from .errors import InvalidInput
from .inputs import npy, npz, safetensors, torch_file
from .opening import Where, open_local
from .tensors import Tensor

Described = tuple[str, str, tuple[int, ...]]  # name, type and shape of a tensor

ALIGNMENT = 64  # bytes
READERS = {
    formats.SAFETENSORS: safetensors.read,
    formats.NPZ: npz.read,
    formats.NPY: npy.read,
    formats.TORCH: torch_file.read,
    formats.OLD_TORCH: torch_file.read,
}


class Dump:
    """A file of tensors as a source of them; nothing is read before it is asked for.

    The file is of safetensors, NumPy (.npz, .npy) or torch.save; one of a store, or an open one, is
    copied to a temporary file. Use it in a `with` block, or drop it: the file is closed with it.
    `tensors` has their names, types and shapes in the order of the file, `metadata` its texts,
    `data_bytes` the size of the file in bytes. `refused` says by name what cannot be coded, and
    why, `remarks` what else was left out.

    >>> from featcodec.dumps import Dump
    >>> with Dump("feats.safetensors") as dump:
    ...     [(tensor.name, tensor.dtype, tensor.shape) for tensor in dump.tensors]
    [('labels', 'I64', (360,)), ('features', 'F16', (360, 17, 64))]
    """

    def __init__(self, path: Where) -> None:
        """Read the header of the file at `path`; its first bytes tell of what kind it is.

        `path` may be a URI, or a binary file object. Raises InvalidInput when there is no such file
        or it is not sound.
        """
        self._file = open_local(path)
        self.path = Path(self._file.name)
        self.data_bytes = self._file.size
        contents = READERS[_kind_of(self._file)](self._file)
        self.tensors: Sequence[Tensor] = contents.tensors
        self.metadata = contents.metadata
        self.refused = contents.refused
        self.remarks = contents.remarks

    def __enter__(self) -> "Dump":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def check(self) -> None:
        """Raise InvalidInput when the file has changed since it was opened."""
        self._file.check()


def _kind_of(file: File) -> formats.Kind:
    """Return what kind of dump a file is; raise InvalidInput for one that is none."""
    head = file.read(0, formats.HEAD)
    if not head:
        raise InvalidInput(f"{file.name} is empty")
    kind = formats.recognise(head)
    if kind is None and not formats.SAFETENSORS.matches(head):
        raise InvalidInput(
            f"{file.name} is not a dump: neither safetensors, NumPy (.npz, .npy) nor torch"
            f"{formats.hint_of_unknown(head, file.name)}"
        )
    if kind is not None and kind not in READERS:
        raise InvalidInput(f"{file.name} is not a dump but {kind.hint(file.name)}")
    return kind or formats.SAFETENSORS


def header_bytes(
    tensors: Sequence[Described], metadata: dict[str, str] | None
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


def aligned(
    tensors: Sequence[Described], _metadata: dict[str, str] | None
) -> tuple[bytes, list[int]]:
    """Return no header, and offsets of tensors as they lie well in memory."""
    offsets, position = [], 0
    for _, dtype, shape in tensors:
        offsets.append(position)
        position += -(-nbytes(dtype, math.prod(shape)) // ALIGNMENT) * ALIGNMENT
    return b"", offsets


class DumpWriter:
    """A file of known tensors, filled in any order through a memory map."""

    def __init__(
        self,
        out: BinaryIO,
        tensors: Sequence[Described],
        head: bytes,
        offsets: Sequence[int],
        *,
        reserved: bool = False,
    ) -> None:
        """Reserve the whole file, unless that was done; OSError when the disk has no room for it.

        It begins with `head`; `offsets` are those of the tensors in the file, in their order. It
        may be opened and written by several processes, each its own tensors or rows.
        """
        self._kinds = [stored_dtype(dtype) for _, dtype, _ in tensors]
        self._counts = [
            nbytes(dtype, math.prod(shape)) // stored_dtype(dtype).itemsize
            for _, dtype, shape in tensors
        ]
        self._offsets = offsets
        sizes = [n * k.itemsize for n, k in zip(self._counts, self._kinds, strict=True)]
        ends = [len(head), *(start + size for start, size in zip(offsets, sizes, strict=True))]
        self.total = total = max(ends)
        if not reserved:
            _reserve(out, total)
        self._map = mmap.mmap(out.fileno(), total)
        self._map[: len(head)] = head

    def tensor(self, number: int) -> np.ndarray:
        """Return the elements of tensor `number`, flat, to write to."""
        kind, count = self._kinds[number], self._counts[number]
        return np.frombuffer(self._map, kind, count, self._offsets[number])

    def release(self) -> None:
        """Let go of the pages that were written; the system writes them to the disk in its time."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


def _reserve(out: BinaryIO, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(out.fileno(), 0, size)
    else:
        out.truncate(size)
