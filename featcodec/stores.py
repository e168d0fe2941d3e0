"""Files of object stores and web servers, by URI, through fsspec."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from .container.source import Source
from .errors import FeatcodecError, InvalidInput, NoSuchFile, first_line

# The bytes at the end, index and headers among them, that are read at once: a part of the file that
# models take at most as a rule, and no more than arrives while another request would be answered.
TAIL_PART, LEAST_TAIL, MOST_TAIL = 8, 1 << 18, 1 << 20
GAP = 1 << 16  # bytes that are sooner read than asked for around
BLOCK = 1 << 24  # bytes of neighbours that are read at once
# Stores that show a file while it is written, and rename it at once; others show it complete.
RENAMED = {"file", "local", "sftp", "ssh", "ftp", "smb", "hdfs", "webhdfs"}
URI = re.compile(r"[a-z][a-z0-9+.-]*(::[a-z0-9+.-]+)*://", re.IGNORECASE)
# What stores say of a file that is another when the file is another.
IDENTITY = (
    *("size", "ETag", "etag", "md5Hash", "blob_id", "generation"),
    *("mtime", "LastModified", "last_modified", "updated", "created"),
)


def is_uri(where: object) -> bool:
    """Return whether a path names a file of a store: s3://bucket/key, https://host/name, ..."""
    return isinstance(where, str) and URI.match(where) is not None


class StoredFile(Source):
    """A file of a store as a source: byte ranges are read where they are wanted.

    To open a file takes three requests: its size, its first bytes, and its last with index and
    headers; one more where headers are larger. What is expected next is read together with its
    neighbours. A pickled copy opens the file anew by its URI; a forked process makes connections of
    its own.
    """

    def __init__(self, uri: str, name: str = "") -> None:
        """Raise InvalidInput when there is no such file, or the store cannot be reached."""
        self.path = uri
        self.name = name or uri
        self.identity = self._identify()
        self.size = self.identity[0]
        self._expected: Sequence[tuple[int, int]] = ()
        self._end = self._block = (0, b"")  # where they begin, and what is there

    @classmethod
    def reopen(cls, uri: str, name: str, identity: tuple) -> "StoredFile":
        """Open a file again; raise InvalidInput when it has changed since."""
        file = cls(uri, name)
        if file.identity != identity:
            raise InvalidInput(f"{name} has changed since it was opened")
        return file

    def __reduce__(self) -> tuple:
        return StoredFile.reopen, (self.path, self.name, self.identity)

    def expect(self, spans: Sequence[tuple[int, int]]) -> None:
        self._expected = spans

    def expect_end(self, offset: int) -> None:
        if self._end[1] and offset < self._end[0] and self.size - offset <= BLOCK:
            self._read_end(offset)

    def check(self) -> None:
        if self._identify() != self.identity:
            raise InvalidInput(f"{self.name} has changed while it was read")

    def read(self, offset: int, length: int) -> bytes:
        stop = min(offset + length, self.size)
        if offset >= stop:
            return b""
        for start, data in (self._end, self._block):
            if start <= offset and stop <= start + len(data):
                return data[offset - start : stop - start]
        first, last = self._span(offset, stop)
        if last == self.size:
            first, data = self._read_end(first)
        else:
            data = self._get(first, last)
            self._block = first, data
        return data[offset - first : stop - first]

    def _span(self, first: int, last: int) -> tuple[int, int]:
        """Return what to read for a span: it and neighbours that are expected."""
        for start, stop in self._expected:
            if first <= start <= last + GAP and stop - first <= BLOCK:
                last = max(last, stop)
        usual = min(max(self.size // TAIL_PART, LEAST_TAIL), MOST_TAIL)
        tail = self._end[0] if self._end[1] else max(self.size - usual, 0)
        return (min(first, tail), self.size) if last > tail else (first, last)

    def _read_end(self, first: int) -> tuple[int, bytes]:
        """Read what is not there yet of all from a position to the end."""
        start, data = self._end if self._end[1] else (self.size, b"")
        if first < start:  # or another thread has read it
            self._end = start, data = first, self._get(first, start) + data
        return start, data

    def _get(self, first: int, last: int) -> bytes:
        with _named(self.name):
            store, key = _store(self.path)
            data: bytes = store.cat_file(key, start=first, end=last)
        if len(data) > last - first:
            raise InvalidInput(
                f"{self.name}: the server sends whole files alone; copy it, or name"
                f" simplecache::{self.path}"
            )
        if len(data) < last - first:
            raise InvalidInput(f"{self.name} has changed while it was read")
        return data

    def _identify(self) -> tuple:
        with _named(self.name):
            store, key = _store(self.path)
            found = store.info(key)
        if found["type"] == "directory":
            raise InvalidInput(f"{self.name} is a directory; name the files in it")
        if found["size"] is None:
            raise InvalidInput(f"{self.name}: the server does not tell its size; copy it first")
        return found["size"], *(str(found[key]) for key in IDENTITY[1:] if key in found)


def exists(uri: str) -> bool:
    with _named(uri):
        store, key = _store(uri)
        return bool(store.exists(key))


def changed(uri: str) -> float | None:
    """Return when a file was written last, in seconds since 1970; None where no store tells."""
    try:
        store, key = _store(uri)
        return float(store.modified(key).timestamp())
    except Exception:  # some have no such function, and each library errors of its own
        return None


def beside(uri: str, suffix: str) -> list[str]:
    """Return the URIs of the files of a suffix in the folder of a file."""
    folder = uri[: uri.rindex("/") + 1]
    with _named(folder):
        store, key = _store(folder)
        names = sorted(found.rpartition("/")[2] for found in store.ls(key, detail=False))
    return [folder + name for name in names if name.endswith(suffix)]


def download(uri: str, path: str | os.PathLike[str]) -> None:
    """Copy a file of a store to a path."""
    with _named(uri):
        store, key = _store(uri)
        store.get_file(key, os.fspath(path))


def upload(path: str | os.PathLike[str], uri: str) -> None:
    """Copy a file to a store, which shows it when all of it is there."""
    with _named(uri):
        store, key = _store(uri)
        kinds = (store.protocol,) if isinstance(store.protocol, str) else store.protocol
        if not RENAMED.intersection(kinds):
            store.put_file(os.fspath(path), key)
            return
        part = f"{key}.{secrets.token_hex(4)}.part"
        try:
            store.put_file(os.fspath(path), part)
            store.mv(part, key)
        except BaseException:
            with contextlib.suppress(Exception):
                store.rm_file(part)
            raise


def _store(uri: str) -> tuple[Any, str]:
    """Return the store of a URI, which fsspec keeps for each process, and the key in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise InvalidInput(
            f"{uri}: URIs are read and written by fsspec: pip install 'featcodec[remote]'"
        ) from None
    store, key = url_to_fs(uri)
    return store, key


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the file in whatever a store's library raises, in one line."""
    try:
        yield
    except FeatcodecError:
        raise
    except FileNotFoundError:
        raise NoSuchFile(f"{name}: no such file") from None
    except Exception as error:  # each library has errors of its own
        raise InvalidInput(f"{name}: {first_line(error) or type(error).__name__}") from None
