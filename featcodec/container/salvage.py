"""Opens a damaged file by what is sound of its structure, so that the rest of it can be decoded."""

import math
from collections.abc import Iterator

from .. import elements
from ..errors import Corrupt, InvalidStream, NotFeatcodec, Truncated, Unsupported
from .agreement import check_groups
from .group import GroupHeader
from .index import Index, TensorEntry
from .reader import Reader
from .sections import FEATURES, SECTION, SECTION_BYTES, VERSION
from .source import Source

AT_ONCE = 1 << 20  # bytes that are searched for an index
CANDIDATES = 64  # places that look like one, of which the checksum is tried
PER_ROW_GROUP = 1 << 20  # elements of a group of which nothing is known
HEAD = b"INDX"


class SalvageReader(Reader):
    """A file of features of which anything but the index may be damaged.

    `remarks` says what is, beside row groups; `lost` why the header of a group cannot be used.
    """

    def _signature(self, wanted: int | None) -> tuple[tuple[int, int], int]:
        self.remarks: list[str] = []
        self.lost: dict[int, InvalidStream] = {}
        self.lost_profiles = 0
        try:
            return super()._signature(wanted)
        except (Corrupt, Truncated, NotFeatcodec) as error:
            self._refused: InvalidStream | None = error
            return VERSION, FEATURES

    def _index(self) -> Index:
        refused = getattr(self, "_refused", None)
        try:
            found = super()._index()
        except Unsupported:
            raise
        except InvalidStream as error:
            searched = self._search()
            if searched is None:
                raise (refused or _hopeless(error)) from None
            found = searched
            self.remarks.append("its end marker is damaged")
        if refused is not None:
            self.remarks.append("its signature is damaged")
        return found

    def _search(self) -> Index | None:
        """Return the last sound index in the file, if there is one."""
        for offset in _found(self.source):
            head = self.source.read(offset, SECTION.size)
            size = SECTION.unpack(head)[1] if len(head) == SECTION.size else self.size
            try:
                return self._index_at(offset, size + SECTION_BYTES)
            except InvalidStream:
                continue
        return None

    def _refuse_critical(self, position: int, kind: bytes, length: int) -> None:
        try:
            super()._refuse_critical(position, kind, length)
        except (Corrupt, Truncated):
            self.remarks.append(f"a section {kind!r} is damaged")

    def _note(self) -> str | None:
        try:
            return super()._note()
        except InvalidStream:
            self.remarks.append("the note of how it was made is damaged")
            return None

    def embedded(self) -> dict[bytes, bytes]:
        from hashlib import sha256  # slow to load, and rarely needed

        found = {}
        for position in self._positions(b"prof"):
            try:
                payload = self.section(position, b"prof")
            except InvalidStream:
                self.lost_profiles += 1
                self.remarks.append("a profile in it is damaged")
                continue
            found[sha256(payload).digest()] = payload
        return {digest: data for digest, data in found.items() if digest in self.index.profiles}

    def groups(self) -> list[GroupHeader]:
        """Return the group headers; those that are lost state that their row groups are unknown."""
        members: dict[int, list[TensorEntry]] = {}
        for parts in self.index.parts:
            for part in parts:
                members.setdefault(part.group, []).append(part)
        headers = []
        for number, position in enumerate(self._positions(b"GRUP")):
            try:
                headers.append(GroupHeader.unpack(self.section(position, b"GRUP")))
            except InvalidStream as error:
                self.lost[number] = error
                headers.append(nothing_of(members.get(number, [])))
        check_groups(self.index, headers, self.lost)
        return headers


def nothing_of(entries: list[TensorEntry]) -> GroupHeader:
    """Return a header of tensors of which nothing but names, types and shapes is known."""
    dtype = entries[0].dtype if entries else "U8"
    count = sum(elements.count(entry.dtype, entry.values) for entry in entries)
    return GroupHeader(dtype, count, PER_ROW_GROUP, 0, math.nan, math.nan)


def _found(source: Source) -> Iterator[int]:
    """Yield where the head of an index is, from the end of a file, so many times at most."""
    end, left = source.size, CANDIDATES
    while end > 0 and left:
        start = max(end - AT_ONCE, 0)
        data = source.read(start, min(end + len(HEAD) - 1, source.size) - start)
        at = data.rfind(HEAD)
        while at >= 0 and left:
            left -= 1
            yield start + at
            at = data.rfind(HEAD, 0, at + len(HEAD) - 1)
        end = start


def _hopeless(error: InvalidStream) -> InvalidStream:
    """Return that nothing can be had without the index."""
    return type(error)(f"{error}; its index is not there, without which nothing can be salvaged")
