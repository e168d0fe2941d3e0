"""What an effort takes: bits and speed of `fast` beside those of `best`.

Usage: python tests/benchmarks/efforts.py [--snr 10,20] [--csv FILE] DUMP...

Times are processor time on one thread, the least of runs that alternate, so that what else the
machine does meets both efforts. With --csv FILE what is printed is kept as a file of `data/`.
"""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import records
from latency import Row  # before NumPy: it says how many threads BLAS has

from featcodec.dumps import Dump
from featcodec.encoding.dump import encode
from featcodec.request import EFFORTS, Options, Quality

RUNS = 3


def compared(path: Path, snr: float) -> Row:
    """Return what both efforts take for a dump, and their ratios."""
    seconds, size, reached = {}, {}, {}
    with Dump(path) as dump:
        for _ in range(RUNS):
            for effort in EFFORTS:
                out, options = io.BytesIO(), Options(effort=effort)
                start = process_time()
                report = encode(dump, out, Quality(snr=snr), options=options)
                spent = process_time() - start
                seconds[effort] = min(spent, seconds.get(effort, spent))
                size[effort], reached[effort] = report.output_bytes, report.snr_db
        megabytes = dump.data_bytes / 1e6
    row: Row = {"dump": path.stem, "megabytes": megabytes, "snr_db": snr}
    for effort in EFFORTS:
        row |= {f"{effort}_mb_s": megabytes / seconds[effort], f"{effort}_bytes": size[effort]}
        row |= {f"{effort}_reached_db": reached[effort]}
    return row


def rows(paths: list[Path], snrs: list[float]) -> Iterator[Row]:
    for path in paths:
        for snr in snrs:
            yield compared(path, snr)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("dumps", type=Path, nargs="+")
    parser.add_argument("--snr", default="10,20")
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    found = []
    for row in rows(given.dumps, [float(snr) for snr in given.snr.split(",")]):
        found.append(row)
        print("  ".join(f"{v:.5g}" if isinstance(v, float) else str(v) for v in row.values()))
    if given.csv:
        records.write(given.csv, found)


if __name__ == "__main__":
    main()
