"""How many samples and draws a metric needs, and what that of a sibling task costs.

Usage: python tests/benchmarks/samples.py TRAIN EVAL --head MODULE:FUNCTION [--csv FILE]

Profiles are trained on parts of the dump TRAIN and judged on the dump EVAL, of class outputs: rows
are bits at equal KL divergence as parts of those of a plain profile of all samples. The sibling
task tells the first half of the classes apart. --csv FILE adds rows to a file of `data/`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import records
import torch
from fidelity import Clean, curve

from featcodec import Profile
from featcodec.dumps import Dump
from featcodec.evaluate.equal_divergence import rate_at
from featcodec.functions import named_function
from featcodec.numpy import Arrays
from featcodec.request import Options
from featcodec.tensors import Source
from featcodec.training.head import Head, HeadGradients
from featcodec.training.linear import train
from featcodec.training.metric import TaskGradients

LEVELS = (0.1, 0.03, 0.01)
SAMPLES, DRAWS = (25, 50, 100, 200, 400, 800), (1, 2, 4, 8)
USUAL = 4  # draws


class First(Arrays):
    """The first samples of the features of a dump, under its name."""

    def __init__(self, dump: Dump, count: int) -> None:
        cut = {
            t.name: (np.array(t.array()[:count]), t.dtype)
            for t in dump.tensors
            if t.dtype.startswith(("F", "BF"))
        }
        super().__init__(cut, dump.metadata)
        self.path = dump.path


def settings(samples: int) -> Iterator[tuple[str, int, int]]:
    """Yield what is varied, samples and draws."""
    for count in SAMPLES:
        if count < samples:
            yield "samples", count, USUAL
    for draws in DRAWS:
        yield "draws", samples, draws
    yield "half of the classes", samples, USUAL


def profile_of(source: Source, head: Any, what: str, draws: int) -> Profile:
    def half(stem: str, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = head(stem, x)
        return y[:, : y.shape[1] // 2]

    of = HeadGradients([Head(half if what.startswith("half") else head, "classes")], draws, seed=0)
    return Profile.parse(Profile.pack(train([source], Options(), TaskGradients("head", of))))


def measured(dump: Clean, profile: Profile, quality: str) -> list[float | None]:
    points = curve(dump, profile, quality)
    return [rate_at(points, level) for level in LEVELS]


@click.command()
@click.argument("train_dump", type=Path)
@click.argument("eval_dump", type=Path)
@click.option("--head", required=True, metavar="MODULE:FUNCTION")
@click.option("--csv", type=Path)
def main(train_dump: Path, eval_dump: Path, head: str, csv: Path | None) -> None:
    """Print a row for each number of samples and draws, and for the sibling task."""
    torch.set_num_threads(1)
    function = named_function(head, "--head")
    known = records.read(csv)[1] if csv and csv.exists() else []
    rows: list[dict] = [row for row in known if row["dump"] != train_dump.stem]
    source, dump = Dump(train_dump), Clean(Dump(eval_dump), function, "classes")
    samples = max(t.shape[0] for t in source.tensors)
    plain: Sequence[float | None] = []
    for what, count, draws in settings(samples):
        profile = profile_of(First(source, count), function, what, draws)
        if not plain:
            plain = measured(dump, profile_of(source, function, "", 1), "snr")
        task = measured(dump, profile, "task_snr" if profile.entries_of(task=True) else "snr")
        ratios = [a / b if a and b else None for a, b in zip(task, plain, strict=True)]
        shown = {f"kl_{level}": "" if r is None else f"{r:.3f}" for level, r in zip(LEVELS, ratios)}
        rows.append(
            {"dump": train_dump.stem, "what": what, "samples": count, "draws": draws, **shown}
        )
        click.echo("  ".join(map(str, rows[-1].values())))
        if csv:
            records.write(csv, rows)


if __name__ == "__main__":
    main()
