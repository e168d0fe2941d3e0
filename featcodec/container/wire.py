"""Primitive fields of the format, little-endian (SPEC §1)."""

import struct
import zlib

from .. import limits
from ..errors import Corrupt, Truncated


class Builder(bytearray):
    """Bytes under construction, one method per primitive."""

    def u8(self, value: int) -> None:
        self.append(value)

    def f64(self, value: float) -> None:
        self += struct.pack("<d", value)

    def varint(self, value: int) -> None:
        """Unsigned LEB128: seven bits a byte, lowest first."""
        while value > 0x7F:
            self.append(value & 0x7F | 0x80)
            value >>= 7
        self.append(value)

    def svarint(self, value: int) -> None:
        """Signed integers as 0, -1, 1, -2, ... in a varint."""
        self.varint(value << 1 if value >= 0 else (-value << 1) - 1)

    def varints(self, values: "list[int] | tuple[int, ...]") -> None:
        for value in values:
            self.varint(value)

    def blob(self, data: bytes) -> None:
        self.varint(len(data))
        self += data

    def string(self, text: str) -> None:
        self.blob(text.encode())


class Cursor:
    """Reads the primitives back; every read is checked against the end of `data`."""

    def __init__(self, data: "bytes | bytearray | memoryview", what: str = "section") -> None:
        self.data = memoryview(data)
        self.position = 0
        self.what = what

    def take(self, count: int) -> memoryview:
        end = self.position + count
        if end > len(self.data):
            raise Truncated(f"{self.what} ends in the middle of a field")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def u8(self) -> int:
        return self.take(1)[0]

    def f64(self) -> float:
        return float(struct.unpack("<d", self.take(8))[0])

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if value >> 64:
                raise Corrupt(f"{self.what} holds a number beyond 64 bits")
            if byte < 0x80:
                if byte == 0 and shift:
                    raise Corrupt(f"{self.what} holds a number in more bytes than it needs")
                return value
            shift += 7

    def svarint(self) -> int:
        value = self.varint()
        return -((value + 1) >> 1) if value & 1 else value >> 1

    def varints(self, count: int) -> list[int]:
        return [self.varint() for _ in range(count)]

    def blob(self) -> bytes:
        return bytes(self.take(self.varint()))

    def string(self) -> str:
        size = limits.check(self.varint(), limits.NAME_BYTES, f"a string of the {self.what}")
        try:
            return str(self.take(size), "utf-8")
        except UnicodeDecodeError:
            raise Corrupt(f"{self.what} holds text that is not UTF-8") from None

    def rest(self) -> memoryview:
        return self.take(len(self.data) - self.position)

    def flag(self) -> bool:
        return bool(self.choice(2, "a flag"))

    def choice(self, count: int, what: str) -> int:
        """Read a u8 that must be below `count`."""
        value = self.u8()
        if value >= count:
            raise Corrupt(f"{self.what} has {what} {value}, which is unknown")
        return value

    def end(self) -> None:
        if self.position != len(self.data):
            raise Corrupt(f"{self.what} has {len(self.data) - self.position} bytes too many")


def deflate(data: bytes) -> bytes:
    """Return `data` as its length and a zlib stream (SPEC §1)."""
    out = Builder()
    out.varint(len(data))
    out += zlib.compress(data, 9)
    return bytes(out)


def inflate(cursor: Cursor, bound: int) -> bytes:
    """Read to the end of `cursor` what `deflate` wrote; at most `bound` bytes come out."""
    size = limits.check(cursor.varint(), bound, f"the unpacked {cursor.what}")
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(bytes(cursor.rest()), size + 1)
    except zlib.error:
        raise Corrupt(f"{cursor.what} does not unpack") from None
    if len(data) != size or not stream.eof or stream.unused_data:
        raise Corrupt(f"{cursor.what} does not unpack to the length it states")
    return data
