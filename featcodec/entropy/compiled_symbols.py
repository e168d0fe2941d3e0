"""Symbol arrays to bytes and back in compiled loops, as `symbols` does it with a library.

A loop over the symbols of many arrays, with the head of the coder in registers, takes a third of
the time that a call of the library takes for each array.
"""

import threading
import zlib
from collections.abc import Sequence

import numpy as np
from numba import njit

from .errors import SymbolError
from .symbols import Runs, SymbolDecoder
from .tables import TOTAL_BITS, Table, frequencies
from .varints import pack

_BITS = np.uint64(TOTAL_BITS)
_MASK = np.uint64((1 << TOTAL_BITS) - 1)
_HALF = np.uint64(1 << (TOTAL_BITS - 1))
_WORD = np.uint64(32)
_REFILL = np.uint64(1 << 32)
_START_BITS = 10  # of a part of the frequencies that say where the search for a symbol begins
_START = np.uint64(TOTAL_BITS - _START_BITS)
_WIDTH = 256  # symbols of a table at most, and one more edge
_KEPT = 4096  # tables
_FINE, _NO_ESCAPE, _TOO_LARGE = 0, 1, 2
_NONE = np.zeros(0, np.int32)

Known = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class _Known(threading.local):
    """The tables that a thread has met, as arrays whose rows stay as they are."""

    def __init__(self) -> None:
        self._clear(_KEPT)

    def _clear(self, room: int) -> None:
        self._rows: dict[Table, int] = {}
        self._edges = np.empty((room, _WIDTH), np.uint32)  # of the symbols of a table
        self._starts = np.empty((room, 1 << _START_BITS), np.uint8)  # the first symbol of a part
        self._sizes = np.empty((room, 2), np.int64)  # magnitudes and shifts

    def find(self, tables: Sequence[Table]) -> Known:
        """Return edges, starts and sizes, and the rows in which they have these tables."""
        if len(self._rows) + len(tables) > len(self._sizes):
            self._clear(max(_KEPT, len(tables)))
        rows = [self._row(table) for table in tables]
        return self._edges, self._starts, self._sizes, np.array(rows, np.int64)

    def _row(self, table: Table) -> int:
        row = self._rows.get(table)
        if row is None:
            row = len(self._rows)
            edges = self._edges[row]
            edges[:] = 1 << TOTAL_BITS
            edges[0], edges[1 : table.size + 1] = 0, np.cumsum(frequencies(table))
            parts = np.arange(1 << _START_BITS) << int(_START)
            self._starts[row] = np.searchsorted(edges, parts, side="right") - 1
            self._sizes[row] = table.magnitude, table.shift
            self._rows[table] = row
        return row


_known = _Known()


@njit(cache=True)
def _array(stream, known, row, out):
    """Decode an array; the head has the state, the words left and the escapes used."""
    words, head, escapes = stream
    edges, starts, size = known[0][row], known[1][row], known[2][row]
    state, left = head[0], head[1]
    zero = np.uint64(edges[size[0]])
    width = np.uint64(edges[size[0] + 1]) - zero
    likely = width >= _HALF  # then what comes next need not wait for a search
    for i in range(len(out)):
        part = state & _MASK
        if likely and part - zero < width:
            state = width * (state >> _BITS) + (part - zero)
            if state < _REFILL and left > np.uint64(0):
                left -= np.uint64(1)
                state = (state << _WORD) | np.uint64(words[np.int64(left)])
            out[i] = 0
            continue
        symbol = np.int64(starts[part >> _START])
        while np.uint64(edges[symbol + 1]) <= part:
            symbol += 1
        low = np.uint64(edges[symbol])
        state = (np.uint64(edges[symbol + 1]) - low) * (state >> _BITS) + (part - low)
        if state < _REFILL and left > np.uint64(0):
            left -= np.uint64(1)
            state = (state << _WORD) | np.uint64(words[np.int64(left)])
        out[i] = symbol - size[0]
    head[0], head[1] = state, left
    if len(escapes):
        used = np.int64(head[2])
        for i in range(len(out)):
            if abs(out[i]) == size[0]:
                if used == len(escapes):
                    return _NO_ESCAPE
                out[i] += escapes[used] if out[i] > 0 else -escapes[used]
                used += 1
        head[2] = np.uint64(used)
    return _low_bits(words, head, size[1], out) if size[1] else _FINE


