"""Exceptions: values stored as they are, with their positions in coding order (SPEC §7.6)."""

import numpy as np

from .. import limits
from ..container.wire import Builder, Cursor, Unpacker, deflate
from ..entropy import varints
from ..errors import Corrupt, Damage, damaged

LONGEST_NUMBER = 4  # bytes of a count or of a gap


class Exceptions:
    """The exceptions of a row group, collected or read."""

    def __init__(self) -> None:
        self.count = 0
        self.base = 0
        self.last = -1
        self.gaps: list[np.ndarray] = []
        self.elements: list[np.ndarray] = []

    def add(self, positions: np.ndarray, stored: np.ndarray) -> None:
        """Add the exceptions at some positions of the next array."""
        if positions.size:
            where = positions + self.base
            self.gaps.append(np.diff(where, prepend=self.last) - 1)
            self.elements.append(stored.reshape(-1)[positions])
            self.last = int(where[-1])
            self.count += len(positions)
        self.base += stored.size

    def pack(self) -> bytes:
        out = Builder()
        if not self.count:
            out.varint(0)
            return bytes(out)
        body = Builder()
        body.varint(self.count)
        body.varints([int(gap) for gap in np.concatenate(self.gaps)])
        body += np.concatenate(self.elements).tobytes()
        out.blob(deflate(bytes(body)))
        return bytes(out)

    @classmethod
    def unpack(cls, cursor: Cursor, dtype: np.dtype, size: int) -> "Exceptions":
        """Read the list of a row group of `size` values; no list is longer."""
        kept = cls()
        blob = cursor.blob()
        if not blob:
            return kept
        most = LONGEST_NUMBER + size * (LONGEST_NUMBER + dtype.itemsize)
        inner = Unpacker(blob, "exception list", most)
        kept.count = limits.check(inner.varint(), size, "the number of exceptions")
        body = inner.rest()
        inner.end()
        with damaged("an exception list"):
            gaps, end = varints.read_all(body, kept.count)
            if len(body) - end != kept.count * dtype.itemsize:
                held = f"{len(body) - end} bytes of elements for {kept.count} positions"
                raise Damage(f"it has {held} of {dtype.itemsize} bytes each")
            kept.gaps = [np.cumsum(gaps + 1) - 1]
            kept.elements = [np.frombuffer(body[end:], dtype)]
        return kept

    def put_back(self, stored: np.ndarray) -> None:
        """Write the exceptions of the next array into it."""
        if self.count:
            places, elements = self.gaps[0], self.elements[0]
            mine = (places >= self.base) & (places < self.base + stored.size)
            stored.reshape(-1)[places[mine] - self.base] = elements[mine]
        self.base += stored.size

    def end(self) -> None:
        """Raise Corrupt when a position lies beyond the last array."""
        if self.count and self.gaps[0][-1] >= self.base:
            last = int(self.gaps[0][-1])
            raise Corrupt(f"an exception has position {last}; its row group has {self.base} values")
