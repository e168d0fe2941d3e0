"""Writes a file front to back; sizes and qualities may become known at the end (SPEC §2)."""

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from .. import limits
from .agreement import check_groups
from .dump import to_write
from .group import GroupHeader
from .index import Index
from .sections import (
    END,
    END_BYTES,
    FEATURES,
    SECTION,
    SIGNATURE_BYTES,
    signature,
    write_section,
)

Mark = tuple[int, int, int]  # position, counts of sections and profiles
SPOOLED = 1 << 26  # bytes of a piece that are kept in memory, longer ones in a temporary file


@dataclass(frozen=True)
class Piece:
    """Sections that were cut from the end of a file, to be put back where they were."""

    data: tempfile.SpooledTemporaryFile
    sections: Sequence[tuple[bytes, int]]
    headers: Sequence[bytes]
    profiles: Sequence[bytes]

    def __post_init__(self) -> None:
        weakref.finalize(self, self.data.close)


class Writer:
    """Sections in order, then the index and the end marker."""

    def __init__(self, out: BinaryIO, kind: int = FEATURES, minor: int = 0) -> None:
        """`minor` is the version of the codes; of groups it is found."""
        self.out = out
        self.kind = kind
        self.index = Index()
        self.position = out.write(signature(kind, minor))
        self._headers: list[bytes] = []  # of groups

    def section(self, kind: bytes, payload: bytes) -> int:
        """Write one section; return its position in the list of sections."""
        if kind == b"GRUP":
            self._headers.append(payload)
        length = write_section(self.out, kind, payload)
        self.index.sections.append((kind, length))
        self.position += length
        return len(self.index.sections) - 1

    def payload(self, position: int) -> bytes:
        """Return the payload of a section that was written."""
        lengths = [length for _, length in self.index.sections]
        self.out.seek(SIGNATURE_BYTES + sum(lengths[:position]))
        data = self.out.read(lengths[position])
        self.out.seek(self.position)
        return data[SECTION.size : -4]

    def profile(self, digest: bytes) -> int:
        """Name a profile that the file needs; return its position in the list of them."""
        if digest not in self.index.profiles:
            self.index.profiles.append(digest)
        return self.index.profiles.index(digest)

    def mark(self) -> Mark:
        """Return a state for `rewind`."""
        return self.position, len(self.index.sections), len(self.index.profiles)

    def rewind(self, mark: Mark) -> None:
        """Remove the sections written since `mark`, with their profiles."""
        self.position, sections, profiles = mark
        kept = [kind for kind, _ in self.index.sections[:sections]].count(b"GRUP")
        del self._headers[kept:]
        del self.index.sections[sections:]
        del self.index.profiles[profiles:]
        self.out.seek(self.position)
        self.out.truncate()

    def cut(self, mark: Mark) -> Piece:
        """Remove the sections written since `mark`, with their profiles; return them."""
        start, sections, profiles = mark
        found = self.index.sections[sections:]
        headers = [kind for kind, _ in found].count(b"GRUP")
        data = tempfile.SpooledTemporaryFile(SPOOLED)  # noqa: SIM115 (the piece closes it)
        self.out.seek(start)
        shutil.copyfileobj(self.out, data)
        kept = self._headers[len(self._headers) - headers :]
        piece = Piece(data, found, kept, self.index.profiles[profiles:])
        self.rewind(mark)
        return piece

    def paste(self, piece: Piece) -> None:
        """Write sections that were cut where the file ends now."""
        piece.data.seek(0)
        shutil.copyfileobj(piece.data, self.out)
        self.position += sum(length for _, length in piece.sections)
        self.index.sections += piece.sections
        self.index.profiles += piece.profiles
        self._headers += piece.headers

    def finish(self) -> int:
        """Write index and end marker; return the length of the file.

        Raises InvalidInput for what a reader would refuse.
        """
        minor = max((header.minor for header in self._check()), default=0)
        if minor:
            self.out.seek(0)
            self.out.write(signature(self.kind, minor))
            self.out.seek(self.position)
        length = write_section(self.out, b"INDX", self.index.pack())
        self.position += length
        total = self.position + END_BYTES
        write_section(self.out, b"END ", END.pack(total, length))
        return total

    def _check(self) -> list[GroupHeader]:
        """Apply the checks of a reader to what was written; return the headers of groups."""
        kinds = [kind for kind, _ in self.index.sections]
        count, what = kinds.count(b"ENTR"), "the number of entries of a profile"
        limits.check_input(count, limits.PROFILE_ENTRIES, what, "split it")
        with to_write():
            headers = [GroupHeader.unpack(payload) for payload in self._headers]
            check_groups(self.index, headers)
        return headers
