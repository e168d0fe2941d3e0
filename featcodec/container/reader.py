"""Opens a file by its end marker and index, and returns its sections (SPEC §2)."""

import itertools
from collections.abc import Iterable
from typing import BinaryIO

from .. import limits
from ..errors import Corrupt, Truncated, Unsupported
from ..formats import HEAD
from .agreement import check_groups
from .group import GroupHeader
from .index import Index
from .model import ProfileEntry
from .network import Network
from .quality import SECTION, GroupQuality, unpack
from .sections import (
    END,
    END_BYTES,
    FEATURES,
    KINDS,
    PROFILE,
    SECTION_BYTES,
    SIGNATURE_BYTES,
    check_signature,
    critical,
    read_section,
)
from .source import Source, source_of

KNOWN = {FEATURES: {b"ROWS", b"GRUP"}, PROFILE: {b"ENTR", b"NETW"}}
BESIDE = {b"prof", b"made"}  # of files of features
STRUCTURE = {b"INDX", b"END ", *KNOWN[FEATURES], *KNOWN[PROFILE]}


class Reader:
    """A featcodec file whose signature, index and end marker are sound."""

    def __init__(self, source: Source | BinaryIO, name: str, kind: int | None = FEATURES) -> None:
        """Open a file of a kind, None for any; raise InvalidStream when it is not sound."""
        self.source = source_of(source, name)
        self.name = name
        self.size = self.source.size
        self.version, self.kind = self._signature(kind)
        if kind not in (None, self.kind):
            raise Corrupt(f"{name} holds {KINDS[self.kind]}, not {KINDS[kind]}")
        self.index = self._index()
        if self.kind == PROFILE and self.index.tensors:
            raise Corrupt(f"{name} is a profile, and lists {len(self.index.tensors)} tensors")
        lengths = (length for _, length in self.index.sections)
        self.offsets = list(itertools.accumulate(lengths, initial=SIGNATURE_BYTES))
        rows = [i for i, (kind, _) in enumerate(self.index.sections, 1) if kind == b"ROWS"]
        self.source.expect_end(self.offsets[max(rows, default=0)])  # headers lie behind them
        self._refuse_unknown(KNOWN[self.kind])
        self.note = self._note()

    def _signature(self, wanted: int | None) -> tuple[tuple[int, int], int]:
        """Return the version and the kind of the file."""
        return check_signature(self.source.read(0, HEAD), self.name, wanted)

    def _index(self) -> Index:
        return self._index_at(offset := self._end_marker(), self.size - END_BYTES - offset)

    def _index_at(self, offset: int, length: int) -> Index:
        """Return the index that is the section of `length` bytes at an offset."""
        limits.check(length - SECTION_BYTES, limits.SECTION_BYTES, "the size of the index")
        section, payload = read_section(self.source, offset, length)
        if section != b"INDX":
            raise Corrupt(f"{self.name} has no index at byte {offset}, where its end marker points")
        return Index.unpack(payload, offset - SIGNATURE_BYTES)

    def _end_marker(self) -> int:
        if self.size < SIGNATURE_BYTES + END_BYTES:
            raise Truncated(f"{self.name} is truncated: it has no end marker")
        try:
            found = read_section(self.source, self.size - END_BYTES, END_BYTES)
        except Corrupt:
            found = b"", b""
        section, payload = found
        if section != b"END ":
            raise Truncated(f"{self.name} is truncated or damaged at its end: no end marker")
        total, length = END.unpack(payload)
        offset = self.size - END_BYTES - length
        if total != self.size or offset < SIGNATURE_BYTES:
            raise Truncated(f"{self.name} has {self.size} bytes, its end marker states {total}")
        return offset

    def _refuse_unknown(self, known: set[bytes]) -> None:
        """Refuse critical sections of unknown type; others are skipped."""
        for position, (kind, length) in enumerate(self.index.sections):
            if kind in BESIDE and self.kind == PROFILE:
                raise Corrupt(f"{self.name} is a profile, and holds {kind!r}")
            if kind not in known | BESIDE:
                self._refuse_critical(position, kind, length)

    def _refuse_critical(self, position: int, kind: bytes, length: int) -> None:
        """Refuse a section of unknown type unless it may be skipped."""
        if kind in STRUCTURE:
            raise Corrupt(f"{self.name} has {kind!r} where it cannot stand")
        found, _ = read_section(self.source, self.offsets[position], length)
        if found != kind:
            raise Corrupt(f"{self.name} has {found!r} where {kind!r} belongs")
        if critical(kind):
            raise Unsupported(f"{self.name} needs the feature {kind!r}, unknown here")

    def qualities(self) -> list[GroupQuality] | None:
        """Return what is stated of each group's quality where the user looks; None when nothing."""
        for position, (kind, length) in enumerate(self.index.sections):
            if kind == SECTION:
                _, payload = read_section(self.source, self.offsets[position], length)
                groups = sum(kind == b"GRUP" for kind, _ in self.index.sections)
                return unpack(payload, groups, len(self.index.tensors))
        return None

    def _note(self) -> str | None:
        """Return what a file notes of how it was made (SPEC §3.1); None when it notes nothing."""
        kinds = [kind for kind, _ in self.index.sections]
        for kind, most in ((b"prof", len(self.index.profiles)), (b"made", 1), (SECTION, 1)):
            if kinds.count(kind) > most:
                raise Corrupt(f"{self.name} has {kinds.count(kind)} {kind!r}; it may have {most}")
        try:
            return next((payload.decode() for payload in self._all(b"made")), None)
        except UnicodeDecodeError:
            raise Corrupt(f"{self.name} notes how it was made, and not in UTF-8") from None

    def section(self, position: int, kind: bytes) -> bytes:
        """Return the payload of section number `position`, which must be of that kind."""
        if not 0 <= position < len(self.index.sections):
            count = len(self.index.sections)
            raise Corrupt(f"{self.name} refers to section {position}; it has {count}")
        listed, length = self.index.sections[position]
        found, payload = read_section(self.source, self.offsets[position], length)
        if not (found == listed == kind):
            raise Corrupt(f"{self.name} has {found!r} where {kind!r} belongs")
        return payload

    def expect(self, positions: Iterable[int]) -> None:
        """Tell the source which sections are read next."""
        ends = self.offsets[1:]
        self.source.expect([(self.offsets[i], ends[i]) for i in positions if 0 <= i < len(ends)])

    def _positions(self, kind: bytes) -> list[int]:
        """Return which sections are of a kind, and tell the source that they are read next."""
        found = [i for i, (section, _) in enumerate(self.index.sections) if section == kind]
        self.expect(found)
        return found

    def _all(self, kind: bytes) -> list[bytes]:
        return [self.section(i, kind) for i in self._positions(kind)]

    def groups(self) -> list[GroupHeader]:
        """Return the group headers, in order."""
        headers = [GroupHeader.unpack(payload) for payload in self._all(b"GRUP")]
        check_groups(self.index, headers)
        return headers

    def bytes_of_rows(self, header: GroupHeader) -> int:
        """Return how many bytes the row groups of a group take."""
        last = header.first_section + header.row_groups
        return self.offsets[last] - self.offsets[header.first_section] if header.row_groups else 0

    def entries(self) -> list[ProfileEntry]:
        """Return the entries of a profile file."""
        count = sum(kind == b"ENTR" for kind, _ in self.index.sections)
        limits.check(count, limits.PROFILE_ENTRIES, "the number of entries of a profile")
        return [ProfileEntry.unpack(payload) for payload in self._all(b"ENTR")]

    def network(self) -> Network | None:
        """Return the network of a profile file, if it has one."""
        found = [Network.unpack(payload) for payload in self._all(b"NETW")]
        if len(found) > 1:
            raise Corrupt(f"{self.name} holds {len(found)} networks; it may hold one")
        return found[0] if found else None

    def embedded(self) -> dict[bytes, bytes]:
        """Return the profiles that a file holds, by their SHA-256 (SPEC §3.1)."""
        payloads = self._all(b"prof")
        if not payloads:
            return {}
        from hashlib import sha256  # slow to load, and rarely needed

        found = {sha256(payload).digest(): payload for payload in payloads}
        if len(found) < len(payloads):
            raise Corrupt(f"{self.name} holds a profile twice")
        for digest in found:
            if digest not in self.index.profiles:
                raise Corrupt(
                    f"{self.name} holds the profile {digest.hex()}, which it does not need"
                )
        return found

    def check_sections(self) -> None:
        """Read every section and its checksum."""
        self.expect(range(len(self.index.sections)))
        for position, (kind, _) in enumerate(self.index.sections):
            if kind in STRUCTURE | BESIDE:
                self.section(position, kind)
        self.embedded()
