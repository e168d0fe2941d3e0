"""The experiment on universal feature coding: one network for CNN and Transformer features.

Usage: python tests/experiment/run.py train FEATURES WORK [--steps N] [NAME...]
       python tests/experiment/run.py eval FEATURES WORK [--task MODULE:FUNCTION] [-p LINEAR]

FEATURES holds dumps in `train/` and `eval/` whose metadata names model, layer and architecture.
`train` makes a profile of every kind in PROFILES, all with the same number of steps, batches and
crops; `eval` measures them with `featcodec eval`, a folder of results each for CNN maps as tokens,
CNN maps as a mosaic of channels, and Transformer tokens. Both go on where they stopped.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from featcodec.coding.profile import Profile
from featcodec.container.network import Network
from featcodec.dumps import Dump
from featcodec.request import Options

PROFILES = {
    "universal": "all features, aligned",
    "cnn": "features of CNNs alone",
    "transformer": "features of Transformers alone",
    "unaligned": "all features, values as they are: no truncation, no normalisation",
    "mosaic": "all features, CNN maps as a picture of their channels side by side",
    "left-out": "all but the network called --leave-out",
}
SNRS = "1,3,5,8,11,20"  # dB; the first five are 0.05 to 2 bits a value


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, "numpy") as file:
        return file.metadata() or {}


def chosen(name: str, dumps: list[Path], leave_out: str, work: Path) -> list[Path]:
    """Return the dumps a profile is trained on."""
    if name in ("cnn", "transformer"):
        return [path for path in dumps if metadata(path)["architecture"] == name]
    if name == "left-out":
        return [path for path in dumps if not metadata(path)["model"].startswith(leave_out)]
    return list(mosaics(dumps, work)) if name == "mosaic" else dumps


def mosaics(dumps: list[Path], work: Path) -> Iterator[Path]:
    """Yield dumps whose CNN maps are pictures of channels side by side, and the others as they are.

    C maps of H x W become one picture of a x b maps, C = a b, a as near to b as can be.
    """
    for path in dumps:
        about = metadata(path)
        if about["architecture"] != "cnn":
            yield path
            continue
        target = work / "mosaics" / path.parent.name / path.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            tensors = load_file(path)
            n, c, h, w = tensors["features"].shape
            rows = max(a for a in range(1, c + 1) if c % a == 0 and a * a <= c)
            tiles = tensors["features"].reshape(n, rows, c // rows, h, w).transpose(0, 1, 3, 2, 4)
            tensors["features"] = np.ascontiguousarray(tiles).reshape(n, rows * h, c // rows * w)
            save_file(tensors, target, {**about, "layout": "NLD"})
        yield target


def train(features: Path, work: Path, names: list[str], steps: int | None, leave_out: str) -> None:
    from featcodec.training.network.loop import Plan, Progress
    from featcodec.training.network.train import train_network

    def tell(now: Progress) -> None:
        if now.step % 500 == 0:
            print(f"  {now.step}: {now.bits:.3f} bits, error {now.error:.4f}", flush=True)

    dumps = sorted((features / "train").glob("*.safetensors"))
    plan = replace(Plan(), steps=steps or Plan().steps)
    for name in names:
        target = work / f"{name}.fcp"
        if target.exists():
            continue
        print(f"{name}: {PROFILES[name]}", flush=True)
        sources = [Dump(path) for path in chosen(name, dumps, leave_out, work)]
        checkpoint = work / f"{name}.checkpoint"
        normalise = name != "unaligned"
        found: Network = train_network(
            sources, Options(), plan, checkpoint, tell=tell, normalise=normalise
        )
        target.write_bytes(Profile.pack([], found))


def evaluate(features: Path, work: Path, task: str | None, linear: str | None, leave: str) -> None:
    dumps = sorted((features / "eval").glob("*.safetensors"))
    kinds = {path: metadata(path) for path in dumps}
    cnn = [path for path in dumps if kinds[path]["architecture"] == "cnn"]
    left = [path for path in dumps if kinds[path]["model"].startswith(leave)]
    rest = [path for path in dumps if path not in cnn and path not in left]
    plain = ["featcodec:transform=linear", "step+zstd"]
    plain += [f"featcodec:profile={linear},name=linear+profile"] if linear else []
    runs = {
        "cnn": (cnn, ["cnn", "universal", "unaligned"], plain),
        "transformer": (rest, ["transformer", "universal", "unaligned"], plain),
        "left-out": (left, ["transformer", "universal", "unaligned", "left-out"], plain),
        "mosaic": (list(mosaics(cnn, work)), ["mosaic"], []),
    }
    for name, (paths, profiles, others) in runs.items():
        codecs = [
            f"featcodec:transform=neural,profile={work}/{p}.fcp,name={p}"
            for p in profiles
            if (work / f"{p}.fcp").exists()
        ]
        if not paths or not codecs:
            continue
        command = [sys.executable, "-W", "ignore", "-m", "featcodec", "eval", *map(str, paths)]
        for codec in [*codecs, *others]:
            command += ["--codec", codec]
        command += ["--snr", SNRS, "-o", str(work / "results" / name)]
        if task and name != "mosaic":
            command += ["--task", task]
        subprocess.run(command, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["train", "eval"])
    parser.add_argument("features", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--leave-out", default="ViT", metavar="MODEL")
    parser.add_argument("--task")
    parser.add_argument("-p", "--profile")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.what == "train":
        names = options.names or list(PROFILES)
        train(options.features, options.work, names, options.steps, options.leave_out)
    else:
        evaluate(options.features, options.work, options.task, options.profile, options.leave_out)


if __name__ == "__main__":
    main()
