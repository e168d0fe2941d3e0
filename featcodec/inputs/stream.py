"""A source of bytes as a stream with a position, as libraries read."""

import os

from ..container.source import File


class Stream:
    """A source as a stream with a position of its own, as libraries read it."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._position = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._file.size}[whence]
        if begin + offset < 0:
            raise OSError("a position before the beginning")
        self._position = begin + offset
        return self._position

    def read(self, length: int = -1) -> bytes:
        left = max(self._file.size - self._position, 0)
        data = self._file.read(self._position, left if length < 0 else min(length, left))
        self._position += len(data)
        return data
