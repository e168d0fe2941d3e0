"""Codecs of the user's own: a class with two methods, measured as the peers are."""

import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..arguments import a_kind
from ..errors import InvalidInput
from ..functions import named, placed
from .coders import Array, Coder, Shape
from .peers import Peer

METHODS = ("encode", "decode")


class Own(Coder):
    """An object with the methods `encode` and `decode` of `Coder`, and what they return checked."""

    def __init__(self, made: Any) -> None:
        self.made = made
        self.fixed = bool(getattr(made, "fixed", False))

    def encode(self, plane: Array, setting: float) -> bytes:
        data = self.made.encode(plane.copy(), setting)
        if not isinstance(data, (bytes, bytearray)):
            raise InvalidInput(f"encode returns {a_kind(data)}, not bytes")
        return bytes(data)

    def decode(self, data: bytes, shape: Shape, setting: float) -> Array:
        values = np.asarray(self.made.decode(data, shape, setting), np.float32)
        if values.shape != shape:
            raise InvalidInput(
                f"decode returns an array of shape {list(values.shape)}, not {list(shape)}"
            )
        if not np.isfinite(values).all():
            raise InvalidInput("decode returns values that are not finite")
        return values


def codec(name: str, label: str, options: Mapping[str, str]) -> Peer:
    """Return the codec of a class `MODULE:CLASS`, made with options.

    Raises InvalidInput when there is no such class, or it is not made so.
    """
    found = named(name, "codec", "CLASS")
    try:
        made = found(**{key: value_of(text) for key, text in options.items()})
    except Exception as error:
        raise InvalidInput(f"codec {name}: {placed(error)}") from error
    for method in METHODS:
        if not callable(getattr(made, method, None)):
            raise InvalidInput(f"codec {name} has no method {method}; it needs encode and decode")
    asked = ",".join(f"{key}={text}" for key, text in options.items())
    kind = f"{name}:{asked}" if asked else name
    return Peer(kind, label, {"source": source_of(name)}, Own(made))


def value_of(text: str) -> int | float | str:
    """Return the number that a text is, or the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def source_of(name: str) -> str:
    """Return a digest of the file of a class, so that what another version measured is not kept."""
    path = getattr(importlib.import_module(name.partition(":")[0]), "__file__", None)
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16] if path else ""
