"""Loops that numba compiles, where it is installed (`featcodec[fast]`) and there is enough work.

What they return is what the NumPy code returns, bit for bit. Loading them takes time, and compiling
them once more. So they are used as soon as they would have saved as much time in this process.
"""

import importlib
from types import ModuleType

LOADING = 0.3  # seconds, once they are compiled

_missed = 0.0  # seconds that they would have saved so far
_missing = False  # numba is not installed, or does not work


def loops(module: str, saving: float) -> ModuleType | None:
    """Return a module of compiled loops, None where NumPy is to do the work.

    `saving` is how many seconds they save on the work at hand, about.
    """
    global _missed, _missing
    if _missing:
        return None
    if _missed < LOADING:
        _missed += saving
        if _missed < LOADING:
            return None
    try:
        return importlib.import_module(module)
    except (ImportError, RuntimeError):  # the latter where numba finds no place for its cache
        _missing = True
        return None
