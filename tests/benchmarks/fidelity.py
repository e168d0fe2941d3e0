"""Rates at equal fidelity of a network's outputs, with the metric of a profile and without.

Usage: python tests/benchmarks/fidelity.py DUMP... --head MODULE:FUNCTION --profiles DIR

DIR holds a profile of a task for each dump, DUMP's name with the suffix .fcp. Fidelity is the KL
divergence in nats of class outputs, or 1 - cosine of embeddings, from those of the clean features.
"""

import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from featcodec import Profile
from featcodec.dumps import Dump
from featcodec.elements import FLOATS
from featcodec.encoding.dump import encode
from featcodec.functions import named_function
from featcodec.request import Quality
from featcodec.torch import from_stored, load

FIDELITIES = {"classes": (0.1, 0.03, 0.01), "embedding": (0.01, 0.001)}
STEP, MOST = 3.0, 60.0  # dB
BATCH = 100


@dataclass
class Outputs:
    """The head on a dump, and the outputs of its clean features."""

    dump: Dump
    head: Any
    kind: str

    def __post_init__(self) -> None:
        features = {
            t.name: from_stored(np.asarray(t.read()), t.dtype, t.shape)
            for t in self.dump.tensors
            if t.dtype in FLOATS and len(t.shape) > 1
        }
        self.values = sum(tensor.numel() for tensor in features.values())
        self.names = list(features)
        self.samples = (self.dump.metadata or {}).get("layout", "N").startswith("N")
        self.clean = self.of(features)

    @torch.no_grad()
    def of(self, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return log probabilities, or unit vectors (samples, K)."""
        stem, found = self.dump.path.stem, []
        for name in self.names:
            x = tensors[name].float()
            parts = x.split(BATCH) if self.samples else [x]
            found += [self.head(stem, part) for part in parts]
        y = torch.cat(found) if self.samples else torch.stack(found)
        if self.kind == "classes":
            return torch.log_softmax(y, 1)
        return torch.nn.functional.normalize(y, dim=1)

    def loss(self, tensors: dict[str, torch.Tensor]) -> float:
        y = self.of(tensors)
        if self.kind == "classes":
            return float((self.clean.exp() * (self.clean - y)).sum(1).mean())
        return 1 - float((self.clean * y).sum(1).mean())


def curve(outputs: Outputs, profile: Profile, quality: str) -> list[tuple[float, float]]:
    """Return (bits a value, loss) at SNRs or task SNRs, up to the highest fidelity."""
    points: list[tuple[float, float]] = []
    decibels = 1.0
    while decibels < MOST and (not points or points[-1][1] > min(FIDELITIES[outputs.kind])):
        out = io.BytesIO()
        encode(outputs.dump, out, Quality(**{quality: decibels}), profile)
        data = out.getvalue()
        loss = outputs.loss(load(data, profile=profile))
        points.append((8 * len(data) / outputs.values, max(loss, 1e-12)))
        decibels += STEP
    return points


def rate_at(points: Sequence[tuple[float, float]], loss: float) -> float:
    """Return the rate from which on no more is lost, between points in logarithms; NaN for none."""
    ordered = sorted(points)
    for (low, more), (high, less) in reversed(list(itertools.pairwise(ordered))):
        if more > loss >= less:
            share = math.log(more / loss) / math.log(more / less)
            return low * (high / low) ** share
    return math.nan


@click.command()
@click.argument("dumps", nargs=-1, required=True, type=Path)
@click.option("--head", required=True, metavar="MODULE:FUNCTION")
@click.option("--outputs", type=click.Choice(list(FIDELITIES)), default="classes")
@click.option("--profiles", required=True, type=Path, metavar="DIR")
def main(dumps: tuple[Path, ...], head: str, outputs: str, profiles: Path) -> None:
    """Print a row a dump and fidelity: loss, bits a value without and with the metric, ratio."""
    function, ratios = named_function(head, "--head"), []
    for path in dumps:
        profile = Profile.load(profiles / f"{path.stem}.fcp")
        with Dump(path) as dump:
            of = Outputs(dump, function, outputs)
            plain, task = (curve(of, profile, quality) for quality in ("snr", "task_snr"))
        for loss in FIDELITIES[outputs]:
            rates = rate_at(plain, loss), rate_at(task, loss)
            ratios.append(rates[1] / rates[0])
            click.echo(f"{path.stem:24} {loss:6g} {rates[0]:.4f} {rates[1]:.4f} {ratios[-1]:.3f}")
    click.echo(f"geometric mean {math.exp(float(np.mean(np.log(ratios)))):.3f}")


if __name__ == "__main__":
    main()
