"""Bjøntegaard deltas of codecs against an anchor, dump by dump."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .packages import load
from .results import Measurement

METHOD = "pchip"  # does not overshoot where rates change by a factor of ten from point to point
LEAST_POINTS = 4


@dataclass(frozen=True)
class Delta:
    """How a codec compares with the anchor on a dump; None with the reason where it does not."""

    dump: str
    codec: str
    anchor: str
    rate_percent: float | None  # mean difference in rate at equal SNR, over the common range
    rate_reason: str
    metric: float | None  # mean difference in the task's metric at equal rate
    metric_reason: str


def deltas(measurements: Sequence[Measurement], codecs: Sequence[str], anchor: str) -> list[Delta]:
    """Return the deltas of all codecs but the anchor on each dump, in the order given."""
    package = load("bjontegaard", "eval", "eval")
    found = []
    for dump in dict.fromkeys(m.dump for m in measurements):
        for codec in codecs:
            if codec == anchor:
                continue
            base, test = (
                [m for m in measurements if m.dump == dump and m.codec == label and m.bpfp]
                for label in (anchor, codec)
            )
            rate, why_rate = _delta(package.bd_rate, base, test, "snr_db", "snr_db")
            metric, why_metric = _delta(package.bd_psnr, base, test, "bpfp", "metric")
            found.append(Delta(dump, codec, anchor, rate, why_rate, metric, why_metric))
    return found


def means(found: Sequence[Delta]) -> list[Delta]:
    """Return the mean delta of each codec over the dumps that have one, where there are several."""
    made = []
    for codec in dict.fromkeys(d.codec for d in found):
        mine = [d for d in found if d.codec == codec]
        rates = [d.rate_percent for d in mine if d.rate_percent is not None]
        metrics = [d.metric for d in mine if d.metric is not None]
        count = max(len(rates), len(metrics))
        if count < 2:
            continue
        (rate, no_rate), (metric, no_metric) = (_mean(x, count) for x in (rates, metrics))
        name = f"mean of {count}"
        made.append(Delta(name, codec, mine[0].anchor, rate, no_rate, metric, no_metric))
    return made


def _mean(values: Sequence[float], count: int) -> tuple[float | None, str]:
    """Return the mean of so many values, or the reason for none."""
    if len(values) == count:
        return sum(values) / count, ""
    return None, f"of {len(values)} alone" if values else ""


def _delta(
    function: Any, base: list[Measurement], test: list[Measurement], axis: str, quality: str
) -> tuple[float | None, str]:
    """Return a delta of `quality` curves, compared along `axis`, or the reason for none."""
    if all(getattr(point, quality) is None for point in (*base, *test)):
        return None, ""
    curves = []
    for points in (base, test):
        known = [p for p in points if getattr(p, quality) is not None]
        along = {getattr(p, axis): p for p in known}  # an abscissa each once
        curves.append([along[x] for x in sorted(along)])
        if len(along) < LEAST_POINTS:
            return None, f"fewer than {LEAST_POINTS} points"
    low = max(getattr(curve[0], axis) for curve in curves)
    high = min(getattr(curve[-1], axis) for curve in curves)
    if low >= high:
        return None, "no overlap"
    rates_and_qualities = [
        [getattr(p, name) for p in curve] for curve in curves for name in ("bpfp", quality)
    ]
    delta = function(*rates_and_qualities, METHOD, require_matching_points=False, min_overlap=0)
    return float(delta), ""
