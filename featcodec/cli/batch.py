"""Several inputs: jobs in parallel, what is said of them, and what comes of them together."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click

from .. import pool
from ..errors import InvalidInput
from . import failures, render
from .bundle import Decorator, bundled
from .failures import attempt
from .progress import Progress, terminal
from .targets import Planned

SHOWN = 20  # inputs of which a line each is said; of more with -v


@dataclass(frozen=True)
class Done:
    """What came of an input, in bytes."""

    input_bytes: int
    output_bytes: int | None = None  # None where nothing is written
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skipped:
    """An input that was left alone."""

    why: str


@dataclass
class Batch:
    """Tasks, each with a `source` and a `target`, and how they are to be done.

    A task that goes wrong, whatever the reason, costs its own result.
    """

    verb: str  # of the closing line: encoded
    jobs: int = 1
    quiet: bool = False
    verbose: bool = False
    fail_fast: bool = False
    no_progress: bool = False
    engine: str = "processes"
    ray_address: str | None = None
    told: Callable[[Any, Any], object] = lambda task, result: None  # of each result
    failed: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    skipped: int = 0
    done: int = 0
    read: int = 0  # bytes of the inputs that are done
    written: int | None = None  # and of their outputs

    def within(self, planned: Sequence[Planned]) -> int:
        """Return how many processes share one input: all where it is alone, else they have one."""
        return self.jobs if len(planned) == 1 and self.engine == "processes" else 1

    def run(
        self,
        work: Callable[[Any], Any],
        tasks: Sequence[Any],
        tell: Callable[[Any, Any], list[str]],
        planned: Sequence[Planned] = (),
    ) -> int:
        """Do the tasks, say what came of each with `tell`, and return the exit status.

        A result has `input_bytes` and `output_bytes`, or is Skipped or an exception. Those of
        `planned` of which nothing can come are failures.
        """
        self.remarks = Remarks()
        bad = [one for one in planned if one.error]
        total = len(tasks) + len(bad)
        self.shown = self.verbose or total <= SHOWN
        for one in bad:
            self._fail(one, InvalidInput(f"{one.source} {one.error}"))
            if self.fail_fast:
                return failures.status_of(self.statuses, total)
        shown = not (self.no_progress or self.quiet)
        sizes = [size_of(task.source) for task in tasks]
        progress = Progress(len(tasks), sum(sizes), terminal(shown))
        try:
            spread = None
            if self.engine == "ray":
                from ..ext import ray

                spread = partial(ray.results, address=self.ray_address)
            of_all = run(work, tasks, self.jobs, self.fail_fast, progress, sizes, spread)
            for task, result in of_all:
                self._take(task, result, tell, progress.clear)
        except (KeyboardInterrupt, SystemExit):  # what is done stays
            progress.clear()
            if self.done:
                self._close(total, progress)
            raise
        finally:
            progress.clear()
        self._close(total, progress)
        return failures.status_of(self.statuses, total)

    def _take(
        self,
        task: Any,
        result: Any,
        tell: Callable[[Any, Any], list[str]],
        clear: Callable[[], object],
    ) -> None:
        """Say what came of a task, after `clear` where there is anything to say."""
        if isinstance(result, Exception):
            clear()
            self._fail(task, result)
            return
        if isinstance(result, Skipped):
            self.skipped += 1
            lines = [f"{task.source}: skipped, {result.why}"] * self.shown
        else:
            self._count(result)
            lines = tell(task, result)
            remarks = map(failures.as_typed, getattr(result, "remarks", ()))
            said = [f"{task.source}: {one}" for one in remarks if self.remarks.new(one)]
            lines = [*said, *lines * self.shown]
        if lines and not self.quiet:
            clear()
            render.tell(*lines)
        self.told(task, result)

    def _count(self, result: Any) -> None:
        self.done += 1
        self.read += result.input_bytes
        if result.output_bytes is not None:
            self.written = (self.written or 0) + result.output_bytes

    def _fail(self, task: Any, error: Exception) -> None:
        error = failures.known(error)
        self.statuses.append(failures.say(error, task.source, self.verbose))
        self.failed.append(task.source)
        self.told(task, error)

    def _close(self, total: int, progress: Progress) -> None:
        """Say what came of all together, and which failed."""
        if self.quiet or total < 2 or (self.fail_fast and self.failed):
            return
        parts = [f"{self.done:,} of {total:,} {self.verb}"]
        parts[0] += f": {render.size(self.read)}" * bool(self.done)
        if self.written is not None:
            smaller = self.written < self.read
            times = f"  {render.ratio(self.read, self.written)}" * smaller
            parts[0] += f" -> {render.size(self.written)}{times}"
        of_dumps = max(self.read, self.written or 0) / max(progress.seconds, 1e-6)
        rate = f", {render.size(of_dumps)}/s" if self.done else ""
        parts.append(f"{render.duration(progress.seconds)}{rate}")
        parts += [f"{self.skipped:,} skipped"] * bool(self.skipped)
        parts += [f"{len(self.failed):,} failed"] * bool(self.failed)
        render.tell(*self.remarks.closing(), "; ".join(parts))
        if self.failed and not self.shown:
            render.tell(*(f"failed: {source}" for source in self.failed[:SHOWN]))
            if len(self.failed) > SHOWN:
                render.tell(f"... and {len(self.failed) - SHOWN:,} more")


class Remarks:
    """What is to be said of several inputs, once for those of which it is the same."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def new(self, remark: str) -> bool:
        self._counts[remark] = self._counts.get(remark, 0) + 1
        return self._counts[remark] == 1

    def closing(self) -> Iterator[str]:
        for remark, count in self._counts.items():
            if count > 1:
                yield f"so of {count - 1:,} more: {remark}"


