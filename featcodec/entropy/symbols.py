"""A list of symbol arrays, one table each, to bytes and back (SPEC §7.5)."""

import zlib
from collections.abc import Sequence

import numpy as np

from . import rans
from .errors import SymbolError
from .tables import Table, frequencies, uniform
from .varints import pack, read, read_all

_UNIFORM_BITS = 8
MOST_EXCESS = 1 << 30  # of an escaped symbol, less


def encode(arrays: Sequence[tuple[np.ndarray, Table]], seed: int = 0) -> bytes:
    """Code int32 arrays with their tables: escapes, CRC-32 of the symbols, rANS words.

    An array whose table has magnitude 0 must hold zeros; it takes no bits and is not checked.
    """
    coder = rans.RansEncoder()
    escapes = bytearray()
    crc = seed
    for symbols, table in arrays:
        if table.magnitude == 0 or not symbols.size:
            continue
        symbols = np.ascontiguousarray(symbols, np.int32)
        crc = zlib.crc32(symbols.data, crc)
        if table.shift:
            low = symbols.ravel() + (1 << table.shift >> 1)
            symbols = low >> table.shift
        index = symbols + np.int32(table.magnitude)
        if int(index.min()) <= 0 or int(index.max()) >= 2 * table.magnitude:
            escapes += _escape(symbols, table.magnitude)
            np.clip(index, 0, 2 * table.magnitude, out=index)
        coder.put(index, frequencies(table))
        for start in range(0, table.shift, _UNIFORM_BITS):
            width = min(_UNIFORM_BITS, table.shift - start)
            coder.put((low >> start) & ((1 << width) - 1), uniform(width))
    words = coder.finish()
    return pack(len(escapes)) + bytes(escapes) + crc.to_bytes(4, "little") + words


class SymbolDecoder:
    """Hands back the arrays that `encode` was given, one after the other."""

    def __init__(self, data: bytes | memoryview, seed: int = 0) -> None:
        """Raise SymbolError when `data` cannot be coded symbols."""
        view = memoryview(data)
        size, start = read(view, 0)
        body = start + size + 4
        if body > len(view) or (len(view) - body) % 4:
            raise SymbolError("coded symbols of an impossible length")
        self._escapes = _escapes(view[start : start + size]) if size else None
        self._used = 0  # escapes
        self._stated = int.from_bytes(view[body - 4 : body], "little")
        self._crc = seed
        try:
            self._coder = rans.RansDecoder(view[body:])
        except ValueError:
            raise SymbolError("coded symbols that end in a zero word") from None

    def take(self, count: int, table: Table) -> np.ndarray:
        """Return the next array, (count,) int32; SymbolError when an escape does not fit."""
        if table.magnitude == 0 or count == 0:
            return np.zeros(count, np.int32)
        symbols = self._coder.get(count, frequencies(table))
        symbols -= np.int32(table.magnitude)
        if self._escapes is not None:
            self._used += _unescape(symbols, table.magnitude, self._escapes[self._used :])
        if table.shift:
            least, most = int(symbols.min()), int(symbols.max()) + 1
            if min(least, -most) << table.shift < -(1 << 31):
                raise SymbolError("a symbol beyond 32 bits")
            symbols <<= table.shift
            for begin in range(0, table.shift, _UNIFORM_BITS):
                width = min(_UNIFORM_BITS, table.shift - begin)
                symbols += self._coder.get(count, uniform(width)) << begin
            symbols -= np.int32(1 << table.shift >> 1)
        self._crc = zlib.crc32(symbols.data, self._crc)
        return symbols

    def end(self) -> None:
        """Raise SymbolError unless these were the symbols, and all of them."""
        left = self._escapes is not None and self._used < len(self._escapes)
        if self._crc != self._stated or left or not self._coder.exhausted:
            raise SymbolError("decoded symbols fail their checksum")


def decode(
    data: bytes | memoryview, wanted: Sequence[tuple[int, Table]], seed: int = 0
) -> list[np.ndarray]:
    """Return the int32 arrays that `encode` was given, as (length, table) asks for them.

    Raises SymbolError when the words, the escapes or the checksum do not fit.
    """
    decoder = SymbolDecoder(data, seed)
    arrays = [decoder.take(count, table) for count, table in wanted]
    decoder.end()
    return arrays


def _escape(symbols: np.ndarray, magnitude: int) -> bytes:
    """Return by how much each symbol of that magnitude or more exceeds it, as varints."""
    size = np.abs(symbols.ravel())
    return b"".join(pack(int(excess)) for excess in size[size >= magnitude] - magnitude)


def _escapes(view: memoryview) -> np.ndarray:
    """Return the excesses (n,) int32 that a field holds."""
    found, _ = read_all(view)
    if found.max() >= MOST_EXCESS:
        raise SymbolError("an escaped symbol of too large a value")
    return found.astype(np.int32)


def _unescape(symbols: np.ndarray, magnitude: int, escapes: np.ndarray) -> int:
    """Add to each symbol of that magnitude the next excess, in place; return how many had one."""
    if max(int(symbols.max()), -int(symbols.min())) < magnitude:
        return 0
    places = np.flatnonzero(np.abs(symbols) == magnitude)
    if len(places) > len(escapes):
        raise SymbolError("an escaped symbol has no value")
    symbols[places] += np.sign(symbols[places]) * escapes[: len(places)]
    return len(places)
