"""Symbol arrays, each with a table, to bytes and back (SPEC §7.5)."""

import zlib
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from ..compiled import loops
from . import rans
from .errors import SymbolError
from .tables import Table, frequencies, uniform
from .varints import pack, read, read_all

Runs = Sequence[tuple[int, Table]]  # lengths and tables of arrays

_UNIFORM_BITS = 8
MOST_EXCESS = 1 << 30  # an escape is below
LOOPS = "featcodec.entropy.compiled_symbols"
SAVED, SAVED_ENCODING = 1e-8, 1e-9  # seconds a value, by compiled loops,
SAVED_AN_ARRAY = 1e-5  # and an array that is coded


def encode(arrays: Sequence[tuple[np.ndarray, Table]], seed: int = 0) -> bytes:
    """Code int32 arrays with their tables: escapes, CRC-32 of the symbols, rANS words.

    An array whose table has magnitude 0 must hold zeros; it takes no bits and is not checked.
    """
    size = sum(symbols.size for symbols, _ in arrays)
    if compiled := loops(LOOPS, size * SAVED_ENCODING + len(arrays) * SAVED_AN_ARRAY):
        coded: bytes = compiled.encode(arrays, seed)
        return coded
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
    """Returns the arrays given to `encode`, one after the other."""

    def __init__(self, data: bytes | memoryview, seed: int = 0) -> None:
        """Raise SymbolError when `data` cannot be coded symbols."""
        view = memoryview(data)
        size, start = read(view, 0)
        body = start + size + 4
        if body > len(view) or (len(view) - body) % 4:
            raise SymbolError("coded symbols are truncated, or their words are not whole")
        self._escapes = _escapes(view[start : start + size]) if size else None
        self._used = 0  # escapes
        self._stated = int.from_bytes(view[body - 4 : body], "little")
        self._crc = seed
        try:
            self._begin(view[body:])
        except ValueError:
            raise SymbolError("the last word of coded symbols is 0") from None

    def _begin(self, words: memoryview) -> None:
        self._coder = rans.RansDecoder(words)

    def __call__(self, count: int, table: Table | Runs) -> np.ndarray:
        return self.take(count, table)

    def take(self, count: int, table: Table | Runs) -> np.ndarray:
        """Return the next array, (count,) int32; SymbolError when an escape does not fit.

        Of many arrays, whose tables have symbols and no low bits, all are returned end to end.
        """
        if not isinstance(table, Table):
            return self._take_many(table)
        if table.magnitude == 0 or count == 0:
            return np.zeros(count, np.int32)
        symbols = self._coder.get(count, frequencies(table))
        symbols -= np.int32(table.magnitude)
        if self._escapes is not None:
            self._used += _unescape(symbols, table.magnitude, self._escapes[self._used :])
        if table.shift:
            least, most = int(symbols.min()), int(symbols.max()) + 1
            if min(least, -most) << table.shift < -(1 << 31):
                raise SymbolError("a symbol exceeds 32 bits")
            symbols <<= table.shift
            for begin in range(0, table.shift, _UNIFORM_BITS):
                width = min(_UNIFORM_BITS, table.shift - begin)
                symbols += self._coder.get(count, uniform(width)) << begin
            symbols -= np.int32(1 << table.shift >> 1)
        self._crc = zlib.crc32(symbols.data, self._crc)
        return symbols

    def _take_many(self, runs: Runs) -> np.ndarray:
        """Return short arrays at once: what is done to each by itself takes most of the time."""
        found = [self._coder.get(count, frequencies(table)) for count, table in runs]
        symbols = np.concatenate(found or [np.zeros(0, np.int32)])
        counts = [count for count, _ in runs]
        limits = np.repeat(np.array([table.magnitude for _, table in runs], np.int32), counts)
        symbols -= limits
        if self._escapes is not None:
            self._used += _unescape(symbols, limits, self._escapes[self._used :])
        self._crc = zlib.crc32(symbols.data, self._crc)
        return symbols

    @property
    def _exhausted(self) -> bool:
        return self._coder.exhausted

    def end(self) -> None:
        """Raise SymbolError unless all was decoded and the CRC-32 matches."""
        left = self._escapes is not None and self._used < len(self._escapes)
        if self._crc != self._stated or left or not self._exhausted:
            raise SymbolError("the CRC-32 of the symbols does not match, or some are left over")


@runtime_checkable
class ChainDecoder(Protocol):
    """What decodes all chains at once."""

    def chained(
        self, runs: Sequence[tuple[int, Table, Table]], length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the symbols of chains of a length, and which of them are of quantiser 1.

        Runs are counts of symbols and the tables of both quantisers, which code symbols.
        """


def decoder(data: bytes | memoryview, values: int, seed: int = 0) -> SymbolDecoder:
    """Return the decoder of the symbols of about so many values, the fastest there is.

    It raises SymbolError when `data` cannot be coded symbols.
    """
    compiled = loops(LOOPS, values * SAVED)
    found: SymbolDecoder = (compiled.CompiledDecoder if compiled else SymbolDecoder)(data, seed)
    return found


def decode(
    data: bytes | memoryview, wanted: Sequence[tuple[int, Table]], seed: int = 0
) -> list[np.ndarray]:
    """Return the int32 arrays of the wanted lengths and tables.

    Raises SymbolError when the words, the escapes or the checksum do not fit.
    """
    decoder = SymbolDecoder(data, seed)
    arrays = [decoder.take(count, table) for count, table in wanted]
    decoder.end()
    return arrays


def _escape(symbols: np.ndarray, magnitude: int) -> bytes:
    """Return the excess of each symbol of at least that magnitude, as varints."""
    size = np.abs(symbols.ravel())
    return b"".join(pack(int(excess)) for excess in size[size >= magnitude] - magnitude)


def _escapes(view: memoryview) -> np.ndarray:
    """Return the escapes (n,) int32 of a field."""
    found, _ = read_all(view)
    if found.max() >= MOST_EXCESS:
        raise SymbolError(f"an escape is {found.max()}; it must be below {MOST_EXCESS}")
    return found.astype(np.int32)


def _unescape(symbols: np.ndarray, magnitude: int | np.ndarray, escapes: np.ndarray) -> int:
    """Add the next escape to each symbol of that magnitude, in place; return their number."""
    if isinstance(magnitude, int):
        largest = max(int(np.maximum.reduce(symbols)), -int(np.minimum.reduce(symbols)))
        if largest < magnitude:
            return 0
    places = np.flatnonzero(np.abs(symbols) == magnitude)
    if len(places) > len(escapes):
        counts = f"{len(places)} need one, {len(escapes)} are left"
        raise SymbolError(f"an escaped symbol has no value: {counts}")
    symbols[places] += np.sign(symbols[places]) * escapes[: len(places)]
    return len(places)
