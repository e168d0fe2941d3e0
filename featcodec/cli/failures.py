"""What went wrong, in one line, and the exit status it stands for."""

import ast
import contextlib
import re
import shlex
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from ..errors import FeatcodecError, InvalidInput
from . import render
from .streams import STREAM

verbose_option = click.option(
    "-v", "--verbose", is_flag=True, help="Say where an internal error comes from."
)


# How arguments that errors name are typed in the shell.
TYPED = {
    "use overwrite=True": "use --force",
    "with tensors=[NAME]": "with --tensor NAME",
    "add dtype='F32'": "add --dtype F32",
    "use transform='auto'": "use --transform auto",
    "add transform='neural'": "add --transform neural",
    "with row_snr every": "with --row-snr every",
    "without pool the": "without --pool the",
    "give it as profile,": "name its file with --profile,",
    "allow it with memory=": "allow it with --memory ",
}
DROPPED = r"""with rules=\{('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"): 'drop'\}"""  # of a name
ARGUMENT = re.compile("|".join([DROPPED, *map(re.escape, TYPED)]))


@contextlib.contextmanager
def usage() -> Iterator[None]:
    """Turn what is wrong with an option into a usage error; a missing package is none."""
    from ..functions import MissingPackage

    try:
        yield
    except MissingPackage:
        raise
    except InvalidInput as error:
        raise click.UsageError(as_typed(str(error))) from None


class InternalError(FeatcodecError):
    """An error that nobody meant to raise; `trace` says where it comes from."""

    def __init__(self, text: str, trace: str) -> None:
        super().__init__(text, trace)
        self.trace = trace

    def __str__(self) -> str:
        return f"internal error: {self.args[0]}; please report it, with what -v shows"


def attempt(work: Callable[[Any], Any], task: Any) -> Any:
    """Return what `work` returns, or the error that it raised."""
    try:
        return work(task)
    except (BrokenPipeError, click.ClickException):
        raise  # the reader of standard output has gone, or what is asked for cannot be
    except Exception as error:
        return known(error)


def known(error: Exception) -> Exception:
    """Return an error that a user can understand, for any."""
    if isinstance(error, (FeatcodecError, OSError, MemoryError)):
        return error
    trace = "".join(traceback.format_exception(error))
    return InternalError(f"{type(error).__name__}: {error}", trace)


def say(error: Exception, source: str, verbose: bool) -> int:
    """Print an error as one line that names the input; return the exit status it stands for."""
    if isinstance(error, FeatcodecError):
        text, status = as_typed(str(error)), error.exit_status
    elif isinstance(error, OSError):
        text, status = f"{error.filename or 'input/output'}: {error.strerror or error}", 1
    else:
        text, status = "out of memory", 1
    named = source in ("", STREAM) or text.startswith((f"{source} ", f"{source}:"))
    where = "" if named else f"{source}: "
    said = where + text
    if source != source.strip():  # what is blank at an end would not be seen
        said = said.replace(source, repr(source))
    render.complain(said)
    if verbose and isinstance(error, InternalError):
        render.tell(*error.trace.splitlines())
    return status


def as_typed(text: str) -> str:
    """Return what an error says with options of the shell for arguments of Python.

    >>> as_typed("x.fcz exists; use overwrite=True to overwrite it")
    'x.fcz exists; use --force to overwrite it'
    """

    def typed(found: re.Match) -> str:
        if found[1] is None:
            return TYPED[found[0]]
        return f"with --drop {shlex.quote(ast.literal_eval(found[1]))}"

    return ARGUMENT.sub(typed, text)


def status_of(failures: Sequence[int], tasks: int) -> int:
    """Return the exit status: that of the one input, or 1 when only some of several failed."""
    if not failures:
        return 0
    if len(failures) == tasks and len(set(failures)) == 1:
        return failures[0]
    return 1
