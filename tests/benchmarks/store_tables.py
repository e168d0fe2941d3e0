"""Tables of the pages on loaders and stores, in Markdown, from the files of `data/`."""

import records
import tables


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
