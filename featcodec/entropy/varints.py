"""Varints within coded symbols: at most five bytes each (SPEC §1, §7.5)."""

import numpy as np

from .errors import SymbolError

LONGEST_VARINT = 5  # bytes of a number here
ANY_VARINT = 10  # of one below 2**64


def pack(value: int) -> bytes:
    """Return a number, 0 or more, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read(view: memoryview, start: int, longest: int = LONGEST_VARINT) -> tuple[int, int]:
    """Return the varint at a position and where it ends; raise SymbolError for a bad one."""
    value = shift = 0
    for position in range(start, min(start + longest, len(view))):
        value |= (view[position] & 0x7F) << shift
        shift += 7
        if view[position] < 0x80:
            if position > start and not view[position]:
                raise SymbolError("a varint ends in a zero byte")
            if value >> 64:
                raise SymbolError("a varint is 2**64 or more")
            return value, position + 1
    raise SymbolError(f"a varint does not end within {longest} bytes")


def read_all(data: bytes | memoryview, count: int | None = None) -> tuple[np.ndarray, int]:
    """Return `count` varints (n,) int64, or all of them, and where they end.

    Raises SymbolError unless there are as many, each as short as can be and below 2**35.
    """
    raw = np.frombuffer(data, np.uint8)
    last = np.flatnonzero(raw < 0x80)[:count]
    end = int(last[-1]) + 1 if len(last) else 0
    if (count is None and end < len(raw)) or (count is not None and len(last) < count):
        raise SymbolError("the last varint does not end")
    lengths = np.diff(last, prepend=-1)
    if lengths.max(initial=0) > LONGEST_VARINT or (raw[last][lengths > 1] == 0).any():
        raise SymbolError(
            f"a varint takes more than {LONGEST_VARINT} bytes, or ends in a zero byte"
        )
    values = np.zeros(len(last), np.int64)
    for i in range(int(lengths.max(initial=0))):
        some = lengths > i
        places = last[some] - lengths[some] + 1 + i
        values[some] |= (raw[places] & 0x7F).astype(np.int64) << 7 * i
    return values, end
