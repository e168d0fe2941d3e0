"""Several inputs: where outputs go, and jobs in parallel."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from .. import pool
from ..errors import InvalidInput
from ..outputs import descriptor, identity, within
from ..stores import is_uri
from .failures import attempt
from .streams import STREAM

SUFFIX = ".fcz"
DUMP_SUFFIX = ".safetensors"
DUMP_SUFFIXES = (DUMP_SUFFIX, ".npz", ".npy", ".pt", ".pth", ".ckpt")
Named = tuple[str, str]  # what a file is, and its path


def outputs(
    inputs: Sequence[str],
    output: str | None,
    folder: str | None,
    rename: Callable[[str], str],
    force: bool,
    read: Sequence[Named] = (),
    written: Sequence[Named] = (),
) -> list[str]:
    """Return the output of each input, or raise a usage error.

    `read` and `written` are further files, none of which may be an output.
    """
    if output is not None and folder is not None:
        raise click.UsageError("use -o or --output-dir, not both")
    if output is not None and len(inputs) > 1:
        raise click.UsageError("-o takes one input; use --output-dir for several")
    if inputs.count(STREAM) > 1:
        raise click.UsageError("standard input can be read once only")
    if output is None and folder is None and STREAM in inputs:
        output = STREAM
        if len(inputs) > 1:
            raise click.UsageError("standard input goes with no other input")
    if output is not None and descriptor(output) == 1:
        output = STREAM
    if output == STREAM and sys.stdout is not None and sys.stdout.isatty() and not force:
        raise click.UsageError("refusing to write binary data to a terminal; use -o or redirect")
    if STREAM in inputs and sys.stdin is not None and sys.stdin.isatty():
        raise click.UsageError("refusing to read binary data from a terminal; name a file")
    targets = [output] if output is not None else [rename(path) for path in inputs]
    if folder is not None:
        targets = [within(folder, Path(target).name) for target in targets]
    sources = [("input", path) for path in inputs]
    refuse_clashes([*sources, *read], [*(("output", path) for path in targets), *written])
    if folder is not None and not is_uri(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
    return targets


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


def run(
    work: Callable[[Any], Any], tasks: Sequence[Any], jobs: int, fail_fast: bool
) -> Iterator[tuple[Any, Any]]:
    """Yield (task, result) in the order of the tasks; a result may be an exception.

    After a failure with `fail_fast`, or an interruption, what is not done is dropped.
    """
    one_by_one = ((i, attempt(work, task)) for i, task in enumerate(tasks))
    jobs = min(jobs, len(tasks))
    found = pool.results(partial(attempt, work), tasks, jobs) if jobs > 1 else one_by_one
    done: dict[int, Any] = {}
    for position, task in enumerate(tasks):
        while position not in done:
            number, result = next(found)
            done[number] = result
        result = done.pop(position)
        yield task, result
        if fail_fast and isinstance(result, Exception):
            return


def job_count(jobs: int) -> int:
    if jobs < 0:
        raise InvalidInput("-j takes a number of processes, 0 for one a core")
    return jobs or os.cpu_count() or 1
