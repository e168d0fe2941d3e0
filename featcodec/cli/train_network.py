"""The half of `featcodec train` that trains a network, which needs torch."""

import os
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import render

if TYPE_CHECKING:
    from ..training.network.loop import Plan

TELL_EVERY, FIRST_AFTER = 10.0, 2.0  # seconds
WIDTH = 79  # of what is written over on a terminal


@dataclass(frozen=True)
class Asked:
    """The options of a network; None where the usual value is to be taken."""

    start: str | None
    steps: int | None
    seed: int | None
    device: str | None

    def refuse(self) -> None:
        """Raise UsageError when one is given, as none is for a linear profile."""
        for name, value in asdict(self).items():
            if value is not None:
                option = "from" if name == "start" else name
                raise click.UsageError(f"--{option} is for --transform neural")


def train(
    sources: Any, options: Any, asked: Asked, checkpoint: Path, quiet: bool, task: Any = None
) -> bytes:
    """Train a network, tell of it, and return the bytes of its profile.

    `task` are the gradients that weigh its errors, if any do.
    """
    from ..coding.profile import Profile
    from ..errors import InvalidInput

    if not quiet:  # torch and the dumps take their time
        render.tell("training a network: loading torch, reading the dumps")
    os.environ.pop("OMP_NUM_THREADS", None)  # one process, and hours of work: take all cores
    try:
        import torch

        from ..training.network.loop import Plan
        from ..training.network.train import train_network
    except ImportError as error:
        raise InvalidInput(
            f"training a network needs {error.name}: pip install 'featcodec[train]'"
        ) from None
    device = asked.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InvalidInput(f"--device {device}: {str(error).splitlines()[0]}") from None
    torch.set_num_threads(cores())
    usual = Plan()
    steps, seed = asked.steps or usual.steps, asked.seed or usual.seed
    plan = replace(usual, steps=steps, seed=seed, device=device)
    start = Profile.load(asked.start) if asked.start else None
    tell = (lambda _: None) if quiet else teller(plan, checkpoint)
    found = train_network(sources, options, plan, checkpoint, start, tell, task=task)
    checkpoint.unlink(missing_ok=True)
    return Profile.pack([], found)


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def teller(plan: "Plan", checkpoint: Path) -> Any:
    """Return what says, now and then, how far the training is and how long the rest takes."""
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    start: tuple[int, float] | None = None
    said = 0.0

    def tell(now: Any) -> None:
        nonlocal start, said
        here, last = time.monotonic(), now.step == plan.steps
        if start is None:  # the first step takes longer than others
            start, said = (now.step, here), here - TELL_EVERY + FIRST_AFTER
            done = now.step - 1
            how = f"resumed after step {done:,} of " * bool(done) + f"{plan.steps:,} steps"
            render.tell(f"  {how} on {plan.device}; {checkpoint} keeps what is done")
        elif last or here - said >= TELL_EVERY:
            said = here
            line = f"  step {now.step:,} of {plan.steps:,}: {now.bits:.3f} bits a value,"
            line += f" error {now.error:.4f}"
            if not last:
                left = (plan.steps - now.step) * (here - start[1]) / (now.step - start[0])
                line += f", about {render.duration(left)} left"
            end = "\r" if on_terminal and not last else "\n"
            click.echo(line.ljust(WIDTH * on_terminal) + end, err=True, nl=False)

    return tell
