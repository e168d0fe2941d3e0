"""Rates at equal fidelity of a network's outputs, with the metric of a profile and without.

Usage: python tests/benchmarks/fidelity.py DUMP... --head MODULE:FUNCTION --profiles DIR

DIR holds a profile of a task for each dump, DUMP's name with the suffix .fcp. Fidelity is the KL
divergence in nats of class outputs, or 1 - cosine of embeddings, from those of the clean features.
--csv FILE adds a row for each to a file of `data/`.
"""

import io
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import records
import torch

from featcodec import Profile
from featcodec.dumps import Dump
from featcodec.encoding.dump import encode
from featcodec.evaluate.equal_divergence import rate_at
from featcodec.evaluate.features import Features
from featcodec.fidelity import Outputs
from featcodec.functions import named_function
from featcodec.request import Quality
from featcodec.torch import load
from featcodec.torch.tensors import from_stored

FIDELITIES = {"classes": (0.1, 0.03, 0.01), "embedding": (0.01, 0.001)}
STEP, MOST = 3.0, 60.0  # dB


@dataclass
class Clean:
    """A dump, the head behind it, and the outputs for its clean features."""

    dump: Dump
    head: Any
    kind: str

    def __post_init__(self) -> None:
        features = Features(self.dump)
        self.values = features.values
        self.outputs = Outputs(partial(self.head, self.dump.path.stem), self.kind, features.samples)
        self.clean = self.outputs.of(
            {t.name: from_stored(t.array(), t.dtype, t.shape) for t in self.dump.tensors}
        )

    def loss(self, tensors: dict[str, torch.Tensor]) -> float:
        return float(self.outputs.divergences(self.clean, self.outputs.of(tensors)).mean())


def curve(outputs: Clean, profile: Profile, quality: str) -> list[tuple[float, float]]:
    """Return (bits a value, loss) at SNRs or task SNRs, up to the highest fidelity."""
    points: list[tuple[float, float]] = []
    decibels = 1.0
    while decibels < MOST and (not points or points[-1][1] > min(FIDELITIES[outputs.kind])):
        out = io.BytesIO()
        encode(outputs.dump, out, Quality(**{quality: decibels}), profile)
        data = out.getvalue()
        loss = outputs.loss(load(data, profile=profile))
        points.append((8 * len(data) / outputs.values, loss))
        decibels += STEP
    return points


@click.command()
@click.argument("dumps", nargs=-1, required=True, type=Path)
@click.option("--head", required=True, metavar="MODULE:FUNCTION")
@click.option("--outputs", type=click.Choice(list(FIDELITIES)), default="classes")
@click.option("--profiles", required=True, type=Path, metavar="DIR")
@click.option("--csv", type=Path)
def main(
    dumps: tuple[Path, ...], head: str, outputs: str, profiles: Path, csv: Path | None
) -> None:
    """Print a row a dump and fidelity: loss, bits a value without and with the metric, ratio."""
    torch.set_num_threads(1)
    function, ratios = named_function(head, "--head"), []
    rows: list[dict[str, Any]] = records.read(csv)[1] if csv and csv.exists() else []
    for path in dumps:
        profile = Profile.load(profiles / f"{path.stem}.fcp")
        with Dump(path) as dump:
            of = Clean(dump, function, outputs)
            plain, task = (curve(of, profile, quality) for quality in ("snr", "task_snr"))
        for loss in FIDELITIES[outputs]:
            rates = [rate_at(points, loss) or math.nan for points in (plain, task)]
            ratios.append(rates[1] / rates[0])
            row = {"dump": path.stem, "outputs": outputs, "loss": loss}
            rows.append(row | {"plain": f"{rates[0]:.5f}", "task": f"{rates[1]:.5f}"})
            click.echo(f"{path.stem:24} {loss:6g} {rates[0]:.4f} {rates[1]:.4f} {ratios[-1]:.3f}")
        if csv:
            records.write(csv, rows)
    click.echo(f"geometric mean {math.exp(float(np.mean(np.log(ratios)))):.3f}")


if __name__ == "__main__":
    main()
