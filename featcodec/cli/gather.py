"""The inputs of a command: files that are named, listed, or found in folders."""

import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..errors import InvalidInput
from ..stores import is_uri
from . import render
from .bundle import Decorator, bundled
from .complete import any_file
from .streams import STREAM

Found = list["Input"]


@dataclass(frozen=True, slots=True)
class Input:
    """A file to work on."""

    path: str
    place: str  # of what is made of it below --output-dir, but for the suffix
    error: str = ""  # why it cannot be an input


@dataclass(frozen=True)
class Gathering:
    """What the command line says of inputs."""

    suffixes: Sequence[str]  # of files in folders
    recursive: bool = False
    null: bool = False
    shard: tuple[int, int] = (0, 1)

    def all(self, given: Sequence[str], listed: str | None) -> Found:
        """Return the inputs that are given and listed, in that order; those of a folder by name."""
        return self.mine(self.everything(given, listed))

    def everything(self, given: Sequence[str], listed: str | None) -> Found:
        """Return the inputs of all shards."""
        if "" in given:
            raise click.UsageError("the path of an input is empty")
        if listed is not None and listed == STREAM and STREAM in given:
            raise click.UsageError("standard input is the list of files, and cannot be one of them")
        # A folder that is named stands for its contents, one that is listed for itself.
        found = [one for path in given for one in self._expanded(path, Path(path).name, "")]
        if listed is not None:
            for path in paths_of(listed, self.null):
                found += self._expanded(path, relative(path), relative(path))
        return found

    def mine(self, found: Found) -> Found:
        """Return the inputs of the shard that is asked for.

        They go by their names without suffixes: two that would become one file are in one shard.
        """
        number, of = self.shard
        mine = (one for one in found if zlib.crc32(os.fsencode(self._stem(one))) % of == number)
        return list(mine) if of > 1 else found

    def _stem(self, one: "Input") -> str:
        suffix = next((each for each in self.suffixes if one.place.endswith(each)), "")
        return one.place.removesuffix(suffix)

    def _expanded(self, path: str, place: str, below: str) -> Iterator[Input]:
        """Yield a file, or those that are found in a folder, where that is wanted."""
        if path == STREAM or not is_folder(path):
            yield Input(path, place)
        elif not self.recursive:
            yield Input(path, place, "is a directory; add -r for the files in it")
        elif found := list(self._walked(path, below)):
            yield from found
        else:
            yield Input(path, place, f"holds no file that ends in {', '.join(self.suffixes)}")

    def _walked(self, top: str, below: str) -> Iterator[Input]:
        suffixes = tuple(self.suffixes)
        failed: list[OSError] = []
        for folder, folders, files in os.walk(top, onerror=failed.append):
            folders.sort()
            here = Path(folder)
            mirrored = Path(below, here.relative_to(top))
            for name in sorted(files):
                if name.endswith(suffixes):
                    yield Input(str(here / name), str(mirrored / name))
        for error in failed:
            why = error.strerror or str(error)
            yield Input(str(error.filename), "", f"cannot be listed: {why}")


def is_folder(path: str) -> bool:
    """Return whether there is a folder; of what cannot be reached, whoever opens it tells."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def paths_of(name: str, null: bool) -> list[str]:
    """Return the paths that a file or standard input lists, one a line or each before a NUL."""
    try:
        if name == STREAM:
            data = sys.stdin.buffer.read() if sys.stdin is not None else b""
        else:
            with open(name, "rb") as file:  # noqa: PTH123 - a path as it is given
                data = file.read()
    except OSError as error:
        raise click.UsageError(f"--files-from {name}: {error.strerror or error}") from None
    if not null and b"\0" in data:
        raise click.UsageError(f"--files-from {name} holds NUL: add --null")
    lines = data.split(b"\0") if null else data.splitlines()
    return [os.fsdecode(line) for line in lines if line]


def relative(path: str) -> str:
    """Return a path as it is mirrored below another folder: never outside of it."""
    whole = Path(os.path.normpath(path.partition("://")[2] if is_uri(path) else path))
    return str(Path(*(part for part in whole.parts if part not in (whole.anchor, os.pardir))))


def shard_of(_ctx: click.Context, _param: click.Parameter, text: str | None) -> tuple[int, int]:
    """Read I/N, the I-th of N parts of the inputs."""
    if text is None:
        return 0, 1
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise click.UsageError(f"--shard takes I/N with I from 1 to N, such as 3/10, not {text!r}")
    return int(number) - 1, int(of)


def inputs(suffixes: Sequence[str], metavar: str) -> Decorator:
    """Add to a command the arguments and options that name its inputs; it takes `inputs`."""
    return bundled(
        "inputs",
        partial(_gathered, suffixes, metavar),
        files=click.argument("files", nargs=-1, metavar=f"{metavar}...", shell_complete=any_file),
        recursive=click.option("-r", "--recursive", is_flag=True, help="Also files in folders."),
        listed=click.option(
            "--files-from",
            "listed",
            metavar="LIST",
            help="Also the files that LIST names, one a line; - for standard input.",
            shell_complete=any_file,
        ),
        null=click.option("--null", is_flag=True, help="NUL ends each path of the list."),
        shard=click.option(
            "--shard",
            callback=shard_of,
            metavar="I/N",
            help="Only the I-th of N parts of the inputs, chosen by name.",
        ),
    )


def some(argument: str, suffixes: Sequence[str], metavar: str) -> Decorator:
    """Add the argument and the option that name inputs of a command that works on all at once.

    It takes their paths.
    """
    return bundled(
        argument,
        partial(_some, suffixes),
        files=click.argument(
            "files", nargs=-1, required=True, metavar=f"{metavar}...", shell_complete=any_file
        ),
        recursive=click.option("-r", "--recursive", is_flag=True, help="Also files in folders."),
    )


def _some(suffixes: Sequence[str], *, files: Sequence[str], recursive: bool) -> tuple[str, ...]:
    if "" in files:
        raise InvalidInput("the path is empty")
    found = Gathering(suffixes, recursive).everything(files, None)
    for one in found:
        if one.error:
            raise InvalidInput(f"{one.path} {one.error}")
    return tuple(one.path for one in found)


def _gathered(
    suffixes: Sequence[str],
    metavar: str,
    *,
    files: Sequence[str],
    listed: str | None,
    **how: Any,
) -> Found:
    if how["null"] and listed is None:
        raise click.UsageError("--null is of --files-from")
    if not files and listed is None:
        raise click.UsageError(
            f"Missing argument '{metavar}...', or --files-from; - is standard input"
        )
    gathering = Gathering(suffixes, **how)
    found = gathering.everything(files, listed)
    mine = gathering.mine(found)
    if not mine and not click.get_current_context().params.get("quiet"):
        verb = "is" if len(found) == 1 else "are"
        some = f"0 of {render.count(len(found), 'input')} {verb} in this shard"
        render.tell(some if found else f"--files-from {listed} names no file")
    return mine
