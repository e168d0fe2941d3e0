"""`featcodec profiles`."""

from typing import Any

import click

from ..profiles import built_in
from . import render
from .info import describe


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a profile, one a line.")
def command(as_json: bool) -> int:
    """List the profiles that come with featcodec; -p takes their names."""
    for name, path in built_in().items():
        found = {"name": name, **describe(str(path))}
        render.show(render.as_json(found) if as_json else line(found))
    return 0


def line(found: dict[str, Any]) -> str:
    kinds = ["network"] * bool(found["network"]) + [f"{len(found['entries'])} linear"] * bool(
        found["entries"]
    )
    size = render.size(found["file_bytes"])
    return f"{found['name']}  {size}  {', '.join(kinds)}  sha256 {found['sha256']}"
