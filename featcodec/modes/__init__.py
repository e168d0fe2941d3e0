"""The ways to code a token grid, one folder each: the registry.

A folder has three parts. Its `__init__` says what the format knows of the mode (`mode.Mode`;
standard library only), `coder` builds its coder from a header (`coder.ModeCoder`), and `search`
says which candidates an encoder tries and when they are worth it. A mode is added by a folder and
its name in `FOLDERS`, a row in section 6 of the specification, and vectors.
"""

import importlib
from typing import TYPE_CHECKING

from . import banded, context, linear, plain, predicted, split
from .mode import Fields, Mode

if TYPE_CHECKING:
    from .coder import ModeCoder
    from .search import ModeSearch

__all__ = ["BY_CODE", "FOLDERS", "MODES", "Fields", "Mode", "coder_of", "search_of", "searches"]

FOLDERS = (plain, context, linear, banded, predicted, split)  # in the order of trials
MODES = {mode.name: mode for folder in FOLDERS for mode in folder.MODES}
BY_CODE = tuple(sorted(MODES.values(), key=lambda mode: mode.code))


def coder_of(name: str) -> "ModeCoder":
    """Return what builds coders of a mode."""
    found: ModeCoder = importlib.import_module(f"{MODES[name].module}.coder").CODER
    return found


def search_of(name: str) -> "ModeSearch":
    """Return what says when an encoder tries a mode."""
    return _search(MODES[name].module)


def searches() -> list["ModeSearch"]:
    """Return those of all modes, in the order of trials."""
    return [_search(folder.__name__) for folder in FOLDERS]


def _search(module: str) -> "ModeSearch":
    found: ModeSearch = importlib.import_module(f"{module}.search").SEARCH
    return found
