"""`featcodec info`: what a file holds, read from its headers with the standard library alone.

A dump is read with NumPy, as `encode` reads it.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import click

from .. import profiles
from ..container.group import GroupHeader
from ..container.index import Key, PartEntry, TensorEntry
from ..container.model import ProfileEntry
from ..container.reader import Reader
from ..container.sections import PROFILE
from ..container.source import Memory
from ..errors import InvalidInput, NotFeatcodec
from ..opening import open_source
from . import batch, failures, gather, info_page, render, streams, targets
from .info_lines import file_shown
from .info_of_dump import describe_dump, dump_shown, is_dump
from .info_of_message import describe_message, message_lines
from .info_of_profile import describe_profile, profile_lines
from .quality import describe_quality, stacked


@click.command()
@gather.inputs((targets.SUFFIX, profiles.SUFFIX), "FILE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file, one a line.")
@click.option("--message", is_flag=True, help="FILE is a message, which nothing tells it is.")
@click.option("--html", "as_html", is_flag=True, help="One page, with histograms and spectra.")
@click.option("-o", "--output", metavar="PAGE", help="File for --html (standard output).")
@click.option("-f", "--force", is_flag=True, help="Overwrite PAGE.")
@click.option("-v", "--verbose", is_flag=True, help="Every tensor, however many.")
def command(
    inputs: gather.Found,
    as_json: bool,
    message: bool,
    as_html: bool,
    output: str | None,
    force: bool,
    verbose: bool,
) -> int:
    """Show what a file or a profile holds, and how a dump would be coded.

    Features that are coded for a task serve that task. It is named where their profile lies in or
    beside the file, or where decoding finds it.
    """
    if as_html:
        if as_json or message:
            raise click.UsageError("--html goes with neither --json nor --message")
        return info_page.write(inputs, describe, output, force, verbose)
    if output is not None or force:
        raise click.UsageError("-o and -f are for --html; otherwise redirect standard output")

    def work(one: gather.Input) -> list[str]:
        path = one.path
        if one.error:
            raise InvalidInput(f"{path} {one.error}")
        try:
            found = describe(path, message)
        except NotFeatcodec as error:
            if message:
                raise
            if path.endswith(targets.DUMP_SUFFIXES):
                what = "nor a dump, whatever its name says: make or download it again"
                raise NotFeatcodec(f"{error}, {what}") from None
            raise NotFeatcodec(f"{error}; a message is shown with --message") from None
        if as_json:
            return [render.as_json(found)]
        return [path, *LINES[found["kind"]](found, verbose)]

    failed = []
    for one, result in batch.run(work, inputs, jobs=1, fail_fast=False):
        if isinstance(result, Exception):
            failed.append(failures.say(result, one.path, verbose))
        else:
            render.show(*result)
    return failures.status_of(failed, len(inputs))


LINES: dict[str, Callable[[dict[str, Any], bool], list[str]]] = {  # for a person
    "file": lambda found, verbose: file_shown(found, verbose).lines(),
    "profile": lambda found, _: profile_lines(found),
    "dump": lambda found, verbose: dump_shown(found, verbose).lines(),
    "message": lambda found, _: message_lines(found),
}


def describe(path: str, message: bool = False) -> dict[str, Any]:
    """Return what the headers of a file say, as `--json` prints it."""
    with streams.readable(path) as name, closing(open_source(name, path)) as file:
        if message:
            return describe_message(file, path)
        if is_dump(file):
            return describe_dump(file, name)
        reader = Reader(file, path, kind=None)
        head: dict[str, Any] = {
            "kind": "profile" if reader.kind == PROFILE else "file",
            "format_version": "{}.{}".format(*reader.version),
            "file_bytes": reader.size,
        }
        if reader.kind == PROFILE:
            return {**head, **describe_profile(reader, file)}
        groups = reader.groups()
        members: list[list[TensorEntry]] = [[] for _ in groups]
        for part in itertools.chain.from_iterable(reader.index.parts):
            members[part.group].append(part)
        qualities = reader.qualities()
        headers = iter(size for kind, size in reader.index.sections if kind == b"GRUP")
        tasks = tasks_of(reader, groups, path)
        described: dict[Key, dict[str, Any]] = {}
        for number, (group, tensors) in enumerate(zip(groups, members, strict=True)):
            total = reader.bytes_of_rows(group) + next(headers)
            common = {"stacked": stacked(group), **describe_group(reader, group, tasks)}
            common |= describe_quality(reader, qualities[number] if qualities else None)
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
        needed = [digest.hex() for digest in reader.index.profiles]
        at = [place_of(reader, digest, file.path) for digest in reader.index.profiles]
        return {
            **head,
            "profile": needed[0] if len(needed) == 1 else needed or None,
            "profile_at": at[0] if len(at) == 1 else at or None,
            "made": reader.note,
            "metadata": reader.index.metadata,
            "tensors": [
                describe_tensor(tensor, parts, [described[part.key] for part in parts])
                for tensor, parts in zip(reader.index.tensors, reader.index.parts, strict=True)
            ],
        }


def place_of(reader: Reader, digest: bytes, path: str) -> str | None:
    """Return where a profile is found that a file needs; None when it is not."""
    if digest in reader.embedded():
        return "embedded"
    found = profiles.find(digest, path)
    return None if found is None else str(found)


def describe_tensor(
    tensor: TensorEntry, parts: Sequence[TensorEntry], found: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return what there is to say of a tensor; of parts, of the first with loss, and the worst.

    Padding may lie before what is padded.
    """
    first, one = found[0], parts[0]
    if not isinstance(one, PartEntry):
        return first
    number = next((i for i, part in enumerate(found) if part["transform"] != "lossless"), 0)
    first, one = found[number], parts[number]
    assert isinstance(one, PartEntry)
    errors = [part["max_error"] for part in found]
    lowest = {
        key: min((part[key] for part in found if part[key] is not None), default=None)
        for key in ("tenth_of_channels_db", "tenth_of_rows_db")
    }
    snrs = [part["snr_db"] for part in found if part["snr_db"] is not None]
    size = sum(part["bytes"] for part in found)
    return {
        **first,
        "shape": list(tensor.shape),
        "layout": first["layout"] and one.layout(first["layout"]),
        "groups": sorted({part["group"] for part in found}),
        "parts": len(parts),
        "snr_db": min(snrs, default=None),
        "max_error": None if None in errors else max(errors),
        **lowest,
        "bytes": size,
        "bpfp": 8 * size / tensor.values,
    }


