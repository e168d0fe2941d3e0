"""Arguments of Python, checked: an error names the argument, what was given, and the limit."""

import difflib
import functools
import inspect
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import ParamSpec, TypeVar

from .errors import InvalidInput

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


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


def mapping(name: str, value: object, such_as: str) -> None:
    """Raise InvalidInput for an argument that is no dictionary.

    >>> mapping("layouts", "NCHW", "{'features': 'NCHW'}")
    Traceback (most recent call last):
    featcodec.errors.InvalidInput: layouts is a str; give a dictionary, such as {'features': 'NCHW'}
    """
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{name} is {a_kind(value)}; give a dictionary, such as {such_as}")


def a_kind(value: object) -> str:
    """Return what a value is, with an article.

    >>> a_kind(3), a_kind("x"), a_kind(None)
    ('an int', 'a str', 'None')
    """
    kind = type(value).__name__
    article = "an" if kind[0].lower() in "aeiou" or kind == "ndarray" else "a"
    return "None" if value is None else f"{article} {kind}"


def known(called: str, given: Iterable[str], takes: Iterable[str]) -> None:
    """Raise TypeError, as Python does, for a keyword that what was called does not take.

    >>> known("FeatureStream", ["shufle"], ["shuffle", "seed"])
    Traceback (most recent call last):
    TypeError: FeatureStream takes no argument 'shufle'; did you mean 'shuffle'?
    """
    names = list(takes)
    for name in given:
        if name not in names:
            raise TypeError(f"{called} takes no argument {name!r}; {_instead(name, names)}")


def answering(called: Callable[P, R]) -> Callable[P, R]:
    """Have a function answer keywords that it does not take with what to write.

    >>> from featcodec import encode_file
    >>> encode_file("x.npy", "x.fcz", snr=10)
    Traceback (most recent call last):
    TypeError: encode_file takes no argument 'snr'; write quality=Quality(snr=...)
    """
    takes = [each for each in inspect.signature(called).parameters if each != "self"]
    name = called.__qualname__.removesuffix(".__init__")

    @functools.wraps(called)
    def answered(*args: P.args, **kwargs: P.kwargs) -> R:
        known(name, kwargs, takes)
        return called(*args, **kwargs)

    return answered


def answers(made: type[T]) -> type[T]:
    """Have a class answer keywords that it is not made with, as `answering` does.

    >>> from featcodec.request import Options
    >>> Options(layout="NCHW")
    Traceback (most recent call last):
    TypeError: Options takes no argument 'layout'; did you mean 'layouts'?
    """
    made.__init__ = answering(made.__init__)  # type: ignore[method-assign]
    return made


def _instead(name: str, takes: Collection[str]) -> str:
    """Return what to write in place of a keyword that is not taken."""
    from .request import Options, Quality

    qualities = [each for each in inspect.signature(Quality).parameters if each != "recommended"]
    plural = f"{name}s"  # options are of all tensors, by their names
    for kind, made in (("quality", Quality), ("options", Options)):
        fields = inspect.signature(made).parameters
        if kind in takes and (found := name if name in fields else plural) in fields:
            return f"write {kind}={made.__name__}({found}=...)"
    if name == "quality" and "snr" in takes:
        return f"a quality is one of {', '.join(each for each in qualities if each in takes)}"
    cases = {each.lower(): each for each in takes}
    near = difflib.get_close_matches(name.lower(), cases, 1)
    return f"did you mean {cases[near[0]]!r}?" if near else f"it takes {', '.join(takes)}"