@njit(cache=True)
def _low_bits(words, head, shift, out):
    """Take in the low bits of the symbols of an array."""
    for i in range(len(out)):
        high = np.int64(out[i])
        if (high << shift) < -(1 << 31) or (-high - 1) << shift < -(1 << 31):
            return _TOO_LARGE
        out[i] = high << shift
    state, left = head[0], head[1]
    for begin in range(0, shift, 8):
        width = np.uint64(min(8, shift - begin))
        for i in range(len(out)):
            part = state & _MASK
            symbol = part >> (_BITS - width)
            low = symbol << (_BITS - width)
            state = ((state >> _BITS) << (_BITS - width)) + (part - low)
            if state < _REFILL and left > np.uint64(0):
                left -= np.uint64(1)
                state = (state << _WORD) | np.uint64(words[np.int64(left)])
            out[i] += np.int32(symbol << np.uint64(begin))
    for i in range(len(out)):
        out[i] -= np.int32(1 << shift >> 1)
    head[0], head[1] = state, left
    return _FINE


@njit(cache=True)
def _arrays(stream, known, counts, out):
    """Decode arrays end to end, each with the table of its row."""
    at = 0
    for row, count in zip(known[3], counts):
        fault = _array(stream, known, row, out[at : at + count])
        if fault:
            return fault
        at += count
    return _FINE


@njit(cache=True)
def _chains(stream, known, runs, length, out, symbols, second):
    """Decode symbols along chains (SPEC §7.10); the tables of run i are in rows 2 i and 2 i + 1.

    `runs` are the counts of symbols, and `out` are they in coding order.
    """
    quantiser = np.zeros(length, np.uint8)
    before, far = np.zeros_like(quantiser), np.zeros_like(quantiser)
    parity = np.zeros_like(quantiser)
    start = end = 0
    for run in range(len(runs)):
        end += runs[run]
        while start < end:
            place = start % length
            stop = min(start - place + length, end)
            other = 0
            for i in range(start, stop):
                second[i] = quantiser[place + i - start]
                other += second[i]
            middle = stop - other
            for q, low, high in ((0, start, middle), (1, middle, stop)):
                fault = _array(stream, known, known[3][2 * run + q], out[low:high])
                if fault:
                    return fault
            of_second = 0
            for i in range(start, stop):  # no branch: none could be predicted
                of_first, of_one = i - of_second, np.int64(second[i])
                symbols[i] = out[of_first + of_one * (middle + of_second - of_first)]
                of_second += of_one
            start = stop
            if start % length == 0:
                for i in range(length):
                    now = quantiser[i]
                    quantiser[i] = now ^ parity[i] ^ far[i]
                    far[i], before[i] = before[i], now
                    parity[i] = symbols[start - length + i] & 1
    return _FINE


