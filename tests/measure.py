"""Rate and speed on dumps of your own.

Usage: python tests/measure.py rate  [-p PROFILE] [--snr 5,10,20] DUMP...
       python tests/measure.py speed [-p PROFILE] [--snr 10] DUMP...     (dumps of 100 MB and more)

`rate` prints bits per feature point, every byte of the file counted, and the SNR reached. `speed`
prints MB of tensors a second, one thread, without the start of the process, and the ratio to what
constriction alone takes for the same number of symbols with one table of the same entropy.
"""

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import io
import time
from pathlib import Path

import constriction
import numpy as np

from featcodec import Profile
from featcodec.container.reader import Reader
from featcodec.dumps import Dump, stored_dtype
from featcodec.entropy import fit
from featcodec.entropy.tables import frequencies
from featcodec.pipeline.decode import Decoder
from featcodec.pipeline.encode import encode
from featcodec.pipeline.quality import Quality

RUNS = 3


def rate(dump: Path, snrs: list[float], profile: Profile | None) -> None:
    cells = []
    for snr in snrs:
        report = encode(Dump(dump), io.BytesIO(), Quality(snr=snr), profile)
        cells.append(f"{report.bpfp:8.4f} b at {report.snr_db:6.3f} dB")
    print(f"{dump.stem:24}" + "  ".join(cells), flush=True)


def constriction_alone(bpfp: float, count: int) -> tuple[float, float]:
    """Return the seconds to encode and to decode `count` Laplacian symbols of that entropy."""
    rng = np.random.default_rng(0)
    low, high = 0.01, 100.0
    for _ in range(30):  # the deviation at which the entropy is the rate
        middle = (low * high) ** 0.5
        symbols = np.rint(rng.laplace(scale=middle, size=1 << 18)).astype(np.int32)
        counts = np.unique(symbols, return_counts=True)[1] / symbols.size
        low, high = (middle, high) if -(counts * np.log2(counts)).sum() < bpfp else (low, middle)
    symbols = np.resize(symbols, count)
    table = fit.fit(fit.Histogram.of(symbols))
    np.clip(symbols, 1 - table.magnitude, table.magnitude - 1, out=symbols)
    symbols += table.magnitude
    chances = (frequencies(table) - 1).astype(float)
    model = constriction.stream.model.Categorical(chances, perfect=False)
    best = [np.inf, np.inf]
    for _ in range(RUNS):
        coder = constriction.stream.stack.AnsCoder()
        start = time.perf_counter()
        coder.encode_reverse(symbols, model)
        middle = time.perf_counter()
        coder = constriction.stream.stack.AnsCoder(coder.get_compressed())
        after = time.perf_counter()
        coder.decode(model, count)
        best = [min(best[0], middle - start), min(best[1], time.perf_counter() - after)]
    return best[0], best[1]


def speed(path: Path, snr: float, profile: Profile | None) -> None:
    dump = Dump(path)
    values = sum(int(np.prod(t.shape)) for t in dump.tensors)
    stored = {t.name: np.zeros(int(np.prod(t.shape)), stored_dtype(t.dtype)) for t in dump.tensors}
    packing, unpacking = np.inf, np.inf
    for _ in range(RUNS):
        out = io.BytesIO()
        start = time.perf_counter()
        report = encode(dump, out, Quality(snr=snr), profile)
        middle = time.perf_counter()
        decoder = Decoder(Reader(out, path.name), [profile] if profile else [])
        decoder.decode(decoder.reader.index.tensors, lambda entry: stored[entry.name])
        packing = min(packing, middle - start)
        unpacking = min(unpacking, time.perf_counter() - middle)
    alone = constriction_alone(report.bpfp, values)
    size = dump.data_bytes / 1e6
    print(
        f"{path.stem:24}{report.bpfp:7.3f} b  encode {size / packing:5.0f} MB/s,"
        f" {alone[0] / packing:.2f} of constriction  decode {size / unpacking:5.0f} MB/s,"
        f" {alone[1] / unpacking:.2f} of constriction",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["rate", "speed"])
    parser.add_argument("dumps", nargs="+", type=Path)
    parser.add_argument("-p", "--profile")
    parser.add_argument("--snr", default="")
    given = parser.parse_args()
    trained = Profile.load(given.profile) if given.profile else None
    for each in given.dumps:
        if given.what == "rate":
            rate(each, [float(s) for s in (given.snr or "5,10,20").split(",")], trained)
        else:
            speed(each, float(given.snr or 10), trained)
