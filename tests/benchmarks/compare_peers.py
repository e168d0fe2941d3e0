"""Bounded errors and bit-exactness beside other codecs, as Markdown tables of bits a value.

Usage: python tests/benchmarks/compare_peers.py bounded  [--part 1e-1,1e-2,1e-3] DUMP...
       python tests/benchmarks/compare_peers.py lossless [--dtype F32,F16,BF16] DUMP...

`bounded`: no value errs by more than that part of the standard deviation of its dump, which is
checked for all. SZ3 is the best of its algorithms; zfp, whose errors stay below its tolerance, gets
the largest tolerance that keeps to the bound. `lossless`: the features cast to each type, F32 left
out where all values are halves. Peers get the tensors as they lie in the dump, then with channels
first, and the fewer bytes count: of values alone, while of featcodec's file every byte does. With
--csv FILE the rates are kept as a file of `data/`, too.

Needs pysz, zfpy, zstandard, blosc2 and pcodec.
"""

import argparse
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import blosc2
import numpy as np
import pcodec
import pysz
import records
import zfpy
import zstandard

from featcodec.align.numbers import from_float, to_float
from featcodec.container.reader import Reader
from featcodec.decoding.decoder import Decoder
from featcodec.dumps import Dump
from featcodec.encoding.dump import encode
from featcodec.evaluate.coders import Coder, Sz3, Zfp
from featcodec.evaluate.features import Features
from featcodec.numpy import Arrays
from featcodec.request import Quality

PACKAGES = ("pysz", "zfpy", "zstandard", "blosc2", "pcodec")
ALGORITHMS = ("INTERP_LORENZO", "INTERP", "LORENZO_REG", "NOPRED")
TOLERANCES = (16, 8, 4, 2, 1)  # of zfp, times the bound
ROUNDING = 1 + 1e-6  # of float32
FILTERS = (blosc2.Filter.SHUFFLE, blosc2.Filter.BITSHUFFLE)


def cast(path: Path, dtype: str) -> Features:
    """Return the features of a dump, as elements of a type."""
    dump = Dump(path)
    tensors = {}
    for group in Features(dump).groups:
        for i, (name, shape) in enumerate(zip(group.names, group.alignment.shapes)):
            stored = np.asarray(group.stored(i))
            values = np.asarray(to_float(stored, group.alignment.dtype)).reshape(shape)
            tensors[name] = (from_float(values, dtype), dtype)
    return Features(Arrays(tensors, dump.metadata))


def orders(features: Features) -> list[list[np.ndarray]]:
    """Return arrays of all stored elements, as they lie in the dump and with channels first."""
    lying, turned = [], []
    for group in features.groups:
        tensors = [group.stored(i) for i in range(len(group.names))]
        same = len({tensor.shape[1:] for tensor in tensors}) == 1
        lying.append(np.concatenate(tensors if same else [t.ravel() for t in tensors]))
        turned += [from_float(plane, group.alignment.dtype) for plane in group.planes]
    return [lying, turned]


def least(features: Features, size: Callable[[np.ndarray], float]) -> float:
    """Return the bytes of all features in the better order."""
    return min(sum(size(array) for array in arrays) for arrays in orders(features))


def ours(features: Features, quality: Quality) -> tuple[float, float]:
    """Return the bytes of the file, and the largest error of what it decodes to."""
    out = io.BytesIO()
    encode(features.source, out, quality)
    decoder = Decoder(Reader(out, "file"), [])
    stored = {t.name: t.read() for t in features.source.tensors}
    back = {name: np.zeros(array.size, array.dtype) for name, array in stored.items()}
    decoder.decode(decoder.reader.index.tensors, lambda entry: back[entry.name])
    if quality.lossless:
        assert all(back[name].tobytes() == array.tobytes() for name, array in stored.items())
        return len(out.getvalue()), 0
    error = max(np.abs(back[name] - array.ravel()).max() for name, array in stored.items())
    return len(out.getvalue()), float(error)


