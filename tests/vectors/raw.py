"""Files put together byte by byte, whatever they claim: no writer of the package is asked."""

import math
import struct
import zlib
from collections.abc import Sequence

from featcodec.container.sections import END, END_BYTES, SECTION, signature
from featcodec.container.wire import Builder

U8, U64, F32, F4 = 1, 7, 13, 21


def section(kind: bytes, payload: bytes) -> bytes:
    head = SECTION.pack(kind, len(payload))
    return head + payload + struct.pack("<I", zlib.crc32(payload, zlib.crc32(head)))


# A fine step, no exceptions, no symbols.
ROWS = section(b"ROWS", b"\x80\0\0" + bytes(4))


def file(
    sections: Sequence[bytes],
    index: bytes,
    stated: int | None = None,
) -> bytes:
    """Return a file with an index, whose stated length may be false."""
    out = signature(0) + b"".join(sections)
    payload = Builder()
    payload.varint(len(index) if stated is None else stated)
    payload += zlib.compress(index, 9)
    behind = section(b"INDX", bytes(payload))
    return out + behind + end(len(out), behind)


def end(before: int, behind: bytes) -> bytes:
    """Return the end marker behind an index that has so many bytes before it."""
    return section(b"END ", END.pack(before + len(behind) + END_BYTES, len(behind)))


def index_in(data: bytes) -> bytes:
    """Return the payload of INDX in a file."""
    size, length = END.unpack(data[-4 - END.size : -4])
    start = size - END_BYTES - length
    return data[start + SECTION.size : start + length - 4]


def index(
    tensors: Sequence[tuple[bytes, int, Sequence[int], int]],
    sections: Sequence[bytes],
    metadata: Sequence[tuple[bytes, bytes]] = (),
    profiles: int = 0,
) -> bytes:
    """Return the index of tensors (name, type, shape, group) and sections."""
    out = Builder()
    out.u8(bool(metadata))
    if metadata:
        out.varint(len(metadata))
        for pair in metadata:
            out.blob(pair[0])
            out.blob(pair[1])
    out.varint(profiles)
    out += bytes(32 * profiles)
    out.varint(len(tensors))
    out += bytes(len(tensors))
    out.varints([len(name) for name, _, _, _ in tensors])
    out += b"".join(name for name, _, _, _ in tensors)
    out += bytes(kind for _, kind, _, _ in tensors)
    out += bytes(len(shape) for _, _, shape, _ in tensors)
    for axis in range(max((len(shape) for _, _, shape, _ in tensors), default=0)):
        out.varints([shape[axis] for _, _, shape, _ in tensors if len(shape) > axis])
    out.varints([group for _, _, _, group in tensors])
    out.varint(len(sections))
    out += b"".join(one[:4] for one in sections)
    out.varints([len(one) for one in sections])
    return bytes(out)


def exact(slabs: int, per: int = 0, first: int = 0, kind: int = U8) -> bytes:
    """Return the GRUP section of a group bit for bit."""
    out = Builder()
    out.u8(0)
    out.u8(kind)
    out.varint(0)
    out.varints([slabs, per or max(slabs, 1), first])
    out.real(math.inf)
    out.real(0)
    return section(b"GRUP", bytes(out))


def lossy(
    slabs: int,
    layout: bytes,
    model: bytes,
    per: int = 0,
    grid: Sequence[int] = (),
    first: int = 0,
) -> bytes:
    """Return the GRUP section of a group of F32 with loss."""
    out = Builder()
    out.u8(1)
    out.u8(F32)
    out.varint(0)
    out.varints([slabs, per or max(slabs, 1), first])
    for number in (1, math.nan):
        out.real(number)
    out.blob(layout)
    out.u8(0)
    out.varint(0)
    out.u8(len(grid))
    out.varints(grid)
    for number in (0, 0):
        out.real(number)
    out.varint(0)
    for number in (0, 1, 1):
        out.real(number)
    out.svarint(1000)  # so large a step that no latent is coded
    out += b"\0\0"
    out.blob(model)
    return section(b"GRUP", bytes(out))


def model(block: Sequence[int] = (), reflectors: int = 0, blobs: Sequence[bytes] = ()) -> bytes:
    """Return a linear model; `blobs` are centres, reflectors, scales and tables."""
    out = Builder()
    out.u8(1)
    out.u8(len(block))
    out.varints(block)
    out.varint(reflectors)
    out += b"\0\1"
    for blob in [*blobs, b"", b"", b"", b""][:4]:
        out.blob(blob)
    return bytes(out)


def one(kind: int, shape: Sequence[int], *sections: bytes) -> bytes:
    """Return a file of one tensor."""
    return file(sections, index([(b"x", kind, shape, 0)], sections))
