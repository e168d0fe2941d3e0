"""Tables of the guide on qualities from end to end, from what `sweep.py` measured."""

import math
import statistics
from collections.abc import Iterable, Mapping

from tables import DUMPS, OTHERS, Table, data, table, wrapped

Row = Mapping[str, str]

NAMES = {**OTHERS, **DUMPS}
SHOWN = ("0.1", "1.0", "5.0", "20.0", "60.0")  # dB
WITHIN = 0.98  # of the bits asked for
LARGE = 8 * 4096  # bits: beside so many a header, which samples say nothing of, is small


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
    written = [row for row in data("sweep_estimates") if row["true_bits"]]
    modes = dict.fromkeys(sorted(row["mode"] for row in written))
    rows = []
    for mode in (*modes, "**all**"):
        mine = [row for row in written if mode in (row["mode"], "**all**")]
        large = [row for row in mine if float(row["true_bits"]) >= LARGE]
        cells = (spread(large, name) for name in ("bits", "trial_bits"))
        rows.append((mode, str(len(mine)), spread(mine, "bits"), str(len(large)), *cells))
    head = ("mode", "finalists", "fitted", "of 4 kB and more", "fitted", "as a trial")
    return table(head, rows)


def regret() -> Table:
    """Say how often the finalist that was chosen is the smallest, and what is lost otherwise."""
    races: dict[tuple[str, ...], list[Row]] = {}
    for row in data("sweep_estimates"):
        races.setdefault((row["dump"], row["group"], row["snr_db"]), []).append(row)
    lost = []
    for rows in races.values():
        sizes = {row["chosen"]: float(row["true_bits"]) for row in rows if row["true_bits"]}
        if len(rows) > 1:
            least = min(float(row["true_bits"]) for row in rows if row["true_bits"])
            lost.append(sizes["1"] / least - 1)
    words = (
        f"Of {len(lost)} races with several finalists {sum(not one for one in lost)} chose the",
        f"smallest; on average {100 * statistics.mean(lost):.2f} % is lost,",
        f"{100 * max(lost):.1f} % at most.",
    )
    return wrapped(words)


def spread(rows: Iterable[Row], name: str) -> str:
    """Return median, 90th percentile and largest of |log2 ratio| to true bits, as factors."""
    errors = sorted(abs(math.log2(float(row["true_bits"]) / float(row[name]))) for row in rows)
    if not errors:
        return ""
    nine = errors[math.ceil(0.9 * len(errors)) - 1]
    return " / ".join(f"{2**error:.3f}" for error in (statistics.median(errors), nine, errors[-1]))
