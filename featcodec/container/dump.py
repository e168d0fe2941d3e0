"""The names, metadata and shapes that a safetensors file can hold (SPEC §10.1)."""

import contextlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from .. import elements, limits
from ..arguments import mapping
from ..errors import Corrupt, InputTooLarge, InvalidInput, InvalidStream, LimitExceeded

LISTED = 8  # names in an error
RESERVED = "__metadata__"  # the key of the metadata in a safetensors header
# Least and most bytes of an entry of a safetensors header, without its name and lengths of axes:
# `"":{"dtype":"U8","shape":[],"data_offsets":[0,0]},` is the least, long offsets the most.
LEAST_ENTRY, MOST_ENTRY = 49, 100
LEAST_PAIR = 5  # bytes of a key and a value of the metadata
MOST_DIGITS = 20  # of a length, and the comma behind it
MOST_ESCAPE = 6  # bytes of JSON for a character
_ENTRY = ':{"dtype":"","shape":[],"data_offsets":[,]}'
# How many more bytes JSON takes for these characters.
_ESCAPES = {chr(code): 5 for code in range(32)} | dict.fromkeys('"\\\n\r\t\b\f', 1)


class Described(Protocol):
    """A tensor as a dump describes it."""

    @property
    def name(self) -> str: ...

    @property
    def dtype(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...


def no_tensor(file: str, name: str, names: Sequence[str]) -> InvalidInput:
    """Return the error that a file has no tensor of a name; `names` are those that it has."""
    some = ", ".join(map(quoted, names[:LISTED])) or "none"
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return InvalidInput(f"{file} holds no tensor {quoted(name)}; it has {some}{more}")


def check_dump(metadata: Mapping[str, str] | None, tensors: Sequence[Described]) -> None:
    """Raise InvalidInput unless the format can hold a dump of such tensors.

    >>> from featcodec.container.index import TensorEntry
    >>> check_dump({"model": "vit"}, [TensorEntry("x", "F32", (2, 3), 0)])
    """
    mapping("metadata", metadata or {}, "{'layout': 'NCHW'}")
    for key, value in (metadata or {}).items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise InvalidInput(f"metadata {key!r}: {value!r}: keys and values must be text")
        _check_text(value, f"the metadata {quoted(key)}")
        _check_name(key, f"key {quoted(key)} of the metadata")
    for tensor in tensors:
        _check_name(tensor.name, f"the name of tensor {quoted(tensor.name)}")
        rank = f"the rank of tensor {quoted(tensor.name)}"
        limits.check_input(len(tensor.shape), limits.RANK, rank, "merge some of its axes")
    with to_write():
        check_tensors(tensors)
    if not surely_fits(metadata, tensors):
        limits.check_input(
            header_bytes(metadata, tensors),
            limits.HEADER_BYTES,
            "the size of the safetensors header",
            "safetensors reads no more; shorten names and metadata, or split the dump",
        )


@contextlib.contextmanager
def to_write() -> Iterator[None]:
    """Turn what a reader would refuse into an error of the input."""
    try:
        yield
    except LimitExceeded as error:
        raise InputTooLarge(str(error)) from None
    except InvalidStream as error:
        raise InvalidInput(str(error)) from None


def check_tensors(tensors: Sequence[Described]) -> None:
    """Raise Corrupt or LimitExceeded for names and shapes that no safetensors file has."""
    names = {tensor.name for tensor in tensors}
    if len(names) != len(tensors):
        counts = Counter(tensor.name for tensor in tensors)
        raise Corrupt(f"duplicate tensor name {quoted(counts.most_common(1)[0][0])}")
    if RESERVED in names:
        raise Corrupt(f"a tensor is named {RESERVED}, which safetensors keeps for the metadata")
    for tensor in tensors:
        values = math.prod(filter(None, tensor.shape))
        if values > limits.TENSOR_VALUES:
            what = f"the number of values of tensor {quoted(tensor.name)}"
            limits.check(values, limits.TENSOR_VALUES, what)
        if (
            elements.BITS[tensor.dtype] < 8
            and math.prod(tensor.shape) * elements.BITS[tensor.dtype] % 8
        ):
            raise Corrupt(
                f"tensor {quoted(tensor.name)} does not fill its last byte:"
                f" {math.prod(tensor.shape)} elements of {elements.BITS[tensor.dtype]} bits"
            )


def surely_fits(metadata: Mapping[str, str] | None, tensors: Sequence[Described]) -> bool:
    """Return whether a quick look shows that the safetensors header is within its limit."""
    text = sum(len(k) + len(v) + 6 for k, v in (metadata or {}).items())
    text += sum(len(tensor.name) for tensor in tensors)
    axes = sum(len(tensor.shape) for tensor in tensors)
    most = MOST_ESCAPE * text + MOST_DIGITS * axes + MOST_ENTRY * (len(tensors) + 1)
    return most <= limits.HEADER_BYTES


def header_bytes(metadata: Mapping[str, str] | None, tensors: Sequence[Described]) -> int:
    """Return how many bytes of JSON, without spaces, a safetensors file needs for its header."""
    total, entries, end = len("{}"), len(tensors), 0
    if metadata is not None:
        pairs = sum(_json(key) + len(":,") + _json(value) for key, value in metadata.items())
        total += _json(RESERVED) + len(":{}") + pairs - bool(metadata)
        entries += 1
    for tensor in tensors:
        begin, end = end, end + elements.nbytes(tensor.dtype, math.prod(tensor.shape))
        shape = sum(len(str(length)) + len(",") for length in tensor.shape)
        fixed = len(_ENTRY) + len(tensor.dtype) + shape - bool(tensor.shape)
        total += _json(tensor.name) + fixed + len(str(begin)) + len(str(end))
    return total + max(entries - 1, 0)


def quoted(text: str) -> str:
    """Return text as a message shows it: on one line, at most 100 characters of it."""
    return repr(text if len(text) <= 100 else text[:97] + "...")


def _json(text: str) -> int:
    """Return how many bytes of JSON a text takes, quotes and escapes included."""
    size = len(text) if text.isascii() else len(text.encode())
    if not text.isprintable() or '"' in text or "\\" in text:
        size += sum(more * text.count(character) for character, more in _ESCAPES.items())
    return size + len('""')


def _check_name(text: str, what: str) -> None:
    size = len(_check_text(text, what))
    limits.check_input(size, limits.STRING_BYTES, f"the length of {what}", "shorten it")


def _check_text(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{what} is no text that UTF-8 can hold") from None
