"""Measured rows as CSV files, each below a line that says when and with what they were measured.

Usage: python tests/benchmarks/records.py RESULTS.csv... OUT.csv

Keeps the results.csv of runs of `featcodec eval`, without speeds, as a file of `data/`: run it
where the evaluations ran, since the line names the versions of the packages that are installed.
"""

import csv
import datetime
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import featcodec

DATA = Path(__file__).parent / "data"
ALWAYS = ("numpy", "constriction")
KEPT = ("dump", "codec", "asked_db", "bpfp", "snr_db", "metric")


def write(path: Path, rows: Iterable[Mapping[str, Any]], packages: Iterable[str] = ()) -> None:
    """Write rows of equal keys; floats keep five digits."""
    versions = [f"featcodec {featcodec.__version__}"]
    for package in (*ALWAYS, *packages):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # which was not used, then
            continue
    today = datetime.date.today().isoformat()
    rows = [{key: short(value) for key, value in row.items()} for row in rows]
    with path.open("w", newline="") as out:
        out.write(f"# {today}, {', '.join(versions)}\n")
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def short(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


def read(path: Path) -> tuple[str, list[dict[str, str]]]:
    """Return what the first line says, and the rows."""
    note, *lines = path.read_text().splitlines()
    return note.removeprefix("# "), list(csv.DictReader(lines))


def main() -> None:
    *sources, target = map(Path, sys.argv[1:])
    rows = {}  # a dump is uncompressed in every run
    for source in sources:
        with source.open(newline="") as file:
            for row in csv.DictReader(file):
                kept = {key: row[key] for key in KEPT}
                for key in ("bpfp", "snr_db", "metric"):
                    kept[key] = float(row[key]) if row[key] else ""
                rows.setdefault((row["dump"], row["codec"], row["asked_db"]), kept)
    write(target, rows.values(), ("zstandard", "imagecodecs"))


if __name__ == "__main__":
    main()
