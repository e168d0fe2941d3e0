"""What tasks lost at an SNR where we measured it: what to go by without a task of one's own."""

import csv
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).with_name("measured_tasks.csv")  # by tests/benchmarks/results.py


@dataclass(frozen=True)
class AtSnr:
    """What all tasks lost of their metrics at an SNR, coded with a profile and without."""

    snr: float
    losses: tuple[tuple[float, float], ...]  # of each task

    def kept(self, keep: float) -> int:
        """Return how many tasks lost at most `keep`, both ways."""
        return sum(max(pair) <= keep for pair in self.losses)

    @property
    def worst(self) -> float:
        return max(map(max, self.losses))

    @property
    def mean(self) -> float:
        return sum(map(sum, self.losses)) / (2 * len(self.losses))


def measured() -> list[AtSnr]:
    """Return what was measured, from the least SNR on."""
    with DATA.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found: dict[float, list[tuple[float, float]]] = {}
    for row in rows:
        pair = float(row["lost_with_profile"]), float(row["lost_without"])
        found.setdefault(float(row["snr_db"]), []).append(pair)
    return [AtSnr(snr, tuple(found[snr])) for snr in sorted(found)]


def least(keep: float) -> AtSnr | None:
    """Return the least SNR at which every task lost at most `keep`; None where there is none."""
    return next((one for one in measured() if one.kept(keep) == len(one.losses)), None)
