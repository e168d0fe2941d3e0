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
        shown = [percent(c for cell, c in cells.items() if cell[0] == half) for half in HALVES]
        rows.append((family, value, *shown))
    return table(("constants, and today's", "instead", *(f"bits of {h}" for h in HALVES)), rows)


def judged() -> Table:
    found: dict[str, dict[str, Cells]] = {}
    for (family, value), cells in changes().items():
        today = dict.fromkeys(cells, 0.0)
        found.setdefault(family, {"today's": today})[value] = cells
    rows = []
    for chosen, judge in (HALVES, HALVES[::-1]):
        every: Cells = {}
        for family, values in found.items():
            best = min(values, key=lambda v: sum(c for k, c in values[v].items() if k[0] == chosen))
            rows.append((f"{family}: {best}", *_on(values[best], chosen, judge)))
            for cell, change in values[best].items():
                every[cell] = every.get(cell, 0.0) + change
        rows.append((f"**all chosen on {chosen}**", *_on(every, chosen, judge)))
    return table(("constants", "chosen on", *(f"{snr} dB" for snr in SNRS), "on the other"), rows)


def _on(cells: Cells, chosen: str, judge: str) -> list[str]:
    """Return what bits change by on the half that chose, then on the other by SNR and at all."""
    own = percent(change for cell, change in cells.items() if cell[0] == chosen)
    mine = {cell: change for cell, change in cells.items() if cell[0] == judge}
    shown = (percent(c for cell, c in mine.items() if cell[2] == snr) for snr in SNRS)
    return [f"{chosen}, {own}", *shown, f"{judge}, {percent(mine.values())}"]
