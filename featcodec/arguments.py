"""Arguments of Python, checked: an error names the argument, what was given, and the limit."""

import operator
from collections.abc import Iterable

from .errors import InvalidInput


def whole(name: str, value: object, least: int = 0, most: int | None = None) -> int:
    """Return a whole number of at least `least`; raise InvalidInput for anything else.

    >>> whole("batch_size", 64, least=1)
    64
    >>> whole("batch_size", 2.5, least=1)
    Traceback (most recent call last):
    featcodec.errors.InvalidInput: batch_size must be a whole number of 1 or more, not 2.5
    """
    try:
        found = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        found = None
    if found is None or isinstance(value, bool) or found < least or not _within(found, most):
        wanted = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise InvalidInput(f"{name} must be a whole number {wanted}, not {value!r}")
    return found


def _within(value: int, most: int | None) -> bool:
    return most is None or value <= most


def instance(name: str, value: object, kind: type, such_as: str) -> None:
    """Raise InvalidInput for an argument that is not of a kind, and not None.

    >>> instance("profile", "vit.fcp", str, "")
    >>> instance("quality", 10, float, "10.0")
    Traceback (most recent call last):
    featcodec.errors.InvalidInput: quality takes a value such as 10.0, not 10
    """
    if value is not None and not isinstance(value, kind):
        raise InvalidInput(f"{name} takes a value such as {such_as}, not {value!r}")


def known(called: str, given: Iterable[str], takes: Iterable[str]) -> None:
    """Raise TypeError, as Python does, for a keyword that what was called does not take.

    >>> known("FeatureStream", ["shufle"], ["shuffle", "seed"])
    Traceback (most recent call last):
    TypeError: FeatureStream takes no argument 'shufle'; it takes shuffle, seed
    """
    names = list(takes)
    for name in given:
        if name not in names:
            raise TypeError(f"{called} takes no argument {name!r}; it takes {', '.join(names)}")
