"""File signature, sections and the end marker (SPEC §2, §3)."""

import struct
import zlib
from typing import BinaryIO

from .. import limits
from ..errors import Corrupt, NotFeatcodec, Truncated, Unsupported
from ..formats import DUMPS, recognise
from .source import Source

MAGIC = b"\x89FCZ\r\n\x1a\n"
JOURNAL = b"\x89FCJ\r\n\x1a\n"  # of what a writer has flushed so far
VERSION = (7, 1)  # of the format: major, and the latest minor
DRAFTS = range(1, 7)  # majors from before there was a release
FEATURES, PROFILE = 0, 1
KINDS = ("features", "a profile")
SIGNATURE = struct.Struct("<8sBBH")  # magic, major, minor, kind; a CRC-32 of these follows
SECTION = struct.Struct("<4sQ")  # type, payload length; payload and CRC-32 follow
END = struct.Struct("<QQ")  # length of the whole file, of INDX
SIGNATURE_BYTES = SIGNATURE.size + 4
SECTION_BYTES = SECTION.size + 4
END_BYTES = SECTION_BYTES + END.size


def signature(kind: int, minor: int = 0) -> bytes:
    """Return the first bytes of a file of that kind, with codes of a minor version."""
    head = SIGNATURE.pack(MAGIC, VERSION[0], minor, kind)
    return head + struct.pack("<I", zlib.crc32(head))


def check_signature(
    data: bytes, name: str, wanted: int | None = None
) -> tuple[tuple[int, int], int]:
    """Return (major, minor) and the kind; raise InvalidStream for bytes that are no signature.

    More bytes than those of the signature help to recognise a file of another format, and the kind
    that is wanted to say what to do with one.
    """
    if not data:
        raise Truncated(f"{name} is empty")
    if data[: len(MAGIC)] == JOURNAL:
        made = f"make a file of it by featcodec recover {name} -o FILE"
        raise Truncated(f"{name} is what a writer has flushed before its end; {made}")
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        if data[1:4] == MAGIC[1:4]:
            why = "perhaps by a transfer in text mode; copy it anew, as binary"
            raise Corrupt(f"{name} has a damaged signature, {why}")
        other = recognise(data)
        if other is not None and other in DUMPS and wanted == PROFILE:
            made = "which `featcodec train` makes profiles of"
            raise NotFeatcodec(f"{name} is not a profile but {other.name}, {made}")
        but = f" but {other.hint(name)}" if other else ""
        raise NotFeatcodec(f"{name} is not a featcodec file{but}")
    data = data[:SIGNATURE_BYTES]
    if len(data) < SIGNATURE_BYTES:
        raise Truncated(f"{name} ends within its signature")
    _, major, minor, kind = SIGNATURE.unpack_from(data)
    if zlib.crc32(data[: SIGNATURE.size]) != int.from_bytes(data[SIGNATURE.size :], "little"):
        raise Corrupt(f"{name} has a damaged signature")
    if major in DRAFTS:
        anew = "train the profile" if kind == PROFILE else "encode the dump"
        raise Unsupported(
            f"{name} is of format {major}.{minor}, a draft that no release of featcodec reads;"
            f" {anew} anew"
        )
    if major != VERSION[0]:
        raise Unsupported(
            f"{name} is of format {major}.{minor}; this is featcodec for format {VERSION[0]}:"
            " a newer one is needed"
        )
    if kind >= len(KINDS):
        raise Unsupported(f"{name} is a file of kind {kind}, unknown to format {major}.{minor}")
    return (major, minor), kind


def critical(kind: bytes) -> bool:
    """Return whether a decoder must know a section of that type; others it may skip."""
    return not kind[:1].islower()


def write_section(out: BinaryIO, kind: bytes, payload: bytes) -> int:
    """Write one section and return how many bytes it took."""
    limits.check_input(len(payload), limits.SECTION_BYTES, f"the size of section {kind.decode()}")
    head = SECTION.pack(kind, len(payload))
    out.write(head)
    out.write(payload)
    out.write(struct.pack("<I", zlib.crc32(payload, zlib.crc32(head))))
    return SECTION_BYTES + len(payload)


def read_section(source: Source, offset: int, length: int) -> tuple[bytes, bytes]:
    """Return type and payload of the section of `length` bytes at `offset`."""
    data = source.read(offset, length)
    if len(data) < max(length, SECTION_BYTES):
        raise Truncated(f"the file ends within the section at byte {offset}")
    kind, size = SECTION.unpack_from(data)
    if size != length - SECTION_BYTES:
        stated = f"{size + SECTION_BYTES} bytes, in the index {length}"
        raise Corrupt(f"the section at byte {offset} has {stated}")
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise Corrupt(f"the section at byte {offset} fails its checksum")
    return kind, data[SECTION.size : -4]
