"""Several inputs: where outputs go, failures counted, jobs in parallel."""

import concurrent.futures
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import FeatcodecError, InvalidInput

STREAM = "-"
TERMINATED = 143
SUFFIX = ".fcz"
DUMP_SUFFIX = ".safetensors"


def outputs(
    inputs: Sequence[str],
    output: str | None,
    folder: str | None,
    rename: Callable[[str], str],
    force: bool,
) -> list[str]:
    """Return the output of each input, or raise a usage error."""
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
    if output == STREAM and sys.stdout is not None and sys.stdout.isatty() and not force:
        raise click.UsageError("refusing to write binary data to a terminal; use -o or redirect")
    if STREAM in inputs and sys.stdin is not None and sys.stdin.isatty():
        raise click.UsageError("refusing to read binary data from a terminal; name a file")
    if output is not None:
        return [output]
    targets = [rename(path) for path in inputs]
    if folder is not None:
        targets = [str(Path(folder) / Path(target).name) for target in targets]
        Path(folder).mkdir(parents=True, exist_ok=True)
    for target in targets:
        if targets.count(target) > 1:
            raise click.UsageError(f"two inputs would be written to {target}")
    return targets


def run(
    work: Callable[[Any], Any], tasks: Sequence[Any], jobs: int, fail_fast: bool
) -> Iterator[tuple[Any, Any]]:
    """Yield (task, result) in the order of the tasks; a result may be an exception.

    After a failure with `fail_fast`, or an interruption, tasks not yet begun are dropped.
    """
    if jobs <= 1 or len(tasks) <= 1:
        for task in tasks:
            result = attempt(work, task)
            yield task, result
            if fail_fast and isinstance(result, Exception):
                return
        return
    context = multiprocessing.get_context("spawn")  # numpy's threads do not survive a fork
    with concurrent.futures.ProcessPoolExecutor(
        min(jobs, len(tasks)), context, initializer=_leave_interrupts
    ) as pool:
        futures = [pool.submit(attempt, work, task) for task in tasks]
        try:
            for task, future in zip(tasks, futures, strict=True):
                result = future.result()
                yield task, result
                if fail_fast and isinstance(result, Exception):
                    return
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Let the main process alone answer Ctrl-C; it stops the others, which clean up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))


def attempt(work: Callable[[Any], Any], task: Any) -> Any:
    """Return what `work` returns, or the error a user can understand that it raised."""
    try:
        return work(task)
    except BrokenPipeError:
        raise  # the reader of standard output has gone: not an error of the input
    except (FeatcodecError, OSError, MemoryError) as error:
        return error


def say(error: Exception, source: str) -> int:
    """Print an error as one line that names the input; return the exit status it stands for."""
    if isinstance(error, FeatcodecError):
        text, status = str(error), error.exit_status
    elif isinstance(error, OSError):
        text, status = f"{error.filename or 'input/output'}: {error.strerror or error}", 1
    else:
        text, status = "out of memory", 1
    where = "" if source in text or source == STREAM else f"{source}: "
    click.echo(f"featcodec: {where}{' '.join(text.split())}", err=True)
    return status


def status_of(failures: Sequence[int], tasks: int) -> int:
    """Return the exit status: that of the one input, or 1 when only some of several failed."""
    if not failures:
        return 0
    if len(failures) == tasks and len(set(failures)) == 1:
        return failures[0]
    return 1


def job_count(jobs: int) -> int:
    if jobs < 0:
        raise InvalidInput("-j takes a number of processes, 0 for one a core")
    return jobs or os.cpu_count() or 1
