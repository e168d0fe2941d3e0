"""Decodes what is sound of a damaged file: a damaged row group costs its own values alone."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from ..align.numbers import unsigned
from ..coding.pieces import Blocks, Piece
from ..coding.profile import Profile
from ..container.group import GroupHeader
from ..container.index import PartEntry, TensorEntry
from ..container.salvage import SalvageReader, nothing_of
from ..errors import Corrupt, InvalidStream, ProfileMissing
from .decoder import Decoder, pieces_of
from .members import Members, stored_type

# What stands for values that are lost, as stored elements: NaN. Types without one have 0.
NAN = {
    "F16": 0x7E00,
    "BF16": 0x7FC0,
    "F32": 0x7FC00000,
    "F64": 0x7FF8000000000000,
    "C64": 0x7FC000007FC00000,
    "F8_E5M2": 0x7F,
    "F8_E4M3": 0x7F,
    "F8_E8M0": 0xFF,
    "F8_E4M3FNUZ": 0x80,
    "F8_E5M2FNUZ": 0x80,
}


class Salvager(Decoder):
    """A decoder that gives NaN, or 0 in types without one, where a row group is damaged."""

    def __init__(
        self, reader: SalvageReader, profiles: Sequence[Profile] = (), room: int = 0
    ) -> None:
        """Raise ProfileMissing as `Decoder` does, unless a profile in the file is damaged."""
        self._salvaged = reader
        self._absent: set[bytes] = set()  # profiles
        self._sound: set[tuple[int, int]] = set()  # groups and row groups that were decoded
        self._lost: dict[int, set[int]] = {}  # by group: row groups that could not be
        super().__init__(reader, profiles, room)

    def _find(self, digest: bytes, given: Sequence[Profile]) -> Profile:
        try:
            return super()._find(digest, given)
        except ProfileMissing:
            if not self._salvaged.lost_profiles:
                raise
            self._absent.add(digest)
            return Profile([], digest)

    def _members(self, number: int, header: GroupHeader, entries: list[TensorEntry]) -> Members:
        try:
            needed = None if header.lossy is None else header.lossy.profile
            if needed is not None and self.profiles[needed].digest in self._absent:
                raise Corrupt("the profile of a group is damaged")
            return super()._members(number, header, entries)
        except InvalidStream as error:
            self._salvaged.lost[number] = error
            return Members(number, nothing_of(entries), entries, None)

    def pieces(self, group: Members, number: int) -> Sequence[Piece]:
        try:
            if group.number in self._salvaged.lost:
                raise self._salvaged.lost[group.number]
            found = super().pieces(group, number)
            self._sound.add((group.number, number))
            return found
        except InvalidStream:
            self._lost.setdefault(group.number, set()).add(number)
            return _blank(group, number)

    def survey(self, entries: Iterable[TensorEntry]) -> dict[str, list[range]]:
        """Return the damaged rows of tensors by name, of those that have any; all are decoded."""
        found = {}
        for entry in entries:
            for part in self._parts[entry.name]:
                group = self.groups[part.group]
                for number in group.row_groups(group.places[part.key]):
                    known = (group.number, number) in self._sound
                    if not known and number not in self._lost.get(group.number, ()):
                        self.pieces(group, number)
            if rows := self.damaged(entry):
                found[entry.name] = rows
        return found

    def damaged(self, entry: TensorEntry) -> list[range]:
        """Return the rows of the leading axis that hold damaged values, of what was decoded.

        A tensor without axes is one row.
        """
        rows: list[range] = []
        for part in self._parts[entry.name]:
            group = self.groups[part.group]
            lost = self._lost.get(group.number)
            if not lost:
                continue
            lead = part.where[0] if isinstance(part, PartEntry) else slice(0, None)
            mine = group.places[part.key]
            if isinstance(lead, int) or not part.shape:
                first = lead if isinstance(lead, int) else 0
                rows += [range(first, first + 1)] * bool(lost.intersection(group.row_groups(mine)))
            elif part.values:
                found = _touched(group, mine, range(part.shape[0]), lost)
                rows += [range(lead.start + r.start, lead.start + r.stop) for r in found]
        return _merged(rows)


def _touched(group: Members, i: int, rows: range, lost: set[int]) -> Iterator[range]:
    """Yield the rows of a tensor that lost row groups hold."""
    numbers, _ = group.around(i, rows.start, rows.stop)
    hit = lost.intersection(numbers)
    if not hit:
        return
    if len(rows) == 1 or (group.reduced is None and len(hit) == len(numbers)):
        yield rows
        return
    middle = rows.start + len(rows) // 2
    for half in pairwise((rows.start, middle, rows.stop)):
        yield from _touched(group, i, range(*half), lost)


def _merged(rows: list[range]) -> list[range]:
    """Return ranges in order that neither touch nor overlap."""
    found: list[range] = []
    for one in sorted(rows, key=lambda some: some.start):
        if found and one.start <= found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, one.stop))
        else:
            found.append(one)
    return found


def _blank(group: Members, number: int) -> Sequence[Piece]:
    """Return the pieces of a row group without its values."""
    first, last = group.slabs(number)
    dtype = group.header.dtype
    nothing = np.array(NAN.get(dtype, 0), np.uint64).astype(unsigned(dtype))
    if group.grid is None:
        return pieces_of(group, number, np.broadcast_to(nothing, last - first))
    pieces = []
    for (_, sizes), boxes in group.grid.boxes(first, last).items():
        shape = (group.grid.channels, math.prod(sizes), sum(box.count for box in boxes))
        values = np.broadcast_to(nothing.view(stored_type(group.header)), shape)
        pieces.append(Blocks(values, group.grid, boxes))
    return pieces
