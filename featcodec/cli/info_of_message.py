"""What the head of a message says, for `info`."""

import math
from pathlib import Path
from typing import Any

from .. import formats, profiles
from ..coding.message_head import LOSSLESS, Head
from ..container.source import Source
from ..container.wire import Cursor
from ..errors import FeatcodecError, NotFeatcodec, Unsupported
from . import render

LONGEST_HEAD = 256  # bytes


def describe_message(file: Source, path: str) -> dict[str, Any]:
    """Return what a message says of itself, as `--json` prints it; its profile knows the rest."""
    data = file.read(0, min(file.size, LONGEST_HEAD))
    try:
        head = Head.unpack(Cursor(data, "the head of a message"))
    except FeatcodecError as error:
        if kind := formats.recognise(file.read(0, min(file.size, formats.HEAD))):
            raise NotFeatcodec(
                f"{path} is not a message but {kind.name}: leave out --message"
            ) from None
        no = "" if isinstance(error, Unsupported) else "no message: "
        raise type(error)(f"{path} is {no}{error}") from None
    exact = bool(head.flags & LOSSLESS)
    values = math.prod(head.shape)
    return {
        "kind": "message",
        "file_bytes": file.size,
        "dtype": head.dtype,
        "shape": list(head.shape),
        "bpfp": 8 * file.size / values if values else 0.0,
        "lossless": exact,
        "step": None if exact else head.step,
        "profile": None if exact else head.tag.hex(),
        "profile_at": None if exact else place_of(head.tag, path),
        "entry": None if exact else head.entry,
    }


def is_message(file: Source) -> bool:
    """Return whether a file begins as a message does."""
    try:
        Head.unpack(Cursor(file.read(0, min(file.size, LONGEST_HEAD)), "the head of a message"))
    except FeatcodecError:
        return False
    return True


def place_of(tag: bytes, path: str) -> str | None:
    """Return the profile whose SHA-256 begins so, None for none and for unlike ones.

    It has a name, or lies beside the message.
    """
    places = [*Path(path).parent.glob(f"*{profiles.SUFFIX}"), *profiles.named().values()]
    known = {profiles.digest_of(place) or b"": str(place) for place in reversed(places)}
    found = [place for digest, place in known.items() if tag and digest.startswith(tag)]
    return found[0] if len(found) == 1 else None


def message_lines(found: dict[str, Any]) -> list[str]:
    """Return what is shown of a message."""
    values = math.prod(found["shape"])
    shape = "x".join(map(str, found["shape"])) or "scalar"
    lines = [
        f"  message, {render.size(found['file_bytes'])}, {found['dtype']} {shape},"
        f" {render.count(values, 'value')}, {found['bpfp']:.3f} bpfp"
    ]
    if found["lossless"]:
        return [*lines, "  bit for bit, with any profile"]
    at = found["profile_at"] or "neither beside it nor among those that `featcodec profiles` lists"
    return [
        *lines,
        f"  step {found['step']:.4g} deviations, entry {found['entry']}",
        f"  needs the profile whose SHA-256 begins with {found['profile']}: {at}",
    ]
