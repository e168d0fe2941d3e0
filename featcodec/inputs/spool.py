"""A temporary file for tensors that do not lie in their file as they are read."""

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, cast

import numpy as np

from ..container.source import File
from ..errors import InvalidInput
from ..file_array import FileArray

CHUNK = 1 << 20  # values laid out at once
SPARE = 1 << 26  # bytes that are left free on the disk


class Spool(File):
    """Tensors in C order and little-endian, each added when it is first read.

    What is packed or lies in another order can so be read in pieces, as often as needed, and takes
    room on the disk instead of memory. The file has no name and goes with the last that uses it.
    """

    def __init__(self) -> None:
        stream = tempfile.TemporaryFile(prefix="featcodec-")  # noqa: SIM115 - `self` owns it
        super().__init__(cast(Any, stream), "the temporary file")
        weakref.finalize(self, stream.close)

    def check(self) -> None:
        """Nobody else knows the file, so that it does not change."""

    def add(self, pieces: Iterable[Any], size: int, what: str) -> FileArray:
        """Take in the bytes of a tensor, `size` in all, and return them.

        Raises InvalidInput, which names the tensor as `what`, when the disk has no room for it.
        """
        folder = tempfile.gettempdir()
        if (free := shutil.disk_usage(folder).free - SPARE) < size:
            raise InvalidInput(
                f"{what} takes {size:,} bytes of temporary files and {folder} has"
                f" {max(free, 0):,}: set TMPDIR to a folder with room"
            )
        start = self.size
        position = self._stream.seek(start)
        for piece in pieces:
            position += self._stream.write(piece)
        self._stream.flush()
        if position - start != size:
            raise InvalidInput(f"{what} has {position - start:,} bytes where {size:,} are stated")
        self.size = position
        return FileArray.of(self)[start:position]


def in_order(array: Any, kind: np.dtype) -> Iterator[np.ndarray]:
    """Yield the elements of an array in C order, some at a time, as a little-endian type.

    The array is of NumPy, or one in a file.
    """
    if array.size <= CHUNK or not array.shape:
        yield np.ascontiguousarray(np.asarray(array).astype(kind, copy=False)).reshape(-1)
        return
    each = CHUNK // (array.size // array.shape[0])
    for start in range(0, array.shape[0], max(each, 1)):
        rows = array[start : start + max(each, 1)]
        yield from in_order(rows if each else rows.reshape(rows.shape[1:]), kind)


def bytes_of(stream: Any) -> Iterator[bytes]:
    """Yield what is left of a stream."""
    while piece := stream.read(CHUNK):
        yield piece
