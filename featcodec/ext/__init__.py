"""Facets for the tools that others keep; each needs an extra, and names it when it is missing."""

import importlib
from typing import Any

from ..errors import InvalidInput


def needed(module: str, extra: str) -> Any:
    """Return a module of an extra, or say how it is installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        text = f"{module.partition('.')[0]} is not installed: pip install 'featcodec[{extra}]'"
        raise InvalidInput(text) from None
    except ImportError as error:  # it is there, and fits something else that is not
        raise InvalidInput(f"{module} cannot be imported: {error}") from error
