"""The part of `featcodec train` that tunes a profile to a task."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..training.metric import TaskGradients


@dataclass(frozen=True)
class Asked:
    """The options of a task."""

    gradients: str | None
    head: str | None
    outputs: str
    draws: int
    seed: int

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

    @contextmanager
    def gradients_of(self, dumps: Sequence[str], quiet: bool) -> "Iterator[TaskGradients | None]":
        """Provide the gradients for dumps of features, None when no task is asked for."""
        if not (self.gradients or self.head):
            yield None
            return
        from ..training.metric import TaskGradients

        if self.gradients:
            yield TaskGradients(Path(self.gradients).name, self._read)
            return
        assert self.head is not None
        with _progress(dumps, quiet) as advance:
            yield TaskGradients(self.head, self._by_head(advance))

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
