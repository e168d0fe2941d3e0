"""`featcodec train`."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import batch, failures, render

if TYPE_CHECKING:
    from ..dumps import Dump

TELL_EVERY = 100  # steps


@click.command()
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option("-o", "--output", required=True, metavar="PROFILE", help="Profile to write.")
@click.option(
    "--transform", type=click.Choice(["linear", "neural"]), default="linear", show_default=True
)
@click.option("--layout", multiple=True, metavar="[NAME=]LAYOUT", help="As for encode.")
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
    layout: tuple[str, ...],
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
    from .encode import named

    asked = {"from": start, "steps": steps, "seed": seed, "device": device}
    options = Options(
        layouts=named(click.get_current_context(), click.Option(["--layout"]), layout)
    )
    if transform == "linear":
        for name, value in asked.items():
            if value is not None:
                raise click.UsageError(f"--{name} is for --transform neural")
    read = [*(("input", path) for path in dumps), *([("--from", start)] if start else [])]
    batch.refuse_clashes(read, [("output", output), ("checkpoint", checkpoint_of(output))])
    with complete(output, force) as out:
        sources = opened(dumps)
        if transform == "neural":
            data = network(sources, options, output, start, steps, seed, device, quiet)
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


def network(
    sources: Any,
    options: Any,
    output: str,
    start: str | None,
    steps: int | None,
    seed: int | None,
    device: str | None,
    quiet: bool,
) -> bytes:
    """Train a network, tell of it, and return the bytes of its profile."""
    from ..coding.profile import Profile
    from ..errors import InvalidInput

    os.environ.pop("OMP_NUM_THREADS", None)  # one process, and hours of work: take all cores
    try:
        import torch

        from ..training.network.loop import Plan
        from ..training.network.train import train_network
    except ImportError as error:
        raise InvalidInput(
            f"training a network needs {error.name}: pip install 'featcodec[train]'"
        ) from None
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InvalidInput(f"--device {device}: {str(error).splitlines()[0]}") from None
    torch.set_num_threads(os.cpu_count() or 1)
    usual = Plan()
    plan = replace(usual, steps=steps or usual.steps, seed=seed or usual.seed, device=device)
    checkpoint = Path(checkpoint_of(output))

    def tell(now: Any) -> None:
        if not quiet and (now.step % TELL_EVERY == 0 or now.step == plan.steps):
            end = "\r" if sys.stderr.isatty() and now.step < plan.steps else "\n"
            click.echo(
                f"  step {now.step:,} of {plan.steps:,}: {now.bits:.3f} bits a value,"
                f" error {now.error:.4f}{end}",
                err=True,
                nl=False,
            )

    found = train_network(
        sources,
        options,
        plan,
        checkpoint,
        Path(output).stem,
        Profile.load(start) if start else None,
        tell,
    )
    checkpoint.unlink(missing_ok=True)
    return Profile.pack([], found)
