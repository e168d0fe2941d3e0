"""`featcodec verify`: structure and checksums, without decoding unless asked."""

import math
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..container.reader import Reader
from ..container.sections import PROFILE
from ..errors import Corrupt
from ..opening import open_source
from ..profiles import SUFFIX as PROFILE_SUFFIX
from . import asked, batch, complete, gather, streams, targets
from .damaged import hint


@dataclass(frozen=True)
class Task:
    """One file to check."""

    source: str
    profiles: tuple[str, ...] | None  # to decode it with
    memory: str | None
    dump: str | None = None  # to compare it with
    target = ""


@dataclass(frozen=True)
class Checked(batch.Done):
    """What came of a file, with what was measured beside its dump."""

    found: tuple[Any, ...] = ()


def work(task: Task) -> Checked:
    """Check one file; with profiles, even none, decode it too."""
    size = check(task.source, task.profiles if task.dump is None else None, task.memory)
    if task.dump is None:
        return Checked(size)
    from ..coding.profile import Profile
    from ..dumps import Dump
    from ..verification import verify

    profiles = [Profile.load(path) for path in task.profiles or ()]
    with closing(open_source(task.source)) as file, Dump(task.dump) as dump:
        found = verify(dump, file, profile=profiles, called=task.source)
        dump.check()
    return Checked(size, found=tuple(found))


@click.command()
@gather.inputs((targets.SUFFIX, PROFILE_SUFFIX), "FILE")
@click.option("--decode", is_flag=True, help="Also decode every value.")
@click.option(
    "--against",
    metavar="DUMP",
    help="Also decode, and compare with the dump: a file, or the folder that has those of all.",
    shell_complete=complete.any_file,
)
@click.option(
    "-p",
    "--profile",
    "profiles",
    multiple=True,
    metavar="P",
    help="For --decode and --against.",
    callback=asked.profile_there,
    shell_complete=complete.profile,
)
@asked.memory_option
@batch.options("sound")
def command(
    inputs: gather.Found,
    decode: bool,
    against: str | None,
    profiles: tuple[str, ...],
    memory: str | None,
    work_on: batch.Batch,
) -> int:
    """Check files for damage: every checksum, and with --decode every symbol.

    With --against each is compared with its dump: names, shapes, types, and values, which are the
    same bits, or as near as the file states. What they have is measured, and said.
    """
    for option, given in (("--profile", profiles), ("--memory", memory)):
        if given and not (decode or against):
            raise click.UsageError(f"{option} is for --decode, without which nothing is decoded")
    folder = against is not None and Path(against).is_dir()
    if against and not folder and len(inputs) > 1:
        raise click.UsageError("--against takes a folder, of the dumps of several files")
    planned = [
        targets.Planned(one.path, dump_in(against, one.place) if against and folder else "", error)
        for one in inputs
        for error in [one.error]
    ]
    wanted = profiles if decode or against else None
    tasks = [
        Task(one.source, wanted, memory, one.target or against) for one in planned if not one.error
    ]
    return work_on.run(work, tasks, partial(lines_of, verbose=work_on.verbose), planned)


def dump_in(folder: str, place: str) -> str:
    """Return the path of the dump of a file; the first that it may have where there is none."""
    stem = Path(folder, place.removesuffix(targets.SUFFIX))
    names = [f"{stem}{suffix}" for suffix in targets.DUMP_SUFFIXES]
    return next((name for name in names if Path(name).exists()), names[0])


def lines_of(task: Task, result: Checked, verbose: bool) -> list[str]:
    """Return what is said of a file that is sound."""
    if task.dump is None:
        return [f"{task.source}: sound"]
    worst = min(result.found, key=lambda match: match.snr_db, default=None)
    if worst is None or math.isinf(worst.snr_db):
        return [f"{task.source}: sound, and bit for bit as {task.dump}"]
    error = max(match.max_error for match in result.found)
    said = f"{task.source}: sound, and as {task.dump}: {_of(worst.snr_db, error)}"
    each = [f"  {_named(m.names)}: {_of(m.snr_db, m.max_error)}" for m in result.found]
    return [said, *each * verbose]


def _of(snr: float, error: float) -> str:
    return (
        "bit for bit" if math.isinf(snr) else f"{snr:.2f} dB, no value off by more than {error:.4g}"
    )


def _named(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} .. {names[-1]} ({len(names)})"


def check(path: str, profiles: tuple[str, ...] | None, memory: str | None = None) -> int:
    """Raise when a file is damaged; decode it too when `profiles` are given, even none.

    Returns its size.
    """
    with streams.readable(path) as name, closing(open_source(name, path)) as file:
        reader = Reader(file, path, kind=None)
        try:
            reader.check_sections()
        except Corrupt as error:
            raise Corrupt(f"{error}{hint(name, '`featcodec decode --salvage`')}") from None
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
