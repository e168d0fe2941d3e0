"""A linear probe trained from raw files, float16 and compressed ones: time of an epoch, accuracy.

    python tests/benchmarks/linear_probe.py DUMP.safetensors... --csv data/probe.csv

A dump holds `features` and `labels`; every third sample is tested on. The others are copied to
several files, so that an epoch is long enough to be timed. Every way reads the same batches in the
same order, from the page cache. What is raw is mapped, and its rows are gathered from the maps.
Workers stay from epoch to epoch, and a cache is that of each. Times are the least of the clock and
of the processors of all processes: on a busy machine the latter hold.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import records
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader

import featcodec.torch
from featcodec.torch import FeatureDataset, FeatureStream

KEYS = ("features", "labels")
BATCH = 256
KEPT = "the same, all in the cache"


class Raw:
    """Safetensors files in place of a `FeatureDataset`, mapped by each process."""

    fits = 1 << 20  # row groups: all that there are

    def __init__(self, paths: Sequence[Path], starts: np.ndarray) -> None:
        self.paths, self.starts = paths, starts
        self._tensors: list[dict[str, torch.Tensor]] | None = None

    def __len__(self) -> int:
        return int(self.starts[-1])

    def batch(self, indices: np.ndarray) -> dict[str, torch.Tensor]:
        if self._tensors is None:
            files = [safe_open(path, "pt") for path in self.paths]
            self._tensors = [{key: file.get_tensor(key) for key in KEYS} for file in files]
        rows = len(self) // len(self.paths)
        found: dict[str, list[torch.Tensor]] = {key: [] for key in KEYS}
        files = indices // rows
        for file in np.unique(files):
            mine = torch.from_numpy(indices[files == file] % rows)
            for key in KEYS:
                found[key].append(self._tensors[file][key][mine])
        return {key: torch.cat(parts) for key, parts in found.items()}


class Probe:
    """A linear layer on centred features, trained by Adam."""

    def __init__(self, example: dict[str, torch.Tensor], classes: int) -> None:
        torch.manual_seed(0)
        x = example["features"].flatten(1).float()
        self.mean, self.scale = x.mean(0), 1 / x.std()  # one for all: some dimensions are rare
        self.layer = torch.nn.Linear(x.shape[1], classes)
        self.optimiser = torch.optim.Adam(self.layer.parameters(), 1e-4)

    def __call__(self, features: torch.Tensor) -> Any:
        return self.layer((features.flatten(1).float() - self.mean) * self.scale)

    def step(self, batch: dict[str, torch.Tensor]) -> None:
        self.optimiser.zero_grad()
        logits = self(batch["features"])
        torch.nn.functional.cross_entropy(logits, batch["labels"].long()).backward()
        self.optimiser.step()


def written(
    train: dict[str, torch.Tensor],
    metadata: dict[str, str] | None,
    folder: Path,
    copies: int,
    snr: float,
) -> dict[str, list[Path]]:
    """Return the files of each way to store the training data."""
    found: dict[str, list[Path]] = {}
    for number in range(copies):
        for name, dtype in (("raw float32", torch.float32), ("float16", torch.float16)):
            path = folder / f"{name}-{number}.safetensors"
            save_file({**train, "features": train["features"].to(dtype)}, path)
            found.setdefault(name, []).append(path)
        path = folder / f"{number}.fcz"
        if number == 0:
            whole = {**train, "features": train["features"].float()}
            featcodec.torch.save_file(whole, path, metadata, snr=snr)
        else:
            path.write_bytes((folder / "0.fcz").read_bytes())
        for name in (f"featcodec {snr:g} dB", KEPT):
            found.setdefault(name, []).append(path)
    return found


def times() -> np.ndarray:
    """Return the time of the clock, and that of the processors, in seconds."""
    used = time.process_time()
    for worker in multiprocessing.active_children():
        fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
        used += sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return np.array([time.perf_counter(), used])


def measured(
    ways: dict[str, list[Path]], test: dict[str, torch.Tensor], workers: int, epochs: int
) -> Iterator[dict[str, Any]]:
    """Yield what came of each way to store the training data."""
    packed = list(ways)[-2]
    labels = [test["labels"], load_file(ways["float16"][0])["labels"]]
    classes = int(torch.cat(labels).max()) + 1
    starts = FeatureDataset(ways[packed], KEYS).starts
    streams, probes = {}, {}
    seconds: dict[str, list[np.ndarray]] = {name: [] for name in ways}
    for name, paths in ways.items():
        values = starts[-1] * test["features"][0].numel() * 4
        data: Any = Raw(paths, starts)
        if name in (packed, KEPT):
            # Where half of a share fits the cache, each epoch decodes; its edges need some room.
            each = int(values) // max(workers, 1)
            cache = each * 3 // 2 if name == KEPT else each // 2
            data = FeatureDataset(paths, KEYS, cache=cache)
        streams[name] = FeatureStream(data, BATCH)
        probes[name] = Probe(data.batch(np.arange(0, starts[-1], 7)[:1000]), classes)
    loaders = {
        name: DataLoader(
            stream, batch_size=None, num_workers=workers, persistent_workers=workers > 0
        )
        for name, stream in streams.items()
    }
    for epoch in range(epochs):  # in turn, so that all meet the same load
        for name, stream in streams.items():
            stream.set_epoch(epoch)
            began = times()
            for batch in loaders[name]:
                probes[name].step(batch)
            seconds[name].append(times() - began)
    for name, paths in ways.items():
        with torch.no_grad():
            right = probes[name](test["features"]).argmax(1) == test["labels"]
        clock, cpu = np.min(seconds[name], axis=0).tolist()
        yield {
            "stored": name,
            "workers": workers,
            "megabytes": sum(path.stat().st_size for path in paths) / 1e6,
            "clock_s": clock,
            "cpu_s": cpu,
            "accuracy": float(right.float().mean()),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dumps", type=Path, nargs="+")
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--snr", type=float, default=10)
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 2])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for dump in asked.dumps:
        tensors = load_file(dump)
        tensors["labels"] = torch.unique(tensors["labels"], return_inverse=True)[1]
        tested = torch.arange(len(tensors["labels"])) % 3 == 0
        train, test = ({k: tensors[k][which] for k in KEYS} for which in (~tested, tested))
        with tempfile.TemporaryDirectory() as folder, safe_open(dump, "pt") as file:
            ways = written(train, file.metadata(), Path(folder), asked.copies, asked.snr)
            for workers in asked.workers:
                found = measured(ways, test, workers, asked.epochs)
                rows += [{"dump": dump.stem, **row} for row in found]
    records.write(asked.csv, rows, ["torch"])


if __name__ == "__main__":
    main()
