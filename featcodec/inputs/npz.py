"""Archives of NumPy: stored arrays are read where they lie, packed ones once, each by itself."""

import contextlib
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from ..container.source import File
from ..errors import InvalidInput, first_line
from ..file_array import FileArray
from ..tensors import Tensor
from . import npy
from .contents import Contents
from .spool import Spool, bytes_of
from .stream import Stream

SUFFIX = ".npy"
LOCAL_HEADER = 30  # bytes, before name and extra field


def read(file: File) -> Contents:
    """Return the arrays of a .npz file; InvalidInput when the archive is not sound."""
    with _sound(f"{file.name} is not a sound .npz file"):
        archive = zipfile.ZipFile(_stream(file))
        members = [info for info in archive.infolist() if not info.is_dir()]
    names = [info.filename.removesuffix(SUFFIX) for info in members]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise InvalidInput(f"{file.name} holds {twice[0]!r} twice: name the arrays apart")
    spool = cache(Spool)
    tensors, refused = [], {}
    for name, info in zip(names, members, strict=True):
        try:
            tensors.append(_Member(file, archive, info, f"array {name!r}").tensor(name, spool))
        except InvalidInput as error:
            refused[name] = str(error)
    return Contents(tensors, refused=refused)


def _stream(file: File) -> Any:
    return Stream(file)


class _Member:
    """One array of an archive."""

    def __init__(
        self, file: File, archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str
    ) -> None:
        """Read its header; raise InvalidInput, which names it as `what`, when it is no array."""
        self._file, self._archive, self._info, self._what = file, archive, info, what
        head = self._opened(lambda stream: stream.read(npy.HEADER_BYTES))
        if not head.startswith(npy.MAGIC):
            raise InvalidInput(f"{what} is no array of NumPy")
        self._header = npy.header_of(head, what)
        end = self._header.start + self._header.nbytes
        if info.file_size != end:
            raise InvalidInput(
                f"{what} has {info.file_size:,} bytes where its header states {end:,}"
            )

    def tensor(self, name: str, spool: Callable[[], Spool]) -> Tensor:
        elements = cache(self._mapped if self._is_stored else lambda: self._unpacked(spool()))
        return npy.tensor_of(name, self._header, elements, spool, self._what)

    @property
    def _is_stored(self) -> bool:
        return self._info.compress_type == zipfile.ZIP_STORED

    def _mapped(self) -> FileArray:
        """Return the elements in the file, once they have been found sound."""
        self._opened(lambda stream: sum(len(piece) for piece in bytes_of(stream)))
        head = self._file.read(self._info.header_offset, LOCAL_HEADER)
        lengths = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        start = self._info.header_offset + LOCAL_HEADER + lengths + self._header.start
        return FileArray.of(self._file)[start : start + self._header.nbytes]

    def _unpacked(self, spool: Spool) -> FileArray:
        def unpack(stream: Any) -> FileArray:
            stream.read(self._header.start)
            return spool.add(bytes_of(stream), self._header.nbytes, self._what)

        found: FileArray = self._opened(unpack)
        return found

    def _opened(self, use: Callable[[Any], Any]) -> Any:
        with _sound(f"{self._what} cannot be unpacked"), self._archive.open(self._info) as stream:
            return use(stream)


@contextlib.contextmanager
def _sound(otherwise: str) -> Iterator[None]:
    """Raise InvalidInput for whatever zipfile raises, which a malformed archive leads to."""
    try:
        yield
    except (InvalidInput, MemoryError):
        raise
    except Exception as error:
        raise InvalidInput(f"{otherwise}: {first_line(error)}") from None
