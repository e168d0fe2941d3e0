"""`featcodec profiles`: the profiles that are found without naming their files."""

import contextlib
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from .. import profiles as places
from ..container.reader import Reader
from ..container.sections import PROFILE
from ..errors import FeatcodecError, InvalidInput
from ..opening import open_source
from ..outputs import complete as written
from ..stores import is_uri
from . import complete, render
from .info import describe
from .info_of_profile import profile_lines


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a profile, one a line.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """List profiles, and keep your own where decoding finds them by their SHA-256.

    It looks beside the file, in what the variable FEATCODEC_PROFILE_PATH lists, in your own folder
    and among the built-in ones. -p takes the names that are listed.
    """
    return 0 if ctx.invoked_subcommand else listed(as_json)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a profile, one a line.")
def list_(as_json: bool) -> int:
    """List the profiles that have a name."""
    return listed(as_json)


@command.command()
@click.argument("profile", metavar="PROFILE", shell_complete=complete.profile)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def show(profile: str, as_json: bool) -> int:
    """Show where a profile lies, by name or path, and what it holds."""
    path = str(places.named().get(profile, profile))
    if not (is_uri(path) or Path(path).exists()):
        raise InvalidInput(
            f"profile {profile}: no such file, and no name that `featcodec profiles` lists"
        )
    found = describe(path)
    if "entries" not in found:
        raise InvalidInput(f"{path} is not a profile")
    render.show(*[render.as_json(found)] if as_json else [path, *profile_lines(found)])
    return 0


@command.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", shell_complete=complete.any_file
)
@click.option("--name", metavar="NAME", help="What to call it; without, as its file is called.")
@click.option("-f", "--force", is_flag=True, help="Replace another profile of that name.")
def add(files: tuple[str, ...], name: str | None, force: bool) -> int:
    """Copy profiles to your own folder."""
    if name is not None and len(files) > 1:
        raise click.UsageError("--name is of one file")
    for file in files:
        called = Path(file).stem if name is None else name
        target = own(called)
        data = read(file)
        if target.is_file() and target.read_bytes() == data:
            render.tell(f"{target}: there already")
            continue
        if target.exists() and not force:
            raise InvalidInput(
                f"{target.parent} has another profile called {called}, which files may need; give"
                f" {file} another name with --name"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with written(target, force) as out:
            out.write(data)
        render.tell(f"{target}: added as {called}")
    return 0


@command.command()
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete.profile
)
def remove(names: tuple[str, ...]) -> int:
    """Remove profiles from your own folder.

    Files that need them decode no more without.
    """
    for name in names:
        if name in places.built_in():
            raise InvalidInput(f"{name} is built in, and is not removed")
        target = own(name)
        if not target.is_file():
            raise InvalidInput(f"{target.parent} has no profile {name!r}")
        target.unlink()
        render.tell(f"{target}: removed")
    return 0


def own(name: str) -> Path:
    """Return the file of a profile of the user's; refuse what cannot be the name of one."""
    if not name or name.startswith((".", "-")) or Path(name).name != name or not name.isprintable():
        raise InvalidInput(f"{name!r} cannot be the name of a profile; give one with --name")
    if name in places.built_in():
        raise InvalidInput(f"{name} is a built-in profile; give another name with --name")
    return places.user_folder() / f"{name}{places.SUFFIX}"


def read(path: str) -> bytes:
    """Return the bytes of a profile; InvalidInput for a file that is none, or damaged."""
    with closing(open_source(path)) as file:
        try:
            reader = Reader(file, path, PROFILE)
            reader.check_sections()
            reader.entries()
        except FeatcodecError as error:
            raise InvalidInput(f"{path} cannot be used as a profile: {error}") from None
        return file.read(0, file.size)


def listed(as_json: bool) -> int:
    """Show a line for each profile that has a name."""
    rows = []
    for name, path in places.named().items():
        with contextlib.suppress(FeatcodecError):  # other files may lie there
            found = {"name": name, **describe(str(path)), "path": str(path)}
            if "entries" not in found:
                continue
            if as_json:
                render.show(render.as_json(found))
            rows.append(row(found))
    if rows and not as_json:
        render.show(*render.table(rows, {1}))
    return 0


def row(found: dict[str, Any]) -> list[str]:
    kinds = ["network"] * bool(found["network"]) + [f"{len(found['entries'])} linear"] * bool(
        found["entries"]
    )
    size, place = render.size(found["file_bytes"]), str(Path(found["path"]).parent)
    built_in = found["name"] in places.built_in()
    return [
        found["name"],
        size,
        ", ".join(kinds),
        f"sha256 {found['sha256']}",
        "built in" if built_in else place,
    ]
