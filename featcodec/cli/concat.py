"""`featcodec concat`: files joined without coding anew."""

import click

from . import batch, render, streams
from .streams import STREAM


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", required=True, metavar="OUT", help="- for standard output.")
@click.option("-f", "--force", is_flag=True, help="Overwrite the output; write to a terminal.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def command(files: tuple[str, ...], output: str, force: bool, quiet: bool) -> int:
    """Join files without coding anew.

    Tensors of one name become one along the leading axis, in the order of the files; all else stays
    as it is.
    """
    from ..joining import concat_files

    batch.outputs(files[:1], output, None, str, force)
    with streams.writable(output) as target:
        size = concat_files(files, target, overwrite=force)
    if not quiet and output != STREAM:
        render.tell(f"{output}: {render.size(size)}")
    return 0
