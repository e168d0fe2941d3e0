"""What `featcodec info` shows a person of a file: a table of its tensors, and lines below it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import render
from .quality import quality_lines

NOWHERE = "found nowhere: `featcodec profiles add`, or -p of `decode`, says where it is"
SHOWN = 40  # groups, and tensors of a group, unless -v
WIDTH = 20  # of a bar


@dataclass(frozen=True)
class Shown:
    """What is shown of a file or a dump: lines, a table with a row for each group, and more."""

    head: list[str]
    rows: list[list[str]]  # the first has the names of the columns
    right: set[int]  # columns of numbers
    sizes: list[int]  # bytes of each row
    below: list[str]

    def lines(self) -> list[str]:
        """Return it as text, the table with bars where there are several coded sizes."""
        rows, sizes = self.rows, self.sizes
        if len(sizes) > 1:
            rows = [[*rows[0], "share of bytes"], *([*r, b] for r, b in zip(rows[1:], bars(sizes)))]
        table = ["", *render.table(rows, self.right)] if len(rows) > 1 else []
        return [line and f"  {line}" for line in (*self.head, *table, *self.below)]


def file_shown(found: dict[str, Any], verbose: bool) -> Shown:
    """Return what is shown of a file; of `verbose`, every tensor."""
    tensors = found["tensors"]
    values = sum(math.prod(t["shape"]) for t in tensors)
    bpfp = 8 * found["file_bytes"] / values if values else 0.0
    head = [
        f"format {found['format_version']}, {render.size(found['file_bytes'])},"
        f" {render.count(len(tensors), 'tensor')}, {render.count(values, 'value')}, {bpfp:.3f} bpfp"
    ]
    head += metadata_lines(found)
    needed = several(found["profile"]) if found["profile"] else []
    for name, at in zip(needed, several(found["profile_at"])):
        head += [f"needs profile {name}", f"  {at or NOWHERE}"]
    if found["made"]:
        head.append(f"made with {found['made']}")
    rows = [["tensor", "type", "shape", "layout", "transform", "SNR", "bytes", "bpfp"]]
    sizes: list[int] = []
    shown, left = groups_of(tensors, verbose)
    for members in shown:
        if verbose or len(members) <= 3:
            rows += [tensor_row(tensor) for tensor in members]
            sizes += [tensor["bytes"] for tensor in members]
        else:
            rows.append(group_row(members))
            sizes.append(sum(tensor["bytes"] for tensor in members))
    return Shown(head, rows, {6, 7}, sizes, [*left, *details(shown)])


def metadata_lines(found: dict[str, Any]) -> list[str]:
    """Return a line for each text of the metadata, of which long ones are cut."""
    return [
        f"{key}: {value if len(value) <= 100 else value[:97] + '...'}"
        for key, value in (found["metadata"] or {}).items()
    ]


def groups_of(
    tensors: Sequence[dict[str, Any]], verbose: bool
) -> tuple[list[list[dict[str, Any]]], list[str]]:
    """Return the tensors of each group that is shown, and a line on those that are not."""
    groups: dict[int, list[dict[str, Any]]] = {}
    for tensor in tensors:
        groups.setdefault(tensor["group"], []).append(tensor)
    shown = list(groups.values()) if verbose else list(groups.values())[:SHOWN]
    left = len(groups) - len(shown)
    return shown, [f"... and {render.count(left, 'more group')} (-v shows all)"] * bool(left)


def several(found: Any) -> list[Any]:
    """Return a list, or what JSON has in its place for one or none, as a list."""
    return found if isinstance(found, list) else [found]


def tensor_row(tensor: dict[str, Any]) -> list[str]:
    exact = tensor["transform"] == "lossless"
    return [
        tensor["name"],
        tensor["dtype"],
        "x".join(map(str, tensor["shape"])) or "scalar",
        tensor["layout"] or "-",
        tensor["transform"],
        "exact" if exact else render.decibels(tensor["snr_db"] or math.nan),
        f"{tensor['bytes']:,}",
        f"{tensor['bpfp']:.3f}",
    ]


def spans(members: Sequence[dict[str, Any]]) -> str:
    """Return the shape that tensors have, of axes of several lengths the least and the largest."""
    if len({len(t["shape"]) for t in members}) > 1:
        return "various"
    axes = zip(*(t["shape"] for t in members), strict=False)
    ends = [(min(axis), max(axis)) for axis in axes]
    return "x".join(str(low) if low == high else f"{low}-{high}" for low, high in ends)


def bars(sizes: Sequence[int]) -> list[str]:
    """Return a picture of sizes as shares of all: a bar of WIDTH characters is all of it."""
    total = sum(sizes) or 1
    return [render.bar(size / total, WIDTH) for size in sizes]


def group_row(members: Sequence[dict[str, Any]]) -> list[str]:
    """Return one row for a group of many tensors."""
    row = tensor_row(members[0])
    first, last = (members[i]["name"] for i in (0, -1))
    row[0] = f"{first} .. {last} ({len(members)})"
    row[2] = spans(members)
    size = sum(t["bytes"] for t in members)
    values = sum(math.prod(t["shape"]) for t in members)
    row[6], row[7] = f"{size:,}", f"{8 * size / values if values else 0.0:.3f}"
    return row


def details(groups: Sequence[Sequence[dict[str, Any]]]) -> list[str]:
    """Return a line on bounds, normalisation and step for each group of features."""
    lines = []
    for members in groups:
        tensor = members[0]
        if tensor["truncation"] is None:
            continue
        cut, norm = tensor["truncation"], tensor["normalization"]
        kept = f", {render.count(cut['clipped'], 'value')} beyond kept exactly" * bool(
            cut["clipped"]
        )
        bound = f", largest error {tensor['max_error']:.3g}" if tensor["max_error"] else ""
        task = f", task SNR {tensor['task_snr_db']:.2f} dB" if tensor["task_snr_db"] else ""
        task += f" for {tensor['task']}" if tensor["task"] is not None else ""
        lines.append(
            f"{tensor_row(tensor)[0]}: {tensor['architecture']}, bounds [{cut['lower']:.4g},"
            f" {cut['upper']:.4g}]{kept}, mean {norm['mean']:.4g}, deviation {norm['std']:.4g},"
            f" step {tensor['step']:.4g}{bound}{task}"
        )
        lines += quality_lines(tensor)
    return ["", *lines] if lines else []
