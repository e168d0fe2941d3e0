"""Tables of the pages on loaders and stores, in Markdown, from the files of `data/`."""

import records
import tables

TERABYTES, LINK_MB_S = 100, 1250  # of the calculation on paper; 10 Gbit/s


def probe() -> list[str]:
    """Return time and accuracy of a linear probe, by how its training data are stored."""
    _, rows = records.read(records.DATA / "probe.csv")
    found = [
        "| features | stored as | MB | workers | s an epoch | of raw | accuracy |",
        "|---|---|---|---|---|---|---|",
    ]
    raw: dict[tuple[str, str], float] = {}
    for row in rows:
        here, seconds = (row["dump"], row["workers"]), float(row["cpu_s"])
        of_raw = seconds / raw.setdefault(here, seconds)  # which comes first
        cells = [tables.DUMPS[row["dump"]], row["stored"], f"{float(row['megabytes']):.1f}"]
        cells += [row["workers"], f"{seconds:.2f}", f"{of_raw:.1f}"]
        found.append(f"| {' | '.join(cells)} | {float(row['accuracy']):.3f} |")
    return found


def zarr() -> list[str]:
    """Return the bytes of zarr arrays by their codecs."""
    _, rows = records.read(records.DATA / "zarr.csv")
    found = ["| array | codec | bytes | times smaller |", "|---|---|---|---|"]
    for row in rows:
        cells = [tables.DUMPS[row["dump"]], row["codec"], f"{int(row['bytes']):,}"]
        found.append(f"| {' | '.join(cells)} | {float(row['times']):.2f} |")
    return found


def large() -> list[str]:
    """Return time, processors and memory of many gigabytes, by the way that they go."""
    _, rows = records.read(records.DATA / "large.csv")
    found = [
        "| way | processes | GB | MB/s | of a core | MB of memory |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["way"], row["jobs"], f"{float(row['gb']):.1f}", f"{float(row['mb_s']):.0f}"]
        cells += [f"{_of_a_core(row):.0f}", f"{float(row['memory_mb']):.0f}"]
        found.append(f"| {' | '.join(cells)} |")
    return found


def paper() -> list[str]:
    """Return what 100 TB take, from the speed of a core."""
    _, rows = records.read(records.DATA / "large.csv")
    found = ["| what | core hours | cores that fill 10 Gbit/s |", "|---|---|---|"]
    for what in ("encode", "decode"):
        row = next(row for row in rows if row["way"].endswith(what))
        speed = _of_a_core(row)
        hours = TERABYTES * 1e6 / speed / 3600
        found.append(f"| {what} | {hours:,.0f} | {LINK_MB_S / speed:.0f} |")
    return found


def _of_a_core(row: dict[str, str]) -> float:
    """Return the MB/s that a core gets through, while it works."""
    return float(row["gb"]) * 1e3 / float(row["cpu_s"])