def run(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    jobs: int,
    fail_fast: bool,
    progress: Progress | None = None,
    sizes: Sequence[int] = (),
    spread: Callable[..., Iterator[tuple[int, Any]]] | None = None,
) -> Iterator[tuple[Any, Any]]:
    """Yield (task, result) in the order of the tasks; a result may be an exception.

    `spread` does what `pool.results` does, on other machines. After a failure with `fail_fast`, or
    an interruption, what is not done is dropped.
    """
    progress = progress or Progress(len(tasks), 0, None)
    sizes = sizes or [0] * len(tasks)

    def told(position: int, count: int) -> None:
        progress.advance(position, count, sizes[position])

    def one_by_one() -> Iterator[tuple[int, Any]]:
        for i, task in enumerate(tasks):
            with pool.listening(partial(told, i)):
                result = attempt(work, task)
            yield i, result

    jobs = min(jobs, len(tasks))
    if spread is not None:
        found = spread(partial(attempt, work), tasks)
    elif jobs > 1:
        found = pool.results(partial(attempt, work), tasks, jobs, told=told)
    else:
        found = one_by_one()
    done: dict[int, Any] = {}
    for position, task in enumerate(tasks):
        while position not in done:
            number, result = next(found)
            done[number] = result
            progress.finish(number, sizes[number], isinstance(result, Skipped))
        result = done.pop(position)
        yield task, result
        if fail_fast and isinstance(result, Exception):
            return


def size_of(path: str) -> int:
    """Return how large an input is, 0 where that is not known."""
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0


def job_count(jobs: int) -> int:
    if jobs < 0:
        raise click.UsageError(f"-j takes a number of processes, 0 for one a core, not {jobs}")
    return jobs or os.cpu_count() or 1


def options(verb: str) -> Decorator:
    """Add options to a command, which takes `work_on`; the closing line says what was `verb`."""
    return bundled(
        "work_on",
        lambda jobs, **how: Batch(verb, job_count(jobs), **how),
        jobs=click.option(
            "-j", "--jobs", type=int, default=1, metavar="N", help="Processes; 0: one a core."
        ),
        engine=click.option(
            "--engine",
            type=click.Choice(["processes", "ray"]),
            default="processes",
            show_default=True,
            help="What does several inputs at once; ray: workers of a cluster, in place of -j.",
        ),
        ray_address=click.option(
            "--ray-address", metavar="A", help="Of a cluster; without, this machine is one."
        ),
        fail_fast=click.option("--fail-fast", is_flag=True, help="Stop at the first failure."),
        no_progress=click.option(
            "--no-progress", is_flag=True, help="No progress line, not even on a terminal."
        ),
        quiet=click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
        verbose=click.option(
            "-v",
            "--verbose",
            is_flag=True,
            help="Say more: of each input, and where an internal error comes from.",
        ),
    )
