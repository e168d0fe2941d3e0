"""`featcodec decode`."""

from dataclasses import dataclass, replace
from typing import Any

import click

from ..elements import FLOATS
from ..errors import Corrupt, InvalidInput, NotFeatcodec, Truncated
from ..outputs import refuse_packed_name
from . import asked, batch, complete, estimate, existing, gather, render, streams, targets
from .damaged import hint
from .streams import STREAM

PART = f"{targets.SUFFIX}.part"
SHOWN = 8  # tensors, and runs of rows of each, that are said to be missing


@dataclass(frozen=True)
class Task:
    """One file to decode, as plain values that travel to another process."""

    source: str
    target: str
    profiles: tuple[str, ...]
    tensors: tuple[str, ...]
    dtype: str | None
    force: bool
    skip_existing: bool
    jobs: int  # within the file
    salvage: bool
    memory: str | None  # None: what the machine has


def work(task: Task) -> Any:
    """Decode one file, or leave it alone."""
    from ..coding.profile import Profile
    from ..files import decoded_file

    if isinstance(there := standing(task), batch.Skipped):
        return there
    task = replace(task, force=task.force or there is not None)
    profiles = [Profile.load(path) for path in task.profiles]
    if task.salvage:
        return salvaged(task, profiles)
    with streams.readable(task.source) as source, streams.writable(task.target) as target:
        try:
            found = decoded_file(
                source,
                target,
                profile=profiles,
                tensors=task.tensors,
                dtype=task.dtype,
                overwrite=task.force,
                jobs=task.jobs,
                memory=task.memory,
            )
        except (Corrupt, NotFeatcodec, Truncated) as error:
            raise type(error)(f"{error}{hint(source, '--salvage')}") from None
        return batch.Done(batch.size_of(source), found.output_bytes, found.remarks)


def salvaged(task: Task, profiles: list[Any]) -> batch.Done:
    """Decode what is sound of a file; raise Corrupt, which says what is not, when it is written."""
    from ..salvage import salvage_file

    with streams.readable(task.source) as source:
        with streams.writable(task.target) as target:
            found = salvage_file(
                source,
                target,
                profile=profiles,
                tensors=task.tensors,
                dtype=task.dtype,
                overwrite=task.force,
                memory=task.memory,
            )
        if found.missing:
            shown = "the output" if task.target == STREAM else task.target
            lost = [f"{name!r} lacks {_rows(rows)}" for name, rows in found.missing.items()]
            more = [f"so do {render.count(len(lost) - SHOWN, 'more tensor')}"] * (len(lost) > SHOWN)
            what = "; ".join([*lost[:SHOWN], *more, *found.remarks])
            raise Corrupt(f"{source} is damaged: {what}; {shown} has the rest")
        remarks = tuple(f"{one}, and no value is lost" for one in found.remarks)
        remarks += found.clipped
        return batch.Done(batch.size_of(source), found.output_bytes, remarks)


def _rows(rows: list[range]) -> str:
    """Return rows in words, the first and the last of each run."""
    runs = [str(r.start) if len(r) == 1 else f"{r.start} to {r.stop - 1}" for r in rows]
    more = [f"and {render.count(len(runs) - SHOWN, 'more run')}"] * (len(runs) > SHOWN)
    return f"row{'s' * (sum(map(len, rows)) != 1)} {', '.join([*runs[:SHOWN], *more])}"


def standing(task: Task) -> batch.Skipped | existing.Stale | None:
    """Return that an output may stand, or is stale; raise InvalidInput for one in the way."""
    if not task.skip_existing or STREAM in (task.source, task.target):
        return None
    return existing.decoded(task.source, task.target, (task.tensors, task.dtype), task.force)


@click.command()
@gather.inputs((targets.SUFFIX,), "FILE")
@targets.options
@click.option(
    "-p",
    "--profile",
    "profiles",
    multiple=True,
    metavar="P",
    help="Profile that is found nowhere else; give it as often as there are some.",
    callback=asked.profile_there,
    shell_complete=complete.profile,
)
@click.option("--tensor", "tensors", multiple=True, metavar="NAME", help="Only this tensor.")
@click.option(
    "--dtype",
    metavar="D",
    help="Convert floating tensors: F32, F16, BF16, ...; what lies beyond is clipped, and counted.",
)
@click.option(
    "--skip-existing",
    is_flag=True,
    help="Leave inputs alone whose output is complete, no older, and holds the same tensors.",
)
@click.option(
    "--salvage",
    is_flag=True,
    help="Decode what is sound of a damaged file: NaN, or 0, stands for the rest; status 3.",
)
@asked.memory_option
@batch.options("decoded")
def command(
    inputs: gather.Found,
    where: targets.Where,
    profiles: tuple[str, ...],
    tensors: tuple[str, ...],
    dtype: str | None,
    skip_existing: bool,
    salvage: bool,
    memory: str | None,
    work_on: batch.Batch,
) -> int:
    """Decode files back to dumps.

    OUT is a file of NumPy or torch when its suffix says so (.npz, .npy, .pt, .pth, .ckpt), else of
    safetensors; suffixes of other programs, such as .txt or .h5, are refused.
    """
    known = [("--profile", profile) for profile in profiles]
    planned = targets.outputs(inputs, where, dump_name, targets.DUMP_SUFFIXES, known)
    try:
        refuse_packed_name(where.output or "")
    except InvalidInput as error:
        raise click.UsageError(f"-o {error}") from None
    if dtype is not None and dtype.upper() not in FLOATS:
        kinds = ", ".join(sorted(FLOATS))
        raise click.UsageError(
            f"--dtype takes one of {kinds}, the names of safetensors, not {dtype!r}"
        )
    dtype = dtype.upper() if dtype else None
    within = work_on.within(planned)
    tasks = [
        Task(
            one.source,
            one.target,
            profiles,
            tensors,
            dtype,
            where.force,
            skip_existing,
            within,
            salvage,
            memory,
        )
        for one in planned
        if not one.error
    ]
    if where.dry_run:
        return estimate.show(planned, tasks, work_on.jobs, standing, estimate.decoding)
    with targets.folders(planned, where):
        return work_on.run(work, tasks, lines_of, planned)


def lines_of(task: Task, result: batch.Done) -> list[str]:
    """Return what is said of a file that is decoded."""
    shown = task.target != STREAM
    return [f"{task.target}: {render.size(result.output_bytes or 0)}"] * shown


def dump_name(path: str) -> str:
    if path.endswith(PART):
        raise click.UsageError(
            f"{path} is what a writer left; make a file of it by featcodec recover {path}"
        )
    if not path.endswith(targets.SUFFIX):
        raise click.UsageError(
            f"{path} does not end in {targets.SUFFIX}: encode a dump first; of a featcodec file of"
            " another name, name the output with -o; a message is decoded by featcodec.Codec"
        )
    return path.removesuffix(targets.SUFFIX) + targets.DUMP_SUFFIX
