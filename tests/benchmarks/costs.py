"""Processor time and memory of the commands on dumps, start of the process included.

Usage: python tests/benchmarks/costs.py [--snr 10] [--csv FILE] DUMP...

Each command runs some times as a process of its own on one thread; the least time and memory count.
With --csv FILE what is printed is kept as a file of `data/`.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import records

RUNS = 3


def cost(*words: str, runs: int = RUNS) -> tuple[float, float]:
    """Return the seconds and the MB of memory that a command takes."""
    command = [sys.executable, "-m", "featcodec", *words]
    with Path(os.devnull).open("w") as nowhere:
        quiet = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)]
        seconds, memory = [], []
        for _ in range(runs):
            process = os.posix_spawn(sys.executable, command, os.environ, file_actions=quiet)
            _, status, used = os.wait4(process, 0)
            if status:
                raise SystemExit(f"failed: {' '.join(words)}")
            seconds.append(used.ru_utime + used.ru_stime)
            memory.append(used.ru_maxrss * 1024 / 1e6)
    return min(seconds), min(memory)


def costs(dump: Path, snr: str) -> dict[str, str | float]:
    """Return what encoding, decoding and `info` take."""
    with tempfile.TemporaryDirectory() as folder:
        coded, back = f"{folder}/x.fcz", f"{folder}/x.safetensors"
        found = {
            "encode": cost("encode", "-q", "-f", "--snr", snr, str(dump), "-o", coded),
            "decode": cost("decode", "-q", "-f", coded, "-o", back),
            "info": cost("info", coded),
        }
    row: dict[str, str | float] = {"dump": dump.stem, "mb": dump.stat().st_size / 1e6}
    for name, (seconds, memory) in found.items():
        row |= {f"{name}_s": seconds, f"{name}_memory_mb": memory}
    return row


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("dumps", nargs="+", type=Path)
    parser.add_argument("--snr", default="10")
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    rows = []
    for dump in given.dumps:
        rows.append(costs(dump, given.snr))
        values = (v if isinstance(v, str) else f"{v:.3g}" for v in rows[-1].values())
        print("  ".join(values), flush=True)
    if given.csv:
        records.write(given.csv, rows)


if __name__ == "__main__":
    main()
