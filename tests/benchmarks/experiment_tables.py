"""Tables of the experiment with networks, in Markdown, from its results."""

import re
from pathlib import Path

import records
import tables

from featcodec.evaluate.equal_divergence import rate_at

RESULTS = Path(__file__).parents[1] / "experiment" / "results"
NETWORKS = ("own architecture", "universal")
LEVELS = (0.1, 0.03, 0.01)  # KL divergence in nats


def compared() -> tables.Table:
    """Summarise the tables of differences, by architecture."""
    rows = []
    title = ""
    found: dict[str, list[float]] = {}

    def close() -> None:
        for kind, numbers in found.items():
            average = sum(numbers) / len(numbers)
            rows.append((title, kind, str(len(numbers)), f"{average:+.1f} %"))

    for line in (RESULTS / "deltas.md").read_text().splitlines():
        if line.startswith("### "):
            close()
            title, found = line.removeprefix("### "), {}
        elif (m := re.match(r"\| (\w+) \| ([-+][\d.]+) % \|", line)) and m[1] in tables.DUMPS:
            kind = "Transformer" if m[1].startswith(("vit", "minilm")) else "CNN"
            found.setdefault(kind, []).append(float(m[2]))
    close()
    return tables.table(("comparison", "features", "dumps", "mean difference in rate"), rows)


def of_task() -> tables.Table:
    """Bits at equal divergence of networks trained with the metric of a task, and without."""
    curves: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in records.read(RESULTS / "task.csv")[1]:
        if row["divergence"] and row["codec"] != "uncompressed":
            point = float(row["bpfp"]), float(row["divergence"])
            curves.setdefault((row["dump"], row["codec"]), []).append(point)
    rows, ratios = [], {network: [] for network in NETWORKS}
    for dump in (dump for dump in tables.DUMPS if (dump, NETWORKS[0]) in curves):
        for level in LEVELS:
            shown = []
            for network in NETWORKS:
                pair = [rate_at(curves[dump, network + how], level) for how in ("", "+metric")]
                both = None not in pair
                shown += ["-" if bits is None else f"{bits:.3f}" for bits in pair]
                shown.append(f"{pair[1] / pair[0]:.2f}" if both else "-")
                ratios[network] += [pair[1] / pair[0]] if both else []
            if any(cell != "-" for cell in shown):
                rows.append((tables.DUMPS[dump], f"{level:g}", *shown))
    means = [
        cell for found in ratios.values() for cell in ("", "", f"**{tables.mean(found):.2f}**")
    ]
    rows.append(("**geometric mean**", "", *means))
    head = [f"{name}{how}" for name in NETWORKS for how in ("", ", metric", ", ratio")]
    return tables.table(("features", "KL, nats", *head), rows)
