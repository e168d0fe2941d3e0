"""Profiles put into a file that is complete, behind its other sections (SPEC §3.1)."""

from collections.abc import Iterable
from typing import BinaryIO

from .reader import Reader
from .sections import END, END_BYTES, write_section


def embed(file: BinaryIO, name: str, profiles: Iterable[bytes]) -> int:
    """Add profiles, each that of its bytes, to an open file in place; return its new length.

    The file must need them, and not hold them yet.
    """
    file.flush()
    reader = Reader(file, name)
    index, offset = reader.index, reader.offsets[-1]
    file.seek(offset)
    for data in profiles:
        length = write_section(file, b"prof", data)
        index.sections.append((b"prof", length))
        offset += length
    length = write_section(file, b"INDX", index.pack())
    total = offset + length + END_BYTES
    write_section(file, b"END ", END.pack(total, length))
    file.truncate()
    return total
