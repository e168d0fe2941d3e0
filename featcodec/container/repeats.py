"""The rows of a group that repeat earlier ones, as its header lists them (SPEC §5.4)."""

from dataclasses import dataclass

from .. import limits
from ..errors import Corrupt
from .wire import Builder, Cursor, Unpacker, deflate

LONGEST_RUN = 30  # bytes of its three numbers


@dataclass(frozen=True)
class RepeatedRows:
    """Runs of rows: so many new ones, then so many that repeat those a distance before."""

    layout: str  # of tensors kept bit for bit; others have it in their header
    whole: bool  # rows are samples
    new: tuple[int, ...]
    repeated: tuple[int, ...]
    distances: tuple[int, ...]

    def pack(self, out: Builder) -> None:
        inner = Builder()
        inner.u8(self.whole)
        what = "the number of runs of repeated rows"
        inner.varint(limits.check_input(len(self.new), limits.REPEAT_RUNS, what))
        for column in (self.new, self.repeated, self.distances):
            inner.varints(column)
        out.blob(deflate(bytes(inner)))

    @classmethod
    def unpack(cls, cursor: Cursor, layout: str) -> "RepeatedRows":
        most = 1 + 10 + LONGEST_RUN * limits.REPEAT_RUNS
        inner = Unpacker(cursor.blob(), "list of repeated rows", most)
        whole = inner.flag()
        what = "the number of runs of repeated rows"
        runs = limits.check(inner.varint(), limits.REPEAT_RUNS, what)
        new, repeated, distances = (tuple(inner.varints(runs)) for _ in range(3))
        inner.end()
        if not runs or not min(repeated) or not min(distances):
            raise Corrupt("a list of repeated rows repeats none")
        return cls(layout, whole, new, repeated, distances)
