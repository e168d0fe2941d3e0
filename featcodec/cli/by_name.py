"""Options that ask for qualities by name, in the order in which they are given."""

from collections.abc import Callable, Iterator
from typing import Any

import click

from ..errors import InvalidInput
from ..rules import DROP, LOSSLESS, load, quality_of

SHORT = {"--exact": LOSSLESS, "--drop": DROP}  # ways to write --quality PATTERN=...


class Command(click.Command):
    """A command whose --exact and --drop keep their places among --quality."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_long(args)))


def _long(args: list[str]) -> Iterator[str]:
    """Write --exact PATTERN and --drop PATTERN as --quality PATTERN=..."""
    left = iter(args)
    for word in left:
        name, equals, pattern = word.partition("=")
        if name in SHORT and (pattern := pattern if equals else next(left, "")):
            yield f"--quality={pattern}={SHORT[name]}"
            continue
        yield word
        if word == "--":
            yield from left


def parsed(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Split PATTERN=QUALITY options; the first that matches a name holds."""
    found: dict[str, str] = {}
    for value in values:
        pattern, _, text = value.rpartition("=")
        if not pattern:
            raise click.UsageError(
                f"--quality takes PATTERN=QUALITY, such as 'features=snr:30', not {value!r}"
            )
        try:
            quality_of(text, f"--quality {value}")
        except InvalidInput as error:
            how = "write PATTERN=QUALITY, such as 'features=snr:30'"
            raise click.UsageError(f"{error}; {how}") from None
        if pattern in found:
            raise click.UsageError(f"two qualities are asked for {pattern!r}")
        found[pattern] = text
    return found


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which takes `rules` and `rules_file`."""
    for add in (
        click.option("--rules", "rules_file", metavar="FILE", help="Such patterns in TOML."),
        click.option(
            "--drop", multiple=True, expose_value=False, metavar="PATTERN", help="Left out."
        ),
        click.option(
            "--exact", multiple=True, expose_value=False, metavar="PATTERN", help="Bit for bit."
        ),
        click.option(
            "--quality",
            "rules",
            multiple=True,
            callback=parsed,
            metavar="PATTERN=Q",
            help="Of tensors whose names match: snr:DB, row-snr:DB, task-snr:DB, max-error:E,"
            " lossless, drop.",
        ),
    ):
        command = add(command)
    return command


def merged(rules: dict[str, str], path: str | None) -> dict[str, str]:
    """Return the rules of the shell, then those of a file."""
    if path is None:
        return rules
    try:
        found = load(path)
    except InvalidInput as error:
        raise click.UsageError(f"--rules {error}") from None
    return rules | {pattern: text for pattern, text in found.items() if pattern not in rules}
