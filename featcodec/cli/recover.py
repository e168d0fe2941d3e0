"""`featcodec recover`: a file of what an interrupted writer left."""

import click

from . import asked, complete, failures, render, targets

PART = ".part"
SHOWN = 8  # tensors of which the rows are said


@click.command()
@click.argument("file", metavar="FILE.part", shell_complete=complete.any_file)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    help="Output file (default: FILE).",
    shell_complete=complete.any_file,
)
@click.option(
    "-p",
    "--profile",
    "profiles",
    multiple=True,
    metavar="P",
    help="That of the writer.",
    callback=asked.profile_there,
    shell_complete=complete.profile,
)
@click.option("-f", "--force", is_flag=True, help="Overwrite the output.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@failures.verbose_option
def command(
    file: str,
    output: str | None,
    profiles: tuple[str, ...],
    force: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Make a file of what an interrupted writer left.

    It has what was flushed, which is all but the last 64 MB or minute at most, at the quality that
    the writer was asked for. FILE.part stays.
    """
    from ..coding.profile import Profile
    from ..writing.recovery import recover_file

    targets.refuse_foreign_name(output, "an encoded file", targets.SUFFIX)
    if output is None:
        if not file.endswith(PART):
            raise click.UsageError(f"{file} does not end in {PART}; name the output with -o")
        output = file.removesuffix(PART)
    targets.refuse_clashes([("input", file)], [("output", output)])
    known = [Profile.load(path) for path in profiles]
    shapes = recover_file(file, output, profile=known, overwrite=force)
    if not quiet:
        rows = [(name, shape[0] if shape else 1) for name, shape in shapes.items()]
        for name, samples in rows[:SHOWN]:
            render.tell(f"{output}: {name}: {render.count(samples, 'sample')}")
        if len(rows) > SHOWN:
            render.tell(f"{output}: {render.count(len(rows) - SHOWN, 'more tensor')}")
        render.tell(f"remove {file} when you do not need it")
    return 0
