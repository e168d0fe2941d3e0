"""`featcodec train`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import batch, failures, render
from .encode import named

if TYPE_CHECKING:
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
@click.option("--from", "start", metavar="P", help="neural: go on from the network of a profile.")
@click.option("--steps", type=click.IntRange(1), metavar="N", help="neural: steps (12000).")
@click.option("--seed", type=int, metavar="N", help="neural: of crops, noise and weights (0).")
@click.option("--device", metavar="D", help="neural: cpu, cuda, ... (cuda where there is one).")
@click.option("-f", "--force", is_flag=True, help="Overwrite the profile.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@failures.verbose_option
def command(
    dumps: tuple[str, ...],
    output: str,
    transform: str,
    layout: dict[str, str],
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
    """
    from ..coding.profile import Profile
    from ..outputs import complete
    from ..request import Options
    from . import train_network

    asked = train_network.Asked(start, steps, seed, device)
    options = Options(layouts=layout)
    if transform == "linear":
        asked.refuse()
    read = [*(("input", path) for path in dumps), *([("--from", start)] if start else [])]
    batch.refuse_clashes(read, [("output", output), ("checkpoint", checkpoint_of(output))])
    with complete(output, force) as out:
        sources = opened(dumps)
        if transform == "neural":
            checkpoint = Path(checkpoint_of(output))
            data = train_network.train(sources, options, asked, checkpoint, quiet)
        else:
            from ..training.linear import train

            data = Profile.pack(train(sources, options))
        out.write(data)
    profile = Profile.parse(data)
    if not quiet:
        for entry in profile.entries:
            part = " (prefix tokens)" if entry.prefix else ""
            render.tell(f"  {entry.name}{part}: {entry.channels} channels, {entry.layout}")
        render.tell(f"{output}: {render.size(len(data))}, sha256 {profile.digest.hex()}")
    return 0


def opened(paths: Iterable[str]) -> "Iterator[Dump]":
    """Yield dumps one after the other, each open while it is looked at."""
    from ..dumps import Dump

    for path in paths:
        with Dump(path) as dump:
            yield dump
            dump.check()


def checkpoint_of(output: str) -> str:
    return f"{output}.checkpoint"
