"""What a shell may complete words to."""

import click
from click.shell_completion import CompletionItem


def any_file(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Let the shell complete paths."""
    return [CompletionItem(typed, type="file")]


def any_folder(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Let the shell complete paths of folders."""
    return [CompletionItem(typed, type="dir")]


def profile(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the names of profiles, and let the shell complete paths."""
    from ..profiles import named

    names = [CompletionItem(name) for name in named() if name.startswith(typed)]
    return names or [CompletionItem(typed, type="file")]
