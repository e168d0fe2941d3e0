"""The experiment with a task's metric: networks trained with it beside networks trained without.

Usage: python tests/experiment/task.py FEATURES WORK --head M:F --task M:F [--steps N] [--csv FILE]

FEATURES holds dumps in `train/` and `eval/` as for run.py. Networks of one size are trained on all
features, on those of CNNs and on those of Transformers, each with the squared error as distortion
and with the metric of the head, all at once; --device cuda shares one GPU. Then rate, accuracy and
divergence of outputs are measured on each dump of `eval/` with the networks that know its
architecture. Training goes on where it stopped; a network and a folder of results that are there
are kept.
"""

import argparse
import math
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from run import metadata
from summary import measurements

from featcodec.evaluate.equal_divergence import equal_divergence
from featcodec.evaluate.results import Measurement

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import records

SNRS = "0.5,1,2,3,4,6,8,11"  # dB
FEATCODEC = [sys.executable, "-W", "ignore", "-m", "featcodec"]
ALL = "universal"
METRIC = "+metric"  # behind the names of networks
OWN = "own architecture"


def all_at_once(commands: dict[str, list[str]]) -> None:
    """Run commands beside each other, on cores of their own; exit where one fails."""
    cores = sorted(os.sched_getaffinity(0))
    running = {}
    for i, (name, command) in enumerate(commands.items()):
        mine = cores[i % len(cores) :: len(commands)]
        pin = partial(os.sched_setaffinity, 0, mine)
        running[name] = subprocess.Popen(command, preexec_fn=pin)
    for name, process in running.items():
        if process.wait():
            sys.exit(f"{name} failed")


def train(dumps: list[Path], work: Path, head: str, options: list[str]) -> None:
    kinds = {path: metadata(path)["architecture"] for path in dumps}
    commands = {}
    for kind in (ALL, *sorted(set(kinds.values()))):
        mine = [str(path) for path in dumps if kind in (ALL, kinds[path])]
        for name, metric in ((kind, []), (kind + METRIC, ["--head", head])):
            target = work / f"{name}.fcp"
            if not target.exists():
                command = [*FEATCODEC, "train", "--transform", "neural", *mine, *metric, *options]
                commands[name] = [*command, "-o", str(target)]
    all_at_once(commands)


def evaluate(dumps: list[Path], work: Path, head: str, task: str) -> None:
    commands = {}
    for path in dumps:
        command = [*FEATCODEC, "eval", str(path), "--head", head, "--task", task, "--snr", SNRS]
        for kind, label in ((metadata(path)["architecture"], OWN), (ALL, ALL)):
            for metric in ("", METRIC):
                profile = f"profile={work}/{kind}{metric}.fcp,name={label}{metric}"
                command += ["--codec", f"featcodec:transform=neural,{profile}"]
        commands[path.stem] = [*command, "-o", str(work / "results" / path.stem)]
    all_at_once(commands)


def table(points: list[Measurement]) -> list[str]:
    """Return lines of a table: bits a value at equal divergence, and the mean ratio to plain."""
    found = {(e.dump, e.codec, e.divergence): e.bpfp for e in equal_divergence(points)}
    lines, ratios = [], dict[str, list[float]]()
    for dump, codec, level in found:
        plain, metric = found[dump, codec, level], found.get((dump, codec + METRIC, level))
        if metric is None or plain is None:
            continue
        ratios.setdefault(codec, []).append(metric / plain)
        lines.append(
            f"{dump:20} {codec:16} {level:6g} {plain:.4f} {metric:.4f} {metric / plain:.3f}"
        )
    for codec, all_of in ratios.items():
        mean = math.exp(sum(map(math.log, all_of)) / len(all_of))
        lines.append(f"geometric mean of {codec}, {len(all_of)} cells: {mean:.3f}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("features", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--head", required=True, metavar="M:F")
    parser.add_argument("--task", required=True, metavar="M:F")
    parser.add_argument("--steps", default="12000")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--csv", type=Path)
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    options = ["--steps", asked.steps, "--device", asked.device]
    train(sorted((asked.features / "train").glob("*.safetensors")), asked.work, asked.head, options)
    dumps = sorted((asked.features / "eval").glob("*.safetensors"))
    evaluate(dumps, asked.work, asked.head, asked.task)
    points = measurements(asked.work)
    if asked.csv:
        rows = [point.record() for point in points if point.divergence is not None]
        kept = ("dump", "codec", "asked_db", "bpfp", "snr_db", "metric", "divergence")
        records.write(asked.csv, [{key: row[key] for key in kept} for row in rows], ("torch",))
    print("\n".join(table(points)))


if __name__ == "__main__":
    main()