def number(value: float) -> float | None:
    """Return a number JSON can hold: null for what is infinite or was not measured."""
    return value if math.isfinite(value) else None


Tasks = dict[int, list[str | None]]  # of the entries of the profiles of a file, by their places


def tasks_of(reader: Reader, groups: Sequence[GroupHeader], path: str) -> Tasks:
    """Return the tasks of the profiles that are found, where a group is coded for one."""
    found: Tasks = {}
    for group in groups:
        place = group.lossy.profile if group.lossy is not None else None
        if group.task_snr is None or place is None or place in found:
            continue
        found[place] = [entry.task for entry in entries_of(reader, place, path)]
    return found


def entries_of(reader: Reader, place: int, path: str) -> Sequence[ProfileEntry]:
    """Return the entries of a profile that a file needs, none where it is not found."""
    digest = reader.index.profiles[place]
    if (inside := reader.embedded().get(digest)) is not None:
        return Reader(Memory(inside), "the profile", PROFILE).entries()
    if (found := profiles.find(digest, beside=path)) is None:
        return ()
    with closing(open_source(found)) as file:
        return Reader(file, str(found), PROFILE).entries()


def task_of(group: GroupHeader, tasks: Tasks) -> str | None:
    """Return the task that a group is coded for, None without one, and where it is not known."""
    lossy = group.lossy
    if lossy is None or group.task_snr is None or lossy.profile not in tasks:
        return None
    entries, number = tasks[lossy.profile], lossy.parts[0].entry
    return entries[number] if lossy.parts[0].model is None and number < len(entries) else None


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
    return {
        "layout": layout,
        "architecture": lossy.architecture,
        "transform": lossy.transform,
        "truncation": {"lower": lossy.lower, "upper": lossy.upper, "clipped": lossy.clipped},
        "normalization": {"mean": lossy.mean, "std": lossy.std},
        "step": lossy.step,
        "snr_db": number(group.snr_db),
        "task_snr_db": group.task_snr,
        "task": task_of(group, tasks),
        "max_error": number(group.max_error),
        "profile": digest,
    }
