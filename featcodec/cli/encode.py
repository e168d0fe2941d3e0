"""`featcodec encode`."""

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..errors import InvalidInput
from ..request import FAMILIES, RowGroupSize
from . import batch, by_name, failures, render, streams


@dataclass(frozen=True)
class Task:
    """One dump to encode, as plain values that travel to another process."""

    source: str
    target: str
    quality: dict[str, Any]
    profile: str | None
    options: dict[str, Any]
    force: bool
    progress: bool
    verify: bool


def work(task: Task) -> Any:
    """Encode one dump and return its report."""
    from ..coding.profile import Profile
    from ..files import encode_file
    from ..request import Options, Quality

    quality = Quality.choose(**task.quality)
    profile = Profile.load(task.profile) if task.profile else None
    options = Options(**task.options)
    with (
        streams.readable(task.source) as source,
        streams.writable(task.target) as target,
        progress_of(source, task) as advance,
    ):
        return encode_file(
            source,
            target,
            quality,
            profile=profile,
            options=options,
            overwrite=task.force,
            progress=advance,
            verify=task.verify,
        )


class progress_of:  # noqa: N801 - reads as a statement
    """Shows a bar on standard error when asked to, and hands out its `update`."""

    def __init__(self, source: str, task: Task) -> None:
        self.bar: Any = None
        if task.progress and Path(source).is_file():
            label = render.printable(Path(source).name)
            length = Path(source).stat().st_size // 4
            self.bar = click.progressbar(length=length, label=label, file=sys.stderr)

    def __enter__(self) -> Any:
        return self.bar.__enter__().update if self.bar else None

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.bar.__exit__(*error)


def named(_ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Split [NAME=]VALUE options; the empty name stands for all tensors."""
    found: dict[str, str] = {}
    for value in values:
        name, _, text = value.rpartition("=")
        if name in found:
            raise click.UsageError(f"--{param.name} is given twice for {name or 'all tensors'}")
        found[name] = text
    return found


@click.command(cls=by_name.Command)
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option("-o", "--output", metavar="OUT", help="Output file; - for standard output.")
@click.option("--output-dir", metavar="DIR", help="Folder for the outputs.")
@click.option("--snr", type=float, metavar="DB", help="Signal to noise ratio (default: 20).")
@click.option("--bpfp", type=float, metavar="RATE", help="Bits per feature point, whole file.")
@click.option("--max-error", type=float, metavar="E", help="Absolute error no value exceeds.")
@click.option("--row-snr", type=float, metavar="DB", help="SNR of rows, each by its own norm.")
@click.option("--task-snr", type=float, metavar="DB", help="SNR by what a task reacts to, with -p.")
@click.option("--lossless", is_flag=True, help="Bit for bit.")
@by_name.options
@click.option(
    "-p",
    "--profile",
    metavar="P",
    help="Profile to code with: a file, or the name of a built-in one.",
)
@click.option(
    "--transform",
    type=click.Choice(FAMILIES),
    default="auto",
    show_default=True,
    help="neural needs torch, and a profile with a network (default: caufc).",
)
@click.option(
    "--layout",
    "layout",
    multiple=True,
    callback=named,
    metavar="[NAME=]LAYOUT",
    help="Axes such as NCHW, NLD, LD; NLD:1+8x8 for a CLS token and an 8x8 grid.",
)
@click.option(
    "--architecture",
    multiple=True,
    callback=named,
    metavar="[NAME=]TAG",
    help="cnn, transformer or generic.",
)
@click.option(
    "--pool", is_flag=True, help="The SNR holds for all layers or heads together, not for each."
)
@click.option(
    "--row-group",
    metavar="SIZE",
    help="What is decoded at once: samples, 16, or bytes, 64kB (default: about 3 MB of float32).",
)
@click.option("-j", "--jobs", type=int, default=1, metavar="N", help="Processes; 0: one a core.")
@click.option("-f", "--force", is_flag=True, help="Overwrite outputs; write to a terminal.")
@click.option("--skip-existing", is_flag=True, help="Leave inputs alone whose output exists.")
@click.option(
    "--verify", is_flag=True, help="Decode what was written and compare it before it is kept."
)
@click.option("--report", metavar="FILE", help="Append a JSON line for each input.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first failure.")
@click.option("--no-progress", is_flag=True, help="No progress bar, not even on a terminal.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say what was chosen for each group.")
def command(
    dumps: tuple[str, ...],
    output: str | None,
    output_dir: str | None,
    snr: float | None,
    bpfp: float | None,
    max_error: float | None,
    row_snr: float | None,
    task_snr: float | None,
    lossless: bool,
    rules: dict[str, str],
    rules_file: str | None,
    profile: str | None,
    transform: str,
    layout: dict[str, str],
    architecture: dict[str, str],
    pool: bool,
    row_group: str | None,
    jobs: int,
    force: bool,
    skip_existing: bool,
    verify: bool,
    report: str | None,
    fail_fast: bool,
    no_progress: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Encode dumps: files of safetensors, NumPy (.npz, .npy) or torch (.pt, .pth, .ckpt).

    Quality is one of --snr, --bpfp, --max-error, --row-snr, --task-snr and --lossless; --quality,
    --exact and --drop ask for another of tensors by name, the first pattern that matches holds.
    With - as DUMP the dump is read from standard input.
    """
    quality = {"snr": snr, "bpfp": bpfp, "max_error": max_error, "row_snr": row_snr}
    quality |= {"task_snr": task_snr, "lossless": lossless}
    check_quality(quality)
    rules = by_name.merged(rules, rules_file)
    options: dict[str, Any] = {"layouts": layout, "architectures": architecture, "pool": pool}
    options |= {"transform": transform, "rules": rules, **row_group_of(row_group)}
    read = [(o, p) for o, p in (("--profile", profile), ("--rules", rules_file)) if p]
    written = [("--report", report)] if report else []
    targets = batch.outputs(dumps, output, output_dir, target_of, force, read, written)
    if report is not None:
        Path(report).open("a").close()  # what cannot be written is better known now
    terminal = sys.stderr is not None and sys.stderr.isatty()
    bar = terminal and not (no_progress or quiet) and jobs == 1
    tasks = [
        Task(source, target, quality, profile, options, force, bar, verify)
        for source, target in zip(dumps, targets, strict=True)
        if not (skip_existing and Path(target).exists())
    ]
    failed = []
    for task, result in batch.run(work, tasks, batch.job_count(jobs), fail_fast):
        if isinstance(result, Exception):
            failed.append(failures.say(result, task.source, verbose))
        elif not quiet:
            tell(task, result, verbose)
        write_report(report, task, result)
    return failures.status_of(failed, len(tasks))


def target_of(dump: str) -> str:
    """Return the name of the file of a dump."""
    suffix = next((one for one in batch.DUMP_SUFFIXES if dump.endswith(one)), "")
    return dump.removesuffix(suffix) + batch.SUFFIX


def check_quality(quality: dict[str, Any]) -> None:
    """Refuse two qualities, or one that makes no sense, before anything is read."""
    asked = [name for name, value in quality.items() if value]
    if len(asked) > 1:
        names = " and ".join("--" + name.replace("_", "-") for name in asked)
        raise click.UsageError(f"choose one quality, not {names}")
    for name in ("snr", "bpfp", "max_error", "row_snr", "task_snr"):
        value = quality[name]
        if value is not None and not (math.isfinite(value) and value > 0):
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} must be a positive number, not {value}")


