"""`featcodec eval`."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import failures, gather, render, targets

if TYPE_CHECKING:
    from ..evaluate.codecs import Codec
    from ..evaluate.judged import Head

PACKAGES = ("matplotlib", "bjontegaard")
PAGE = "report.html"
DEFAULT_CODECS = ("featcodec", "step+zstd", "int8")
DEFAULT_SNRS = "5,10,20,30"
EVERY = 10.0  # seconds between lines of progress, where there is no terminal


def decibels(_ctx: click.Context, _param: click.Parameter, value: str) -> list[float]:
    """Read a list of SNRs, each positive."""
    try:
        snrs = [float(text) for text in value.split(",")]
    except ValueError:
        snrs = []
    if not snrs or not all(0 < snr < float("inf") for snr in snrs):
        raise click.BadParameter(f"{value!r} is not a list of positive numbers such as 5,10,20")
    return sorted(set(snrs))


@click.command()
@gather.some("dumps", targets.DUMP_SUFFIXES, "DUMP")
@click.option(
    "--codec",
    "specifications",
    multiple=True,
    default=DEFAULT_CODECS,
    show_default=True,
    metavar="SPEC",
    help="Codec to measure, see above; give it as often as there are codecs.",
)
@click.option(
    "--snr",
    "snrs",
    default=DEFAULT_SNRS,
    show_default=True,
    callback=decibels,
    metavar="DB,...",
    help="Signal to noise ratios to measure at.",
)
@click.option("--task", metavar="MODULE:FUNCTION", help="Scores decoded dumps, see above.")
@click.option("--head", metavar="MODULE:FUNCTION", help="Rest of the network, see above.")
@click.option(
    "--outputs",
    type=click.Choice(["classes", "embedding"]),
    default="classes",
    show_default=True,
    help="What --head returns.",
)
@click.option("--anchor", metavar="NAME", help="Codec of the deltas (default: the first).")
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder for the results.")
@click.option("--no-progress", is_flag=True, help="No progress, not even on a terminal.")
@failures.verbose_option
def command(
    dumps: tuple[str, ...],
    specifications: tuple[str, ...],
    snrs: list[float],
    task: str | None,
    head: str | None,
    outputs: str,
    anchor: str | None,
    output: str,
    no_progress: bool,
    verbose: bool,
) -> int:
    """Measure rate, distortion, accuracy and speed of codecs on dumps.

    Writes results.csv, results.json, plots and report.html to DIR. A measurement that is done is
    kept in DIR/results.jsonl: the same command goes on where it stopped, and one with more dumps,
    codecs or SNRs measures only what is new.

    \b
    SPEC is one of
      featcodec[:profile=FILE,embed=yes,transform=NAME,quality=task-snr]
      fp16  bf16  int8  fp16+zstd                       one rate each
      step+zstd  step+pcodec  step+jxl                  uniform step, then lossless
      deadzone+zstd  deadzone+jxl                       the same with a dead zone
      sz3  sz3-nopred  zfp                              absolute bound on the error
      av1  hevc                                         intra pictures of tiles, by ffmpeg
      MODULE:CLASS[:OPTION=VALUE,...]                   your own, see `featcodec guide evaluation`
    with name=LABEL for tables and plots, as in featcodec:profile=p.fcp,name=trained. Those with
    zstd take level=1 to 22 (19), pcodec level=0 to 12 (8), jxl effort=1 to 9 (7). A profile lies
    beside the files and does not count; with embed=yes it lies in each file, and counts.

    A task is a function of a dump's name without its suffix and of the dictionary of its decoded
    tensors (torch); it returns a number, or None where it has no task. Its module may lie in the
    current directory. For each codec the least rate is shown from which on it loses at most 0.01.

    A head is a function of a dump's name and of a torch tensor of features, as for train. Its
    outputs for decoded features diverge from those for the dump: by the KL divergence in nats of
    logits of classes [N, K], by 1 - cosine of embeddings. A few hundred samples tell codecs apart
    by that, hardly by an accuracy. With quality=task-snr, --snr holds task SNRs of a profile.
    """
    from ..evaluate.codecs import parse
    from ..evaluate.packages import load
    from ..evaluate.run import Evaluation, check

    if outputs == "embedding" and head is None:
        raise click.UsageError("--outputs is of --head")
    for package in PACKAGES:
        load(package, "eval", "eval")
    with failures.usage():
        codecs = [parse(text) for text in specifications]
        judges = judged_by(task, head, outputs)
        check(paths := [Path(dump) for dump in dumps], codecs, Path(output))
    anchor = anchored(anchor, [codec.label for codec in codecs])
    evaluation = Evaluation(paths, codecs, snrs, Path(output), *judges)
    points = len(dumps) * sum(1 for _ in evaluation.points())
    with progress(points, no_progress) as advance:
        measurements = evaluation.measure(advance)
    deltas = evaluation.write(measurements, anchor)
    report(measurements, deltas, codecs, None if no_progress else Path(output, PAGE))
    return 1 if evaluation.unexpected else 0


def anchored(anchor: str | None, labels: list[str]) -> str:
    """Return the name of the codec that deltas are taken to."""
    anchor = anchor or labels[0]
    if anchor not in labels:
        raise click.UsageError(f"--anchor {anchor}: the codecs are called {', '.join(labels)}")
    return anchor


def judged_by(task: str | None, head: str | None, outputs: str) -> "tuple[Any, Head | None]":
    """Return a task by its name and function, and a head; None for what is not asked for."""
    from ..evaluate.judged import Head, load_task
    from ..functions import named_function

    scorer = (task, load_task(task)) if task else None
    return scorer, Head(head, named_function(head, "--head"), outputs) if head else None


@contextlib.contextmanager
def progress(points: int, hidden: bool) -> Iterator[Callable[[str], None]]:
    """Yield what is called with the name of each point that is done.

    A terminal shows a bar, anything else a line at times.
    """
    if hidden or sys.stderr is None:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        yield Lines(points)
        return
    shown = click.progressbar(
        length=points, file=sys.stderr, item_show_func=lambda text: text or ""
    )
    with shown as bar:
        yield lambda text: bar.update(1, text)


class Lines:
    """Says which of several points is measured, not more often than every few seconds."""

    def __init__(self, points: int) -> None:
        self.points, self.number = points, 0
        self._start = self._said = time.monotonic()

    def __call__(self, text: str) -> None:
        self.number += 1
        now = time.monotonic()
        if now - self._said >= EVERY:
            self._said = now
            spent = render.duration(now - self._start)
            render.tell(f"{self.number:,} of {self.points:,} after {spent}: {text}")


def report(measurements: list, deltas: list, codecs: "Sequence[Codec]", page: Path | None) -> None:
    """Print the tables, the page of all results where it is to be named, and what failed."""
    from ..evaluate import tables
    from ..evaluate.equal_divergence import equal_divergence
    from ..evaluate.sufficient import sufficient

    found = [
        (tables.measured(measurements), 2),
        (tables.compared(deltas), 3),
        (tables.enough(sufficient(measurements)), 2),
        (tables.equal(equal_divergence(measurements)), 2),
    ]
    lines: list[str] = []
    for rows, names in found:
        rows = tables.filled(rows)
        if len(rows) > 1 and len(rows[0]) > names:  # there is a number
            lines += ["", *render.table(rows, set(range(names, len(rows[0]))))]
    render.show(*lines[1:])
    if page:
        render.tell(f"{page}: tables and plots; results.csv and results.json beside it")
    for codec in codecs:
        if codec.beside:
            render.tell(f"{codec.label}: {codec.beside}")
    for line in tables.failures(measurements):
        render.complain(line)
