"""The header of a tensor group (SPEC §5)."""

import math
from dataclasses import dataclass

from .. import elements
from ..errors import Corrupt
from ..modes import MODES
from .flags import CODINGS, LOSSLESS, LOSSY, NEURAL, Flags, flags_of
from .lossy import Lossy
from .model import layout_of, pack_layout
from .refined import check_refined
from .repeats import RepeatedRows
from .wire import Builder, Cursor


@dataclass(frozen=True)
class GroupHeader:
    """What the tensors of a group share, and where its row groups are."""

    dtype: str
    slabs: int  # of the whole group
    slabs_per_row_group: int
    first_section: int  # position of its first ROWS in the list of sections
    snr_db: float  # reached; infinite when nothing was lost
    max_error: float  # largest absolute error of a finite value
    lossy: Lossy | None = None  # None: bit for bit
    repeats: RepeatedRows | None = None  # which are left out
    task_snr: float | None = None  # reached with loss in the metric of a task, in dB

    @property
    def exact(self) -> bool:
        """Whether all tensors come back bit for bit."""
        return self.lossy.refined if self.lossy is not None else self.max_error == 0

    @property
    def row_groups(self) -> int:
        return -(-self.slabs // self.slabs_per_row_group)

    @property
    def minor(self) -> int:
        """The minor version of the format that has all its codes."""
        parts = () if self.lossy is None else self.lossy.parts
        return max((MODES[part.transform].since for part in parts), default=0)

    @property
    def flags(self) -> Flags:
        """Return the flags that say what the header has."""
        flags = Flags(0) if self.lossy is None else self.lossy.flags
        flags |= Flags(0) if self.repeats is None else Flags.REPEATS
        return flags | (Flags(0) if self.task_snr is None else Flags.TASK_SNR)

    def pack(self) -> bytes:
        out, flags = Builder(), self.flags
        out.u8(LOSSLESS if self.lossy is None else NEURAL if self.lossy.neural else LOSSY)
        out.u8(elements.CODES[self.dtype])
        out.varint(flags)
        out.varints((self.slabs, self.slabs_per_row_group, self.first_section))
        out.real(self.snr_db)
        out.real(self.max_error)
        if self.task_snr is not None:
            out.real(self.task_snr)
        if self.lossy is not None:
            pack_layout(out, self.lossy.layout)
        elif self.repeats is not None:
            pack_layout(out, self.repeats.layout)
        if self.repeats is not None:
            self.repeats.pack(out)
        if self.lossy is not None:
            self.lossy.pack(out)
        return bytes(out)

    @classmethod
    def unpack(cls, payload: bytes) -> "GroupHeader":
        cursor = Cursor(payload, "group header")
        coding = cursor.code(CODINGS, "a coding")
        dtype = elements.name_of(cursor.u8())
        flags = flags_of(cursor.varint(), coding)
        slabs, per_row_group, first = cursor.varints(3)
        if per_row_group == 0:
            raise Corrupt("the group header states 0 slabs per row group; it must be at least 1")
        snr_db, max_error = cursor.real(), cursor.real()
        task_snr = _task_snr(cursor) if flags & Flags.TASK_SNR else None
        bits = elements.BITS[dtype]
        repeating = bool(flags & Flags.REPEATS)
        layout = layout_of(cursor) if repeating or coding != LOSSLESS else ""
        repeats = _repeats(cursor, coding, layout, bits) if repeating else None
        lossy = None
        if coding != LOSSLESS:
            lossy = Lossy.unpack(cursor, layout, flags, coding == NEURAL, bits)
        cursor.end()
        if lossy is not None and dtype not in elements.FLOATS:
            raise Corrupt(f"the group header codes {dtype} with loss; only floating types can be")
        if lossy is not None and (lossy.refined or lossy.logarithmic):
            check_refined(lossy, dtype)
        return cls(dtype, slabs, per_row_group, first, snr_db, max_error, lossy, repeats, task_snr)


def _repeats(cursor: Cursor, coding: int, layout: str, bits: int) -> RepeatedRows:
    return RepeatedRows.unpack(cursor, layout if coding == LOSSLESS else "", bits)


def _task_snr(cursor: Cursor) -> float:
    snr = cursor.real()
    if not math.isfinite(snr):
        raise Corrupt(f"the task SNR of the group header is {snr}; it must be finite")
    return snr
