"""Rate, its bound, and speed on dumps of your own.

Usage: python tests/benchmarks/measure.py rate  [-p PROFILE] [--snr 5,10,20] DUMP...
       python tests/benchmarks/measure.py bound [-p PROFILE] [--snr 5,10,20,30] DUMP...
       python tests/benchmarks/measure.py speed [-p PROFILE] [--snr 10] DUMP...

`rate` prints bits per feature point, every byte of the file counted, and the SNR reached. `bound`
prints beside the rate what Gaussian sources would take that have the variances of the dump's KLT x
DCT coefficients: with one KLT, and with one for each of five bands of frequencies. Both are fitted
to the dump and stored nowhere, so for dumps of few tokens they are lower than any coder can come.
`speed` prints MB of tensors a second, one thread, without the start of the process, and the ratio
to what constriction alone takes for the same number of symbols with one table of the same entropy;
give it dumps of 100 MB and more. With --csv FILE `rate` and `bound` also keep what they print, as a
file of `data/`.
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
import records

from featcodec import Profile
from featcodec.align.numbers import stored_dtype
from featcodec.container.reader import Reader
from featcodec.decoding.decoder import Decoder
from featcodec.dumps import Dump
from featcodec.encoding.dump import encode
from featcodec.entropy import fit
from featcodec.entropy.tables import frequencies
from featcodec.evaluate.features import Features
from featcodec.modes.banded.fit import Moments
from featcodec.request import Quality
from featcodec.transform.banded import Banded

RUNS = 3
TOKENS = 16  # of a sequence in a block
RINGS = (0.05, 0.2, 0.5, 0.8)  # radii between five bands


Rows = list[dict[str, str | float]]


def rate(dump: Path, snrs: list[float], profile: Profile | None) -> Rows:
    cells, rows = [], []
    for snr in snrs:
        report = encode(Dump(dump), io.BytesIO(), Quality(snr=snr), profile)
        cells.append(f"{report.bpfp:8.4f} b at {report.snr_db:6.3f} dB")
        rows.append({"dump": dump.stem, "snr_db": snr, "bpfp": report.bpfp})
    print(f"{dump.stem:24}" + "  ".join(cells), flush=True)
    return rows


def spectrum(plane: np.ndarray, edges: tuple[float, ...]) -> tuple[np.ndarray, int]:
    """Return the variances of a plane's coefficients, and how many of each variance there are."""
    if plane.ndim == 2:
        blocks = max(plane.shape[1] // TOKENS, 1)
        plane = plane[:, : blocks * TOKENS].reshape(len(plane), blocks, -1)
    sizes = plane.shape[2:]
    values = np.moveaxis(plane, 1, -1).reshape(len(plane), -1, plane.shape[1]).astype(np.float64)
    values -= values.mean(axis=(1, 2), keepdims=True)
    radius = np.sqrt(sum(f**2 for f in np.ix_(*(np.arange(size) / size for size in sizes))))
    bands = np.unique(np.searchsorted(edges, radius, side="right"), return_inverse=True)[1]
    moments = Moments(bands.reshape(sizes), len(plane))
    moments.add(values.copy(), sizes)
    axes = Banded(np.zeros(len(plane)), moments.axes(), moments.bands, "f8")
    return (axes.forward(values, sizes) ** 2).mean(axis=-1).ravel(), plane.shape[1]


def water_filling(variances: np.ndarray, distortion: float) -> float:
    """Return the bits of Gaussian sources at a mean distortion (Cover and Thomas, section 10.3)."""
    ordered = np.sort(variances)
    count = np.arange(len(ordered), 0, -1)
    below = np.concatenate([[0], np.cumsum(ordered)[:-1]])
    # Sources below the level keep all their variance: any number of them is too low or right.
    level = ((distortion * len(ordered) - below) / count).max()
    return float(np.log2(np.maximum(ordered / level, 1)).sum() / 2)


def bound(path: Path, snrs: list[float], profile: Profile | None) -> Rows:
    features = Features(Dump(path))
    lines = {"one KLT": (), "five bands": RINGS}
    bits = {name: np.zeros(len(snrs)) for name in lines}
    for group in features.groups:
        deviation = np.concatenate([plane.ravel() for plane in group.planes]).std()
        for name, edges in lines.items():
            found = [spectrum(plane, edges) for plane in group.planes]
            variances = np.concatenate([np.tile(each, number) for each, number in found])
            for i, snr in enumerate(snrs):
                bits[name][i] += water_filling(variances, deviation**2 * 10 ** (-snr / 10))
    rates = [encode(Dump(path), io.BytesIO(), Quality(snr=s), profile).bpfp for s in snrs]
    rows: Rows = []
    for name, cells in {**{k: v / features.values for k, v in bits.items()}, "rate": rates}.items():
        print(f"{path.stem:24}{name:12}" + "".join(f"{cell:9.4f}" for cell in cells), flush=True)
        rows += [
            {"dump": path.stem, "what": name, "snr_db": snr, "bpfp": float(cell)}
            for snr, cell in zip(snrs, cells)
        ]
    return rows


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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["rate", "bound", "speed"])
    parser.add_argument("dumps", nargs="+", type=Path)
    parser.add_argument("-p", "--profile")
    parser.add_argument("--snr", default="")
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    trained = Profile.load(given.profile) if given.profile else None
    rows: Rows = []
    for each in given.dumps:
        if given.what == "rate":
            rows += rate(each, [float(s) for s in (given.snr or "5,10,20").split(",")], trained)
        elif given.what == "bound":
            rows += bound(each, [float(s) for s in (given.snr or "5,10,20,30").split(",")], trained)
        else:
            speed(each, float(given.snr or 10), trained)
    if given.csv and rows:
        records.write(given.csv, rows)


if __name__ == "__main__":
    main()
