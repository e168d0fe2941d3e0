"""Many gigabytes through each way that features go: time, processors, memory, bytes.

Usage: python tests/benchmarks/large.py [--gigabytes 20] [--shards 300] [--jobs 1,2] [--csv FILE]
           DUMP...

Dumps of `features` are repeated, each copy a little larger than the one before, to shards of so
many MB of float32. The shell encodes and decodes the folder, a loader reads all, and a writer takes
some shards batch by batch as a producer does. All but the writer run with each number of processes.
Start of the processes is counted, and so is writing to the disk; memory is that of the largest one.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import records
from safetensors import safe_open
from safetensors.numpy import save_file

BATCH = 64  # samples that a producer adds at once
WRITER = 0.05  # of the shards
FEATCODEC = [sys.executable, "-m", "featcodec"]

# What a producer and a consumer do, in processes of their own.
PRODUCE = """
import sys
from pathlib import Path
from safetensors import safe_open
from featcodec import Writer
target, snr, batch, *dumps = sys.argv[1:]
for i, dump in enumerate(dumps):
    with safe_open(dump, "np") as file:
        rows, metadata = file.get_slice("features"), file.metadata()
        count = rows.get_shape()[0]
        with Writer(f"{target}/{i}.fcz", metadata, snr=float(snr)) as writer:
            for start in range(0, count, int(batch)):
                writer.add({"features": rows[start : min(start + int(batch), count)]})
"""
CONSUME = """
import sys
from torch.utils.data import DataLoader
from featcodec.torch import FeatureDataset, FeatureStream
workers, *files = sys.argv[1:]
kinds = {}
for file in files:
    kinds.setdefault(FeatureDataset([file], ["features"])[0]["features"].shape, []).append(file)
for alike in kinds.values():
    stream = FeatureStream(FeatureDataset(alike, ["features"]), 256)
    for batch in DataLoader(stream, batch_size=None, num_workers=int(workers)):
        pass
"""


def make(dump: Path, megabytes: float, first: int, target: Path) -> None:
    with safe_open(dump, "np") as file:
        features, metadata = file.get_tensor("features").astype(np.float32), file.metadata()
    copies = max(round(megabytes * 1e6 / features.nbytes), 1)
    parts = [features * np.float32(1 + (first + copy) / 1000) for copy in range(copies)]
    save_file({"features": np.concatenate(parts)}, target, metadata)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measured(way: str, jobs: int, taken: int, wrote: Path, *command: str) -> dict[str, str | float]:
    """Run a command; return what it took for so many bytes of values, and what it wrote."""
    before = size(wrote) if wrote.exists() else 0
    began = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ)
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"failed: {way}")
    seconds = time.perf_counter() - began
    row: dict[str, str | float] = {"way": way, "jobs": jobs, "gb": taken / 1e9, "s": seconds}
    row |= {"mb_s": taken / 1e6 / seconds, "cpu_s": used.ru_utime + used.ru_stime}
    wrote_mb = (size(wrote) - before) / 1e6 if wrote.exists() else 0
    row |= {"memory_mb": used.ru_maxrss * 1024 / 1e6, "wrote_mb": wrote_mb}
    print("  ".join(v if isinstance(v, str) else f"{v:.4g}" for v in row.values()), flush=True)
    return row


def ways(room: Path, snr: str, jobs: Sequence[int]) -> Iterator[dict[str, str | float]]:
    dumps, taken = room / "dumps", size(room / "dumps")
    for count in jobs:
        coded, back = room / f"coded-{count}", room / f"back-{count}"
        words = [*FEATCODEC, "encode", "-q", "-r", str(dumps), "--output-dir", str(coded)]
        words += ["--snr", snr, "-j", str(count)]
        yield measured("shell, encode", count, taken, coded, *words)
        words = [*FEATCODEC, "decode", "-q", "-r", str(coded), "--output-dir", str(back)]
        yield measured("shell, decode", count, taken, back, *words, "-j", str(count))
        subprocess.run(["rm", "-r", str(back)], check=True)
        files = sorted(map(str, coded.rglob("*.fcz")))
        words = [sys.executable, "-c", CONSUME, str(count), *files]
        yield measured("loader", count, taken, room / "none", *words)
    written = room / "written"
    written.mkdir()
    some = sorted(dumps.iterdir())
    some = some[: max(round(len(some) * WRITER), 1)]
    words = [sys.executable, "-c", PRODUCE, str(written), snr, str(BATCH), *map(str, some)]
    taken = sum(path.stat().st_size for path in some)
    yield measured("writer", 1, taken, written, *words)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dumps", nargs="+", type=Path)
    parser.add_argument("--gigabytes", type=float, default=20)
    parser.add_argument("--shards", type=float, default=300, help="MB of each")
    parser.add_argument("--jobs", default="1,2")
    parser.add_argument("--snr", default="10")
    parser.add_argument("--csv", type=Path)
    asked = parser.parse_args()
    count = max(round(asked.gigabytes * 1000 / asked.shards), 1)
    with tempfile.TemporaryDirectory() as folder, multiprocessing.Pool() as pool:
        room = Path(folder)
        (room / "dumps").mkdir()
        wanted = []
        for number in range(count):
            dump = asked.dumps[number % len(asked.dumps)]
            target = room / "dumps" / f"{number:04}.safetensors"
            wanted.append((dump, asked.shards, number, target))
        pool.starmap(make, wanted)
        rows = list(ways(room, asked.snr, [int(word) for word in asked.jobs.split(",")]))
    if asked.csv:
        records.write(asked.csv, rows, ["torch"])


if __name__ == "__main__":
    main()
