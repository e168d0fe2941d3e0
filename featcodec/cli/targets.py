"""Where the outputs of a batch go, and what must not be one."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from ..errors import InvalidInput
from ..formats import DUMP_SUFFIXES as DUMP_SUFFIXES
from ..outputs import descriptor, identity, names_folder, within
from ..outputs import refuse_foreign_name as refuse_name
from ..stores import is_uri
from .bundle import bundled
from .complete import any_file, any_folder
from .gather import Input
from .streams import STREAM

SUFFIX = ".fcz"
DUMP_SUFFIX = ".safetensors"
Named = tuple[str, str]  # what a file is, and its path


@dataclass(frozen=True, slots=True)
class Planned:
    """An input and its output."""

    source: str
    target: str
    error: str = ""  # why nothing can come of it


@dataclass(frozen=True)
class Where:
    """Where outputs are to go."""

    output: str | None
    folder: str | None
    force: bool
    dry_run: bool


options = bundled(
    "where",
    Where,
    output=click.option(
        "-o",
        "--output",
        metavar="OUT",
        help="Output file; - for standard output.",
        shell_complete=any_file,
    ),
    folder=click.option(
        "--output-dir",
        "folder",
        metavar="DIR",
        help="Folder for the outputs, and for the tree of what is found or listed.",
        shell_complete=any_folder,
    ),
    force=click.option(
        "-f", "--force", is_flag=True, help="Overwrite outputs; write to a terminal."
    ),
    dry_run=click.option(
        "--dry-run", is_flag=True, help="Only say what would be done, and estimate size and time."
    ),
)


def outputs(
    inputs: Sequence[Input],
    where: Where,
    rename: Callable[[str], str],
    written_as: tuple[str, ...] = (),
    read: Sequence[Named] = (),
    written: Sequence[Named] = (),
) -> list[Planned]:
    """Return the output of each input, or raise a usage error.

    `written_as` are suffixes of outputs: one named like an input, as for cp, is none.
    `read` and `written` are further files, none of which may be an output.
    """
    where = _resolved(where, [one.path for one in inputs])
    _refuse_output(inputs, written_as)
    planned = [_plan(one, where, rename, len(inputs) == 1) for one in inputs]
    planned = _without_twins(planned)
    sources = [("input", one.source) for one in planned]
    targets = [("output", one.target) for one in planned if not one.error]
    refuse_clashes([*sources, *read], [*targets, *written])
    return planned


def _refuse_output(inputs: Sequence[Input], written_as: tuple[str, ...]) -> None:
    """Raise a usage error where the last of several inputs is meant to be the output."""
    last = inputs[-1].path if len(inputs) > 1 else ""
    if last.endswith(written_as) and not is_uri(last) and not Path(last).exists():
        raise click.UsageError(f"{last}: no such file; an output is named with -o {last}")


def _resolved(where: Where, inputs: Sequence[str]) -> Where:
    """Return the same with `output` as standard output where that is meant."""
    output, folder = where.output, where.folder
    for option, path in (("-o", output), ("--output-dir", folder)):
        if path == "":
            raise click.UsageError(f"{option}: the path is empty")
    if output is not None and folder is not None:
        raise click.UsageError("use -o or --output-dir, not both")
    if output not in (None, STREAM) and not is_uri(output) and names_folder(output):
        raise InvalidInput(f"-o {output} is a directory; use --output-dir {output}")
    if output is not None and len(inputs) > 1:
        raise click.UsageError("-o takes one input; use --output-dir for several")
    if folder is not None and not is_uri(folder) and Path(folder).is_file():
        raise click.UsageError(f"--output-dir {folder} is a file; name a folder")
    if inputs.count(STREAM) > 1:
        raise click.UsageError("standard input can be read once only")
    if output is None and folder is None and STREAM in inputs:
        output = STREAM
        if len(inputs) > 1:
            raise click.UsageError("standard input goes with no other input")
    if output is not None and descriptor(output) == 1:
        output = STREAM
    if output == STREAM and sys.stdout is not None and sys.stdout.isatty() and not where.force:
        raise click.UsageError("refusing to write binary data to a terminal; use -o or redirect")
    if STREAM in inputs and sys.stdin is not None and sys.stdin.isatty():
        raise click.UsageError("refusing to read binary data from a terminal; name a file")
    return replace(where, output=output)


def _plan(one: Input, where: Where, rename: Callable[[str], str], alone: bool) -> Planned:
    if one.error or where.output is not None:
        return Planned(one.path, where.output or "", one.error)
    try:
        target = rename(one.path if where.folder is None else one.place)
    except click.UsageError as error:
        if alone:
            raise
        return Planned(one.path, "", error.format_message().removeprefix(f"{one.path} "))
    return Planned(one.path, target if where.folder is None else within(where.folder, target))


def _without_twins(planned: Sequence[Planned]) -> list[Planned]:
    """Return the same with an error for each input whose output is that of another, too.

    Raises a usage error for an input that is named twice, and where nothing would be left to do.
    """
    of: dict[str, list[Planned]] = {}
    for one in planned:
        of.setdefault(one.target, []).append(one)
    found = [one if one.error else _alone(one, of[one.target]) for one in planned]
    clashing = [one for one, before in zip(found, planned, strict=True) if one is not before]
    if clashing and all(one.error for one in found):
        raise click.UsageError(f"{clashing[0].source} {clashing[0].error}")
    return found


def _alone(one: Planned, of_target: Sequence[Planned]) -> Planned:
    """Return an input, with an error unless it is the only one of its output."""
    other = next((each for each in of_target if each is not one and not each.error), None)
    if other is None:
        return one
    if identity(other.source) == identity(one.source):
        raise click.UsageError(
            f"{one.source} is named twice: its output {one.target} is the same file as before"
        )
    return replace(
        one,
        error=f"and {other.source} would both become {one.target}: give them folders or names of"
        " their own, or list them for --files-from, below whose outputs folders stay",
    )


def refuse_clashes(read: Sequence[Named], written: Sequence[Named]) -> None:
    """Raise a usage error when a file that is written is one that is read, or written twice."""
    streams = {"input": "/dev/stdin", "output": "/dev/stdout"}
    known: dict[object, Named] = {}
    for number, (what, path) in enumerate([*read, *written]):
        same = identity(streams.get(what, path) if path == STREAM else path)
        if number >= len(read) and same in known:
            other, name = known[same]
            raise click.UsageError(f"{what} {path} is the same file as {other} {name}")
        if same is not None:
            known[same] = (what, path)


def refuse_foreign_name(path: str | None, what: str, suffix: str) -> None:
    """Raise a usage error for an output that is no dump, and called like one."""
    try:
        refuse_name(path or "", what, suffix)
    except InvalidInput as error:
        raise click.UsageError(f"-o {error}") from None


@contextlib.contextmanager
def folders(planned: Sequence[Planned], where: Where) -> Iterator[None]:
    """Make the folder that outputs are to go to, and those below it that they lie in.

    Those that no output came to are removed again.
    """
    wanted = [Path(one.target).parent for one in planned if not one.error]
    if where.folder is None or is_uri(where.folder) or not wanted:
        yield
        return
    every = {above for one in (*wanted, Path(where.folder)) for above in (one, *one.parents)}
    made = [one for one in every if not one.exists()]
    try:
        Path(where.folder).mkdir(parents=True, exist_ok=True)
        for folder in set(wanted):
            with contextlib.suppress(OSError):  # its outputs say so, each by itself
                folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for folder in sorted(made, key=lambda one: len(one.parts), reverse=True):
            with contextlib.suppress(OSError):  # which is not empty
                folder.rmdir()
