"""A linear probe trained from raw files, float16 and compressed ones: time of an epoch, accuracy.

    python tests/benchmarks/linear_probe.py DUMP.safetensors

The dump holds `features` and `labels`; every third sample is tested on. The others are copied to
several files, so that an epoch is long enough to be timed. Every way reads the same batches in the
same order, from the page cache. What is raw is mapped, and its rows are gathered from the maps.
Times are those of the clock and, in brackets, of the processors of all processes: on a busy machine
the latter hold.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dump", type=Path)
    parser.add_argument("--snr", type=float, default=10)
    parser.add_argument("--copies", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 2])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    tensors = load_file(asked.dump)
    tested = torch.arange(len(tensors["labels"])) % 3 == 0
    tensors["labels"] = torch.unique(tensors["labels"], return_inverse=True)[1]
    train, test = ({k: tensors[k][rows] for k in KEYS} for rows in (~tested, tested))
    with tempfile.TemporaryDirectory() as folder:
        with safe_open(asked.dump, "pt") as file:
            metadata = file.metadata()  # with the layout
        ways = written(train, metadata, Path(folder), asked.copies, asked.snr)
        for line in table(ways, test, asked.workers, asked.epochs):
            print(line, flush=True)


def times() -> np.ndarray:
    """Return the time of the clock, and that of the processors, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return np.array([time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used)])


def table(
    ways: dict[str, list[Path]], test: dict[str, torch.Tensor], workers: Sequence[int], epochs: int
) -> Iterator[str]:
    packed = list(ways)[-2]
    labels = [test["labels"], load_file(ways["float16"][0])["labels"]]
    classes = int(torch.cat(labels).max()) + 1
    starts = FeatureDataset(ways[packed], KEYS).starts
    yield "| stored as | MB | workers | s an epoch | of raw | accuracy |"
    yield "|---|---|---|---|---|---|"
    for count in workers:
        streams, probes = {}, {}
        seconds: dict[str, list[np.ndarray]] = {name: [] for name in ways}
        for name, paths in ways.items():
            # Where half of the values fit the cache, each epoch decodes.
            values = starts[-1] * test["features"][0].numel() * 4
            data: Any = Raw(paths, starts)
            if name in (packed, KEPT):
                cache = int(values) * 2 if name == KEPT else int(values) // 2
                data = FeatureDataset(paths, KEYS, cache=cache)
            streams[name] = FeatureStream(data, BATCH)
            example = data.batch(np.arange(0, starts[-1], 7)[:1000])
            probes[name] = Probe(example, classes)
        for epoch in range(epochs):  # in turn, so that all meet the same load
            for name, stream in streams.items():
                stream.set_epoch(epoch)
                began = times()
                for batch in DataLoader(stream, batch_size=None, num_workers=count):
                    probes[name].step(batch)
                seconds[name].append(times() - began)
        for name, paths in ways.items():
            with torch.no_grad():
                right = probes[name](test["features"]).argmax(1) == test["labels"]
            size = sum(path.stat().st_size for path in paths) / 1e6
            clock, cpu = np.min(seconds[name], axis=0)
            of_raw = np.min(seconds[name], axis=0) / np.min(seconds["raw float32"], axis=0)
            cells = [f"{clock:.2f} ({cpu:.2f})", "{:.2f} ({:.2f})".format(*of_raw)]
            accuracy = f"{right.float().mean():.3f}"
            yield "| " + " | ".join((name, f"{size:.1f}", str(count), *cells, accuracy)) + " |"


if __name__ == "__main__":
    main()
