"""`featcodec concat`: files joined without coding anew."""

import contextlib

import click

from . import complete, gather, render, streams, targets
from .gather import Input
from .streams import STREAM


@click.command()
@gather.some("files", (targets.SUFFIX,), "FILE")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    help="Output file; - for standard output.",
    shell_complete=complete.any_file,
)
@click.option("-f", "--force", is_flag=True, help="Overwrite the output; write to a terminal.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def command(files: tuple[str, ...], output: str, force: bool, quiet: bool) -> int:
    """Join files without coding anew.

    Tensors of one name become one along the leading axis, in the order of the files; all else stays
    as it is. With - as FILE one is read from standard input.
    """
    from ..joining import concat_files

    targets.refuse_foreign_name(output, "an encoded file", targets.SUFFIX)
    if files.count(STREAM) > 1:
        raise click.UsageError("standard input can be read once only")
    where = targets.Where(output, None, force, False)
    [planned] = targets.outputs([Input(files[0], files[0])], where, str)
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(streams.readable(file)) for file in files]
        target = stack.enter_context(streams.writable(planned.target))
        size = concat_files(sources, target, overwrite=force)
    if not quiet and planned.target != STREAM:
        render.tell(f"{output}: {render.size(size)}")
    return 0
