"""Writes the tables of README, of the guide and of `featcodec suggest` from what was measured.

Usage: python tests/benchmarks/results.py

In each page the lines between `<!-- results: NAME -->` and `<!-- end -->` are replaced by the table
of that name, with a line on when and with what it was measured. What tasks lost at an SNR goes to a
file of the package. Needs the standard library and
featcodec only.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import axes_tables
import experiment_tables
import halves_tables
import records
import store_tables
import sweep_tables
import tables

ROOT = Path(__file__).parents[2]
LOST = ROOT / "featcodec" / "training" / "measured_tasks.csv"
BLOCK = re.compile(r"(<!-- results: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
# Name -> the maker of the table, and the files of `data/` behind it that the page is to name.
BLOCKS: dict[str, tuple[Callable[[], list[str]], tuple[str, ...]]] = {
    "headline": (tables.headline, ()),
    "tour": (tables.tour, ()),
    "quality": (tables.quality, ()),
    "planning": (tables.planning, ()),
    "rates": (tables.rates, ("rates_profile", "rates")),
    "peers": (tables.peers, ("rates_profile", "peers")),
    "others": (tables.others, ("other", "other_peers")),
    "others-profile": (tables.others_profile, ("other_profile", "other_peers")),
    "training": (tables.training, ("train_widths",)),
    "halves": (halves_tables.families, ("halves",)),
    "halves-judged": (halves_tables.judged, ("halves",)),
    "accuracy": (tables.accuracy, ("tasks",)),
    "enough": (tables.enough, ("tasks",)),
    "recommended": (tables.recommended, ("recommended",)),
    "fidelity": (tables.fidelity, ("fidelity",)),
    "samples": (tables.samples, ("samples",)),
    "bounded": (tables.bounded, ("bounded",)),
    "lossless": (tables.lossless, ("lossless",)),
    "bounds": (tables.bounds, ("bounds",)),
    "speed": (tables.speed, ("speed",)),
    "sweep-snr": (sweep_tables.sweep_snr, ("sweep_snr",)),
    "sweep-bpfp": (sweep_tables.sweep_bpfp, ("sweep_bpfp",)),
    "estimates": (sweep_tables.estimates, ("sweep_estimates",)),
    "regret": (sweep_tables.regret, ("sweep_estimates",)),
    "costs": (tables.costs, ("costs",)),
    "latency": (tables.latency, ("latency",)),
    "efforts": (tables.efforts, ("efforts",)),
    "axes": (axes_tables.read, ("axes",)),
    "arrangements": (axes_tables.arranged, ("arrangements",)),
    "digits": (tables.digits, ("digits",)),
    "experiment": (experiment_tables.compared, ()),
    "experiment-task": (experiment_tables.of_task, ("../../experiment/results/task",)),
    "neural-speed": (tables.neural_speed, ("neural_speed",)),
    "probe": (store_tables.probe, ("probe",)),
    "zarr": (store_tables.zarr, ("zarr",)),
    "large": (store_tables.large, ("large",)),
    "paper": (store_tables.paper, ("large",)),
}


def pages() -> Iterator[Path]:
    """Yield the pages that may hold tables."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "featcodec" / "guide").glob("*.md"))


def filled(text: str) -> str:
    """Return a page with its tables as they are measured now; KeyError for an unknown name."""

    def block(match: re.Match[str]) -> str:
        made, sources = BLOCKS[match[2]]
        notes = dict.fromkeys(records.read(records.DATA / f"{name}.csv")[0] for name in sources)
        lines = [*made(), *(f"\n{dated(note)}." for note in notes)]
        return match[1] + "".join(f"{line}\n" for line in lines) + match[3]

    return BLOCK.sub(block, text)


def dated(note: str) -> str:
    """Return a note as a sentence; one that begins with a date is of a measurement."""
    return f"Measured {note}" if note[0].isdigit() else note[0].upper() + note[1:]


def lost() -> str:
    """Return the file of what tasks lost at an SNR."""
    return "".join(f"{line}\n" for line in tables.lost())


if __name__ == "__main__":
    LOST.write_text(lost(), encoding="utf-8")
    for path in pages():
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
