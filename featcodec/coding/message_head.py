"""The head of a message: the fields before its exceptions and symbols (SPEC §9.1)."""

import math
from dataclasses import dataclass

from .. import elements
from ..container.wire import Builder, Cursor
from ..errors import Corrupt, Unsupported

VERSION = 2  # in the three bits above the flags
DRAFTS = range(2)  # from before there was a release
UNCLAMPED, EXCEPTIONS, SHIFTED, LOSSLESS, DEPENDENT = 1, 2, 4, 8, 16
RANK = 15  # axes of an array at most
SHAPE_VALUES = 1 << 59  # product of its axes at most, those of length 0 left out
TAG_BYTES = 2  # of the profile's SHA-256
STEPS_PER_OCTAVE = 1024
MIDDLE = 1 << 15  # the code of a step of 1


@dataclass(frozen=True)
class Head:
    """The fields of a head; those from `tag` to `shift` only matter with loss."""

    flags: int
    dtype: str
    shape: tuple[int, ...]
    tag: bytes = b""  # first bytes of the profile's SHA-256
    entry: int = 0
    code: int = MIDDLE
    shift: int = 0

    @property
    def step(self) -> float:
        return float(2.0 ** ((self.code - MIDDLE) / STEPS_PER_OCTAVE))

    @property
    def step_scale(self) -> int:
        """The step in quarter octaves, for the choice of tables."""
        return 2 * ((self.code - MIDDLE + STEPS_PER_OCTAVE // 4) // (STEPS_PER_OCTAVE // 2))

    def pack(self) -> bytes:
        out = Builder()
        out.u8(VERSION << 5 | self.flags)
        out.u8(elements.CODES[self.dtype] << 4 | len(self.shape))
        out.varints(self.shape)
        if not self.flags & LOSSLESS:
            out += self.tag
            out.varint(self.entry)
            out += self.code.to_bytes(2, "little")
            if self.flags & SHIFTED:
                out.svarint(self.shift)
        return bytes(out)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "Head":
        """Read a head; raise Unsupported for an unknown version."""
        first = cursor.u8()
        version, flags = first >> 5, first & 31
        if version in DRAFTS:
            raise Unsupported(
                "a message of a draft that no release of featcodec reads; encode the array anew"
            )
        if version != VERSION:
            raise Unsupported(
                f"no message of version {VERSION}, which this featcodec reads: it begins as one of"
                f" version {version} would"
            )
        kind = cursor.u8()
        dtype = elements.name_of(kind >> 4)
        if dtype not in elements.FLOATS:
            raise Corrupt(f"a message has element type {dtype}; only floating types are allowed")
        shape = tuple(cursor.varints(kind & 15))
        if flags & LOSSLESS:
            if flags != LOSSLESS:
                raise Corrupt(f"a message bit for bit has flags {flags:#x}; it has no other flag")
            return cls(flags, dtype, shape)
        tag = bytes(cursor.take(TAG_BYTES))
        entry = cursor.varint()
        code = int.from_bytes(cursor.take(2), "little")
        shift = cursor.svarint() if flags & SHIFTED else 0
        return cls(flags, dtype, shape, tag, entry, code, shift)


def code_of(step: float) -> int:
    """Return the code of the nearest step."""
    return min(max(round(math.log2(step) * STEPS_PER_OCTAVE) + MIDDLE, 0), 0xFFFF)
