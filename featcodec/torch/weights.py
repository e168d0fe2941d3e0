"""Files of torch.save, loaded by torch: weights only, and all of them from the file."""

import bisect
import contextlib
import math
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from ..errors import InvalidInput

FOLDER = 0x10  # of the attributes that MS-DOS gives a member
SAID = 200  # letters of what is wrong with a pickle
LENGTHS = 26  # bytes of the header of a member, before the lengths of its name and of what follows


def load_weights(path: str | os.PathLike[str]) -> tuple[Any, int | None]:
    """Return what a file of torch.save holds, and where in memory the file is mapped.

    Nothing in it runs code. Older files are loaded whole, and not mapped: then that is None. Raises
    InvalidInput for one that lacks values of a tensor: torch leaves there what was in memory, or
    takes what lies behind them in the file.
    """
    # What cannot be read is said by errors.
    with warnings.catch_warnings(action="ignore"), _short_errors():
        try:
            with _maps() as mapped:
                loaded = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
                begin = mapped[-1] if mapped else None
                if begin is not None:
                    _hold(loaded, [(begin + low, begin + high) for low, high in _records(path)])
                return loaded, begin
        except RuntimeError as error:
            if "mmap can only" not in str(error):
                raise
        with _filled() as filled:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
        _hold(loaded, filled)
        return loaded, None


def _hold(loaded: Any, ranges: Iterable[tuple[int, int]]) -> None:
    """Raise InvalidInput unless the elements of all tensors lie in ranges of addresses."""
    known = sorted(ranges)
    for one in _tensors_in(loaded):
        if one.layout is not torch.strided or one.device.type != "cpu":
            continue  # it has no elements that could be taken
        storage = one.untyped_storage()
        first, last = storage.data_ptr(), storage.data_ptr() + storage.nbytes()
        at = bisect.bisect_right(known, (first, math.inf)) - 1
        if first < last and (at < 0 or last > known[at][1]):
            raise InvalidInput("the values of a tensor are not all in it")


def _records(path: str | os.PathLike[str]) -> Iterator[tuple[int, int]]:
    """Yield where in an archive the bytes of its members begin and end."""
    with Path(path).open("rb") as file, zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            archive.open(member).close()  # raises where the directory says other than the member
            if member.external_attr & FOLDER:  # torch leaves there what was in memory
                raise zipfile.BadZipFile(f"{member.filename!r} is marked as a folder")
            file.seek(member.header_offset + LENGTHS)
            name, extra = struct.unpack("<HH", file.read(4))
            begin = member.header_offset + LENGTHS + 4 + name + extra
            yield begin, begin + member.file_size


def _tensors_in(found: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in dictionaries and lists of each other."""
    left, seen = [found], set()
    while left:
        one = left.pop()
        if torch.is_tensor(one):
            yield one
        elif isinstance(one, (dict, list, tuple)) and id(one) not in seen:
            seen.add(id(one))  # what holds itself ends, too
            left += one.values() if isinstance(one, dict) else one


@contextlib.contextmanager
def _short_errors() -> Iterator[None]:
    """Cut what is said of a pickle: torch looks into it for a time that grows with its square."""
    inside: Any = torch.serialization
    kind = inside._weights_only_unpickler.Unpickler
    usual = kind.load

    def load(*given: Any) -> Any:
        try:
            return usual(*given)
        except pickle.UnpicklingError as error:
            raise pickle.UnpicklingError(str(error)[:SAID]) from None

    kind.load = load
    try:
        yield
    finally:
        kind.load = usual


@contextlib.contextmanager
def _filled() -> Iterator[list[tuple[int, int]]]:
    """Return where in memory torch puts what it reads of a file while the block runs."""
    kind: Any = torch.UntypedStorage
    found: list[tuple[int, int]] = []
    usual = kind._set_from_file  # of a class above it

    def fill(storage: Any, *given: Any, **named: Any) -> Any:
        usual(storage, *given, **named)
        found.append((storage.data_ptr(), storage.data_ptr() + storage.nbytes()))

    kind._set_from_file = fill
    try:
        yield found
    finally:
        del kind._set_from_file


@contextlib.contextmanager
def _maps() -> Iterator[list[int]]:
    """Return the addresses at which torch maps files while the block runs."""
    kind: Any = torch.UntypedStorage
    found: list[int] = []
    usual = kind.from_file  # of a class above it

    def from_file(*given: Any, **named: Any) -> Any:
        storage = usual(*given, **named)
        found.append(storage.data_ptr())
        return storage

    kind.from_file = staticmethod(from_file)
    try:
        yield found
    finally:
        del kind.from_file
