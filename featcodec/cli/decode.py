"""`featcodec decode`."""

from dataclasses import dataclass
from typing import Any

import click

from ..outputs import exists
from . import batch, failures, render, streams
from .streams import STREAM


@dataclass(frozen=True)
class Task:
    """One file to decode, as plain values that travel to another process."""

    source: str
    target: str
    profiles: tuple[str, ...]
    tensors: tuple[str, ...]
    dtype: str | None
    force: bool
    jobs: int  # within the file


def work(task: Task) -> Any:
    """Decode one file and return the bytes written."""
    from ..coding.profile import Profile
    from ..files import decode_file

    profiles = [Profile.load(path) for path in task.profiles]
    with streams.readable(task.source) as source, streams.writable(task.target) as target:
        return decode_file(
            source,
            target,
            profiles=profiles,
            tensors=task.tensors,
            dtype=task.dtype,
            overwrite=task.force,
            jobs=task.jobs,
        )


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", metavar="OUT", help="Output file; - for standard output.")
@click.option("--output-dir", metavar="DIR", help="Folder for the outputs.")
@click.option(
    "-p",
    "--profile",
    "profiles",
    multiple=True,
    metavar="P",
    help="Profile file; give it as often as there are profiles.",
)
@click.option("--tensor", "tensors", multiple=True, metavar="NAME", help="Only this tensor.")
@click.option("--dtype", metavar="D", help="Convert floating tensors: F32, F16, BF16, ...")
@click.option("-j", "--jobs", type=int, default=1, metavar="N", help="Processes; 0: one a core.")
@click.option("-f", "--force", is_flag=True, help="Overwrite outputs; write to a terminal.")
@click.option("--skip-existing", is_flag=True, help="Leave inputs alone whose output exists.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first failure.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@failures.verbose_option
def command(
    files: tuple[str, ...],
    output: str | None,
    output_dir: str | None,
    profiles: tuple[str, ...],
    tensors: tuple[str, ...],
    dtype: str | None,
    jobs: int,
    force: bool,
    skip_existing: bool,
    fail_fast: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Decode files back to dumps.

    OUT is a file of NumPy or torch when its suffix says so (.npz, .npy, .pt, .pth, .ckpt), else of
    safetensors.
    """
    known = [("--profile", profile) for profile in profiles]
    targets = batch.outputs(files, output, output_dir, dump_name, force, known)
    dtype = dtype.upper() if dtype else None
    jobs = batch.job_count(jobs)
    within = jobs if len(files) == 1 else 1  # processes of a batch have none of their own
    tasks = [
        Task(source, target, profiles, tensors, dtype, force, within)
        for source, target in zip(files, targets, strict=True)
        if not (skip_existing and exists(target))
    ]
    failed = []
    for task, result in batch.run(work, tasks, jobs, fail_fast):
        if isinstance(result, Exception):
            failed.append(failures.say(result, task.source, verbose))
        elif not quiet and task.target != STREAM:
            render.tell(f"{task.target}: {render.size(result)}")
    return failures.status_of(failed, len(tasks))


def dump_name(path: str) -> str:
    if not path.endswith(batch.SUFFIX):
        raise click.UsageError(f"{path} does not end in {batch.SUFFIX}; name the output with -o")
    return path.removesuffix(batch.SUFFIX) + batch.DUMP_SUFFIX