@njit(cache=True)
def _put(stream, low, frequency):
    """Put a symbol of a frequency; those before it sum to `low`."""
    words, head = stream
    state = head[0]
    if state >> (np.uint64(64) - _BITS) >= frequency:
        words[np.int64(head[1])] = np.uint32(state & np.uint64(0xFFFFFFFF))
        head[1] += np.uint64(1)
        state >>= _WORD
    head[0] = (state // frequency << _BITS) + low + state % frequency


@njit(cache=True)
def _put_arrays(stream, known, counts, symbols, escapes):
    """Put arrays, the last symbol first; return how many escapes there are, which come first."""
    edges, _, sizes, rows = known
    at, found = len(symbols), 0
    for number in range(len(rows) - 1, -1, -1):
        row, first = rows[number], at - counts[number]
        magnitude, shift = sizes[row, 0], sizes[row, 1]
        half = np.int64(1) << shift >> 1
        for begin in range((shift + 7) // 8 * 8 - 8, -1, -8):
            bits = min(8, shift - begin)
            frequency = np.uint64(1 << (TOTAL_BITS - bits))
            for i in range(at - 1, first - 1, -1):
                low = np.uint64(((symbols[i] + half) >> begin) & ((1 << bits) - 1))
                _put(stream, low * frequency, frequency)
        of_table = edges[row]
        for i in range(at - 1, first - 1, -1):
            high = (symbols[i] + half) >> shift
            if abs(high) >= magnitude:
                escapes[found] = abs(high) - magnitude
                found += 1
                high = magnitude if high > 0 else -magnitude
            low = np.uint64(of_table[high + magnitude])
            _put(stream, low, np.uint64(of_table[high + magnitude + 1]) - low)
        at = first
    return found


def encode(arrays: Sequence[tuple[np.ndarray, Table]], seed: int) -> bytes:
    """Code arrays as `symbols.encode` does."""
    coded = [(some.ravel(), table) for some, table in arrays if table.magnitude and some.size]
    found = np.concatenate([np.zeros(0, np.int32), *(some for some, _ in coded)], dtype=np.int32)
    counts = np.array([len(some) for some, _ in coded], np.int64)
    bits = [TOTAL_BITS + table.shift for _, table in coded]  # of a symbol, at most
    words = np.empty(int(counts @ np.array(bits, np.int64)) // 32 + 3, np.uint32)
    head, escapes = np.zeros(2, np.uint64), np.empty(len(found), np.int64)
    tables = _known.find([table for _, table in coded])
    count = _put_arrays((words, head), tables, counts, found, escapes)
    packed = b"".join(map(pack, escapes[:count][::-1].tolist()))
    state, used = map(int, head)
    last = state.to_bytes(8, "little") if state >> 32 else state.to_bytes(4, "little")
    end = words[:used].astype("<u4").tobytes() + (last if state else b"")
    return pack(len(packed)) + packed + zlib.crc32(found.data, seed).to_bytes(4, "little") + end


class CompiledDecoder(SymbolDecoder):
    """A `SymbolDecoder` that decodes many arrays, or all chains, at once."""

    def _begin(self, words: memoryview) -> None:
        found = np.frombuffer(words, "<u4").astype(np.uint32)
        if len(found) and not found[-1]:
            raise ValueError("the last word is 0")
        self._words, left, state = found, len(found), 0
        for _ in range(min(2, left)):
            left -= 1
            state = state << 32 | int(found[left])
        self._head = np.array([state, left, 0], np.uint64)

    def take(self, count: int, table: Table | Runs) -> np.ndarray:
        if not isinstance(table, Table):
            return self._decoded(table)
        if table.magnitude == 0 or count == 0:
            return np.zeros(count, np.int32)
        return self._decoded([(count, table)])

    def chained(
        self, runs: Sequence[tuple[int, Table, Table]], length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode as a `ChainDecoder` does."""
        counts = np.array([count for count, _, _ in runs], np.int64)
        size = int(counts.sum())
        out, symbols = np.empty(size, np.int32), np.empty(size, np.int32)
        second = np.empty(size, bool)
        tables = _known.find([table for _, *both in runs for table in both])
        self._check(_chains(self._stream, tables, counts, length, out, symbols, second), out)
        return symbols, second

    def _decoded(self, runs: Runs) -> np.ndarray:
        counts = np.array([count for count, _ in runs], np.int64)
        out = np.empty(int(counts.sum()), np.int32)
        tables = _known.find([table for _, table in runs])
        self._check(_arrays(self._stream, tables, counts, out), out)
        return out

    @property
    def _stream(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        escapes = _NONE if self._escapes is None else self._escapes
        return self._words, self._head, escapes

    def _check(self, fault: int, symbols: np.ndarray) -> None:
        """Raise SymbolError for a fault; take in the symbols of the stream, in coding order."""
        if fault == _NO_ESCAPE:
            raise SymbolError("an escaped symbol has no value")
        if fault == _TOO_LARGE:
            raise SymbolError("a symbol exceeds 32 bits")
        self._crc = zlib.crc32(symbols.data, self._crc)
        self._used = int(self._head[2])

    @property
    def _exhausted(self) -> bool:
        return not self._head[0] and not self._head[1]
