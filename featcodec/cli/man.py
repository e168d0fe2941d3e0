"""`featcodec man`: the manual page, made from the help of the commands."""

import inspect
from collections.abc import Iterator

import click

from .. import __version__
from . import render
from .guide import topics


@click.command()
def command() -> int:
    """Print the manual page, in the format of man.

    featcodec man | man -l - shows it; featcodec man > ~/.local/share/man/man1/featcodec.1 keeps it.
    """
    from .main import cli

    render.show(*page(cli))
    return 0


def page(cli: click.Group) -> Iterator[str]:
    """Yield the lines of the page of a group and of its commands."""
    yield f'.TH FEATCODEC 1 "" "featcodec {__version__}" "User Commands"'
    yield from (".SH NAME", f"featcodec \\- {escaped((cli.help or '').rstrip('.'))}")
    yield from (".SH SYNOPSIS", ".B featcodec", "COMMAND [OPTIONS] ...")
    yield ".SH COMMANDS"
    yield from sections(cli, click.Context(cli, info_name="featcodec"))
    yield from (".SH EXIT STATUS", "0 all done; 1 some inputs failed, the rest were done; 2 usage;")
    yield "3 invalid or truncated stream; 4 profile missing; 130 interrupted."
    yield from (".SH SEE ALSO", f"featcodec guide TOPIC, of the topics {', '.join(topics())}.")


def sections(group: click.Group, above: click.Context) -> Iterator[str]:
    """Yield a part for each command of a group, and for the commands of those."""
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=above)
        usage = " ".join(command.collect_usage_pieces(context))
        yield f".SS {escaped(context.command_path)} {escaped(usage)}"
        for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
            yield from paragraphed(paragraph)
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record and isinstance(parameter, click.Option):
                option, text = record
                yield from (".TP", f".B {escaped(option)}", escaped(text))
        if isinstance(command, click.Group):
            yield from sections(command, context)


def paragraphed(text: str) -> Iterator[str]:
    """Yield a paragraph of help, its lines as they stand where it begins with click's mark."""
    first, *rest = text.splitlines() or [""]
    if first == "\b":
        yield from (".nf", *map(escaped, rest), ".fi")
    else:
        yield escaped(" ".join(text.split()))
    yield ".PP"


def escaped(text: str) -> str:
    """Return text that troff prints as it stands."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text
