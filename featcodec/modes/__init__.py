"""Modes, the ways to code a token grid: the registry of transforms, one folder each.

Which mode? `linear` suits dense features, `banded` those whose frequencies differ in covariance,
`layered` layers of one network side by side, `context` sparse maps, `interpolated` denser ones
whose channels are alike, and `plain` (transform `none`) what none of them suits. `context_shared`
serves sparse maps by a profile, `predicted` and `split` a bound on the error, `split` on sparse
maps.

A folder has three parts. `__init__` states what the format knows of the mode (`mode.Mode`; standard
library only), `coder` builds its coder from a header (`coder.ModeCoder`), and `search` states the
candidates of an encoder and when they are worth trying (`search.ModeSearch`). A new mode needs a
folder, its name in `FOLDERS`, a row in section 6 of the specification, and vectors.
"""

import importlib
from typing import TYPE_CHECKING

from . import (
    banded,
    context,
    context_shared,
    interpolated,
    layered,
    linear,
    plain,
    predicted,
    split,
    weighted,
)
from .mode import Fields, Mode

if TYPE_CHECKING:
    from .coder import ModeCoder
    from .search import ModeSearch

__all__ = [
    "BY_CODE",
    "FOLDERS",
    "MODES",
    "Fields",
    "Mode",
    "coder_of",
    "search_of",
    "searches",
]

# In the order of trials.
FOLDERS = (
    *(plain, context, context_shared, linear, banded, layered),
    *(predicted, split, interpolated, weighted),
)
MODES = {mode.name: mode for folder in FOLDERS for mode in folder.MODES}
BY_CODE = {mode.code: mode for mode in MODES.values()}


def coder_of(name: str) -> "ModeCoder":
    """Return the builder of the coders of a mode."""
    found: ModeCoder = importlib.import_module(f"{MODES[name].module}.coder").CODER
    return found


def search_of(name: str) -> "ModeSearch":
    """Return the search of an encoder for a mode."""
    return _search(MODES[name].module)


def searches(like: str | None = None) -> list["ModeSearch"]:
    """Return the searches of all modes, in the order of trials.

    Or that of the mode `like` alone, behind that of the mode whose candidates it begins with.
    """
    if like is None:
        return [_search(folder.__name__) for folder in FOLDERS]
    search = search_of(like)
    return [search] if search.begins_with is None else [search_of(search.begins_with), search]


def _search(module: str) -> "ModeSearch":
    found: ModeSearch = importlib.import_module(f"{module}.search").SEARCH
    return found
