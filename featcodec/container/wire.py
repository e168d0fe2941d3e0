"""Primitive fields of the format, little-endian (SPEC §1)."""

import struct
import zlib
from collections.abc import Collection

from .. import limits
from ..errors import Corrupt, Truncated, Unsupported

LONGEST_VARINT = 10  # bytes


class Builder(bytearray):
    """Bytes under construction; one method writes one primitive."""

    def u8(self, value: int) -> None:
        self.append(value)

    def real(self, value: float) -> None:
        """A binary64 without its lowest bytes that are 0, behind the number of the others."""
        data = struct.pack("<d", value).lstrip(b"\0")
        self.append(len(data))
        self += data

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

    def string(self, text: str, what: str) -> None:
        """Write UTF-8; InputTooLarge when `what` is too long."""
        data = text.encode()
        limits.check_input(len(data), limits.STRING_BYTES, f"the length of {what}", "shorten it")
        self.blob(data)


class Cursor:
    """Reads primitives; every read is checked against the end of `data`."""

    def __init__(self, data: "bytes | bytearray | memoryview", what: str = "section") -> None:
        self.data = memoryview(data)
        self.position = 0
        self.what = what

    @property
    def left(self) -> int:
        """How many bytes are left to read."""
        return len(self.data) - self.position

    def take(self, count: int) -> memoryview:
        if self.position + count > len(self.data):
            self._fetch(count)
        piece = self.data[self.position : self.position + count]
        self.position += count
        return piece

    def _fetch(self, count: int) -> None:
        """Provide `count` bytes; raise Truncated when there are fewer."""
        raise Truncated(f"{self.what} ends in the middle of a field")

    def u8(self) -> int:
        return self.take(1)[0]

    def real(self) -> float:
        size = self.choice(9, "a number of bytes")
        data = bytes(self.take(size))
        if data[:1] == b"\0":
            raise Corrupt(f"{self.what} holds a number that begins with a zero byte")
        return float(struct.unpack("<d", bytes(8 - size) + data)[0])

    def varint(self) -> int:
        value = 0
        for shift in range(0, 7 * LONGEST_VARINT, 7):
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise Corrupt(f"{self.what} holds a varint that ends in a zero byte")
                if value >> 64:
                    break
                return value
        raise Corrupt(f"{self.what} holds a varint above 64 bits")

    def svarint(self) -> int:
        value = self.varint()
        return -((value + 1) >> 1) if value & 1 else value >> 1

    def varints(self, count: int) -> list[int]:
        if count > self.left:  # each takes at least one byte
            raise Truncated(f"{self.what} ends in the middle of a field")
        values: list[int] = []
        while len(values) < count:
            some = bytes(self.take(min(count - len(values), 1 << 12)))
            if some.isascii():  # one byte each
                values += some
                continue
            self.position -= len(some)
            values += [self.varint() for _ in some]
        return values

    def blob(self) -> bytes:
        return bytes(self.take(self.varint()))

    def string(self) -> str:
        size = limits.check(self.varint(), limits.STRING_BYTES, f"a string of the {self.what}")
        return self.text(size)

    def text(self, size: int) -> str:
        """Read UTF-8 of so many bytes."""
        try:
            return str(self.take(size), "utf-8")
        except UnicodeDecodeError:
            raise Corrupt(f"{self.what} holds text that is not UTF-8") from None

    def rest(self) -> memoryview:
        return self.take(self.left)

    def flag(self) -> bool:
        return bool(self.choice(2, "a flag"))

    def choice(self, count: int, what: str) -> int:
        """Read a u8 that must be below `count`."""
        value = self.u8()
        if value >= count:
            raise Corrupt(f"{self.what} has {what} {value}; the largest known is {count - 1}")
        return value

    def code(self, known: Collection[int], what: str) -> int:
        """Read a u8 that must be one of those known; a later version may know others."""
        value = self.u8()
        if value not in known:
            raise Unsupported(f"{self.what} has {what} {value}; a newer featcodec is needed")
        return value

    def end(self) -> None:
        if self.left:
            raise Corrupt(f"{self.what} has {self.left} bytes too many")


class Unpacker(Cursor):
    """Reads what `deflate` wrote; unpacks only as far as it reads."""

    PIECE = 1 << 16  # bytes that zlib takes, or gives, at once

    def __init__(self, data: "bytes | memoryview", what: str, bound: int) -> None:
        """Raise LimitExceeded when the stated size is above `bound` bytes."""
        cursor = Cursor(data, what)
        self._size = limits.check(cursor.varint(), bound, f"the unpacked {what}")
        super().__init__(b"", what)
        self._packed = cursor.rest()
        self._stream = zlib.decompressobj()
        self._unpacked = 0

    @property
    def left(self) -> int:
        return self._size - self._unpacked + len(self.data) - self.position

    def _fetch(self, count: int) -> None:
        if count > self.left:
            super()._fetch(count)
        pieces = [bytes(self.data[self.position :])]
        ready = len(pieces[0])
        while ready < count:
            pieces.append(self._piece())
            ready += len(pieces[-1])
        self.data, self.position = memoryview(b"".join(pieces)), 0

    def _piece(self) -> bytes:
        """Return the next bytes of the stream, at least one."""
        piece = b""
        try:
            while not piece:
                if self._stream.eof or not self._packed:
                    raise zlib.error
                some = self._packed[: self.PIECE]
                piece = self._stream.decompress(some, self.PIECE)
                unused = len(self._stream.unconsumed_tail) + len(self._stream.unused_data)
                self._packed = self._packed[len(some) - unused :]
        except zlib.error:
            raise Corrupt(f"{self.what} does not unpack to the length it states") from None
        self._unpacked += len(piece)
        if self._unpacked > self._size:
            raise Corrupt(f"{self.what} does not unpack to the length it states")
        return piece

    def end(self) -> None:
        super().end()
        try:  # the checksum of the stream may still be there, and nothing else
            more = self._stream.decompress(self._packed, 1)
        except zlib.error:
            more = b"damaged"
        if more or not self._stream.eof or self._stream.unused_data:
            raise Corrupt(f"{self.what} does not unpack to the length it states")


def deflate(data: bytes) -> bytes:
    """Return `data` as its length and a zlib stream (SPEC §1)."""
    out = Builder()
    out.varint(len(data))
    out += zlib.compress(data, 9)
    return bytes(out)
