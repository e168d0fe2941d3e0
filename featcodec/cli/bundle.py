"""Options that several commands have in common, and that mean one thing together."""

import functools
from collections.abc import Callable
from typing import Any

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


def bundled(name: str, make: Callable[..., Any], **options: Decorator) -> Decorator:
    """Return what adds options to a command, which takes what `make` makes of them as `name`.

    The keys of `options` are the parameters of `make`, their values the decorators of click.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def bundling(**given: Any) -> Any:
            mine = {key: given.pop(key) for key in options}
            return command(**given, **{name: make(**mine)})

        found: Command = bundling
        for add in reversed(options.values()):
            found = add(found)
        return found

    return decorate