def row_group_of(text: str | None) -> dict[str, RowGroupSize]:
    """Return the option of a size; refuse one that makes no sense before anything is read."""
    if text is None:
        return {}
    try:
        return {"row_group": RowGroupSize.parse(text)}
    except InvalidInput as error:
        raise click.UsageError(f"--row-group: {error}") from None


def tell(task: Task, result: Any, verbose: bool) -> None:
    """Say on standard error what came of a dump."""
    for line in result.remarks:
        render.tell(f"{task.source}: {line}")
    sizes = f"{render.size(result.input_bytes)} -> {render.size(result.output_bytes)}"
    times = render.ratio(result.input_bytes, result.output_bytes)
    reached = f"{result.bpfp:.3f} bpfp  {render.decibels(result.snr_db)}"
    render.tell(f"{task.source}: {sizes}  {times}  {reached}")
    if str(result.lowest):
        render.tell(f"  {result.lowest}")
    if verbose:
        render.tell(*(f"  {line}" for line in result.choices))


def write_report(path: str | None, task: Task, result: Any) -> None:
    """Append what came of a dump to the report, where one is asked for."""
    if path is None:
        return
    entry: dict[str, Any]
    if isinstance(result, Exception):
        entry = {"input": task.source, "error": str(result)}
    else:
        entry = {
            "input": task.source,
            "output": task.target,
            "input_bytes": result.input_bytes,
            "output_bytes": result.output_bytes,
            "bpfp": result.bpfp,
            "snr_db": None if math.isinf(result.snr_db) else result.snr_db,
            "worst": worst_of(result.lowest),
        }
    with Path(path).open("a") as out:
        out.write(json.dumps(entry) + "\n")


def worst_of(lowest: Any) -> dict[str, Any]:
    """Return the lowest SNRs for a report."""
    return {
        key: None if found is None else {"name": found[0], "snr_db": found[1]}
        for key, found in (
            ("tensor", lowest.tensor),
            ("slice", lowest.slice),
            ("tenth_of_channels", lowest.channels),
            ("tenth_of_rows", lowest.rows),
        )
    }
