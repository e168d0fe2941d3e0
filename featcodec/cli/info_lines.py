"""What `featcodec info` says of a file or a profile to a person."""

import math
from collections.abc import Sequence
from typing import Any

from . import render

SHOWN = 40  # groups, and tensors of a group, unless -v


def file_lines(found: dict[str, Any], verbose: bool) -> list[str]:
    tensors = found["tensors"]
    values = sum(math.prod(t["shape"]) for t in tensors)
    bpfp = 8 * found["file_bytes"] / values if values else 0.0
    lines = [
        f"  featcodec {found['format_version']}, {render.size(found['file_bytes'])},"
        f" {len(tensors)} tensors, {values:,} values, {bpfp:.3f} bpfp"
    ]
    for key, value in (found["metadata"] or {}).items():
        short = value if len(value) <= 100 else value[:97] + "..."
        lines.append(f"  {key}: {short}")
    if found["profile"]:
        names = found["profile"] if isinstance(found["profile"], list) else [found["profile"]]
        lines += [f"  needs profile {name}" for name in names]
    rows = [["tensor", "type", "shape", "layout", "transform", "SNR", "bytes", "bpfp"]]
    groups: dict[int, list[dict[str, Any]]] = {}
    for tensor in tensors:
        groups.setdefault(tensor["group"], []).append(tensor)
    shown = list(groups.values()) if verbose else list(groups.values())[:SHOWN]
    for members in shown:
        if verbose or len(members) <= 3:
            rows += [tensor_row(tensor) for tensor in members]
        else:
            rows.append(group_row(members))
    if tensors:
        lines += ["", *("  " + line for line in render.table(rows, {6, 7}))]
    if len(shown) < len(groups):
        lines.append(f"  ... and {len(groups) - len(shown)} more groups (-v shows all)")
    lines += details(shown)
    return lines


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


def group_row(members: Sequence[dict[str, Any]]) -> list[str]:
    """Return one row for a group of many tensors."""
    row = tensor_row(members[0])
    first, last = (members[i]["name"] for i in (0, -1))
    row[0] = f"{first} .. {last} ({len(members)})"
    axes = zip(*(t["shape"] for t in members), strict=False)
    spans = [(min(axis), max(axis)) for axis in axes]
    row[2] = "x".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)
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
        kept = f", {cut['clipped']:,} values beyond kept exactly" if cut["clipped"] else ""
        bound = f", largest error {tensor['max_error']:.3g}" if tensor["max_error"] else ""
        task = f", task SNR {tensor['task_snr_db']:.2f} dB" if tensor["task_snr_db"] else ""
        task += f" for {tensor['task']}" if tensor["task"] is not None else ""
        lines.append(
            f"  {tensor_row(tensor)[0]}: {tensor['architecture']}, bounds [{cut['lower']:.4g},"
            f" {cut['upper']:.4g}]{kept}, mean {norm['mean']:.4g}, deviation {norm['std']:.4g},"
            f" step {tensor['step']:.4g}{bound}{task}"
        )
    return ["", *lines] if lines else []


def profile_lines(found: dict[str, Any]) -> list[str]:
    lines = [
        f"  featcodec profile {found['format_version']}, {render.size(found['file_bytes'])}",
        f"  sha256 {found['sha256']}",
        "",
    ]
    if found["network"]:
        lines += [*network_lines(found["network"]), ""]
    if not found["entries"]:
        return lines[:-1]
    rows = [["entry", "architecture", "layout", "channels", "block", "trained on", "bytes"]]
    for entry in found["entries"]:
        rows.append(
            [
                entry["name"]
                + (" (prefix tokens)" if entry["prefix"] else "")
                + (f", for {entry['task']}" if entry["task"] is not None else "")
                + (f": task SNR {at:g} dB" if (at := entry["recommended_db"]) else ""),
                entry["architecture"],
                entry["layout"],
                str(entry["channels"]),
                "x".join(map(str, entry["block"])) or "-",
                f"{entry['values']:,}",
                f"{entry['bytes']:,}",
            ]
        )
    return lines + ["  " + line for line in render.table(rows, {3, 5, 6})]


def network_lines(network: dict[str, Any]) -> list[str]:
    """Return what is known of a network's training."""
    head = f"  network {network['name']}, {render.size(network['bytes'])}"
    try:  # whoever trained it could note anything, or nothing
        trained_on = network["trained_on"]
        values = sum(entry["values"] for entry in trained_on)
        names = dict.fromkeys(f"{entry['name']} ({entry['architecture']})" for entry in trained_on)
        steps = f"{network['steps']:,} steps, seed {network['seed']}, {values:,} values of"
    except (KeyError, TypeError, ValueError):
        return [head]
    return [f"{head}: {steps}", *(f"    {name}" for name in names)]
