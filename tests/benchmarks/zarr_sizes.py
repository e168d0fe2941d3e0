"""Bytes of a zarr array of features by its codec: blosc, pcodec and featcodec.

    python tests/benchmarks/zarr_sizes.py DUMP.safetensors... --csv data/zarr.csv

The array is the tensor `features` in chunks of so many rows. All metadata count.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import records
import zarr
from safetensors import safe_open
from zarr.codecs import BloscCodec
from zarr.codecs.numcodecs import PCodec
from zarr.storage import MemoryStore

from featcodec.ext.zarr import Featcodec


def codecs(layout: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the ways to store an array, as arguments of `create_array`."""
    yield "none", {"compressors": None}
    yield (
        "blosc (zstd, bit shuffle)",
        {"compressors": BloscCodec(cname="zstd", shuffle="bitshuffle")},
    )
    yield "pcodec", {"serializer": PCodec(), "compressors": None}
    for name, quality in (
        ("featcodec, lossless", {"lossless": True}),
        ("featcodec, 30 dB", {"snr": 30}),
        ("featcodec, 20 dB", {"snr": 20}),
        ("featcodec, 10 dB", {"snr": 10}),
    ):
        yield name, {"serializer": Featcodec(layout=layout, **quality), "compressors": None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dumps", nargs="+", type=Path)
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100)
    asked = parser.parse_args()
    rows = []
    for dump in asked.dumps:
        with safe_open(dump, "np") as file:
            x, metadata = file.get_tensor("features"), file.metadata() or {}
        for name, options in codecs(metadata.get("layout")):
            store: dict[str, Any] = {}
            chunks = (min(asked.rows, len(x)), *x.shape[1:])
            zarr.create_array(MemoryStore(store), data=x, chunks=chunks, **options)
            size = sum(len(value) for value in store.values())
            rows.append({"dump": dump.stem, "codec": name, "bytes": size, "times": x.nbytes / size})
    records.write(asked.csv, rows, ["zarr", "numcodecs", "pcodec"])


if __name__ == "__main__":
    main()