def coded(coder: Coder, tolerances: Sequence[float], bound: float) -> Callable[[np.ndarray], float]:
    """Return the bytes of an array by the first tolerance, times the bound, that keeps to it."""

    def size(array: np.ndarray) -> float:
        for tolerance in tolerances:
            data = coder.encode(array, bound * tolerance)
            back = coder.decode(data, array.shape, bound * tolerance)
            if np.abs(back - array).max() <= bound * ROUNDING:
                return len(data)
        return math.inf

    return size


def bounded(features: Features, part: float) -> dict[str, float]:
    """Return the bytes of each codec that errs at most by a part of the standard deviation."""
    values = np.concatenate([plane.ravel() for group in features.groups for plane in group.planes])
    bound = part * float(values.std())
    size, error = ours(features, Quality(max_error=bound))
    assert error <= bound * ROUNDING
    sz3 = [least(features, coded(Sz3(pysz, name), [1], bound)) for name in ALGORITHMS]
    zfp = least(features, coded(Zfp(zfpy), TOLERANCES, bound))
    return {"featcodec": size, "SZ3": min(sz3), "zfp": zfp}


def lossless(features: Features) -> dict[str, float]:
    """Return the bytes of each codec that gives every bit back."""
    packer = zstandard.ZstdCompressor(level=19)

    def blosc(array: np.ndarray) -> float:
        options = {"typesize": array.itemsize, "codec": blosc2.Codec.ZSTD, "clevel": 9}
        data = np.ascontiguousarray(array)
        return min(len(blosc2.compress2(data, filters=[f], **options)) for f in FILTERS)

    def pco(array: np.ndarray) -> float:
        config = pcodec.ChunkConfig(compression_level=8)
        return len(pcodec.standalone.simple_compress(np.ascontiguousarray(array).ravel(), config))

    return {
        "featcodec": ours(features, Quality(lossless=True))[0],
        "zstd 19": least(features, lambda array: len(packer.compress(array.tobytes()))),
        "blosc2": least(features, blosc),
        "pcodec": least(features, pco),
    }


def table(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Print bits a value and the ratio to the best peer, with geometric means."""
    if not rows:
        return
    names = list(next(iter(rows.values())))
    rows["geometric mean"] = {
        name: math.prod(row[name] for row in rows.values()) ** (1 / len(rows)) for name in names
    }
    ratios = [row["featcodec"] / min(row[n] for n in names[1:]) for row in rows.values()]
    ratios[-1] = math.prod(ratios[:-1]) ** (1 / (len(rows) - 1))
    print(f"\n| {' | '.join([title, *names, 'to the best peer'])} |\n|{'---|' * (len(names) + 2)}")
    for (name, row), ratio in zip(rows.items(), ratios):
        print(f"| {name} | {' | '.join(f'{bits:.3f}' for bits in row.values())} | {ratio:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["bounded", "lossless"])
    parser.add_argument("dumps", nargs="+", type=Path)
    parser.add_argument("--part", default="1e-1,1e-2,1e-3")
    parser.add_argument("--dtype", default="F32,F16,BF16")
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    kept = []
    for setting in (given.part if given.what == "bounded" else given.dtype).split(","):
        rows = {}
        for path in given.dumps:
            features = cast(path, setting if given.what == "lossless" else "F32")
            halves = all(np.array_equal(a, a.astype("f2")) for a in orders(features)[0])
            if setting == "F32" and halves:
                continue
            found = (
                bounded(features, float(setting)) if given.what == "bounded" else lossless(features)
            )
            rows[path.stem] = {name: 8 * size / features.values for name, size in found.items()}
            kept += [
                {"dump": path.stem, "setting": setting, "codec": name, "bpfp": bits}
                for name, bits in rows[path.stem].items()
            ]
        table(f"{given.what}, {setting}", rows)
    if given.csv and kept:
        records.write(given.csv, kept, PACKAGES)


if __name__ == "__main__":
    main()
