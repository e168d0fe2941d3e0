"""`featcodec embed`: profiles put into the files that need them."""

import os
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from ..container.embed import embed
from ..container.reader import Reader
from ..container.source import File
from ..errors import InvalidInput, ProfileMissing
from ..outputs import complete as written
from ..profiles import digest_of, find, place_of, read
from . import batch, complete, gather, render, targets


@dataclass(frozen=True)
class Task:
    """A file that its profiles are to be put into."""

    source: str
    profiles: tuple[str, ...]

    @property
    def target(self) -> str:
        return self.source


def work(task: Task) -> batch.Done | batch.Skipped:
    """Write a file anew with the profiles that it needs, unless it holds them."""
    path = task.source
    with closing(File.open(path)) as file:
        reader = Reader(file, path)
        wanted = [d for d in reader.index.profiles if d not in reader.embedded()]
    if not wanted:
        needs = reader.index.profiles
        return batch.Skipped("it holds its profiles" if needs else "it needs no profile")
    given = {digest_of(one): one for one in map(place_of, task.profiles)}
    found = {digest: given.get(digest) or find(digest, path) for digest in wanted}
    data = []
    for digest, place in found.items():
        if place is None:
            what = f"{path} needs the profile with SHA-256 {digest.hex()}"
            raise ProfileMissing(f"{what}; name its file with --profile")
        data.append(read(place))
    with Path(path).open("rb") as source, written(path, overwrite=True) as out:
        shutil.copyfileobj(source, out)
        size = embed(out, path, data)
        os.fsync(out.fileno())
    return batch.Done(size - sum(map(len, data)), size)


@click.command()
@gather.inputs((targets.SUFFIX,), "FILE")
@click.option(
    "-p",
    "--profile",
    "profiles",
    multiple=True,
    metavar="P",
    help="Profile that is found nowhere else.",
    shell_complete=complete.profile,
)
@batch.options("made whole")
def command(inputs: gather.Found, profiles: tuple[str, ...], work_on: batch.Batch) -> int:
    """Put into files the profiles that they need, so that they decode anywhere."""
    planned = [targets.Planned(one.path, one.path, one.error) for one in inputs]
    if any(one.source == "-" for one in planned):
        raise InvalidInput("embed changes files; standard input is none")
    tasks = [Task(one.source, profiles) for one in planned if not one.error]
    return work_on.run(work, tasks, lines_of, planned)


def lines_of(task: Task, result: batch.Done) -> list[str]:
    size, added = result.output_bytes or 0, (result.output_bytes or 0) - result.input_bytes
    return [f"{task.source}: {render.size(size)}, of which the profile {render.size(added)}"]
