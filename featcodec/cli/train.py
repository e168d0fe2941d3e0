"""`featcodec train`."""

import click


@click.command()
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option("-o", "--output", required=True, metavar="PROFILE", help="Profile to write.")
@click.option("--transform", type=click.Choice(["linear"]), default="linear", show_default=True)
@click.option("--layout", multiple=True, metavar="[NAME=]LAYOUT", help="As for encode.")
@click.option("-f", "--force", is_flag=True, help="Overwrite the profile.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def command(
    dumps: tuple[str, ...],
    output: str,
    transform: str,
    layout: tuple[str, ...],
    force: bool,
    quiet: bool,
) -> int:
    """Fit a profile to the features of dumps, each read once."""
    from ..dumps import Dump
    from ..files import complete
    from ..pipeline.grouping import Options
    from ..pipeline.profile import Profile
    from ..pipeline.training import train
    from . import render
    from .encode import named

    layouts = named(click.get_current_context(), click.Option(["--layout"]), layout)
    with complete(output, force) as out:
        entries = train((Dump(path) for path in dumps), Options(layouts=layouts))
        data = Profile.pack(entries)
        out.write(data)
    if not quiet:
        for entry in entries:
            part = " (prefix tokens)" if entry.prefix else ""
            click.echo(f"  {entry.name}{part}: {entry.channels} channels, {entry.layout}", err=True)
        digest = Profile.parse(data).digest.hex()
        click.echo(f"{output}: {render.size(len(data))}, sha256 {digest}", err=True)
    return 0
