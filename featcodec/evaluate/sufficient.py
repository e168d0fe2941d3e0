"""The least rate of a codec at which a task loses at most a point."""

from collections.abc import Sequence
from dataclasses import dataclass

from .results import Measurement

LOSS = 0.01  # of the metric: a point of an accuracy
ROUNDING = 1e-9


@dataclass(frozen=True)
class Sufficient:
    """From what rate on a codec keeps the metric of a dump; no rate where none tried does."""

    dump: str
    codec: str
    uncompressed: float  # metric
    bpfp: float | None
    metric: float | None
    asked_db: float | None  # None: the codec has one rate


def sufficient(measurements: Sequence[Measurement]) -> list[Sufficient]:
    """Return one for each codec and dump with a metric, in the order of the measurements.

    The rate is the least tried from which on the metric of no point, that one and all of higher
    rate, is below the uncompressed one by more than LOSS. Nothing is interpolated.
    """
    found = []
    for dump in dict.fromkeys(m.dump for m in measurements):
        points: dict[str, list[tuple[float, float, float | None]]] = {}
        for m in measurements:
            if m.dump == dump and m.bpfp is not None and m.metric is not None:
                points.setdefault(m.codec, []).append((m.bpfp, m.metric, m.asked_db))
        if "uncompressed" in points:
            [(_, whole, _)] = points.pop("uncompressed")
            found += [
                Sufficient(dump, each, whole, *_least(points[each], whole)) for each in points
            ]
    return found


def _least(
    points: Sequence[tuple[float, float, float | None]], whole: float
) -> tuple[float | None, float | None, float | None]:
    """Return the point (rate, metric, asked dB) from which on nothing is lost, Nones for none."""
    least: tuple[float | None, float | None, float | None] = (None, None, None)
    for rate, metric, asked in sorted(points, key=lambda point: -point[0]):
        if metric < whole - LOSS - ROUNDING:
            break
        least = rate, metric, asked
    return least
