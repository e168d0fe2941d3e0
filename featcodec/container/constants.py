"""The constant channels of a group, as its header lists them (SPEC §5)."""

import itertools

from .. import limits
from ..errors import Corrupt
from .wire import Builder, Cursor

Constants = tuple[tuple[int, int], ...]  # channels, each of one element all over


def pack_constants(out: Builder, constants: Constants) -> None:
    out.varint(len(constants))
    for column in zip(*constants, strict=True):
        out.varints(column)


def unpack_constants(cursor: Cursor, bits: int) -> Constants:
    """Read the constant channels, of elements of so many bits."""
    count = limits.check(cursor.varint(), limits.CHANNELS, "the number of constant channels")
    channels, found = cursor.varints(count), cursor.varints(count)
    if not count or any(low >= high for low, high in itertools.pairwise(channels)):
        raise Corrupt("the constant channels of a group do not ascend, or are none")
    if max(found) >> bits:
        raise Corrupt(f"a constant channel has an element of more than {bits} bits")
    return tuple(zip(channels, found, strict=True))
