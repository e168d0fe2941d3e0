"""Tables of the guide on qualities from end to end, from what `sweep.py` measured."""

import math
import statistics
from collections.abc import Iterable, Mapping

from tables import DUMPS, OTHERS, Table, data, table

Row = Mapping[str, str]

NAMES = {**OTHERS, **DUMPS}
SHOWN = ("0.1", "1.0", "5.0", "20.0", "60.0")  # dB
WITHIN = 0.98  # of the bits asked for
MONOTONE = 1.01  # of the bytes of a file of higher quality


def by_dump(name: str) -> dict[str, list[Row]]:
    """Return rows by dump, in the order of NAMES."""
    found: dict[str, list[Row]] = {dump: [] for dump in NAMES}
    for row in data(name):
        found[row["dump"]].append(row)
    return {dump: rows for dump, rows in found.items() if rows}


def excess(rows: list[Row]) -> tuple[float, float]:
    """Return the largest ratio of a file to one of no lower quality, and the SNR asked for."""
    sizes = sorted((float(row["asked"]), float(row["bytes"])) for row in rows)
    least, worst = math.inf, (0.0, 0.0)
    for snr, size in reversed(sizes):
        least = min(least, size)
        worst = max(worst, (size / least, snr))
    return worst


def sweep_snr() -> Table:
    table_rows = []
    for dump, rows in by_dump("sweep_snr").items():
        bits = {str(float(row["asked"])): float(row["bpfp"]) for row in rows}
        ratio, at = excess(rows)
        more = f"{100 * (ratio - 1):.1f} % ({at:g} dB)" if ratio > 1 else "none"
        met = sum(float(row["snr_db"]) >= float(row["asked"]) for row in rows)
        seconds = statistics.median(float(row["seconds"]) for row in rows)
        shown = " / ".join(f"{bits[snr]:.3f}" for snr in SHOWN)
        table_rows.append((NAMES[dump], shown, more, f"{met} of {len(rows)}", f"{seconds:.1f} s"))
    shown = " / ".join(f"{float(snr):g}" for snr in SHOWN)
    head = (f"bits a value at {shown} dB", "more than at a higher SNR", "SNR met", "time, median")
    return table(("features", *head), table_rows)


def sweep_bpfp() -> Table:
    table_rows = []
    for dump, rows in by_dump("sweep_bpfp").items():
        used, below, refused = [], [], []
        for row in rows:
            if not row["bpfp"]:
                refused.append(row["asked"])
                continue
            share = float(row["bpfp"]) / float(row["asked"])
            if share >= WITHIN:
                used.append(share)
            elif math.isinf(float(row["snr_db"])):
                below.append(f"{row['asked']}: {share:.3f}, lossless")
            else:
                below.append(f"{row['asked']}: {share:.3f} at {float(row['snr_db']):.2f} dB")
        table_rows.append(
            (
                NAMES[dump],
                f"{len(used)} of {len(rows)}",
                "; ".join(below) or "none",
                ", ".join(refused) or "none",
            )
        )
    return table(("features", "within 2 %", "below, share", "refused"), table_rows)


def estimates() -> Table:
    """Summarise by mode how far what samples say is from what files take."""
    found: dict[str, list[tuple[float, float]]] = {}
    unwritten: dict[str, int] = {}
    for row in data("sweep_estimates"):
        if not row["true_bits"]:
            unwritten[row["mode"]] = unwritten.get(row["mode"], 0) + 1
            continue
        true = float(row["true_bits"])
        errors = tuple(math.log2(true / float(row[name])) for name in ("bits", "trial_bits"))
        found.setdefault(row["mode"], []).append((errors[0], errors[1]))
    everything = [pair for pairs in found.values() for pair in pairs]
    rows = []
    for mode, pairs in [*sorted(found.items()), ("**all**", everything)]:
        missing = sum(unwritten.values()) if pairs is everything else unwritten.get(mode, 0)
        cells = (spread(pair[i] for pair in pairs) for i in (0, 1))
        rows.append((mode, str(len(pairs)), str(missing), *cells))
    head = ("mode", "written", "not reached", "finalist: median, 90 %, worst")
    return table((*head, "trial: median, 90 %, worst"), rows)


def spread(errors: Iterable[float]) -> str:
    """Return median, 90th percentile and largest of |log2 ratio|, as factors."""
    ordered = sorted(map(abs, errors))
    nine = ordered[min(math.ceil(0.9 * len(ordered)), len(ordered)) - 1]
    return " / ".join(f"{2**e:.3f}" for e in (statistics.median(ordered), nine, ordered[-1]))
