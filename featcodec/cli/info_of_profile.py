"""What a profile holds, for `info` and `profiles`."""

from typing import Any

from ..container.network import Network
from ..container.reader import Reader
from ..container.source import Source
from . import render


def describe_profile(reader: Reader, file: Source) -> dict[str, Any]:
    """Return what a profile holds, as `--json` prints it."""
    import hashlib  # slow to load

    found = reader.network()
    return {
        "sha256": hashlib.sha256(file.read(0, file.size)).hexdigest(),
        "entries": [describe_entry(entry) for entry in reader.entries()],
        "network": found and describe_network(found),
    }


def describe_entry(entry: Any) -> dict[str, Any]:
    return {
        "name": entry.name,
        "architecture": entry.architecture,
        "layout": entry.layout,
        "prefix": entry.prefix,
        "channels": entry.channels,
        "values": entry.values,
        "truncation": {"lower": entry.lower, "upper": entry.upper},
        "normalization": {"mean": entry.mean, "std": entry.std},
        "transform": entry.model.transform,
        "task": entry.task,
        "recommended_db": entry.recommended or None,
        "block": list(entry.model.block),
        "bytes": len(entry.pack()),
    }


def describe_network(network: Network) -> dict[str, Any]:
    return {**network.record, "name": network.name, "bytes": len(network.weights)}


def profile_lines(found: dict[str, Any]) -> list[str]:
    lines = [
        f"  profile, format {found['format_version']}, {render.size(found['file_bytes'])}",
        f"  sha256 {found['sha256']}",
        "",
    ]
    if found["network"]:
        lines += [*network_lines(found["network"]), ""]
    if not found["entries"]:
        return lines[:-1]
    head = (
        "entry",
        "architecture",
        "layout",
        "transform",
        "channels",
        "block",
        "trained on",
        "bytes",
    )
    rows = [[*head]]
    for entry in found["entries"]:
        rows.append(
            [
                entry["name"]
                + (" (prefix tokens)" if entry["prefix"] else "")
                + (f", for {entry['task']}" if entry["task"] is not None else "")
                + (f": task SNR {at:g} dB" if (at := entry["recommended_db"]) else ""),
                entry["architecture"],
                entry["layout"],
                entry["transform"],
                str(entry["channels"]),
                "x".join(map(str, entry["block"])) or "-",
                f"{entry['values']:,}",
                f"{entry['bytes']:,}",
            ]
        )
    return lines + ["  " + line for line in render.table(rows, {4, 6, 7})]


def network_lines(network: dict[str, Any]) -> list[str]:
    """Return what is known of a network's training."""
    head = f"  network {network['name']}, {render.size(network['bytes'])}"
    try:  # whoever trained it could note anything, or nothing
        trained_on = network["trained_on"]
        values = sum(entry["values"] for entry in trained_on)
        names = dict.fromkeys(f"{entry['name']} ({entry['architecture']})" for entry in trained_on)
        steps = f"{render.count(network['steps'], 'step')}, seed {network['seed']},"
        steps += f" {render.count(values, 'value')} of"
        head += f", for {network['task']}" if network.get("task") else ""
    except (KeyError, TypeError, ValueError):
        return [head]
    return [f"{head}: {steps}", *(f"    {name}" for name in names)]
