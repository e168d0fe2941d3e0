"""Load: everything at once for an hour; no wrong value, memory flat, nothing left open or behind.

    python -m tests.trust.soak --seconds 3600 --seed 1

Threads, forked and spawned processes read slices of shared files, encode and decode files and
messages, and compare each result with what is known to be right. Ends with status 1 when a value is
wrong, when more memory or more files are in use in the last quarter of the time than in the second,
or when temporary files are left.
"""

import argparse
import ctypes
import gc
import multiprocessing
import os
import random
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from featcodec import Codec, Profile, safe_open
from featcodec.files import decode_file, encode_file
from featcodec.request import Options, Quality
from featcodec.training.linear import train

from .scenarios import values

SAMPLES = 400
GROWTH = 1.05  # times the memory of the second quarter of the time
ROUND = 60  # things that each worker does before all are counted

give_back = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)  # glibc has it


class Load:
    """Files, what they hold, and what can be done with them. It travels to other processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dump, self.file = folder / "x.safetensors", folder / "x.fcz"
        save_file(values(1, SAMPLES), self.dump, {"layout": "NLD"})
        encode_file(self.dump, self.file, Quality(snr=12))
        self.encoded = self.file.read_bytes()
        self.reader = safe_open(self.file, cache=1 << 20)
        self.right = self.reader.get_tensors()
        decode_file(self.file, folder / "right.safetensors")
        self.decoded = (folder / "right.safetensors").read_bytes()
        self.codec = Codec(_profile(self.dump), snr=12)
        self.sent = [self.right["features"][i : i + 1] for i in range(8)]
        self.messages = [self.codec.encode(array) for array in self.sent]
        self.received = [self.codec.decode(message) for message in self.messages]

    def slice(self, chance: random.Random) -> None:
        name = chance.choice(["features", "labels"])
        first = chance.randrange(SAMPLES)
        rows = slice(first, chance.randint(first, SAMPLES), chance.choice((1, 1, 3)))
        index = chance.choice([rows, first, -first - 1 if first < SAMPLES else -1])
        found = self.reader.get_slice(name)[index]
        assert np.array_equal(found, self.right[name][index]), f"slice {name}[{index}]"

    def encode(self, chance: random.Random) -> None:
        path = self._path(chance)
        encode_file(self.dump, path, Quality(snr=12))
        assert path.read_bytes() == self.encoded, "encoded otherwise"
        path.unlink()

    def decode(self, chance: random.Random) -> None:
        path = self._path(chance)
        decode_file(self.file, path)
        assert path.read_bytes() == self.decoded, "decoded otherwise"
        path.unlink()

    def send(self, chance: random.Random) -> None:
        number = chance.randrange(len(self.sent))
        assert self.codec.encode(self.sent[number]) == self.messages[number], "another message"

    def receive(self, chance: random.Random) -> None:
        number = chance.randrange(len(self.sent))
        found = self.codec.decode(self.messages[number])
        assert np.array_equal(found, self.received[number]), "received otherwise"

    def _path(self, chance: random.Random) -> Path:
        return self.folder / f"{os.getpid()}-{threading.get_ident()}-{chance.getrandbits(60):x}"

    def some(self, seed: int) -> Counter[str]:
        """Do things by chance; return how often each was done."""
        chance, done = random.Random(seed), Counter[str]()
        things: list[Callable] = [self.slice] * 8 + [self.receive] * 6 + [self.send] * 2
        things += [self.decode, self.encode]
        for _ in range(ROUND):
            thing = chance.choice(things)
            thing(chance)
            done[thing.__name__] += 1
        return done


def _profile(dump: Path) -> Profile:
    from featcodec.dumps import Dump

    with Dump(dump) as opened:
        return Profile.parse(Profile.pack(train([opened], Options())))


def measure() -> tuple[int, int]:
    """Return the memory that is in use, in bytes, and how many files are open.

    What the allocator keeps free is given back first: it varies while what is in use does not.
    """
    gc.collect()
    give_back(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize(), len(list(Path("/proc/self/fd").iterdir()))


def typical(measured: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the medians of memory and files: one round may end in the midst of something."""
    memory, files = zip(*measured, strict=True)
    return statistics.median_low(memory), statistics.median_low(files)


def run(seconds: float, seed: int) -> tuple[Counter[str], list[tuple[int, int]]]:
    """Load this machine for a while; return what was done, and memory and files round by round."""
    chance, done, measured = random.Random(seed), Counter[str](), []
    with tempfile.TemporaryDirectory(prefix="featcodec-soak-") as where:
        tempfile.tempdir = where
        load = Load(Path(where))
        before = {*Path(where).iterdir()}
        fork, spawn = (multiprocessing.get_context(kind) for kind in ("fork", "spawn"))
        end = time.monotonic() + seconds
        with spawn.Pool(1, maxtasksperchild=20) as spawned:
            while time.monotonic() < end:
                with fork.Pool(1) as forked:  # before there are threads
                    away = [pool.map_async(load.some, [chance.getrandbits(32)])
                            for pool in (spawned, forked)]  # fmt: skip
                    with ThreadPoolExecutor(2) as threads:
                        for one in threads.map(load.some, [chance.getrandbits(32)] * 2):
                            done += one
                    for pending in away:
                        for one in pending.get(600):
                            done += one
                    forked.close()
                    forked.join()
                measured.append(measure())
        left = {*Path(where).iterdir()} - before
        assert not left, f"left behind: {left}"
        tempfile.tempdir = None
    return done, measured


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    done, measured = run(asked.seconds, asked.seed)
    print(f"{sum(done.values()):,} results compared: {dict(done)}")
    quarter = max(len(measured) // 4, 1)
    early, late = measured[quarter - 1 : 2 * quarter], measured[-quarter:]
    (memory, files), (memory_late, files_late) = typical(early), typical(late)
    print(f"memory {memory >> 20} MB, at the end {memory_late >> 20} MB")
    print(f"open files {files}, at the end {files_late}")
    return int(memory_late > GROWTH * memory or files_late > files)


if __name__ == "__main__":
    sys.exit(main())
