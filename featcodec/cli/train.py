"""`featcodec train`."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..profiles import SUFFIX
from . import failures, gather, render, targets, train_task
from .asked import layouts

if TYPE_CHECKING:
    from ..coding.profile import Profile
    from ..dumps import Dump


@click.command()
@gather.some("dumps", targets.DUMP_SUFFIXES, "DUMP")
@click.option("-o", "--output", required=True, metavar="PROFILE", help="Profile to write.")
@click.option(
    "--transform", type=click.Choice(["linear", "neural"]), default="linear", show_default=True
)
@click.option(
    "--layout", multiple=True, callback=layouts, metavar="[NAME=]LAYOUT", help="As for encode."
)
@train_task.options
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
    asked_of: train_task.Asked,
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
    encode takes --task-snr with it; a network learns to err where they do not. A head is a
    function of a dump's name without its suffix and of a torch tensor of features: it returns the
    outputs of the rest of the network, logits of classes [N, K], or embeddings [N, K] ([K] of a
    tensor without a sample axis). With --metric what counts is given outright: under the name of
    a tensor, or as the only one, weights [C] of the squared errors of channels, or a symmetric
    matrix [C, C].

    With --keep the profile recommends the least task SNR at which --task loses no more, found on
    samples held out in turn; encode without a quality takes it. Without --task no labels are
    needed: LOSS is of the accuracy, or of the cosine, that outputs of --head let expect.
    """
    from ..coding.profile import Profile
    from ..outputs import complete
    from ..request import Options
    from . import train_network

    asked, options = train_network.Asked(start, steps, seed, device), Options(layouts=layout)
    if transform == "linear":
        replace(asked, seed=None if asked_of.drawn else seed).refuse()
    asked_of = replace(asked_of, seed=seed or 0)
    asked_of.check(transform, len(dumps))
    render.tell(*asked_of.doubts() * (not quiet))
    read = [*(("input", path) for path in dumps), *([("--from", start)] if start else [])]
    read += asked_of.read
    targets.refuse_clashes(read, [("output", output), ("checkpoint", checkpoint_of(output))])
    targets.refuse_foreign_name(output, "a profile", SUFFIX)
    with complete(output, force) as out:
        if transform == "neural":
            checkpoint = Path(checkpoint_of(output))
            with asked_of.gradients_of(dumps, quiet) as task:
                sources = opened(dumps)
                data = train_network.train(sources, options, asked, checkpoint, quiet, task)
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
        channels = render.count(entry.channels, "channel")
        render.tell(f"  {entry.name}{part}: {channels}, {entry.layout}{tuned}")


def opened(paths: Iterable[str]) -> "Iterator[Dump]":
    """Yield dumps one after the other, each open while it is looked at."""
    from ..dumps import Dump

    for path in paths:
        with Dump(path) as dump:
            yield dump
            dump.check()


def checkpoint_of(output: str) -> str:
    return f"{output}.checkpoint"
