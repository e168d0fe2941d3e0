"""The small tables and plots of the experiment, from the results of `run.py eval`.

Usage: python tests/experiment/summary.py WORK OUT

Writes measurements.csv (every point), deltas.md (Bjøntegaard deltas between what is to be
compared), rates.md (bits per feature point at each SNR) and two overview plots to OUT.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from featcodec.evaluate import drawing, plots
from featcodec.evaluate.deltas import Delta, deltas
from featcodec.evaluate.results import Measurement, to_csv

# What is compared with what: anchor, codec, and what the difference shows.
COMPARISONS = (
    ("own architecture", "universal", "one network for all, against one for the architecture"),
    ("unaligned", "universal", "value alignment"),
    ("mosaic", "universal", "tokens x channels, against a mosaic of channels"),
    ("universal", "left-out", "a network that was not trained on, against one that was"),
    ("linear", "universal", "the learned codec, against KLT x DCT fitted to the dump"),
    ("step+zstd", "universal", "the learned codec, against a uniform step and zstd 19"),
)
NAMES = {"cnn": "own architecture", "transformer": "own architecture"}
NAMES |= {"featcodec:transform=linear": "linear", "linear+profile": "auto+profile"}
PLOTTED = ("universal", "own architecture", "left-out", "linear", "auto+profile", "step+zstd")
MOST_DB = 11.0  # for the deltas: 0.05 to about 2 bits a value


def measurements(work: Path) -> list[Measurement]:
    """Return the points of all runs, under the names of the comparison."""
    found: dict[tuple, Measurement] = {}
    for path in sorted((work / "results").glob("*/results.jsonl")):
        for line in path.read_text().splitlines():
            point = Measurement(**json.loads(line)["measurement"])
            point = replace(point, codec=NAMES.get(point.codec, point.codec))
            key = (point.dump, point.codec, point.asked_db)
            if key not in found or point.metric is not None:
                found[key] = point
    return sorted(found.values(), key=lambda m: (m.dump, m.codec, m.asked_db or 0))


def table(found: Sequence[Delta]) -> list[str]:
    """Return lines of a Markdown table: rate at equal SNR, metric at equal rate."""
    lines = ["| features | rate at equal SNR | metric at equal rate |", "|---|---|---|"]
    for delta in found:
        rate = "-" if delta.rate_percent is None else f"{delta.rate_percent:+.1f} %"
        metric = "-" if delta.metric is None else f"{delta.metric:+.4f}"
        lines.append(f"| {delta.dump} | {rate} | {metric} |")
    rates = [d.rate_percent for d in found if d.rate_percent is not None]
    metrics = [d.metric for d in found if d.metric is not None]
    means = [
        "-" if not rates else f"{sum(rates) / len(rates):+.1f} %",
        "-" if not metrics else f"{sum(metrics) / len(metrics):+.4f}",
    ]
    return [*lines, f"| **mean** | {means[0]} | {means[1]} |"]


def rates(points: Sequence[Measurement]) -> list[str]:
    """Return lines of a Markdown table of bits per feature point."""
    asked = sorted({m.asked_db for m in points if m.asked_db is not None})
    lines = ["| features | codec |" + "".join(f" {snr:g} dB |" for snr in asked)]
    lines.append("|---|---|" + "---|" * len(asked))
    for dump in dict.fromkeys(m.dump for m in points):
        for codec in dict.fromkeys(m.codec for m in points if m.dump == dump):
            of = {m.asked_db: m.bpfp for m in points if (m.dump, m.codec) == (dump, codec)}
            if None in of:
                continue
            cells = ["-" if of.get(snr) is None else f"{of[snr]:.3f}" for snr in asked]
            lines.append(f"| {dump} | {codec} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    work, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    points = measurements(work)
    low = [m for m in points if m.asked_db is None or m.asked_db <= MOST_DB]
    lines = []
    for anchor, codec, what in COMPARISONS:
        both = {m.dump for m in low if m.codec == anchor} & {
            m.dump for m in low if m.codec == codec
        }
        found = deltas([m for m in low if m.dump in both], [anchor, codec], anchor)
        lines += [f"### {codec} against {anchor}: {what}", "", *table(found), ""]
    (out / "deltas.md").write_text("\n".join(lines))
    (out / "rates.md").write_text("\n".join(rates(points)) + "\n")
    (out / "measurements.csv").write_bytes(to_csv(points))
    shown = [m for m in points if m.codec in (*PLOTTED, "uncompressed")]
    for name, figure in plots.draw(shown, PLOTTED).items():
        if name.startswith("overview"):
            (out / f"{name}.svg").write_bytes(drawing.svg(figure))
            (out / f"{name}.png").write_bytes(drawing.png(figure))


if __name__ == "__main__":
    main()
