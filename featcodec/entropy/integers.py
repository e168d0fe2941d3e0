"""Side information: arrays of integers of a known count, to bytes and back (SPEC §7.5)."""

from functools import lru_cache

import numpy as np

from . import fit, symbols, varints
from .errors import SymbolError
from .tables import MAX_MAGNITUDE, TOTAL_BITS, Table

_FIELDS = ("magnitude", "shift", "zero", "positive", "first", "further")
PLAIN = 128  # in place of a magnitude: varints follow
MOST_PLAIN = 256  # integers, beyond which a table is hardly ever more than it saves
KEPT, MOST_KEPT = 512, 1 << 12  # arrays whose code is kept, and the integers of one
TABLE_HEAD = len(_FIELDS) + 1  # bytes of a table before its hazards; the last one counts them


def pack_table(table: Table) -> bytes:
    """Return magnitude, shift, zero, positive, first, further, number of hazards, hazards."""
    head = bytes(getattr(table, name) for name in _FIELDS)
    return head + bytes((len(table.hazards), *table.hazards))


def unpack_table(data: bytes | memoryview, start: int) -> tuple[Table, int]:
    """Return the table at `start` and where it ends; raise SymbolError when it breaks a rule."""
    view = memoryview(data)
    head = len(_FIELDS)
    if start + head + 1 > len(view):
        raise SymbolError("a table is truncated")
    values = dict(zip(_FIELDS, view[start : start + head], strict=True))
    end = start + head + 1 + view[start + head]
    table = Table(**values, hazards=tuple(view[start + head + 1 : end]))
    if end > len(view):
        raise SymbolError("the hazards of a table are truncated")
    if table.magnitude > MAX_MAGNITUDE:
        raise SymbolError(f"the magnitude of a table is {table.magnitude}, above {MAX_MAGNITUDE}")
    if table.shift > TOTAL_BITS:
        raise SymbolError(f"the shift of a table is {table.shift}, above {TOTAL_BITS}")
    if table.magnitude > 1 and not table.hazards:
        raise SymbolError(f"a table of magnitude {table.magnitude} has no hazards")
    return table, end


def pack(values: np.ndarray) -> bytes:
    """Code integers below 2**30; no bytes when all are 0."""
    values = values.astype(np.int32).ravel()
    if not values.any():
        return b""
    return _packed(values.tobytes()) if len(values) <= MOST_KEPT else _coded(values)


@lru_cache(maxsize=KEPT)
def _packed(values: bytes) -> bytes:
    """Code integers that are likely to be coded again: encoders try models that are much alike."""
    return _coded(np.frombuffer(values, np.int32))


def _coded(values: np.ndarray) -> bytes:
    table = fit.fit(fit.Histogram.of(values))
    coded = pack_table(table) + symbols.encode([(values, table)])
    if len(values) > MOST_PLAIN:
        return coded
    signed = values.astype(np.int64)
    plain = b"".join(map(varints.pack, ((signed << 1) ^ (signed >> 63)).tolist()))
    return min(bytes((PLAIN,)) + plain, coded, key=len)


def unpack(data: bytes, count: int) -> np.ndarray:
    """Return the `count` int32 given to `pack`; raise SymbolError when `data` is damaged."""
    if not data:
        return np.zeros(count, np.int32)
    if data[0] == PLAIN:
        return _plain(data, count)
    table, start = unpack_table(data, 0)
    if table.magnitude == 0:
        raise SymbolError("the table of integers has magnitude 0")
    return symbols.decode(memoryview(data)[start:], [(count, table)])[0]


def _plain(data: bytes, count: int) -> np.ndarray:
    """Return integers that are coded as varints."""
    values, end = varints.read_all(data[1:], count)
    if end + 1 != len(data):
        raise SymbolError("bytes are left behind integers")
    values = (values >> 1) ^ -(values & 1)
    if (values != values.astype(np.int32)).any():
        raise SymbolError("an integer does not fit 32 bits")
    return values.astype(np.int32)
