"""Rates at equal divergence of a head's outputs from those of the clean features."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from .results import Measurement

LEVELS = (0.1, 0.03, 0.01, 0.001)  # KL in nats, or 1 - cosine


@dataclass(frozen=True)
class Equal:
    """The rate from which on a codec keeps the outputs for a dump; None where none tried does."""

    dump: str
    codec: str
    divergence: float
    bpfp: float | None


def equal_divergence(measurements: Sequence[Measurement]) -> list[Equal]:
    """Return one for each dump, codec and level that a curve reaches, in that order."""
    curves: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for m in measurements:
        if m.bpfp is not None and m.divergence is not None and m.codec != "uncompressed":
            curves.setdefault((m.dump, m.codec), []).append((m.bpfp, m.divergence))
    found = [Equal(*of, level, rate_at(curves[of], level)) for of in curves for level in LEVELS]
    reached = {(each.dump, each.divergence) for each in found if each.bpfp is not None}
    return [each for each in found if (each.dump, each.divergence) in reached]


def rate_at(points: Sequence[tuple[float, float]], level: float) -> float | None:
    """Return the rate from which on no more diverges, between points (rate, divergence).

    It is interpolated in logarithms; None where the curve does not cross the level.
    """
    ordered = sorted((rate, max(diverged, 1e-12)) for rate, diverged in points)
    if not ordered or ordered[-1][1] > level:
        return None
    for (low, more), (high, less) in reversed(list(itertools.pairwise(ordered))):
        if more > level >= less:
            share = math.log(more / level) / math.log(more / less)
            return float(low * (high / low) ** share)
    return None
