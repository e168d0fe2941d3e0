"""`featcodec verify`: structure and checksums, without decoding unless asked."""

from contextlib import closing
from dataclasses import dataclass

import click

from ..container.reader import Reader
from ..container.sections import PROFILE
from ..opening import open_source
from ..profiles import SUFFIX as PROFILE_SUFFIX
from . import asked, batch, complete, gather, streams, targets


@dataclass(frozen=True)
class Task:
    """One file to check."""

    source: str
    profiles: tuple[str, ...] | None  # to decode it with
    memory: str | None
    target = ""


def work(task: Task) -> batch.Done:
    """Check one file; with profiles, even none, decode it too."""
    return batch.Done(check(task.source, task.profiles, task.memory))


@click.command()
@gather.inputs((targets.SUFFIX, PROFILE_SUFFIX), "FILE")
@click.option("--decode", is_flag=True, help="Also decode every value.")
@click.option(
    "-p",
    "--profile",
    "profiles",
    multiple=True,
    metavar="P",
    help="For --decode.",
    callback=asked.profile_there,
    shell_complete=complete.profile,
)
@asked.memory_option
@batch.options("sound")
def command(
    inputs: gather.Found,
    decode: bool,
    profiles: tuple[str, ...],
    memory: str | None,
    work_on: batch.Batch,
) -> int:
    """Check files for damage: every checksum, and with --decode every symbol."""
    for option, given in (("--profile", profiles), ("--memory", memory)):
        if given and not decode:
            raise click.UsageError(f"{option} is for --decode, without which nothing is decoded")
    planned = [targets.Planned(one.path, "", one.error) for one in inputs]
    wanted = profiles if decode else None
    tasks = [Task(one.source, wanted, memory) for one in planned if not one.error]
    return work_on.run(work, tasks, lambda task, _: [f"{task.source}: sound"], planned)


def check(path: str, profiles: tuple[str, ...] | None, memory: str | None = None) -> int:
    """Raise when a file is damaged; decode it too when `profiles` are given, even none.

    Returns its size.
    """
    with streams.readable(path) as name, closing(open_source(name, path)) as file:
        reader = Reader(file, path, kind=None)
        reader.check_sections()
        if reader.kind == PROFILE:
            reader.entries()
            return reader.size
        reader.groups()
        if profiles is not None:
            from ..coding.profile import Profile
            from ..decoding.decoder import Decoder
            from ..memory import limit_of

            decoder = Decoder(reader, [Profile.load(p) for p in profiles])
            decoder.allow(reader.index.tensors, limit_of(memory))
            for group in decoder.groups:
                for number in range(group.header.row_groups):
                    decoder.pieces(group, number)
        return reader.size
