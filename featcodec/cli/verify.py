"""`featcodec verify`: structure and checksums, without decoding unless asked."""

from contextlib import closing

import click

from ..container.reader import Reader
from ..container.sections import PROFILE
from ..opening import open_source
from . import batch, failures, render, streams


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--decode", is_flag=True, help="Also decode every value.")
@click.option("-p", "--profile", "profiles", multiple=True, metavar="P", help="For --decode.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@failures.verbose_option
def command(
    files: tuple[str, ...], decode: bool, profiles: tuple[str, ...], quiet: bool, verbose: bool
) -> int:
    """Check files for damage: every checksum, and with --decode every symbol."""

    def work(path: str) -> None:
        check(path, profiles if decode else None)

    failed = []
    for path, result in batch.run(work, files, jobs=1, fail_fast=False):
        if isinstance(result, Exception):
            failed.append(failures.say(result, path, verbose))
        elif not quiet:
            render.tell(f"{path}: sound")
    return failures.status_of(failed, len(files))


def check(path: str, profiles: tuple[str, ...] | None) -> None:
    """Raise when a file is damaged; decode it too when `profiles` are given, even none."""
    with streams.readable(path) as name, closing(open_source(name, path)) as file:
        reader = Reader(file, path, kind=None)
        reader.check_sections()
        if reader.kind == PROFILE:
            reader.entries()
            return
        reader.groups()
        if profiles is not None:
            from ..coding.profile import Profile
            from ..decoding.decoder import Decoder

            decoder = Decoder(reader, [Profile.load(p) for p in profiles])
            for group in decoder.groups:
                for number in range(group.header.row_groups):
                    decoder.pieces(group, number)
