"""Standard input and output as files that can be mapped and sought."""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from ..errors import FeatcodecError, InvalidInput
from ..formats import BY
from ..leftovers import held, sweep, temporary_name

STREAM = "-"


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.gettempdir()) / temporary_name()
    sweep(folder.parent)
    folder.mkdir(mode=0o700)
    try:
        with held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def readable(path: str) -> Iterator[str]:
    """Return a path to read from; standard input is copied to a temporary file."""
    if path != STREAM and not Path(path).is_fifo():
        yield path
        return
    name = "standard input" if path == STREAM else path
    with temporary_folder() as folder:
        copy = folder / "input"
        with contextlib.ExitStack() as stack:
            source = standard_input() if path == STREAM else stack.enter_context(open_stream(path))
            shutil.copyfileobj(source, stack.enter_context(copy.open("wb")))
        try:
            yield str(copy)
        except FeatcodecError as error:
            said = str(error).partition(BY)[0]  # what came through a pipe is not there any more
            raise type(error)(said.replace(str(copy), name)) from None


def open_stream(path: str) -> BinaryIO:
    return Path(path).open("rb")


def standard_input() -> BinaryIO:
    """Return standard input, or say why it cannot be read."""
    if sys.stdin is None:
        raise InvalidInput("standard input is closed")
    if sys.stdin.isatty():
        raise click.UsageError("refusing to read binary data from a terminal; name a file")
    return sys.stdin.buffer


@contextlib.contextmanager
def writable(path: str) -> Iterator[str]:
    """Return a path to write to; what is written goes to standard output at the end."""
    if path != STREAM:
        yield path
        return
    with temporary_folder() as folder:
        copy = folder / "output"
        if sys.stdout is None:
            raise InvalidInput("standard output is closed")
        yield str(copy)
        try:
            with copy.open("rb") as source:
                shutil.copyfileobj(source, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise InvalidInput(f"standard output: {error.strerror or error}") from None
