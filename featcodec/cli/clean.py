"""`featcodec clean`: temporary files that killed processes left."""

import os
from pathlib import Path

import click

from ..errors import InvalidInput
from ..leftovers import leftovers, remove
from . import complete, failures, render


@click.command()
@click.argument(
    "folders", nargs=-1, required=True, metavar="DIR...", shell_complete=complete.any_folder
)
@click.option("-r", "--recursive", is_flag=True, help="Folders below them, too.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@failures.verbose_option
def command(
    folders: tuple[str, ...], recursive: bool, dry_run: bool, quiet: bool, verbose: bool
) -> int:
    """Remove temporary files of featcodec that no process holds any more.

    They are called .featcodec-...part. What is in use stays, and so do the FILE.part of writers,
    which `featcodec recover` makes files of.
    """
    removed = 0
    for folder in folders:
        if not Path(folder).is_dir():
            raise InvalidInput(f"{folder} is not a folder")
        below = [Path(path) for path, _, _ in os.walk(folder)] if recursive else [Path(folder)]
        for left in [one for where in below for one in leftovers(where)]:
            size = left.lstat().st_size if dry_run else remove(left)
            if size is None:
                raise InvalidInput(f"{left} cannot be removed")
            removed += 1
            if not quiet:
                what = "would be removed" if dry_run else "removed"
                render.tell(f"{left}: {render.size(size)}, {what}")
    if not removed and not quiet:
        render.tell("nothing is left over")
    return 0
