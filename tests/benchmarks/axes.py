"""How dumps are read whose axes nobody states, beside layouts given by hand.

Usage: python tests/benchmarks/axes.py table [--snr 10,20] --csv FILE FEATURES
       python tests/benchmarks/axes.py arrangements [--snr 5,10,20] --csv FILE FEATURES

FEATURES is the folder of real features, with `eval` and `other`. `table` measures a file as it is
by default, the smallest by a layout given by hand, and the values by a uniform step with zstd 19
and with JPEG XL. By hand are those that a dump names: all are tried at 10 dB and effort `fast`, the
best two of them coded as usual. A file that leaves a layer, head or row more than 1 dB below what
is asked does not count; other codecs get the step that leaves all of them enough. `arrangements`
measures the same values in several arrangements, in bits of values that are no padding; of those
that take far more than the first of the same values also what `--pool` takes.

SNRs are computed here from what the files decode to: of each tensor, and of each layer, head or row
that counts. The worst that a report states is compared with the same slice of the decoded arrays;
more than 0.02 dB apart ends the run. Rows of the CSV file that are there are not measured again.

Needs zstandard and imagecodecs.
"""

import argparse
import io
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import axes_dumps
import numpy as np
import records
from axes_dumps import Case

from featcodec.encoding.dump import encode
from featcodec.encoding.report import Report
from featcodec.evaluate.features import Features
from featcodec.evaluate.peers import peer
from featcodec.numpy import Arrays, load
from featcodec.request import Options, Quality

PACKAGES = ("zstandard", "imagecodecs")
PEERS = {"zstd": "step+zstd", "jxl": "step+jxl"}
FINALISTS, TRIED_AT = 2, 10.0  # layouts, and dB
APART = 0.02  # dB between what is stated and what is there
PEER_TRIES = 4
SLACK = 0.05  # dB below the decibel that a slice may lack
FAR_MORE = 1.03  # of the bits of the first arrangement

Row = dict[str, str | float]


def source(arrays: Mapping[str, np.ndarray]) -> Arrays:
    kinds = {"float32": "F32", "float16": "F16"}
    return Arrays({name: (x, kinds[x.dtype.name]) for name, x in arrays.items()}, None)


def coded(
    case: Case, snr: float, layout: str = "", effort: str = "best", pool: bool = False
) -> tuple[bytes, Report]:
    out = io.BytesIO()
    layouts = {"": layout} if layout else {}
    options = Options(layouts=layouts, effort=effort, pool=pool)
    report = encode(source(case.arrays), out, Quality(snr=snr), None, options)
    return out.getvalue(), report


def snr_of(x: np.ndarray, y: np.ndarray) -> float:
    """Return the SNR in dB of an array, about its mean."""
    x, y = x.astype("f8"), y.astype("f8")
    error = float(np.square(x - y).sum())
    return math.inf if error == 0 else 10 * math.log10(float(np.square(x - x.mean()).sum()) / error)


def worst(case: Case, back: Mapping[str, np.ndarray]) -> float:
    """Return the lowest SNR of all layers, heads, rows or tensors that count."""
    pairs = [
        snr_of(*each)
        for name, x in case.arrays.items()
        for each in zip(case.slices(x), case.slices(back[name]), strict=True)
    ]
    return min(pairs)


def enough(case: Case, back: Mapping[str, np.ndarray], snr: float) -> bool:
    """Return whether all that counts has an SNR but for a decibel."""
    return worst(case, back) >= snr - 1 - SLACK


def check(case: Case, back: Mapping[str, np.ndarray], report: Report) -> float:
    """Return how far the worst that is stated is from what is there, in dB; ends when it is."""
    far = 0.0
    for said in (report.lowest.tensor, report.lowest.slice):
        if said is None:
            continue
        name, stated = said
        name, index = re.fullmatch(r"(.*?)((?:\[.*\])*)", name).groups()  # type: ignore[union-attr]
        x, y = case.arrays[name], back[name]
        for part in re.findall(r"\[(.*?)\]", index):
            x, y = x[places(part)], y[places(part)]
        # Padding counts nowhere; rows of maps that are all zeros are none.
        varying = np.ptp(x.reshape(-1, x.shape[-1]), axis=1) > 0
        kept = [a.reshape(-1, a.shape[-1])[varying] for a in (x, y)]
        far = max(far, min(abs(snr_of(*pair) - stated) for pair in ((x, y), kept)))
    if far > APART:
        raise SystemExit(f"{case.name}: {report.lowest} is off by {far:.3f} dB")
    return far


def places(text: str) -> tuple[int | slice, ...]:
    """Read an index such as `:, 3` or `0, 5:9`."""
    found: list[int | slice] = []
    for each in text.split(","):
        first, colon, last = each.strip().partition(":")
        bounds = slice(int(first) if first else None, int(last) if last else None)
        found.append(bounds if colon else int(first))
    return tuple(found)


