"""Files of torch.save, read by torch itself: tensors and nothing else (weights only)."""

import re
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from .. import limits
from ..arrays import shape_of
from ..container.source import File
from ..errors import InvalidInput, first_line
from ..file_array import FileArray, array_at
from ..tensors import Tensor
from .contents import Contents
from .npy import NAME
from .spool import Spool, in_order

DEPTH = 64  # of dictionaries and lists in each other
SHOWN = 5  # names of what is left out


def read(file: File) -> Contents:
    """Return the tensors of a file, those of nested dictionaries and lists by dotted names.

    Raises InvalidInput without torch, and for a file that needs more than weights to be read.
    """
    try:
        from ..torch import tensors as torch
    except ImportError:
        raise InvalidInput(
            f"{file.name} is a torch file, which torch reads: pip install 'featcodec[torch]'"
        ) from None
    loaded, begin = _load(file)
    File.reopen(file.path, file.name, file.identity)  # what was loaded is what was opened
    tensors: dict[str, Tensor] = {}
    refused: dict[str, str] = {}
    others: list[str] = []
    spool = cache(Spool)
    for name, leaf in _leaves(loaded, ()):
        if name in tensors or name in refused:
            raise InvalidInput(f"{file.name} has two tensors that are called {name!r}: rename one")
        if not torch.is_tensor(leaf):
            others.append(name)
            continue
        try:
            tensors[name] = _tensor(file, begin, name, leaf, spool)
        except InvalidInput as error:
            refused[name] = str(error)
    if not tensors and not refused:
        raise InvalidInput(f"{file.name} holds no tensors")
    return Contents(list(tensors.values()), refused=refused, remarks=_remarks(others))


def _load(file: File) -> tuple[Any, int | None]:
    from ..torch.weights import load_weights

    try:
        return load_weights(file.path)
    except (zipfile.BadZipFile, UnicodeError) as error:
        raise InvalidInput(f"{file.name} is damaged: {first_line(error)}") from None
    except Exception as error:  # torch raises whatever a malformed pickle leads to
        found = re.search(r"Unsupported \w+: \w+ [\w.]+|TorchScript", str(error))
        why = found[0] if found else first_line(error).split(". ")[0]
        if "numpy" in why:
            raise InvalidInput(
                f"{file.name} holds NumPy arrays or numbers, which are not read from torch files:"
                " make tensors of them, torch.from_numpy(x), before they are saved, or write them"
                " with numpy.savez"
            ) from None
        raise InvalidInput(
            f"{file.name} is no file of tensors alone ({why}), and nothing else is read from it:"
            " save its tensors in a dict, of a module its state_dict()"
        ) from None


def _leaves(found: Any, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield what is no dictionary or list, by dotted names; what is alone has none of its own."""
    if len(names) > DEPTH:
        raise InvalidInput(f"{'.'.join(names[:3])}... lies more than {DEPTH} levels deep")
    if isinstance(found, dict):
        items = [(str(key), value) for key, value in found.items()]
    elif isinstance(found, (list, tuple)):
        items = [(str(number), value) for number, value in enumerate(found)]
    else:
        yield ".".join(names) if names else NAME, found
        return
    for name, value in items:
        yield from _leaves(value, (*names, name))


def _tensor(
    file: File, begin: int | None, name: str, leaf: Any, spool: Callable[[], Spool]
) -> Tensor:
    """Return a tensor of a file that is mapped from address `begin` on, if it is mapped."""
    from ..torch.tensors import elements_of, plain, type_of

    dtype = type_of(leaf, f"tensor {name!r}")
    stored = elements_of(plain(leaf))
    shape = shape_of(stored, dtype)
    limits.check_rank(shape, f"tensor {name!r}")
    elements = _in_file(file, begin, stored)

    @cache
    def laid_out() -> FileArray:
        pieces = in_order(elements, stored.dtype)
        return spool().add(pieces, stored.nbytes, f"tensor {name!r}").view(stored.dtype)

    def as_they_are() -> Any:
        return elements.reshape(-1)

    return Tensor(name, dtype, shape, as_they_are if leaf.is_contiguous() else laid_out)


def _in_file(file: File, begin: int | None, stored: np.ndarray) -> Any:
    """Return mapped elements as those of the file: who touches a map of what is cut off is killed.

    What is not mapped is returned as it is.
    """
    offset = stored.__array_interface__["data"][0] - (begin or 0)
    if begin is None or not stored.size or not 0 <= offset < file.size:
        return stored
    return array_at(file, offset, stored.shape, stored.strides, stored.dtype)


def _remarks(others: list[str]) -> list[str]:
    if not others:
        return []
    more = f" and {len(others) - SHOWN:,} more" if len(others) > SHOWN else ""
    return [f"left out, for they are no tensors: {', '.join(others[:SHOWN])}{more}"]
