"""Options without their values, which would take the next option for one."""

from collections.abc import Sequence

import click


def refuse_swallowed(command: click.Command, words: Sequence[str], ctx: click.Context) -> None:
    """Raise a usage error for an option that another option stands behind, in place of its value.

    What is called like an option can be a value all the same: `--output=-f`.
    """
    options = [one for one in command.params if isinstance(one, click.Option)]
    names = {name for one in options for name in (*one.opts, *one.secondary_opts)}
    valued = {name for one in options if not one.is_flag for name in one.opts}
    left = iter(words)
    for word in left:
        if word == "--":
            return
        if word in valued and (value := next(left, "")) in names:
            raise click.UsageError(f"{word} needs a value, and {value} is an option", ctx)
