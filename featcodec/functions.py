"""Functions of the user's own, named on the command line."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import InvalidInput


def named_function(text: str, option: str) -> Callable[..., Any]:
    """Import `MODULE:FUNCTION`, from the current directory too.

    It works on torch tensors. Raises InvalidInput when there is no such function.
    """
    try:
        importlib.import_module("torch")
    except ImportError as error:
        reason = f"pip install 'featcodec[torch]' ({error})"
        raise InvalidInput(f"{option} needs torch: {reason}") from None
    module, _, name = text.partition(":")
    if not (module and name):
        raise InvalidInput(f"{option} {text}: write MODULE:FUNCTION")
    sys.path.insert(0, str(Path.cwd()))
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"{option} {text}: {error}") from None
    return function
