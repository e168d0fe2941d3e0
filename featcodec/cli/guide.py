"""`featcodec guide`: the pages of the guide, as they are written, without a pager."""

import re
from pathlib import Path

import click

from . import render
from .main import COMMANDS

FOLDER = Path(__file__).parents[1] / "guide"
INDEX = "README.md"
LINE = re.compile(r"- \[(?P<topic>[a-z-]+)\]\((?P=topic)\.md\): (?P<about>.+)")


@click.command()
@click.argument("topic", required=False)
def command(topic: str | None) -> int:
    """Print a page of the guide, or without TOPIC what there are pages on."""
    known = topics()
    topic = topic and topic.lower()
    if topic is None:
        rows = [[name, about] for name, about in known.items()]
        render.show(*render.table(rows, set()))
    elif topic in known:
        render.show(*page(topic))
    elif topic in COMMANDS:
        raise click.UsageError(
            f"no page {topic!r}; `featcodec {topic} --help` tells of the command,"
            " `featcodec guide commands` of all"
        )
    else:
        raise click.UsageError(f"no page {topic!r}; topics are {', '.join(known)}")
    return 0


def topics() -> dict[str, str]:
    """Return what the pages are about by topic, in the order of the index."""
    lines = (FOLDER / INDEX).read_text(encoding="utf-8").splitlines()
    return {m["topic"]: m["about"] for line in lines if (m := LINE.fullmatch(line))}


def page(topic: str) -> list[str]:
    """Return the lines of a page, without the marks between which its tables are filled in."""
    lines = (FOLDER / f"{topic}.md").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("<!-- ")]
