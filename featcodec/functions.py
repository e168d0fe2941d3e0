"""Functions of the user's own, named on the command line."""

import importlib
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .arguments import a_kind
from .errors import InvalidInput

HERE = Path(__file__).parent
SHOWN = 8  # names of a module


class MissingPackage(InvalidInput):
    """A package that is not installed is needed for what is asked."""


def named(text: str, option: str, what: str = "FUNCTION") -> Any:
    """Import `MODULE:NAME`, from the current directory too.

    Raises InvalidInput when there is nothing of this name, or when the module itself fails.
    """
    module, name = module_and_name(text, option, what)
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        where = "; modules are found in the current folder and on PYTHONPATH"
        raise InvalidInput(f"{option} {text}: {error}{where}") from None
    except ImportError as error:
        raise InvalidInput(f"{option} {text}: {error}") from None
    except Exception as error:  # of the module, when it is run
        raise InvalidInput(f"{option} {text}: {module} fails: {placed(error)}") from error
    if not hasattr(found, name):
        classes = what == "CLASS"
        its = [
            one
            for one, its in vars(found).items()
            if _made_in(its, module) and inspect.isclass(its) == classes
        ]
        there = f"; it has {', '.join(its[:SHOWN])}" if its else ""
        raise InvalidInput(f"{option} {text}: module {module!r} has no attribute {name!r}{there}")
    return getattr(found, name)


def module_and_name(text: str, option: str, what: str = "FUNCTION") -> tuple[str, str]:
    """Return the two parts of `MODULE:NAME`; raise InvalidInput for other text."""
    module, _, name = text.partition(":")
    if module.endswith(".py"):
        raise InvalidInput(f"{option} {text}: write the module without .py, {module[:-3]}:{name}")
    if not (module and name):
        dotted = ":".join(module.rsplit(".", 1))
        such = f", {dotted}" if module != dotted else ""
        raise InvalidInput(f"{option} {text}: write MODULE:{what}{such}")
    return module, name


def placed(error: Exception) -> str:
    """Return what an error of the user's own code is, and where in that code it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [] if isinstance(error, SyntaxError) else [f for f in frames if _is_own(f.filename)]
    where = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{where}"


def _is_own(path: str) -> bool:
    """Return whether code of a path is of the user, and of no package or library."""
    theirs = HERE, *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))
    packages = {"site-packages", "dist-packages"} & {*Path(path).parts}
    return Path(path).is_file() and not packages and not any(map(Path(path).is_relative_to, theirs))


def _made_in(what: Any, module: str) -> bool:
    """Return whether something is a function or a class that a module defines."""
    return callable(what) and getattr(what, "__module__", None) == module


def named_function(text: str, option: str) -> Callable[..., Any]:
    """Import `MODULE:FUNCTION`, from the current directory too.

    It works on torch tensors. Raises InvalidInput when there is no such function; what is returned
    raises it, too, for whatever the function raises.
    """
    module_and_name(text, option)
    try:
        importlib.import_module("torch")
    except ImportError as error:
        reason = f"pip install 'featcodec[torch]' ({error})"
        raise MissingPackage(f"{option} needs torch: {reason}") from None
    function = named(text, option)
    if not callable(function):
        raise InvalidInput(f"{option} {text} is {a_kind(function)}, and no function")
    if inspect.isclass(function):
        raise InvalidInput(f"{option} {text} is a class; name a function")

    def called(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            reason = placed(error)
            how = "" if _takes(function, arguments) else "; it is given a dump's name and tensors"
            raise InvalidInput(f"{option} {text} fails: {reason}{how}") from error

    return called


def _takes(function: Callable[..., Any], arguments: Sequence[Any]) -> bool:
    """Return whether a function can be called with some arguments, where that can be told."""
    try:
        inspect.signature(function).bind(*arguments)
    except ValueError:  # of C
        return True
    except TypeError:
        return False
    return True


def named_score(text: str) -> Callable[..., float | None]:
    """Import a `--task`: a function that returns a number, or None where it has no task."""
    function = named_function(text, "--task")

    def score(*arguments: Any) -> float | None:
        found = function(*arguments)
        try:
            if isinstance(found, (str, bytes)):
                raise TypeError
            return None if found is None else float(found)
        except (TypeError, ValueError, RuntimeError):
            kind = a_kind(found)
            message = f"--task {text} returns {kind}; it must be a number, or None without a task"
            raise InvalidInput(message) from None

    return score
