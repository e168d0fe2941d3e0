"""Constants of the encoder fitted to one half of the dumps and judged on the other.

Usage: python tests/benchmarks/halves.py [--values N] [--csv FILE] FEATURES OTHER

Each family of constants takes some values besides that of today, alone; the dumps, cut to about N
values as `sweep.py` cuts them, are encoded at 5, 10, 20 and 30 dB. No network has dumps in both
halves, but for MobileNetV2, whose last map is unlike its bottlenecks. `results.py` chooses the
value of each family on one half and tells what the other half gains or loses by it: what it gains
says how far today's constants are fitted to what was measured. With --csv FILE what is printed is
kept as a file of `data/`.
"""

import argparse
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import records
from sweep import Beginning, Row

from featcodec.dumps import Dump
from featcodec.encoding import tuning
from featcodec.encoding.dump import encode
from featcodec.encoding.fit import fitting
from featcodec.modes.context import fit as tables
from featcodec.modes.context.candidate import ContextCandidate
from featcodec.modes.interpolated.candidate import InterpolatedCandidate
from featcodec.modes.plain.candidate import PlainCandidate
from featcodec.quantise import dependent
from featcodec.request import Quality

VALUES = 50_000
SNRS = (5, 10, 20, 30)
HALVES = {
    "A": "mobilenetv2_op61 resnet56_layer2 resnet56_layer3 vit_block4 vit_block6"
    " ppocr_det_map crepe_conv2 kokoro_vocoder kokoro_aligned",
    "B": "mobilenetv2_op20 mobilenetv2_op35 mobilenetv2_op57 minilm_hidden3 minilm_hidden6"
    " minilm_kv magika_softmax ddddocr_logits basic_pitch_nhwc",
}
Settings = Sequence[tuple[Any, str, Any]]  # where a constant is, its name, its value
TODAY = "today"


def lambdas(factor: float) -> Settings:
    """Return the lambdas of all ways in the sample domain, times a factor."""
    kinds = (ContextCandidate, InterpolatedCandidate, PlainCandidate)
    return [(k, "LAMBDAS", tuple(factor * each for each in k.LAMBDAS)) for k in kinds]


def margins(close: float, looks: int, fitted: float, doubt: float) -> Settings:
    """Return how near the best a trial is looked at again, and is fitted."""
    values = {"CLOSE": (close, looks), "FITTED": fitted, "DOUBT": doubt}
    return [(tuning, name, value) for name, value in values.items()]


def prices(factor: float) -> Settings:
    """Return what scales and tables must save, times a factor."""
    return [
        (fitting, "CHANGE_BITS", factor * fitting.CHANGE_BITS),
        (tables, "WORTHWHILE", factor * tables.WORTHWHILE),
    ]


# What is measured, by family and value; today's constants are the middle of each.
FAMILIES: Mapping[str, Mapping[str, Settings]] = {
    "lambda of latents, 0.075": {
        str(value): [(dependent, "LAMBDA", value)] for value in (0.055, 0.095)
    },
    "lambda of the sample domain, times 1": {str(f): lambdas(f) for f in (0.75, 1.33)},
    "margins of another look": {
        "half": margins(0.05, 2, 1.015, 1.01),
        "twice": margins(0.2, 5, 1.06, 1.04),
    },
    "prices of scales and tables, times 1": {str(f): prices(f) for f in (0.5, 2)},
}


@contextmanager
def patched(settings: Settings) -> Iterator[None]:
    """Give constants other values for a while."""
    before = [(place, name, getattr(place, name)) for place, name, _ in settings]
    for place, name, value in settings:
        setattr(place, name, value)
    try:
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)


def measured(paths: Sequence[Path], values: int, family: str, value: str) -> Iterator[Row]:
    """Yield the bits of dumps, with constants as they are."""
    halves = {dump: half for half, dumps in HALVES.items() for dump in dumps.split()}
    for path in paths:
        with Dump(path) as dump:
            source = Beginning.of(dump, values)
            for snr in SNRS:
                report = encode(source, io.BytesIO(), Quality(snr=snr))
                row: Row = {"dump": path.stem, "half": halves[path.stem], "family": family}
                yield {**row, "value": value, "snr_db": snr, "bpfp": report.bpfp}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("features", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--values", type=int, default=VALUES)
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    names = " ".join(HALVES.values()).split()
    paths = [p for folder in (given.features, given.other) for p in sorted(folder.glob("*.saf*"))]
    paths = [path for path in paths if path.stem in names]
    rows: list[Row] = []

    def measure(family: str, value: str, settings: Settings) -> None:
        with patched(settings):
            for row in measured(paths, given.values, family, value):
                print("  ".join(str(records.short(v)) for v in row.values()), flush=True)
                rows.append(row)
        if given.csv:
            records.write(given.csv, rows)

    measure("none", TODAY, [])
    for family, settings in FAMILIES.items():
        for value, setting in settings.items():
            measure(family, value, setting)


if __name__ == "__main__":
    main()
