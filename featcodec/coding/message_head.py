"""The head of a message: the fields before its exceptions and symbols (SPEC §9.1)."""

import math
from dataclasses import dataclass

from .. import elements
from ..container.wire import Builder, Cursor
from ..errors import Corrupt, Unsupported

FIRST, VERSION, DEPENDENT = 1, 2, 3  # the last is as the one before, along a trellis
UNCLAMPED, EXCEPTIONS, SHIFTED, LOSSLESS = 1, 2, 4, 8
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
    tag: bytes = b""  # first bytes of the profile's SHA-256; version 1 has none
    entry: int = 0
    code: int = MIDDLE
    shift: int = 0
    version: int = VERSION

    @property
    def step(self) -> float:
        return float(2.0 ** ((self.code - MIDDLE) / STEPS_PER_OCTAVE))

    @property
    def step_scale(self) -> int:
        """The step in quarter octaves, for the choice of tables."""
        return 2 * ((self.code - MIDDLE + STEPS_PER_OCTAVE // 4) // (STEPS_PER_OCTAVE // 2))

    def pack(self) -> bytes:
        out = Builder()
        out.u8(self.version << 4 | self.flags)
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
        version, flags = first >> 4, first & 15
        if not FIRST <= version <= DEPENDENT:
            raise Unsupported(
                f"a message of version {version}; this featcodec reads {FIRST} to {DEPENDENT}"
            )
        kind = cursor.u8()
        dtype = elements.name_of(kind >> 4)
        if dtype not in elements.FLOATS:
            raise Corrupt(f"a message has element type {dtype}; only floating types are allowed")
        shape = tuple(cursor.varints(kind & 15))
        if flags & LOSSLESS:
            if version == DEPENDENT:
                raise Corrupt(f"a message of version {version} is never bit for bit")
            return cls(flags, dtype, shape, version=version)
        tag = bytes(cursor.take(TAG_BYTES)) if version > FIRST else b""
        entry = cursor.varint()
        code = int.from_bytes(cursor.take(2), "little")
        shift = cursor.svarint() if flags & SHIFTED else 0
        return cls(flags, dtype, shape, tag, entry, code, shift, version)


def code_of(step: float) -> int:
    """Return the code of the nearest step."""
    return min(max(round(math.log2(step) * STEPS_PER_OCTAVE) + MIDDLE, 0), 0xFFFF)
