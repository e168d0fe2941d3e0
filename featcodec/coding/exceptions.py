"""Values kept as they are: positions in coding order, and stored elements (SPEC §7.6)."""

import numpy as np

from .. import limits
from ..container.wire import Builder, Cursor, Unpacker, deflate
from ..entropy import varints
from ..errors import Corrupt, Damage, damaged

LONGEST_NUMBER = 4  # bytes, of exceptions of a row group or places between them


class Exceptions:
    """The exceptions of a row group, in the making or read back."""

    def __init__(self) -> None:
        self.count = 0
        self.base = 0
        self.last = -1
        self.gaps: list[np.ndarray] = []
        self.elements: list[np.ndarray] = []

    def add(self, positions: np.ndarray, stored: np.ndarray) -> None:
        """Keep some positions of the next array."""
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
        """Read the list of a row group of so many values, which has no more of them."""
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
                raise Damage("it has not an element for each position")
            kept.gaps = [np.cumsum(gaps + 1) - 1]
            kept.elements = [np.frombuffer(body[end:], dtype)]
        return kept

    def put_back(self, stored: np.ndarray) -> None:
        """Put back the elements that belong into the next array, in place."""
        if self.count:
            places, elements = self.gaps[0], self.elements[0]
            mine = (places >= self.base) & (places < self.base + stored.size)
            stored.reshape(-1)[places[mine] - self.base] = elements[mine]
        self.base += stored.size

    def end(self) -> None:
        if self.count and self.gaps[0][-1] >= self.base:
            raise Corrupt("the exception list reaches beyond its row group")