@cache
def finalists(case: Case) -> list[str]:
    """Return the layouts of the smallest files that leave all that counts enough."""
    tried = []
    for layout in case.layouts:
        data, _ = coded(case, TRIED_AT, layout, "fast")
        if enough(case, load(data), TRIED_AT):
            tried.append((len(data), layout))
    return [layout for _, layout in sorted(tried)[:FINALISTS]]


def best_of(layouts: Sequence[str], case: Case, snr: float) -> tuple[str, float]:
    """Return the layout of the smallest file that leaves all that counts enough, and its bytes."""
    found = [(math.inf, "")]
    for layout in layouts:
        data, _ = coded(case, snr, layout)
        if enough(case, load(data), snr):
            found.append((len(data), layout))
    size, layout = min(found)
    return layout, size


def of_peers(case: Case, snr: float) -> Row:
    """Return the bits a value of other codecs, at steps that leave all that counts enough."""
    features = Features(source(case.arrays))
    found: Row = {}
    for name, kind in PEERS.items():
        codec, more = peer(kind, kind), 0.0
        for _ in range(PEER_TRIES):
            data = codec.encode(features, codec.tune(features, snr + more))
            back = {n: x.reshape(case.arrays[n].shape) for n, x in codec.decode(data).items()}
            lacks = snr - 1 - worst(case, case.arrays | back)
            if lacks <= SLACK:
                break
            more += lacks
        found[name] = 8 * len(data) / features.values
    return found


def measured(case: Case, snr: float, pool: bool = False) -> Row:
    """Return bits a value, and SNRs as they are computed here."""
    data, report = coded(case, snr, pool=pool)
    back = load(data)
    off = check(case, back, report)
    tensors = min(snr_of(x, back[name]) for name, x in case.arrays.items())
    return {
        "bpfp": report.bpfp,
        "tensor_db": tensors,
        "worst_db": worst(case, back),
        "off_db": off,
    }


def table_row(case: Case, snr: float) -> Row:
    found = measured(case, snr)
    layout, size = best_of(finalists(case), case, snr)
    hand = 8 * size / sum(x.size for x in case.arrays.values())
    return found | {"layout": layout, "by_hand": hand} | of_peers(case, snr)


def arranged_row(case: Case, snr: float, first: float) -> Row:
    """Return bits a true value, and with one SNR for all where they are far above the first."""
    every = sum(x.size for x in case.arrays.values())
    true = sum(int(x.any(axis=-1).sum()) * x.shape[-1] for x in case.arrays.values())
    more = every / true if "padded" in case.name else 1.0
    found = measured(case, snr)
    bits = found["bpfp"] = float(found["bpfp"]) * more
    pooled = math.nan
    if bits > FAR_MORE * first:
        pooled = float(measured(case, snr, pool=True)["bpfp"]) * more
    return found | {"pool_bpfp": pooled}


def bits_of(rows: Sequence[Mapping], row: Mapping) -> float:
    """Return the bits of the first row of a dump at an SNR; infinity of the first itself."""
    of = (row["dump"], row["snr_db"])
    alike = (float(r["bpfp"]) for r in rows if (r["dump"], float(r["snr_db"])) == of)
    return next(alike, math.inf)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["table", "arrangements"])
    parser.add_argument("features", type=Path)
    parser.add_argument("--snr", default="")
    parser.add_argument("--only", default="", help="rows whose names hold this")
    parser.add_argument("--csv", type=Path, required=True)
    given = parser.parse_args()
    of_table = given.what == "table"
    if of_table:
        cases = [("", case) for case in axes_dumps.made(given.features)]
    else:
        found = axes_dumps.arranged(given.features)
        cases = [(group, case) for group, some in found.items() for case in some]
    rows: list[dict] = records.read(given.csv)[1] if given.csv.exists() else []
    known = {(row["dump"], row["arrangement"], float(row["snr_db"])) for row in rows}
    snrs = given.snr or ("10,20" if of_table else "5,10,20")
    for group, case in cases:
        for snr in map(float, snrs.split(",")):
            dump, arrangement = (case.name, "") if of_table else (group, case.name)
            if (dump, arrangement, snr) in known or given.only not in f"{group} {case.name}":
                continue
            row: Row = {"dump": dump, "arrangement": arrangement, "snr_db": snr}
            row |= table_row(case, snr) if of_table else arranged_row(case, snr, bits_of(rows, row))
            rows.append(row)
            print("  ".join(f"{v:.4g}" if isinstance(v, float) else v for v in row.values()))
            records.write(given.csv, rows, PACKAGES)


if __name__ == "__main__":
    main()
