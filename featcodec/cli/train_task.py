"""The part of `featcodec train` that tunes a profile to a task."""

import contextlib
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..container.model import ProfileEntry
    from ..request import Options
    from ..training.metric import TaskGradients


@dataclass(frozen=True)
class Asked:
    """The options of a task."""

    gradients: str | None
    head: str | None
    outputs: str
    draws: int
    seed: int
    score: str | None = None
    keep: float | None = None

    def check(self, transform: str, dumps: int) -> None:
        """Raise UsageError for options that do not go together."""
        if self.gradients and self.head:
            raise click.UsageError("choose one of --gradients and --head")
        if (self.gradients or self.head) and transform != "linear":
            raise click.UsageError("--gradients and --head are for --transform linear")
        if self.gradients and dumps > 1 and not Path(self.gradients).is_dir():
            raise click.UsageError(
                f"--gradients {self.gradients} is no folder; for several dumps give a folder that"
                " holds gradients under their names"
            )
        if self.keep is None:
            if self.score:
                raise click.UsageError(
                    "--task needs --keep, the loss that is allowed, such as 0.01"
                )
            return
        if not 0 < self.keep < math.inf:
            raise click.UsageError(f"--keep must be a positive number, not {self.keep:g}")
        if not (self.gradients or self.head):
            raise click.UsageError("--keep recommends a task SNR: add --head or --gradients")
        if not (self.score or self.head):
            raise click.UsageError("--keep needs --task, which scores features, or --head")

    def train(self, dumps: Sequence[str], options: "Options", quiet: bool) -> "list[ProfileEntry]":
        """Return the entries of a linear profile of dumps, with a metric when one is asked for."""
        from ..training.linear import train
        from .train import opened

        with self._gradients_of(dumps, quiet) as task:
            entries = train(opened(dumps), options, task)
        if self.keep is None:
            return entries
        assert task is not None
        return self._recommending(dumps, options, quiet, task, entries)

    def _recommending(
        self,
        dumps: Sequence[str],
        options: "Options",
        quiet: bool,
        task: "TaskGradients",
        entries: "list[ProfileEntry]",
    ) -> "list[ProfileEntry]":
        from ..dumps import Dump
        from ..functions import named_function
        from ..training.judges import ByHead, ByScore
        from ..training.recommend import Recommendation
        from . import render

        judge: ByHead | ByScore
        if self.score:
            judge = ByScore(self.score, named_function(self.score, "--task"))
        else:
            assert self.head is not None
            judge = ByHead(self.head, named_function(self.head, "--head"), self.outputs)
        tell = (lambda _: None) if quiet else (lambda line: render.tell(f"  {line}"))
        with contextlib.ExitStack() as stack:
            sources = [stack.enter_context(Dump(path)) for path in dumps]
            search = Recommendation(judge, float(self.keep or 0), options, tell)
            return search.of(sources, task, entries)

    @contextmanager
    def _gradients_of(self, dumps: Sequence[str], quiet: bool) -> "Iterator[TaskGradients | None]":
        """Provide the gradients for dumps of features, None when no task is asked for."""
        if not (self.gradients or self.head):
            yield None
            return
        from ..training.metric import TaskGradients

        needed = self.keep is not None
        if self.gradients:
            name = self._named(Path(self.gradients).name)
            yield TaskGradients(name, self._read, needed=needed)
            return
        assert self.head is not None
        with _progress(dumps, quiet) as advance:
            name, of = self._named(self.head), self._by_head(advance)
            yield TaskGradients(name, of, made=True, needed=needed)

    def _named(self, name: str) -> str:
        """Return what is known of a task: by whom it is named, and what is kept of it."""
        if self.keep is None:
            return name
        kept = f"{self.keep:g} of {self.score} lost" if self.score else f"{self.keep:g} lost"
        return f"{name}, at most {kept}"

    def _read(self, source: Any, _groups: Any) -> tuple[str, Any]:
        """Return name and dump of the gradients of a dump of features."""
        from ..dumps import Dump

        path = Path(self.gradients or "")
        if path.is_dir():
            path = path / Path(source.path).name
        return str(path), Dump(path)

    def _by_head(self, advance: Any) -> Any:
        from ..functions import named_function

        function = named_function(self.head or "", "--head")
        from ..training.head import HeadGradients

        return HeadGradients(function, self.outputs, self.draws, self.seed, advance)


@contextmanager
def _progress(dumps: Sequence[str], quiet: bool) -> Iterator[Any]:
    """Show how far the head has come, on a terminal."""
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if quiet or not terminal:
        yield None
        return
    length = sum(Path(path).stat().st_size // 2 for path in dumps)
    with click.progressbar(length=length, label="gradients", file=sys.stderr) as bar:
        yield bar.update
