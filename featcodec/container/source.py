"""Bytes at positions. A source keeps no position of its own: threads and forks may share it."""

import contextlib
import io
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self

from ..errors import InvalidInput, NoSuchFile

AT_ONCE = 1 << 30  # bytes that every system reads in one call
Identity = tuple[int, int, int]  # inode, size, time of the last change in ns


class Source:
    """Bytes at positions, `size` in all; `name` is what messages call them.

    `path` is that of a file, or its URI, by which other processes open it; others have none.
    """

    name: str
    size: int
    path: str = ""

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from a position, fewer at the end."""
        raise NotImplementedError

    def read_into(self, offset: int, room: memoryview) -> int:
        """Fill `room` from a position; return how many bytes there were."""
        data = self.read(offset, len(room))
        room[: len(data)] = data
        return len(data)

    def read_pieces(self, offsets: Sequence[int], room: memoryview) -> None:
        """Fill `room` with pieces of one length, each from a position of its own.

        Raises InvalidInput where the bytes end before.
        """
        length = len(room) // len(offsets)
        for i, offset in enumerate(offsets):
            if self.read_into(offset, room[i * length : (i + 1) * length]) < length:
                raise InvalidInput(f"{self.name} ends before byte {offset + length}")

    def expect(self, spans: Sequence[tuple[int, int]]) -> None:
        """Be told what is read next, from where to where, in order: neighbours may come at once."""

    def expect_end(self, offset: int) -> None:
        """Be told that all from a position to the end is read next."""

    def check(self) -> None:
        """Raise InvalidInput when the bytes have changed since they were opened."""

    def close(self) -> None:
        """Let go of what is open."""


class Memory(Source):
    """Bytes in memory as a source."""

    def __init__(self, data: bytes, name: str = "the data") -> None:
        self.name = name
        self._data = data
        self.size = len(data)

    def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]


class File(Source):
    """A file as a source. It must not change while it is open.

    The last reference closes it. A pickled copy opens the file anew by its path.
    """

    def __init__(self, stream: BinaryIO, name: str, path: str = "") -> None:
        """Read an open file; `name` is what messages call it."""
        self.name = name
        self._stream = stream
        self.path = path
        self._lock = threading.Lock()
        self.identity = self._identify()
        self.size = self.identity[1]

    @classmethod
    def open(cls, path: str | os.PathLike[str], name: str = "") -> Self:
        """Open a file; raise InvalidInput when that fails."""
        if not str(path):
            raise InvalidInput("the path is empty")
        name = name or str(path)
        if Path(path).is_dir():
            raise InvalidInput(f"{name} is a directory; name the files in it")
        try:
            stream = Path(path).open("rb")  # noqa: SIM115 - `file` owns it
        except FileNotFoundError as error:
            raise NoSuchFile(f"{name}: {error.strerror}") from None
        except (OSError, ValueError) as error:  # ValueError: what cannot be a path
            raise InvalidInput(f"{name}: {getattr(error, 'strerror', None) or error}") from None
        file = cls(stream, name, str(Path(path).absolute()))
        weakref.finalize(file, stream.close)
        if not stream.seekable():
            raise InvalidInput(f"{name} is a pipe; store it in a file first")
        return file

    @classmethod
    def reopen(cls, path: str, name: str, identity: Identity) -> "File":
        """Open a file again; raise InvalidInput when it has changed since."""
        file = cls.open(path, name)
        if file.identity != identity:
            raise InvalidInput(f"{name} has changed since it was opened")
        return file

    def __reduce__(self) -> tuple:
        return File.reopen, (self.path, self.name, self.identity)

    def close(self) -> None:
        self._stream.close()

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from a position, fewer at the end.

        Raises InvalidInput when the file is closed, or has changed since it was opened.
        """
        pieces = []
        while length > 0:
            piece = self._read(offset, min(length, AT_ONCE))
            if not piece:
                break
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
        self.check()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_into(self, offset: int, room: memoryview) -> int:
        """Read into given memory, as `read` does; return how many bytes there were."""
        if not hasattr(os, "preadv"):
            return super().read_into(offset, room)
        done = 0
        while done < len(room):
            some = room[done : done + AT_ONCE]
            with self._named():
                count = os.preadv(self._descriptor(), [some], offset + done)
            if not count:
                break
            done += count
        self.check()
        return done

    def read_pieces(self, offsets: Sequence[int], room: memoryview) -> None:
        """Fill `room` as others do, without a look at the file between pieces."""
        length = len(room) // len(offsets)
        if not hasattr(os, "preadv") or length > AT_ONCE:
            return super().read_pieces(offsets, room)
        descriptor = self._descriptor()
        with self._named():
            for i, offset in enumerate(offsets):
                piece = room[i * length : (i + 1) * length]
                if os.preadv(descriptor, [piece], offset) < length:
                    super().read_pieces([offset], piece)
        self.check()

    def check(self) -> None:
        if self._identify() != self.identity:
            raise InvalidInput(f"{self.name} has changed while it was read")

    def _read(self, offset: int, length: int) -> bytes:
        descriptor = self._descriptor()
        with self._named():
            if hasattr(os, "pread"):
                return os.pread(descriptor, length, offset)
            with self._lock:
                self._stream.seek(offset)
                return self._stream.read(length)

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Name the file in errors of the system."""
        try:
            yield
        except OSError as error:
            why = "the file is closed" if self._stream.closed else error.strerror or error
            raise InvalidInput(f"{self.name}: {why}") from None

    def _identify(self) -> Identity:
        with self._named():
            found = os.fstat(self._descriptor())
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _descriptor(self) -> int:
        try:
            return self._stream.fileno()
        except ValueError:
            raise InvalidInput(f"{self.name}: the file is closed") from None


class Within(Source):
    """Bytes of another source as one of their own."""

    def __init__(self, source: Source, offset: int, size: int) -> None:
        self.name = source.name
        self._source = source
        self._offset = offset
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        return self._source.read(self._offset + offset, max(min(length, self.size - offset), 0))

    def read_into(self, offset: int, room: memoryview) -> int:
        some = room[: max(self.size - offset, 0)]
        return self._source.read_into(self._offset + offset, some)

    def expect(self, spans: Sequence[tuple[int, int]]) -> None:
        self._source.expect([(self._offset + i, self._offset + j) for i, j in spans])


def source_of(given: Source | BinaryIO, name: str) -> Source:
    """Return bytes in memory, or an open file, as a source."""
    if isinstance(given, Source):
        return given
    return Memory(given.getvalue()) if isinstance(given, io.BytesIO) else File(given, name)
