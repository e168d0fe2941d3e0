"""`featcodec train`."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import batch, failures, render
from .encode import named

if TYPE_CHECKING:
    from ..coding.profile import Profile
    from ..dumps import Dump


@click.command()
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option("-o", "--output", required=True, metavar="PROFILE", help="Profile to write.")
@click.option(
    "--transform", type=click.Choice(["linear", "neural"]), default="linear", show_default=True
)
@click.option(
    "--layout", multiple=True, callback=named, metavar="[NAME=]LAYOUT", help="As for encode."
)
@click.option(
    "--gradients",
    metavar="PATH",
    help="linear: gradients of a task, a folder of dumps named as those of features, or one dump.",
)
@click.option("--head", metavar="MODULE:FUNCTION", help="linear: makes the gradients, see above.")
@click.option(
    "--outputs",
    type=click.Choice(["classes", "embedding"]),
    default="classes",
    show_default=True,
    help="What --head returns.",
)
@click.option(
    "--draws",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    metavar="N",
    help="Gradients of --head for each sample.",
)
@click.option("--task", "score", metavar="MODULE:FUNCTION", help="With --keep: as for eval.")
@click.option("--keep", type=float, metavar="LOSS", help="Recommend a quality, see above.")
@click.option("--from", "start", metavar="P", help="neural: go on from the network of a profile.")
@click.option("--steps", type=click.IntRange(1), metavar="N", help="neural: steps (12000).")
@click.option("--seed", type=int, metavar="N", help="Of --head; neural: of all chance (0).")
@click.option("--device", metavar="D", help="neural: cpu, cuda, ... (cuda where there is one).")
@click.option("-f", "--force", is_flag=True, help="Overwrite the profile.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@failures.verbose_option
def command(
    dumps: tuple[str, ...],
    output: str,
    transform: str,
    layout: dict[str, str],
    gradients: str | None,
    head: str | None,
    outputs: str,
    draws: int,
    score: str | None,
    keep: float | None,
    start: str | None,
    steps: int | None,
    seed: int | None,
    device: str | None,
    force: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Fit a profile to the features of dumps.

    A linear profile reads each dump once. A network is trained for an hour or so; the file
    PROFILE.checkpoint keeps what is done, and the same command goes on from there.

    With --gradients or --head the profile learns what the outputs of a network react to, and
    encode takes --task-snr with it. A head is a function of a dump's name without its suffix and
    of a torch tensor of features: it returns the outputs of the rest of the network, logits of
    classes [N, K], or embeddings [N, K] ([K] of a tensor without a sample axis).

    With --keep the profile recommends the least task SNR at which --task loses no more, found on
    samples held out in turn; encode without a quality takes it. Without --task no labels are
    needed: LOSS is of the accuracy, or of the cosine, that outputs of --head let expect.
    """
    from ..coding.profile import Profile
    from ..outputs import complete
    from ..request import Options
    from . import train_network, train_task

    of_head = head is not None and transform == "linear"
    asked, options = train_network.Asked(start, steps, seed, device), Options(layouts=layout)
    if transform == "linear":
        replace(asked, seed=None if of_head else seed).refuse()
    asked_of = train_task.Asked(gradients, head, outputs, draws, seed or 0, score, keep)
    asked_of.check(transform, len(dumps))
    read = [*(("input", path) for path in dumps), *([("--from", start)] if start else [])]
    read += [("--gradients", gradients)] if gradients else []
    batch.refuse_clashes(read, [("output", output), ("checkpoint", checkpoint_of(output))])
    with complete(output, force) as out:
        if transform == "neural":
            checkpoint = Path(checkpoint_of(output))
            data = train_network.train(opened(dumps), options, asked, checkpoint, quiet)
        else:
            data = Profile.pack(asked_of.train(dumps, options, quiet))
        out.write(data)
    profile = Profile.parse(data)
    if not quiet:
        tell(profile)
        render.tell(f"{output}: {render.size(len(data))}, sha256 {profile.digest.hex()}")
    return 0


def tell(profile: "Profile") -> None:
    """Say on standard error what a profile holds."""
    for entry in profile.entries:
        part = " (prefix tokens)" if entry.prefix else ""
        tuned = f", for {entry.task}" if entry.task is not None else ""
        tuned += f", recommended task SNR {entry.recommended:g} dB" if entry.recommended else ""
        render.tell(f"  {entry.name}{part}: {entry.channels} channels, {entry.layout}{tuned}")


def opened(paths: Iterable[str]) -> "Iterator[Dump]":
    """Yield dumps one after the other, each open while it is looked at."""
    from ..dumps import Dump

    for path in paths:
        with Dump(path) as dump:
            yield dump
            dump.check()


def checkpoint_of(output: str) -> str:
    return f"{output}.checkpoint"
