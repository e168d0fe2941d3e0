"""`featcodec encode`."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import click

from .. import pool, profiles
from . import (
    asked,
    batch,
    by_name,
    complete,
    estimate,
    existing,
    gather,
    render,
    report,
    streams,
    targets,
)


@dataclass(frozen=True)
class Asked:
    """What is asked of all dumps of a batch, as plain values that travel to another process."""

    quality: dict[str, Any]
    profile: str | None
    digest: str | None  # SHA-256 of the profile
    options: dict[str, Any]
    note: dict[str, Any] | None  # of the settings, where a file is to hold one
    force: bool
    verify: bool
    report: report.Report


@dataclass(frozen=True)
class Task:
    """One dump to encode."""

    source: str
    target: str
    asked: Asked
    jobs: int = 1  # within the file

    @property
    def force(self) -> bool:
        return self.asked.force


def work(task: Task) -> Any:
    """Encode one dump and return its report, or leave it alone."""
    from ..files import encoding
    from ..request import Options, Quality

    wanted = task.asked
    note = note_of(task)
    if isinstance(found := standing(task), batch.Skipped):
        return found
    with (
        streams.readable(task.source) as source,
        streams.writable(task.target) as target,
        encoding(
            source,
            target,
            Quality.choose(**wanted.quality),
            loaded(wanted.profile, wanted.digest) if wanted.profile else None,
            Options(**wanted.options, note=note, jobs=task.jobs),
            wanted.force or found is not None,
            pool.advance,
            wanted.verify,
        ) as result,
    ):
        wanted.report.done(task, result)
    return result


def note_of(task: Task) -> str:
    """Return what the file of a dump notes of its making; nothing where that is not wanted."""
    if task.asked.note is None:
        return ""
    found = {**task.asked.note, "input_bytes": batch.size_of(task.source)}
    return json.dumps(found, separators=(",", ":"))


def standing(task: Task) -> batch.Skipped | existing.Stale | None:
    """Return that an output may stand, or is stale; raise InvalidInput for one in the way."""
    if task.asked.note is None or task.target == streams.STREAM:
        return None
    return existing.encoded(task.source, task.target, note_of(task), task.asked.force)


@lru_cache(2)
def loaded(profile: str, _digest: str | None) -> Any:
    """Return a profile, read once for all dumps that a process encodes."""
    from ..coding.profile import Profile

    return Profile.load(profile)


@click.command(cls=by_name.Command)
@gather.inputs(targets.DUMP_SUFFIXES, "DUMP")
@targets.options
@asked.quality
@by_name.options
@click.option(
    "-p",
    "--profile",
    metavar="P",
    help="Profile to code with: a file, or a name that `featcodec profiles` lists.",
    callback=asked.profile_there,
    shell_complete=complete.profile,
)
@asked.coding
@click.option(
    "--skip-existing",
    is_flag=True,
    help="Leave inputs alone whose output is complete, no older, and notes that it was made alike.",
)
@click.option(
    "--verify", is_flag=True, help="Decode what was written and compare it before it is kept."
)
@click.option(
    "--reproducible",
    is_flag=True,
    help="The same bytes on all x86-64 machines with one version of NumPy and of zlib.",
)
@click.option(
    "--report",
    "report_file",
    metavar="FILE",
    help="Append a JSON line for each input.",
    shell_complete=complete.any_file,
)
@batch.options("encoded")
def command(
    inputs: gather.Found,
    where: targets.Where,
    quality: dict[str, Any],
    rules: dict[str, str],
    rules_file: str | None,
    profile: str | None,
    coding: dict[str, Any],
    skip_existing: bool,
    verify: bool,
    reproducible: bool,
    report_file: str | None,
    work_on: batch.Batch,
) -> int:
    """Encode dumps: files of safetensors, NumPy (.npz, .npy) or torch (.pt, .pth, .ckpt).

    Quality is one of --snr, --bpfp, --max-error, --row-snr, --task-snr and --lossless; --quality,
    --exact and --drop ask for another of tensors by name, the first pattern that matches holds.
    With - as DUMP the dump is read from standard input. With --skip-existing a file notes the
    settings that it is made with.
    """
    if reproducible:
        pinned(work_on.engine)
    rules = by_name.merged(rules, rules_file)
    refuse_useless(quality, rules, profile, coding)
    options = asked.options_of(coding, rules)
    digest = digest_of(profile)
    alike = {**coding, "reproducible": reproducible}
    note = asked.settings(quality, alike, rules, digest) if skip_existing else None
    read = [(o, p) for o, p in (("--profile", profile), ("--rules", rules_file)) if p]
    written = [("--report", report_file)] if report_file else []
    planned = targets.outputs(inputs, where, target_of, (targets.SUFFIX,), read, written)
    targets.refuse_foreign_name(where.output, "an encoded file", targets.SUFFIX)
    told = report.Report(report_file)
    wanted = Asked(quality, profile, digest, options, note, where.force, verify, told)
    within = work_on.within(planned)
    tasks = [Task(one.source, one.target, wanted, within) for one in planned if not one.error]
    if where.dry_run:
        return estimate.show(planned, tasks, work_on.jobs, standing, estimate.encoding)
    told.check()  # what cannot be written is better known now
    work_on.told = told.take
    with targets.folders(planned, where):
        return work_on.run(work, tasks, partial(lines_of, verbose=work_on.verbose), planned)


def refuse_useless(
    quality: dict[str, Any], rules: dict[str, str], profile: str | None, coding: dict[str, Any]
) -> None:
    """Refuse what only a profile gives a meaning, without one."""
    if profile is not None or coding["transform"] == "neural":
        return
    by_name = [f"--quality {k}={v}" for k, v in rules.items() if v.startswith("task-snr")]
    asked = [*["--task-snr"] * bool(quality["task_snr"]), *by_name]
    if asked:
        raise click.UsageError(
            f"{asked[0]} needs -p with a profile of a task, such as `featcodec train --head` makes"
        )
    if coding["embed"]:
        raise click.UsageError("--embed-profile needs -p: without, no file needs a profile")


def pinned(engine: str) -> None:
    """Have all processes of this machine use one kernel; refuse those of others."""
    from .reproducible import pin

    if engine != "processes":
        raise click.UsageError(
            f"--reproducible is for processes of this machine, not --engine {engine}"
        )
    pin()


def target_of(dump: str) -> str:
    """Return the name of the file of a dump."""
    suffix = next((one for one in targets.DUMP_SUFFIXES if dump.endswith(one)), "")
    return dump.removesuffix(suffix) + targets.SUFFIX


def digest_of(profile: str | None) -> str | None:
    """Return the SHA-256 of a profile, None for none and for one that cannot be read."""
    if profile is None:
        return None
    found = profiles.digest_of(profiles.place_of(profile))
    return None if found is None else found.hex()


def kept(asked: Any, result: Any) -> str:
    """Return what was asked of all of a dump that the SNR of its values does not show."""
    quality: Mapping[str, Any] = asked.quality
    if result.task_snr_db is not None:
        return f", task SNR {result.task_snr_db:.2f} dB"
    if math.isinf(result.snr_db) or asked.options.get("rules"):
        return ""
    if quality.get("max_error") is not None:
        return f", no value off by more than {quality['max_error']:g}"
    return f", {quality['row_snr']:g} dB each row" if quality.get("row_snr") is not None else ""


def lines_of(task: Task, result: Any, verbose: bool) -> list[str]:
    """Return what is said of a dump that is encoded."""
    sizes = f"{render.size(result.input_bytes)} -> {render.size(result.output_bytes)}"
    times = render.ratio(result.input_bytes, result.output_bytes)
    rate = f"{result.bpfp:.3f} bpfp" if result.values else "no values"
    reached = f"{rate}  {render.decibels(result.snr_db)}{kept(task.asked, result)}"
    worst = [f"  {result.lowest}"] if verbose and str(result.lowest) else []
    choices = [f"  {line}" for line in result.choices] if verbose else []
    made = task.source if task.target == streams.STREAM else f"{task.source} -> {task.target}"
    return [f"{made}: {sizes}  {times}  {reached}", *worst, *choices]
