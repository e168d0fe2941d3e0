"""`featcodec verify`: structure and checksums, without decoding unless asked."""

from pathlib import Path

import click

from ..container.reader import Reader
from ..container.sections import PROFILE, SIGNATURE_BYTES, check_signature
from . import batch, streams


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--decode", is_flag=True, help="Also decode every value.")
@click.option("-p", "--profile", "profiles", multiple=True, metavar="P", help="For --decode.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def command(files: tuple[str, ...], decode: bool, profiles: tuple[str, ...], quiet: bool) -> int:
    """Check files for damage: every checksum, and with --decode every symbol."""

    def work(path: str) -> None:
        check(path, profiles if decode else None)

    failures = []
    for path, result in batch.run(work, files, jobs=1, fail_fast=False):
        if isinstance(result, Exception):
            failures.append(batch.say(result, path))
        elif not quiet:
            click.echo(f"{path}: sound", err=True)
    return batch.status_of(failures, len(files))


def check(path: str, profiles: tuple[str, ...] | None) -> None:
    """Raise when a file is damaged; decode it too when `profiles` are given, even none."""
    with streams.readable(path) as name, Path(name).open("rb") as stream:
        _, kind = check_signature(stream.read(SIGNATURE_BYTES), path)
        reader = Reader(stream, path, kind)
        reader.check_sections()
        if kind == PROFILE:
            reader.entries()
            return
        reader.groups()
        if profiles is not None:
            import numpy as np

            from ..dumps import stored_dtype
            from ..pipeline.decode import Decoder
            from ..pipeline.profile import Profile

            decoder = Decoder(reader, [Profile.load(p) for p in profiles])
            for entry in reader.index.tensors:
                decoder.decode([entry], lambda e: np.zeros(e.values, stored_dtype(e.dtype)))
