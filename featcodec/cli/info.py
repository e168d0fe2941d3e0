"""`featcodec info`: what a file holds, read from its headers with the standard library alone."""

import itertools
import math
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import click

from ..container.group import GroupHeader
from ..container.index import Key, PartEntry, TensorEntry
from ..container.network import Network
from ..container.reader import Reader
from ..container.sections import PROFILE
from ..container.source import File
from . import batch, failures, render, streams
from .info_lines import file_lines, profile_lines


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-p", "--profile", "profiles", multiple=True, metavar="P", help="Says what files serve."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file, one a line.")
@click.option("-v", "--verbose", is_flag=True, help="Every tensor, however many.")
def command(files: tuple[str, ...], profiles: tuple[str, ...], as_json: bool, verbose: bool) -> int:
    """Show what a file or a profile holds.

    Features that are coded for a task serve that task; with their profile, info names it.
    """
    tasks = tasks_of(profiles)

    def work(path: str) -> list[str]:
        found = describe(path, tasks)
        if as_json:
            return [render.as_json(found)]
        lines = profile_lines(found) if "entries" in found else file_lines(found, verbose)
        return [path, *lines]

    failed = []
    for path, result in batch.run(work, files, jobs=1, fail_fast=False):
        if isinstance(result, Exception):
            failed.append(failures.say(result, path, verbose))
        else:
            render.show(*result)
    return failures.status_of(failed, len(files))


Tasks = dict[str, list[str | None]]  # of the entries of profiles, by SHA-256


def tasks_of(profiles: Sequence[str]) -> Tasks:
    """Return the tasks that the entries of profiles are tuned for."""
    import hashlib

    found: Tasks = {}
    for path in profiles:
        with closing(File.open(path)) as file:
            entries = Reader(file, path, PROFILE).entries()
            digest = hashlib.sha256(file.read(0, file.size)).hexdigest()
        found[digest] = [entry.task for entry in entries]
    return found


def describe(path: str, tasks: Tasks | None = None) -> dict[str, Any]:
    """Return what the headers of a file say, as `--json` prints it."""
    with streams.readable(path) as name, closing(File.open(name, path)) as file:
        reader = Reader(file, path, kind=None)
        head: dict[str, Any] = {
            "format_version": "{}.{}".format(*reader.version),
            "file_bytes": reader.size,
        }
        if reader.kind == PROFILE:
            import hashlib

            head["sha256"] = hashlib.sha256(file.read(0, file.size)).hexdigest()
            entries = [describe_entry(entry) for entry in reader.entries()]
            found = reader.network()
            return {**head, "entries": entries, "network": found and describe_network(found)}
        groups = reader.groups()
        members: list[list[TensorEntry]] = [[] for _ in groups]
        for part in itertools.chain.from_iterable(reader.index.parts):
            members[part.group].append(part)
        headers = iter(size for kind, size in reader.index.sections if kind == b"GRUP")
        described: dict[Key, dict[str, Any]] = {}
        for number, (group, tensors) in enumerate(zip(groups, members, strict=True)):
            total = reader.bytes_of_rows(group) + next(headers)
            common = describe_group(reader, group, tasks or {})
            values = sum(tensor.values for tensor in tensors)
            for tensor in tensors:
                size = total * tensor.values / values if values else 0.0
                described[tensor.key] = {
                    "name": tensor.name,
                    "dtype": tensor.dtype,
                    "shape": list(tensor.shape),
                    "group": number,
                    **common,
                    "bytes": round(size),
                    "bpfp": 8 * size / tensor.values if tensor.values else 0.0,
                }
        profiles = [digest.hex() for digest in reader.index.profiles]
        return {
            **head,
            "profile": profiles[0] if len(profiles) == 1 else profiles or None,
            "metadata": reader.index.metadata,
            "tensors": [
                describe_tensor(tensor, parts, [described[part.key] for part in parts])
                for tensor, parts in zip(reader.index.tensors, reader.index.parts, strict=True)
            ],
        }


def describe_tensor(
    tensor: TensorEntry, parts: Sequence[TensorEntry], found: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return what there is to say of a tensor; of parts, what the first is, and the worst SNR."""
    first, one = found[0], parts[0]
    if not isinstance(one, PartEntry):
        return first
    snrs = [part["snr_db"] for part in found if part["snr_db"] is not None]
    size = sum(part["bytes"] for part in found)
    return {
        **first,
        "shape": list(tensor.shape),
        "layout": first["layout"] and one.layout(first["layout"]),
        "groups": sorted({part["group"] for part in found}),
        "parts": len(parts),
        "snr_db": min(snrs, default=None),
        "bytes": size,
        "bpfp": 8 * size / tensor.values,
    }


def number(value: float) -> float | None:
    """Return a number JSON can hold: null for what is infinite or was not measured."""
    return value if math.isfinite(value) else None


def describe_group(reader: Reader, group: GroupHeader, tasks: Tasks) -> dict[str, Any]:
    lossy = group.lossy
    if lossy is None or group.exact:
        return {
            "layout": None,
            "architecture": None,
            "transform": "lossless" if group.exact else "rounded",
            "truncation": None,
            "normalization": None,
            "step": None,
            "snr_db": number(group.snr_db),
            "task_snr_db": None,
            "task": None,
            "max_error": group.max_error,
            "profile": None,
        }
    layout = lossy.layout
    if lossy.grid:
        layout += f":{lossy.prefix}+{'x'.join(map(str, lossy.grid))}"
    digest = None if lossy.profile is None else reader.index.profiles[lossy.profile].hex()
    entries = tasks.get(digest or "", ())
    place = lossy.parts[0].entry
    of_task = group.task_snr is not None and lossy.parts[0].model is None
    return {
        "layout": layout,
        "architecture": lossy.architecture,
        "transform": lossy.transform,
        "truncation": {"lower": lossy.lower, "upper": lossy.upper, "clipped": lossy.clipped},
        "normalization": {"mean": lossy.mean, "std": lossy.std},
        "step": lossy.step,
        "snr_db": number(group.snr_db),
        "task_snr_db": group.task_snr,
        "task": entries[place] if of_task and place < len(entries) else None,
        "max_error": number(group.max_error),
        "profile": digest,
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
