"""`featcodec suggest`: the quality to ask for, and what it goes by."""

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from . import batch, failures, gather, render, targets, train_task
from .asked import layouts
from .progress import terminal
from .suggest_measured import by_measurements, marked

if TYPE_CHECKING:
    from ..request import Options


@click.command()
@gather.some("dumps", targets.DUMP_SUFFIXES, "DUMP")
@click.option("--task", "score", metavar="MODULE:FUNCTION", help="Scores a dump, as for eval.")
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="MODULE:FUNCTION",
    help="Rest of the network, as for train; needs no labels.",
)
@click.option(
    "--outputs",
    multiple=True,
    type=click.Choice(["classes", "embedding"]),
    default=["classes"],
    show_default=True,
    help="What --head returns.",
)
@click.option(
    "--keep",
    type=float,
    default=0.01,
    show_default=True,
    metavar="LOSS",
    help="How much of the score may be lost.",
)
@click.option(
    "--layout", multiple=True, callback=layouts, metavar="[NAME=]LAYOUT", help="As for encode."
)
@click.option(
    "-j",
    "--jobs",
    type=int,
    default=0,
    metavar="N",
    help="Processes that encode without --task and --head (one a core).",
)
@click.option("-q", "--quiet", is_flag=True, help="Print the quality alone, without the table.")
@failures.verbose_option
def command(
    dumps: tuple[str, ...],
    score: str | None,
    heads: tuple[str, ...],
    outputs: tuple[str, ...],
    keep: float,
    layout: dict[str, str],
    jobs: int,
    quiet: bool,
    verbose: bool,
) -> int:
    """Print the quality to encode dumps with, as encode takes it.

    With --task or --head it is the least SNR at which no more than LOSS of the score is lost on
    these dumps, found by encoding them. Chance is allowed for: with few samples the SNR is higher.
    Without either it is the least SNR at which all tasks kept up that we measured, on other
    networks: a beginning, and no promise.

    The table behind it goes to standard error, so that this works:

    \b
      featcodec encode DUMP $(featcodec suggest DUMP)
    """
    from ..request import Options

    if score and heads:
        raise click.UsageError("choose one of --task and --head")
    if "embedding" in outputs and not heads:
        raise click.UsageError("--outputs is of --head")
    asked = train_task.Asked(None, None, heads, outputs, 1, score, keep)
    asked.check_judge()
    render.tell(*asked.doubts() * (not quiet))
    options = Options(layouts=layout)
    if score or heads:
        snr, lines = by_task(dumps, asked, options, quiet)
    else:
        snr, lines = by_measurements(dumps, keep, options, quiet, batch.job_count(jobs))
    if not quiet:
        render.tell(*lines)
    render.show(f"--snr {snr:g}")
    return 0


def by_task(
    dumps: Sequence[str], asked: train_task.Asked, options: "Options", quiet: bool
) -> tuple[float, list[str]]:
    """Return the least SNR that keeps a task, and a table of all that were tried."""
    judge = asked.judge()
    from ..dumps import Dump
    from ..training.suggest import Suggestion, Tried

    def tell(tried: Tried) -> None:
        if terminal(not quiet):
            render.tell(f"  {tried.snr:g} dB: at most {tried.lost:.4f} lost")

    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(Dump(path)) for path in dumps]
        least, tries = Suggestion(judge, float(asked.keep or 0), options, tell).of(sources)
    rows = [["SNR", "bits a value", "times smaller", "lost at most"]]
    rows += [
        [f"{one.snr:g} dB", f"{one.bpfp:.3f}", f"{one.smaller:.1f}", f"{one.lost:.4f}"]
        for one in tries
    ]
    said = f"{judge.task} loses at most {asked.keep:g} from {least:g} dB on."
    return least, [*marked(rows, f"{least:g} dB"), said]
