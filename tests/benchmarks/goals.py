"""The goals of speed beside what is measured, and beside that the noise of the machine.

Usage: python tests/benchmarks/goals.py [--snr 10,20] TRAIN EVAL [--large DUMP]... [--jobs DUMP]

TRAIN and EVAL are folders with dumps of the same names, as for `latency.py`; --large are dumps of
100 MB or so, --jobs is one of 400 MB. Times are processor time of one thread. Noise is by how much
the median of the runs of a row exceeds the least of them; the last row is that of work which never
changes, over the whole time. The goals of large dumps are higher where numba is installed.
"""

import argparse
import io
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import latency  # before NumPy: it says how many threads BLAS has
import numpy as np
from latency import timed
from safetensors.numpy import load_file

from featcodec import Profile
from featcodec.dumps import Dump
from featcodec.encoding.dump import encode
from featcodec.numpy import Arrays, load
from featcodec.request import EFFORTS, Options, Quality
from featcodec.training.linear import train

# MB/s of encoding and decoding by SNR, without compiled loops and with them; of sparse maps a part.
LARGE = {10.0: ((130, 250), (200, 350)), 20.0: ((80, 160), (120, 200))}
OF_SPARSE, SPARSE = 0.6, 0.05
# Milliseconds of messages to encode and to decode, and to encode at best.
MESSAGES = {"mobilenetv2_op35": (2, 0.6, 8), "vit_block4": (2, 0.6, 8)}
MESSAGES["mobilenetv2_op61"] = (8, 4, None)
SPARSE_MAPS = ("resnet56_layer2", "resnet56_layer3")  # small dumps of them, too
OF_FILE = 1.02  # bytes of messages at best, of the payload of a file
SMALL, SMALL_MS = 300_000, 30  # bytes of a dump, with a profile that fits
ROWS, JOBS = 1.5, 1 / 1.8  # of the time of `load_file`, and of one process
RUNS = 3


@dataclass
class Steady:
    """Work that never changes, timed again and again."""

    times: list[float] = field(default_factory=list)

    def again(self) -> None:
        numbers = np.random.default_rng(0).standard_normal(1 << 18)
        self.times.append(timed(lambda: [np.sort(numbers) for _ in range(3)]))


@dataclass(frozen=True)
class Row:
    what: str
    dump: str
    goal: float | None
    found: float
    unit: str
    noise: float
    more: bool = False  # is better

    def __str__(self) -> str:
        goal = "" if self.goal is None else f"{self.goal:.3g}"
        met = ""
        if self.goal is not None:
            reached = self.found >= self.goal if self.more else self.found <= self.goal
            met = "yes" if reached else "no"
        cells = f"{self.what:32}{self.dump:24}{goal:>8}{self.found:>9.3g} {self.unit:14}"
        return f"{cells}{met:5}{self.noise:6.0%}"


def noise(times: Sequence[float]) -> float:
    return statistics.median(times) / min(times) - 1


def large(path: Path, snr: float) -> Iterator[Row]:
    """Yield how fast a dump is coded, by the least of some runs."""
    packing, unpacking = [], []
    with Dump(path) as dump:
        tensor = max(dump.tensors, key=lambda t: int(np.prod(t.shape)))
        sparse = bool(np.mean(np.asarray(tensor.array()[:8]) == 0) > SPARSE)
        goals = LARGE[snr][find_spec("numba") is not None]
        for _ in range(RUNS):
            out = io.BytesIO()
            packing.append(timed(lambda out=out: encode(dump, out, Quality(snr=snr))))
            unpacking.append(timed(lambda out=out: load(out.getvalue())))
        size = dump.data_bytes / 1e6
    of_kind = OF_SPARSE if sparse else 1
    for what, goal, times in zip(("encode", "decode"), goals, (packing, unpacking), strict=True):
        found, noisy = size / min(times), noise(times)
        yield Row(f"{what} at {snr:g} dB", path.stem, goal * of_kind, found, "MB/s", noisy, True)


def messages(train_dump: Path, eval_dump: Path, snr: float) -> Iterator[Row]:
    """Yield what messages take, and their bytes at best."""
    goals = dict(zip(("encode", "decode", "encode at best"), MESSAGES[eval_dump.stem], strict=True))
    for row in latency.messages(train_dump, eval_dump, snr):
        median, least = float(row["median_ms"]), float(row["least_ms"])
        what = str(row["what"]).removeprefix("message, ")
        goal = goals.get(what)
        yield Row(str(row["what"]), eval_dump.stem, goal, median, "ms", median / least - 1)
        if what == "encode at best":
            ratio = float(row["bpfp"]) / float(row["file_bpfp"])
            yield Row("message, bytes at best", eval_dump.stem, OF_FILE, ratio, "of a file", 0)


def small(train_dump: Path, eval_dump: Path, snr: float) -> Iterator[Row]:
    """Yield what a small dump takes with a profile that fits."""
    with Dump(train_dump) as dump:
        profile = Profile.parse(Profile.pack(train([dump], Options())))
    samples = load_file(eval_dump)["features"]
    cut = samples[: max(SMALL // samples[0].nbytes, 1)]
    source = Arrays({"x": (cut, "F32")}, None)
    for effort in EFFORTS:
        options = Options(effort=effort)
        work = lambda o=options: encode(source, io.BytesIO(), Quality(snr=snr), profile, o)  # noqa: E731
        work()
        times = [timed(work) for _ in range(5 * RUNS)]
        found = 1e3 * statistics.median(times)
        what = f"300 kB, with a profile, {effort}"
        yield Row(what, eval_dump.stem, SMALL_MS, found, "ms", noise(times))


def relative(rows: Iterator[latency.Row], goal: float) -> Iterator[Row]:
    """Yield rows of `latency.py` that are told as parts of others."""
    for row in rows:
        median, least = float(row["median_ms"]), float(row["least_ms"])
        own = None if str(row["what"]).endswith("-j 1") else goal
        found, of = float(row["times"]), f"of {row['of']}"
        yield Row(str(row["what"]), str(row["dump"]), own, found, of, median / least - 1)


def rows(given: argparse.Namespace, snrs: Sequence[float]) -> Iterator[Row]:
    for path in given.large:
        for snr in snrs:
            yield from large(path, snr)
    for name in MESSAGES:
        pair = [folder / f"{name}.safetensors" for folder in (given.train, given.eval)]
        yield from messages(*pair, snrs[0])
    for name in (*MESSAGES, *SPARSE_MAPS):
        pair = [folder / f"{name}.safetensors" for folder in (given.train, given.eval)]
        yield from small(*pair, snrs[0])
    yield from relative(latency.rows(given.eval / f"{latency.ROWS}.safetensors", snrs[0]), ROWS)
    if given.jobs:
        yield from relative(latency.jobs(given.jobs, snrs[0]), JOBS)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("train", type=Path)
    parser.add_argument("eval", type=Path)
    parser.add_argument("--large", type=Path, action="append", default=[])
    parser.add_argument("--jobs", type=Path)
    parser.add_argument("--snr", default="10,20")
    given = parser.parse_args()
    steady = Steady()
    print(f"{'what':32}{'features':24}{'goal':>8}{'found':>9} {'':14}{'met':5}{'noise':>6}")
    steady.again()
    for row in rows(given, [float(snr) for snr in given.snr.split(",")]):
        print(row, flush=True)
        steady.again()
    print(
        Row("work that never changes", "", None, 1e3 * min(steady.times), "ms", noise(steady.times))
    )


if __name__ == "__main__":
    main()
