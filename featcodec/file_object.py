"""An open file, or what behaves like one, as a source."""

import io
import os
import threading
from typing import BinaryIO

from .arguments import a_kind
from .container.source import Source
from .errors import InvalidInput


class FileObject(Source):
    """A binary file object that can be sought; it stays open, and whose it was.

    Threads may share it. Processes may not: its position is one for all of them.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Raise InvalidInput for what cannot be sought, and for text."""
        self.name = name_of(stream)
        if not hasattr(stream, "seekable"):
            raise no_file(stream)
        if isinstance(stream, io.TextIOBase):
            raise InvalidInput(f"{self.name} is open as text; open it with mode 'rb'")
        if not stream.seekable():
            raise InvalidInput(f"{self.name} cannot be sought; store it in a file first")
        self._stream = stream
        self._lock = threading.Lock()
        self._process = os.getpid()
        self.size = stream.seek(0, os.SEEK_END)

    def __reduce__(self) -> tuple:
        raise InvalidInput(f"{self.name} is open in this process alone; give its path, not a file")

    def read(self, offset: int, length: int) -> bytes:
        if os.getpid() != self._process:
            raise InvalidInput(f"{self.name} is open in another process; give its path, not a file")
        pieces = []
        with self._lock:
            try:
                self._stream.seek(offset)
                while length > 0 and (piece := self._stream.read(length)):
                    pieces.append(piece)
                    length -= len(piece)
            except (OSError, ValueError) as error:  # ValueError: of a closed file
                raise InvalidInput(f"{self.name}: {error}") from None
        return b"".join(pieces)


def name_of(stream: object) -> str:
    """Return what messages call a file object."""
    name = getattr(stream, "name", None)
    return name if isinstance(name, str) else "the file object"


def no_file(given: object) -> InvalidInput:
    """Return the error for what is given in place of a file."""
    instead = ""
    if isinstance(given, (bytes, bytearray)):
        instead = "; load takes the bytes of one"
    elif isinstance(given, dict) or hasattr(given, "dtype"):
        instead = "; save_file of featcodec.numpy or featcodec.torch writes arrays by name"
    return InvalidInput(
        f"{a_kind(given)} is no file; give a path, a URI or an open binary file{instead}"
    )
