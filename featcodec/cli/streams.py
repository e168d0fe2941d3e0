"""Standard input and output as files that can be mapped and sought."""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .batch import STREAM


@contextlib.contextmanager
def readable(path: str) -> Iterator[str]:
    """Return a path to read from; standard input is copied to a temporary file."""
    if path != STREAM:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="featcodec-") as folder:
        copy = Path(folder) / "standard input"
        with copy.open("wb") as out:
            shutil.copyfileobj(sys.stdin.buffer, out)
        yield str(copy)


@contextlib.contextmanager
def writable(path: str) -> Iterator[str]:
    """Return a path to write to; what is written goes to standard output at the end."""
    if path != STREAM:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="featcodec-") as folder:
        copy = Path(folder) / "standard output"
        yield str(copy)
        with copy.open("rb") as source:
            shutil.copyfileobj(source, sys.stdout.buffer)
        sys.stdout.buffer.flush()
