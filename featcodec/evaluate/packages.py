"""Packages that only some evaluations need."""

import importlib
from typing import Any

from ..errors import InvalidInput


def load(package: str, user: str, extra: str) -> Any:
    """Import an optional package; InvalidInput names the extra that brings it when it is missing.

    `user` is what needs it, in words.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise InvalidInput(
            f"{user} needs {package.partition('.')[0]}: pip install 'featcodec[{extra}]' ({error})"
        ) from None
