"""What training takes and gains at 64 to 8,192 channels, on features made for it.

Usage: python tests/benchmarks/train_widths.py [--snr 10] [--csv FILE] [CHANNELSxROWS...]

The features are Gaussian: the variance of their axes falls with the power 1.5 of the rank, and the
axes are turned at random. A profile is trained on the rows named and judged on an eighth as many
others. Each training runs as a process of its own on one thread; its processor time and memory
count, the start included. With --csv FILE what is printed is kept as a file of `data/`.
"""

import argparse
import io
import math
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import costs
import numpy as np
import records
from safetensors.numpy import save_file

from featcodec import Profile
from featcodec.dumps import Dump
from featcodec.encoding.dump import encode
from featcodec.request import Quality

USUAL = "64x4000 256x4000 1024x4000 2048x4000 4096x4000 8192x4000 2048x1000 8192x1000"
DECAY = 0.75  # of the deviations, by rank
JUDGED = 8  # times fewer rows


def features(channels: int, rows: int) -> np.ndarray:
    """Return rows of features; `channels` is a power of two."""
    axes, rng = np.random.default_rng(channels), np.random.default_rng(rows)
    values = rng.standard_normal((rows, channels)).astype(np.float32)
    values *= np.arange(1, channels + 1, dtype=np.float32) ** -DECAY
    for _ in range(round(math.log2(channels))):  # until each axis has a part in all channels
        values = values[:, axes.permutation(channels)]
        angle = axes.uniform(0, 2 * math.pi, channels // 2).astype(np.float32)
        even, odd = values[:, ::2], values[:, 1::2]
        turned = (
            np.cos(angle) * even - np.sin(angle) * odd,
            np.sin(angle) * even + np.cos(angle) * odd,
        )
        values = np.concatenate(turned, axis=1)
    return np.ascontiguousarray(values, np.float16)


def make(channels: int, rows: int, folder: Path) -> None:
    """Write the features to train on, and those to judge on."""
    every = features(channels, rows + rows // JUDGED)
    for name, some in (("train", every[:rows]), ("judged", every[rows:])):
        save_file({"features": some}, folder / f"{name}.safetensors", {"layout": "ND"})


def rates(snr: float, folder: Path) -> list[float]:
    """Return the bits a value without the profile, and with it."""
    profiles = (None, Profile.load(folder / "profile.fcp"))
    with Dump(folder / "judged.safetensors") as dump:
        return [encode(dump, io.BytesIO(), Quality(snr=snr), one).bpfp for one in profiles]


def measured(channels: int, rows: int, snr: float, folder: Path) -> dict[str, str | float]:
    """Return what training on features of so many channels takes, and what it saves.

    All else is done in another process: a command counts the memory of what starts it.
    """
    path = folder / "profile.fcp"
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        apart.submit(make, channels, rows, folder).result()
        seconds, memory = costs.cost(
            "train", "-q", "-f", str(folder / "train.safetensors"), "-o", str(path), runs=1
        )
        without, trained = apart.submit(rates, snr, folder).result()
    return {
        "channels": channels,
        "rows": rows,
        "seconds": seconds,
        "memory_mb": memory,
        "judged": rows // JUDGED,
        "profile_bytes": path.stat().st_size,
        "without_bpfp": without,
        "with_bpfp": trained,
        "saved_bytes": (without - trained) * (rows // JUDGED) * channels / 8,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", metavar="CHANNELSxROWS", default=USUAL.split())
    parser.add_argument("--snr", type=float, default=10.0)
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    rows = []
    for case in given.cases:
        channels, count = map(int, case.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measured(channels, count, given.snr, Path(folder)))
        print("  ".join(f"{k} {v:.5g}" for k, v in rows[-1].items()), flush=True)
    if given.csv:
        records.write(given.csv, rows)


if __name__ == "__main__":
    main()
