"""Time of single messages, of rows one by one, and of one dump decoded by several processes.

Usage: python tests/benchmarks/latency.py [--snr 10] [--csv FILE] TRAIN EVAL [--large DUMP]

TRAIN and EVAL are folders with dumps of the same names: a profile of the one codes the other's
samples as messages. Times are processor time on one thread, medians and least ones: on a busy
machine the least ones and the ratios hold. Decoding by processes is told by the processor time of
the one that takes longest. With --csv FILE what is printed is kept as a file of `data/`.
"""

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time

import measure
import numpy as np
import records
from safetensors.numpy import load_file

import featcodec
from featcodec import Codec, Profile, numpy
from featcodec.container.reader import Reader
from featcodec.dumps import Dump
from featcodec.encoding.dump import encode
from featcodec.request import Options, Quality
from featcodec.training.linear import train

MESSAGES = ("mobilenetv2_op35", "vit_block4", "mobilenetv2_op61")
ROWS = "resnet56_layer3"
COUNT, RUNS = 200, 5
Row = dict[str, str | float]


def timed(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


def messages(train_dump: Path, eval_dump: Path, snr: float) -> Iterator[Row]:
    """Yield what messages of the samples of a dump take to encode and to decode, and their bits."""
    with Dump(train_dump) as dump:
        profile = Profile.parse(Profile.pack(train([dump], Options())))
    samples = load_file(eval_dump)["features"]
    codec, best = Codec(profile, snr=snr), Codec(profile, snr=snr, effort="best")
    each = [samples[i % len(samples)][None] for i in range(COUNT)]
    packed, least = ([one.encode(sample) for sample in each] for one in (codec, best))
    values = samples[0].size
    bits, fewest = (8 * statistics.mean(map(len, some)) / values for some in (packed, least))
    alone = measure.constriction_alone(bits, values)
    with Dump(eval_dump) as dump:
        out = io.BytesIO()
        encode(dump, out, Quality(snr=snr), profile)
    header = Reader(out, "file").groups()[0]
    reader = Reader(out, "file")
    sections = range(header.first_section, header.first_section + header.row_groups)
    payload = sum(len(reader.section(number, b"ROWS")) for number in sections)
    step = Codec(profile, step=float(np.std(samples)) * 10 ** (-snr / 20) * 12**0.5)
    for what, work, given, beside, rate in (
        ("encode", codec.encode, each, alone[0], bits),
        ("encode at a step", step.encode, each, alone[0], ""),
        ("decode", codec.decode, packed, alone[1], bits),
        ("encode at best", best.encode, each, alone[0], fewest),
        ("decode at best", best.decode, least, alone[1], fewest),
    ):
        times = [timed(lambda one=one, work=work: work(one)) for one in given]
        yield {
            "what": f"message, {what}",
            "dump": eval_dump.stem,
            "median_ms": 1e3 * statistics.median(times),
            "least_ms": 1e3 * min(times),
            "times": min(times) / beside,
            "of": "constriction",
            "bpfp": rate,
            "file_bpfp": rate and 8 * payload / samples.size,
        }


def rows(eval_dump: Path, snr: float) -> Iterator[Row]:
    """Yield what the samples of a dump take one by one, beside all at once."""
    samples = load_file(eval_dump)["features"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.fcz"
        numpy.save_file({"x": samples}, path, layout="NCHW", snr=snr)

        def one_by_one(order: np.ndarray) -> None:
            with featcodec.safe_open(path) as file:
                found = file.get_slice("x")
                for row in order.tolist():
                    found[row]

        ordered = np.arange(len(samples))
        shuffled = np.random.default_rng(0).permutation(ordered)
        whole = [timed(lambda: numpy.load_file(path)) for _ in range(RUNS)]
        for what, order in (("in order", ordered), ("shuffled", shuffled)):
            times = [timed(lambda order=order: one_by_one(order)) for _ in range(RUNS)]
            yield {
                "what": f"{len(samples)} samples one by one, {what}",
                "dump": eval_dump.stem,
                "median_ms": 1e3 * statistics.median(times),
                "least_ms": 1e3 * min(times),
                "times": min(times) / min(whole),
                "of": "load_file",
                "bpfp": "",
                "file_bpfp": "",
            }


JOB = """
import resource, sys
from featcodec import decode_file
if __name__ == "__main__":
    decode_file(sys.argv[1], sys.argv[2], overwrite=True, jobs=int(sys.argv[3]))
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        print(used.ru_utime + used.ru_stime)
"""


def jobs(dump: Path, snr: float) -> Iterator[Row]:
    """Yield the processor time of the process that takes longest to decode a share of a dump."""
    with tempfile.TemporaryDirectory() as folder:
        packed, script = Path(folder) / "x.fcz", Path(folder) / "job.py"
        script.write_text(JOB)
        featcodec.encode_file(dump, packed, Quality(snr=snr))
        first = 0.0
        for number in (1, 2):
            times = []
            for _ in range(RUNS):
                command = [sys.executable, script, packed, Path(folder) / "back", str(number)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                own, others = map(float, done.stdout.split())
                times.append(max(own, others / max(number - 1, 1)))
            first = first or min(times)
            yield {
                "what": f"decode with -j {number}",
                "dump": dump.stem,
                "median_ms": 1e3 * statistics.median(times),
                "least_ms": 1e3 * min(times),
                "times": min(times) / first,
                "of": "-j 1",
                "bpfp": "",
                "file_bpfp": "",
            }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("train", type=Path)
    parser.add_argument("eval", type=Path)
    parser.add_argument("--large", type=Path)
    parser.add_argument("--snr", type=float, default=10.0)
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    found: list[Row] = []

    def take(some: Iterator[Row]) -> None:
        for row in some:
            found.append(row)
            print("  ".join(f"{v:.3g}" if isinstance(v, float) else v for v in row.values() if v))

    for name in MESSAGES:
        pair = [folder / f"{name}.safetensors" for folder in (given.train, given.eval)]
        take(messages(*pair, given.snr))
    take(rows(given.eval / f"{ROWS}.safetensors", given.snr))
    if given.large:
        take(jobs(given.large, given.snr))
    if given.csv:
        records.write(given.csv, found)


if __name__ == "__main__":
    main()
