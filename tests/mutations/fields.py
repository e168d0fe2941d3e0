"""Fields: taken apart, and put together again.

A field is a list [kind, value]; the value of a blob, or of what is packed, may be a list of fields.
"""

import zlib
from typing import Any

from featcodec.container.wire import Builder, Cursor, Unpacker

Field = list[Any]
Fields = list[Field]

WIDTHS = {"u8": 1, "u16": 2, "u32": 4}
UNPACKED = 1 << 20  # bytes of a stream at most: what a bomb holds is not changed


def inflate(data: bytes) -> bytes:
    """Return what was deflated."""
    cursor = Unpacker(data, "field", UNPACKED)
    unpacked = bytes(cursor.rest())
    cursor.end()
    return unpacked


def decompress(data: bytes | memoryview) -> bytes:
    """Return what a zlib stream unpacks to; ValueError for more than is changed."""
    stream = zlib.decompressobj()
    unpacked = stream.decompress(data, UNPACKED)
    if not stream.eof or stream.unused_data:
        raise ValueError("not all of one stream")
    return unpacked


class Parser(Cursor):
    """Reads fields of the kinds that are asked for."""

    def fields(self, *kinds: str) -> Fields:
        return [self.field(kind) for kind in kinds]

    def field(self, kind: str) -> Field:
        if kind in WIDTHS:
            return [kind, int.from_bytes(self.take(WIDTHS[kind]), "little")]
        return [kind, getattr(self, kind)()]

    def raw(self, count: int) -> Field:
        return ["bytes", bytes(self.take(count))]

    def all(self) -> Field:
        return ["bytes", bytes(self.rest())]


def together(fields: Fields) -> bytes:
    out = Builder()
    for kind, value in fields:
        data = together(value) if isinstance(value, list) else value
        if kind in WIDTHS:
            out += (value % 256 ** WIDTHS[kind]).to_bytes(WIDTHS[kind], "little")
        elif kind == "bytes":
            out += data
        elif kind == "deflated":
            out.varint(len(data))
            out += zlib.compress(data, 9)
        elif kind == "zlib":
            out += zlib.compress(data, 9)
        else:
            getattr(out, kind)(data)
    return bytes(out)
