"""Tables of constants fitted to halves of the dumps, from what `halves.py` measured."""

import math
from collections.abc import Iterable

from tables import SNRS, Table, data, table

HALVES = ("A", "B")
Cells = dict[tuple[str, str, float], float]  # logarithms of bits, by half, dump and dB


def changes() -> dict[tuple[str, str], Cells]:
    """Return what each family and value changes of the logarithm of the bits of today."""
    found: dict[tuple[str, str], Cells] = {}
    for row in data("halves"):
        cell = (row["half"], row["dump"], float(row["snr_db"]))
        bits = math.log(float(row["bpfp"]))
        found.setdefault((row["family"], row["value"]), {})[cell] = bits
    today = found.pop(("none", "today"))
    return {
        key: {cell: bits - today[cell] for cell, bits in cells.items()}
        for key, cells in found.items()
    }


def percent(changes: Iterable[float]) -> str:
    numbers = list(changes)
    return f"{100 * math.expm1(sum(numbers) / len(numbers)):+.2f} %"


def families() -> Table:
    rows = []
    for (family, value), cells in changes().items():
        if family == "all":
            continue
        shown = [percent(c for cell, c in cells.items() if cell[0] == half) for half in HALVES]
        rows.append((family, value, *shown))
    return table(("constants, and today's", "instead", *(f"bits of {h}" for h in HALVES)), rows)


def judged() -> Table:
    rows = []
    for (family, value), cells in changes().items():
        if family != "all":
            continue
        for half in HALVES:
            mine = {cell: c for cell, c in cells.items() if cell[0] == half}
            shown = (percent(c for cell, c in mine.items() if cell[2] == snr) for snr in SNRS)
            rows.append((value, half, *shown, percent(mine.values())))
    return table(("constants", "bits of", *(f"{snr} dB" for snr in SNRS), "all"), rows)
