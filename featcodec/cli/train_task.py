"""The part of `featcodec train` that tunes a profile to a task."""

import contextlib
import functools
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import failures

if TYPE_CHECKING:
    from ..container.model import ProfileEntry
    from ..request import Options
    from ..training.head import Head
    from ..training.metric import TaskGradients
    from ..training.recommend import Judge

MOST_LOST = 0.5  # of a score that anybody means to lose


@dataclass(frozen=True)
class Asked:
    """The options of a task."""

    gradients: str | None
    metric: str | None
    heads: Sequence[str]
    outputs: Sequence[str]
    draws: int
    score: str | None
    keep: float | None
    seed: int = 0

    @property
    def drawn(self) -> bool:
        """Whether gradients are drawn by chance."""
        return bool(self.heads or self.metric)

    @property
    def read(self) -> list[tuple[str, str]]:
        """The options that name files to read, and the files."""
        given = {"--gradients": self.gradients, "--metric": self.metric}
        return [(option, path) for option, path in given.items() if path]

    def check(self, transform: str, dumps: int) -> None:
        """Raise UsageError for options that do not go together."""
        ways = {"gradients": self.gradients, "metric": self.metric, "head": self.heads}
        asked = [f"--{name}" for name, value in ways.items() if value]
        if len(asked) > 1:
            raise click.UsageError(f"choose one of {' and '.join(asked)}")
        if self.keep is not None and transform != "linear":
            raise click.UsageError("--keep is for --transform linear")
        self.check_judge()
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
        if not asked:
            raise click.UsageError("--keep recommends a task SNR: add --head or --gradients")
        if not (self.score or self.heads):
            raise click.UsageError("--keep needs --task, which scores features, or --head")

    def check_judge(self) -> None:
        """Raise UsageError for heads and a loss that nothing can be judged by."""
        if len(self.outputs) not in (1, len(self.heads)):
            raise click.UsageError("--outputs is given once, or once for each --head")
        for name in self.heads:
            self._weight(name)
        if self.keep is not None and not 0 < self.keep < math.inf:
            raise click.UsageError(f"--keep must be a positive number, not {self.keep:g}")

    def doubts(self) -> list[str]:
        """Return what is to be said of a loss that is probably the share meant to be kept."""
        keep = self.keep or 0.0
        if keep <= MOST_LOST or (keep > 1 and self.score):  # a score may have any scale
            return []
        meant = f"{1 - keep:g}" if keep < 1 else "0.01"
        return [
            f"--keep is the loss that is allowed, and {keep:g} is most of a score, or all:"
            f" to lose at most {meant}, give --keep {meant}"
        ]

    def train(self, dumps: Sequence[str], options: "Options", quiet: bool) -> "list[ProfileEntry]":
        """Return the entries of a linear profile of dumps, with a metric when one is asked for."""
        from ..training.linear import train
        from . import render
        from .train import opened

        with self.gradients_of(dumps, quiet) as task:
            entries = train(opened(dumps), options, task)
        if task is not None and not quiet:
            for name in task.unpaid:
                render.tell(
                    f"  {name}: a metric of {task.task} saves nothing, all errors count alike"
                )
            if not (task.unpaid or any(entry.task for entry in entries)):
                render.tell(f"  {task.task} does not react to the features: all gradients are zero")
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
        judge = self.judge()  # says so where torch is missing
        from ..dumps import Dump
        from ..training.recommend import Recommendation
        from . import render

        tell = (lambda _: None) if quiet else (lambda line: render.tell(f"  {line}"))
        with contextlib.ExitStack() as stack:
            sources = [stack.enter_context(Dump(path)) for path in dumps]
            search = Recommendation(judge, float(self.keep or 0), options, tell)
            return search.of(sources, task, entries)

    def judge(self) -> "Judge":
        """Return what says what decoded features lose: the score where there is one, else heads."""
        from ..functions import named_score

        if self.score:
            with failures.usage():
                score = named_score(self.score)  # says so where torch is missing
            from ..training.judges import ByScore

            return ByScore(self.score, score)
        loaded = self._loaded()
        from ..training.judges import ByHeads

        return ByHeads(", ".join(self.heads), loaded)

    @contextmanager
    def gradients_of(self, dumps: Sequence[str], quiet: bool) -> "Iterator[TaskGradients | None]":
        """Provide the gradients for dumps of features, None when no task is asked for."""
        if not (self.gradients or self.metric or self.heads):
            yield None
            return
        from ..training.metric import TaskGradients

        needed = self.keep is not None
        if self.gradients:
            name = self._named(Path(self.gradients).name)
            yield TaskGradients(name, self._read, needed=needed)
            return
        if self.metric:
            from ..dumps import Dump
            from ..training.stated import StatedMetric

            stated = StatedMetric(Dump(self.metric), self.metric, self.seed)
            yield TaskGradients(
                self._named(Path(self.metric).name), stated, made=True, needed=needed
            )
            return
        heads = self._loaded()
        from ..training.head import HeadGradients

        with _progress(dumps, quiet) as advance:
            of = HeadGradients(heads, self.draws, self.seed, advance)
            yield TaskGradients(self._named(", ".join(self.heads)), of, made=True, needed=needed)

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

    def _loaded(self) -> "list[Head]":
        """Return the heads with their weights and outputs."""
        from ..functions import named_function

        with failures.usage():
            for text in self.heads:
                named_function(self._weight(text)[0], "--head")  # says so where torch is missing
        from ..training.head import Head

        outputs = self.outputs if len(self.outputs) > 1 else [self.outputs[0]] * len(self.heads)
        found = []
        for text, kind in zip(self.heads, outputs, strict=True):
            name, weight = self._weight(text)
            found.append(Head(named_function(name, "--head"), kind, weight))
        return found

    @staticmethod
    def _weight(text: str) -> tuple[str, float]:
        """Return the name of a head and its weight, of MODULE:FUNCTION[=WEIGHT]."""
        name, _, weight = text.partition("=")
        try:
            found = float(weight or 1)
        except ValueError:
            found = 0.0
        if not 0 < found < math.inf:
            raise click.UsageError(f"--head {text}: the weight must be a positive number")
        return name, found


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a task to a command, which takes them as `asked_of`."""
    names = [each.name for each in fields(Asked) if each.name != "seed"]

    @functools.wraps(command)
    def packed(**given: Any) -> Any:
        asked = Asked(**{name: given.pop(name) for name in names})
        return command(asked_of=asked, **given)

    added = (
        click.option(
            "--gradients",
            metavar="PATH",
            help="Gradients of a task, in one dump or in a folder of dumps of these names.",
        ),
        click.option("--metric", metavar="PATH", help="A dump of weights of channels, see above."),
        click.option(
            "--head",
            "heads",
            multiple=True,
            metavar="MODULE:FUNCTION[=W]",
            help="Makes the gradients, see above; several count by their weights.",
        ),
        click.option(
            "--outputs",
            multiple=True,
            type=click.Choice(["classes", "embedding"]),
            default=["classes"],
            show_default=True,
            help="What --head returns; for each one where they differ.",
        ),
        click.option(
            "--draws",
            type=click.IntRange(1),
            default=4,
            show_default=True,
            metavar="N",
            help="Gradients of --head for each sample.",
        ),
        click.option(
            "--task", "score", metavar="MODULE:FUNCTION", help="With --keep: as for eval."
        ),
        click.option(
            "--keep", type=float, metavar="LOSS", help="linear: recommend a quality, see above."
        ),
    )
    for add in reversed(added):
        packed = add(packed)
    return packed


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
