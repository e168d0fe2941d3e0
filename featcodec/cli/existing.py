"""Outputs that exist: which of them may stand, and are skipped."""

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..container.reader import Reader
from ..errors import FeatcodecError, InvalidInput
from ..opening import open_source
from ..outputs import changed, exists
from .batch import Skipped


@dataclass(frozen=True)
class Stale:
    """An output that is older than its input, and is written anew."""


def encoded(source: str, target: str, note: str, force: bool) -> Skipped | Stale | None:
    """Return that a file may stand, None where there is none or `force` has it written anew.

    It stands when it is complete, notes the settings that are asked for and is not older than its
    dump. Raises InvalidInput for one that may not stand, without `force`.
    """
    if not exists(target):
        return None
    try:
        with closing(open_source(target)) as file:
            found = Reader(file, target).note
    except FeatcodecError as error:
        return refuse(f"{target} exists and is not complete ({error})", force)
    if found is not None and _settings(found) == _settings(note) and older(target, source):
        return Stale()
    if found == note:
        return Skipped(f"{target} is complete")
    if found is None:
        return refuse(
            f"{target} exists and does not note how it was made, as files of --skip-existing do",
            force,
        )
    was, now = (_in_words(one, other) for one, other in ((found, note), (note, found)))
    return refuse(f"{target} exists and was made with {was}, not {now}", force)


def decoded(source: str, target: str, wanted: "Wanted", force: bool) -> Skipped | Stale | None:
    """Do the same for a dump: it stands when it holds the tensors that a file is decoded to."""
    if not exists(target):
        return None
    from ..decode_jobs import wanted_of
    from ..dumps import Dump

    with closing(open_source(source)) as file:
        needed = wanted_of(Reader(file, source), *wanted)
    try:
        with Dump(target) as dump:
            found = [(tensor.name, tensor.dtype, tensor.shape) for tensor in dump.tensors]
    except FeatcodecError as error:
        return refuse(f"{target} exists and is not complete ({error})", force)
    if Path(target).suffix == ".npy":  # which keeps no name
        found = [(needed[0][0], dtype, shape) for _, dtype, shape in found]
    if sorted(found) == sorted(needed):
        return Stale() if older(target, source) else Skipped(f"{target} is complete")
    return refuse(f"{target} exists and holds other tensors", force)


Wanted = tuple[tuple[str, ...], str | None]  # names of tensors, and a type for floats


def older(target: str, source: str) -> bool:
    """Return whether an output was written before its input, as far as both tell."""
    written, made = changed(target), changed(source)
    return written is not None and made is not None and written < made


def _settings(note: str) -> Any:
    """Return what a note says but for the dump."""
    try:
        return {k: v for k, v in dict(json.loads(note)).items() if k != "input_bytes"}
    except (ValueError, TypeError):
        return note


def refuse(what: str, force: bool) -> Skipped | None:
    """Return None, that an output is to be written anew, which `force` alone permits."""
    if force:
        return None
    raise InvalidInput(f"{what}; --force writes it anew")


def _in_words(note: str, other: str) -> str:
    """Return what a note has that the other has not."""
    try:
        mine, theirs = (dict(json.loads(one)) for one in (note, other))
    except (ValueError, TypeError):
        return note or "nothing"
    only = {name: value for name, value in mine.items() if theirs.get(name) != value}
    return ", ".join(f"{_word(name)} {json.dumps(value)}" for name, value in only.items()) or "less"


def _word(name: Any) -> str:
    return str(name).replace("_", " ")
