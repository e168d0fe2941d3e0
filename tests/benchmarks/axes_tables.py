"""How dumps are read whose axes nobody states, as Markdown tables from what `axes.py` measures."""

from collections.abc import Sequence

from tables import Table, data, table


def _pairs(rows: Sequence[dict[str, str]], *keys: str) -> list[tuple[str, list[dict[str, str]]]]:
    """Return rows of one name together, in order."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(" ".join(row[key] for key in keys), []).append(row)
    return list(found.items())


def _each(rows: Sequence[dict[str, str]], key: str) -> str:
    return " / ".join(f"{float(row[key]):.3f}" for row in rows)


def _ratios(rows: Sequence[dict[str, str]], key: str) -> str:
    return " / ".join(f"{float(row['bpfp']) / float(row[key]):.3f}" for row in rows)


def read() -> Table:
    """Return a row a dump: bits a value as it is read, and beside other ways."""
    found = []
    for name, rows in _pairs(data("axes"), "dump"):
        layouts = " / ".join(dict.fromkeys(f"`{row['layout']}`" for row in rows))
        lacks = " / ".join(f"{float(row['worst_db']):.2f}" for row in rows)
        found.append(
            (
                name,
                _each(rows, "bpfp"),
                f"{_each(rows, 'by_hand')} {layouts}",
                _ratios(rows, "by_hand"),
                _ratios(rows, "zstd"),
                _ratios(rows, "jxl"),
                lacks,
            )
        )
    head = ("dump", "bits", "best by hand", "to that", "to zstd", "to JPEG XL", "worst, dB")
    return table(head, found)


def arranged() -> Table:
    """Return a row an arrangement: its bits to those of the first of the same values."""
    rows = data("arrangements")
    first = dict[tuple[str, str], float]()
    for row in rows:
        first.setdefault((row["dump"], row["snr_db"]), float(row["bpfp"]))
    found = []
    for _, some in _pairs(rows, "dump", "arrangement"):
        bits = [first[row["dump"], row["snr_db"]] for row in some]
        ratios = [
            " / ".join(
                "-" if row[key] == "nan" else f"{float(row[key]) / each:.3f}"
                for row, each in zip(some, bits, strict=True)
            )
            for key in ("bpfp", "pool_bpfp")
        ]
        found.append((some[0]["dump"], some[0]["arrangement"], _each(some, "bpfp"), *ratios))
    head = ("values", "arrangement", "bits", "to the first", "with `--pool`")
    return table(head, found)
