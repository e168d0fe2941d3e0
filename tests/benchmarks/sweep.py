"""Qualities from end to end on dumps of your own: is more quality ever cheaper, is a rate met?

Usage: python tests/benchmarks/sweep.py snr       [--values N] [--csv FILE] DUMP...
       python tests/benchmarks/sweep.py bpfp      [--values N] [--csv FILE] DUMP...
       python tests/benchmarks/sweep.py estimates [--values N] [--csv FILE] DUMP...

`snr` encodes each dump at SNRS, `bpfp` at RATES: bytes, the SNR reached and processor time, or why
a rate is not met. `estimates` writes the finalists of each race: what their samples said of their
bits, and how many it were. Dumps are cut to about N values: to leading tensors, of the last to
leading samples, and of one sample to the beginning of its longest axis. With --csv FILE what is
printed is kept as a file of `data/`, row by row; `plot_sweep.py` and `results.py` draw and tell it.
"""

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import io
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import records

from featcodec.container.sections import FEATURES
from featcodec.container.writer import Writer
from featcodec.dumps import Dump
from featcodec.encoding.dump import encode
from featcodec.encoding.features import FeatureEncoder, sane
from featcodec.encoding.judge import judge_at
from featcodec.encoding.outcome import size_of
from featcodec.encoding.search.race import Race
from featcodec.encoding.tensors.group import Group
from featcodec.encoding.tensors.grouping import group_tensors
from featcodec.encoding.tensors.samples import Samples
from featcodec.errors import Unreachable
from featcodec.request import Options, Quality
from featcodec.tensors import Tensor

VALUES = 150_000
SNRS = (0.1, 0.3, 0.5, 1, 1.5, 2, 3, 4, 5, 8, 12, 16, 20, 30, 45, 60)
RATES = (0.05, 0.3, 1.5, 8)
FINALISTS_AT = (5, 10, 20, 30)

Row = dict[str, str | float]


@dataclass(frozen=True)
class Beginning:
    """The beginning of a dump, as a source of tensors."""

    tensors: Sequence[Tensor]
    metadata: dict[str, str] | None
    data_bytes: int = 0

    @classmethod
    def of(cls, dump: Dump, values: int) -> "Beginning":
        """Return leading tensors, with half of the values of the last at least."""
        found: list[Tensor] = []
        for tensor in dump.tensors:
            count = math.prod(tensor.shape)
            if found and 2 * values < count:
                break
            found.append(tensor if count <= 1.5 * values else cut(tensor, values))
            values -= count
        return cls(found, dump.metadata)


def cut(tensor: Tensor, values: int) -> Tensor:
    """Return leading samples of a tensor, and of a single one the beginning of its longest axis."""
    samples = max(values // math.prod(tensor.shape[1:]), 1)
    array = np.asarray(tensor.array()[:samples])
    if array.size > 1.5 * values:
        axis = int(np.argmax(array.shape))
        array = array.take(range(array.shape[axis] * values // array.size), axis)
    flat = array.ravel()
    return Tensor(tensor.name, tensor.dtype, array.shape, lambda: flat)


# --- qualities ----------------------------------------------------------------------------------


def snrs(dump: str, source: Beginning) -> Iterator[Row]:
    for snr in SNRS:
        yield {"dump": dump, "asked": snr, **coded(source, Quality(snr=snr))}


def rates(dump: str, source: Beginning) -> Iterator[Row]:
    for rate in RATES:
        yield {"dump": dump, "asked": rate, **coded(source, Quality(bpfp=rate))}


def coded(source: Beginning, quality: Quality) -> Row:
    start = time.process_time()
    try:
        report = encode(source, io.BytesIO(), quality)
        found: Row = {"bytes": report.output_bytes, "bpfp": report.bpfp, "snr_db": report.snr_db}
        says = ""
    except Unreachable as error:
        found, says = {"bytes": "", "bpfp": "", "snr_db": ""}, str(error)
    return {**found, "seconds": time.process_time() - start, "says": says}


# --- estimates ----------------------------------------------------------------------------------


def estimates(dump: str, source: Beginning) -> Iterator[Row]:
    """Yield what samples said of the finalists of each group, and what they took."""
    for snr in FINALISTS_AT:
        options = Options()
        judge = judge_at(snr, None, options)
        for group in group_tensors(source, options, lossless=False, judge=judge):
            for row in finalists(group, snr):
                yield {"dump": dump, "group": group.names[0], "snr_db": snr, **row}


def finalists(group: Group, snr: float) -> Iterator[Row]:
    group = group.with_constants.with_gains
    samples = Samples(group, Options().search)
    if not sane(samples.stats):
        return
    race = Race(samples, [], "auto", snr)
    race.run()
    least = race.final.least
    for trial, choice in race.final.finished:
        writer = Writer(io.BytesIO(), FEATURES)
        start = writer.position
        header = FeatureEncoder(writer, None, Options())._at_snr(samples, choice, snr)
        yield {
            "mode": choice.transform,
            "dependent": int(choice.quantiser.dependent),
            "trial_bits": trial.bits,
            "bits": choice.estimate.bits,
            "true_bits": "" if header is None else 8.0 * size_of(writer, start, header),
            "miss_db": choice.estimate.miss,
            "chosen": int(choice.sound and choice.estimate.bits == least),
        }


# --- the command --------------------------------------------------------------------------------


MEASURED = {"snr": snrs, "bpfp": rates, "estimates": estimates}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=list(MEASURED))
    parser.add_argument("dumps", nargs="+", type=Path)
    parser.add_argument("--values", type=int, default=VALUES)
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    rows: list[Row] = []
    for path in given.dumps:
        with Dump(path) as dump:
            for row in MEASURED[given.what](path.stem, Beginning.of(dump, given.values)):
                print("  ".join(str(records.short(v)) for v in row.values()), flush=True)
                rows.append(row)
                if given.csv:
                    records.write(given.csv, rows)


if __name__ == "__main__":
    main()
