"""Rows of a group that repeat earlier ones or are constant, as its header lists them (§5.4)."""

from dataclasses import dataclass

from .. import limits
from ..errors import Corrupt
from .wire import Builder, Cursor, Unpacker, deflate

LONGEST_RUN = 30  # bytes of its three numbers, or of two and a constant


@dataclass(frozen=True)
class RepeatedRows:
    """Runs of rows: so many new ones, then so many that repeat those a distance before.

    A distance of 0 is that of constant rows; `constants` has an element for each such run.
    """

    layout: str  # of tensors kept bit for bit; others have it in their header
    whole: bool  # rows are samples
    new: tuple[int, ...]
    repeated: tuple[int, ...]
    distances: tuple[int, ...]
    constants: tuple[int, ...] = ()

    def pack(self, out: Builder) -> None:
        inner = Builder()
        inner.u8(self.whole)
        what = "the number of runs of repeated rows"
        inner.varint(limits.check_input(len(self.new), limits.REPEAT_RUNS, what))
        for column in (self.new, self.repeated, self.distances, self.constants):
            inner.varints(column)
        out.blob(deflate(bytes(inner)))

    @classmethod
    def unpack(cls, cursor: Cursor, layout: str, bits: int) -> "RepeatedRows":
        """Read the list of a group whose elements have so many bits."""
        most = 1 + 10 + LONGEST_RUN * limits.REPEAT_RUNS
        inner = Unpacker(cursor.blob(), "list of repeated rows", most)
        whole = inner.flag()
        what = "the number of runs of repeated rows"
        runs = limits.check(inner.varint(), limits.REPEAT_RUNS, what)
        new, repeated, distances = (tuple(inner.varints(runs)) for _ in range(3))
        constants = tuple(inner.varints(distances.count(0)))
        inner.end()
        if not runs or not min(repeated):
            raise Corrupt("a list of repeated rows repeats none")
        if max(constants, default=0) >> bits:
            raise Corrupt(f"a constant row has elements of more than {bits} bits")
        return cls(layout, whole, new, repeated, distances, constants)
