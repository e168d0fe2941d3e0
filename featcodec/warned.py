"""Warnings of the package: each names the line of the caller, however deep below it arose."""

import sys
import warnings
from collections.abc import Iterable


def warn(lines: Iterable[str]) -> None:
    """Give a UserWarning for each line, at the first caller that is not of the package."""
    package, level = __name__.partition(".")[0], 1
    frame = sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    for line in lines:
        warnings.warn(line, stacklevel=level)
