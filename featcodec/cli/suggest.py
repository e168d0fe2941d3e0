"""`featcodec suggest`: the quality to ask for, and what it goes by."""

import contextlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..errors import InvalidInput
from . import complete, failures, render, train_task
from .asked import layouts

if TYPE_CHECKING:
    from ..request import Options

DUMPS, BYTES = 4, 4 << 20  # that are encoded where no task is given, and of each of them
NO_FEATURES = "holds no features: whatever the quality is, all of it is kept bit for bit"
HIGHEST = 30.0  # dB that are shown: above, what was lost is chance


@click.command()
@click.argument(
    "dumps", nargs=-1, required=True, metavar="DUMP...", shell_complete=complete.any_file
)
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
@click.option("-q", "--quiet", is_flag=True, help="Print the quality alone, without the table.")
@failures.verbose_option
def command(
    dumps: tuple[str, ...],
    score: str | None,
    heads: tuple[str, ...],
    outputs: tuple[str, ...],
    keep: float,
    layout: dict[str, str],
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
        snr, lines = by_measurements(dumps, keep, options)
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
    from .progress import terminal

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


def by_measurements(
    dumps: Sequence[str], keep: float, options: "Options"
) -> tuple[float, list[str]]:
    """Return the least SNR at which measured tasks kept up, and what the dumps take at each."""
    from ..training import measured

    least = measured.least(keep)
    if least is None:
        raise InvalidInput(f"no SNR kept all measured tasks within {keep:g}; give a --task")
    rows = [["SNR", "bits a value", "times smaller", "tasks kept", "points lost", "at worst"]]
    for one in measured.measured():
        if one.snr > max(HIGHEST, least.snr):
            continue
        bpfp, smaller = sizes(dumps, one.snr, options)
        kept = f"{one.kept(keep)} of {len(one.losses)}"
        lost = (f"{100 * loss:.1f}" for loss in (one.mean, one.worst))
        rows.append([f"{one.snr:g} dB", f"{bpfp:.3f}", f"{smaller:.1f}", kept, *lost])
    tasks = len(least.losses)
    return least.snr, [
        *marked(rows, f"{least.snr:g} dB"),
        f"{least.snr:g} dB is the least SNR at which all of {tasks} tasks lost at most {keep:g}, on"
        " features of other networks.",
        "Their 50 to 600 samples leave a point or two to chance, and yours is none of them:"
        " --task or --head measures it.",
    ]


def sizes(dumps: Sequence[str], snr: float, options: "Options") -> tuple[float, float]:
    """Return bits a value, and times smaller, of the first parts of some dumps."""
    import io

    from ..dumps import Dump
    from ..encoding.dump import encode
    from ..request import Quality
    from .estimate import Head

    size, before, values = 0, 0, 0.0
    for path in dumps[:: -(-len(dumps) // DUMPS)]:
        with Dump(path) as dump:
            head = Head(dump, min(BYTES / max(dump.data_bytes, 1), 1.0))
            report = encode(head, io.BytesIO(), Quality(snr=snr), None, options)
        if math.isinf(report.snr_db):
            raise InvalidInput(f"{path} {NO_FEATURES}")
        size, before = size + report.output_bytes, before + head.data_bytes
        values += 8 * report.output_bytes / report.bpfp if report.bpfp else 0.0
    return 8 * size / values if values else 0.0, before / size


def marked(rows: list[list[str]], chosen: str) -> list[str]:
    """Return a table in which the row of what was chosen is marked."""
    lines = render.table(rows, set(range(len(rows[0]))))
    for number, row in enumerate(rows):
        lines[number] += "  <-" * (row[0] == chosen)
    return lines
