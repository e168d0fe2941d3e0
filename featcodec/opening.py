"""Whatever names a file to read, opened: a path, a URI, or an open file."""

import io
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import BinaryIO

from . import stores
from .arguments import a_kind
from .container.source import File, Memory, Source
from .errors import InvalidInput
from .file_object import FileObject, name_of, no_file
from .leftovers import held, hold, sweep, temporary_name

Where = str | os.PathLike[str] | BinaryIO


def open_source(where: Where, name: str = "") -> Source:
    """Open a file of which parts are read; raise InvalidInput when that fails.

    Args:
        where: A path, a URI such as s3://bucket/key, or a binary file object that can be sought.
        name: What messages call it.
    """
    if isinstance(where, io.BytesIO):
        return Memory(where.getvalue())
    if not isinstance(where, (str, os.PathLike)):
        return FileObject(where)
    return stores.StoredFile(str(where), name) if stores.is_uri(where) else File.open(where, name)


def in_memory(data: object) -> io.BytesIO:
    """Return the bytes of a file as an open one; raise InvalidInput for what is none.

    >>> in_memory("x.fcz")
    Traceback (most recent call last):
    featcodec.errors.InvalidInput: load takes the bytes of a file; load_file reads 'x.fcz'
    """
    if isinstance(data, (str, os.PathLike)):
        raise InvalidInput(f"load takes the bytes of a file; load_file reads {str(data)!r}")
    try:
        return io.BytesIO(data)  # type: ignore[arg-type]
    except TypeError:
        raise InvalidInput(f"load takes the bytes of a file, and not {a_kind(data)}") from None


class Copy(File):
    """A temporary file that goes when it is closed, or no more used."""

    def __init__(self, stream: BinaryIO, name: str, path: str = "") -> None:
        super().__init__(stream, name, path)
        hold(stream.fileno())
        self._remove = weakref.finalize(self, Path(path).unlink, missing_ok=True)

    def close(self) -> None:
        super().close()
        self._remove()


def open_local(where: Where) -> File:
    """Open a file that is read from end to end, maybe several times.

    What has no path here is copied to a temporary file.
    """
    if isinstance(where, (str, os.PathLike)) and not stores.is_uri(where):
        return File.open(where)
    if not isinstance(where, (str, os.PathLike)) and not hasattr(where, "read"):
        raise no_file(where)
    copy = Path(tempfile.gettempdir()) / temporary_name()
    sweep(copy.parent)
    try:
        copy.touch(mode=0o600)
        with held(copy):
            if isinstance(where, (str, os.PathLike)):
                name = str(where)
                stores.download(name, copy)
            else:
                name = name_of(where)
                if where.seekable():
                    where.seek(0)
                with copy.open("wb") as out:
                    shutil.copyfileobj(where, out)
            return Copy.open(copy, name)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
