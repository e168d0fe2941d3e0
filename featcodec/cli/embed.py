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
from ..leftovers import alone
from ..outputs import complete as written
from ..outputs import refuse_read_only
from ..profiles import Place, digest_of, find, place_of, read
from . import asked, batch, complete, gather, render, targets


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
    with alone(task.source):
        return _embed(task)


def _embed(task: Task) -> batch.Done | batch.Skipped:
    path = task.source
    with closing(File.open(path)) as file:
        reader = Reader(file, path)
        wanted = [d for d in reader.index.profiles if d not in reader.embedded()]
    refuse_read_only(path)
    if not wanted:
        needs = reader.index.profiles
        return batch.Skipped("it holds its profiles" if needs else "it needs no profile")
    given = dict(map(_read, task.profiles))
    found = {digest: given.get(digest) or find(digest, path) for digest in wanted}
    data = []
    for digest, place in found.items():
        if place is None:
            others = " and ".join(one.hex() for one in given)
            other = f", and what was given has {others}" if given else ""
            what = f"{path} needs the profile with SHA-256 {digest.hex()}{other}"
            raise ProfileMissing(f"{what}; name its file with --profile")
        data.append(read(place))
    with Path(path).open("rb") as source, written(path, overwrite=True) as out:
        shutil.copyfileobj(source, out)
        size = embed(out, path, data)
        os.fsync(out.fileno())
    return batch.Done(size - sum(map(len, data)), size)


def _read(name: str) -> tuple[bytes, Place]:
    """Return the SHA-256 and the place of a profile that was given, a name, a path or a URI."""
    place = place_of(name)
    digest = digest_of(place)
    if digest is None:
        raise InvalidInput(
            f"profile {name}: there is none; -p takes a file, or a name that `featcodec profiles`"
            " lists"
        )
    return digest, place


@click.command()
@gather.inputs((targets.SUFFIX,), "FILE")
@click.option(
    "-p",
    "--profile",
    "profiles",
    multiple=True,
    metavar="P",
    help="Profile that is found nowhere else.",
    callback=asked.profile_there,
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
