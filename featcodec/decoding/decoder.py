"""Decodes tensors of a file, whole or by a range of the leading axis."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..align.grids import Window
from ..align.numbers import stored_dtype, unsigned
from ..coding.from_header import row_group_coder
from ..coding.kept import Kept
from ..coding.pieces import ElementRange, Piece, RowElements
from ..coding.profile import Profile, missing
from ..coding.row_group import RowGroupCoder
from ..container.group import GroupHeader
from ..container.index import Key, PartEntry, TensorEntry
from ..container.reader import Reader
from ..elements import FLOATS, nbytes
from ..entropy import exact
from ..errors import Corrupt, damaged
from ..threads import ONE_THREAD
from .members import Members, elements, stored_type

KEPT_NUMBERS = 1 << 26  # numbers of models in the cache


class Decoder:
    """Decodes tensors of an open file; keeps the models of its groups.

    With `room`, in bytes, it also keeps what was decoded last: row groups, and the rows of a tensor
    that they hold.
    """

    def __init__(self, reader: Reader, profiles: Sequence[Profile] = (), room: int = 0) -> None:
        """Raise ProfileMissing when the file needs a profile that is found nowhere.

        It is among `profiles`, in the file, or where `featcodec.profiles` looks for it.
        """
        self.reader = reader
        known = {profile.digest: profile for profile in profiles}
        for digest, data in reader.embedded().items():
            known[digest] = Profile.parse(data, f"the profile in {reader.name}")
        self.profiles: list[Profile] = []
        for digest in reader.index.profiles:
            if digest not in known:
                known[digest] = self._find(digest, profiles)
            self.profiles.append(known[digest])
        headers = reader.groups()
        members: list[list[TensorEntry]] = [[] for _ in headers]
        self._parts: dict[str, list[TensorEntry]] = {}
        for parts in reader.index.parts:
            self._parts[parts[0].name] = parts
            for part in parts:
                members[part.group].append(part)
        self.groups = [
            self._members(number, headers[number], entries)
            for number, entries in enumerate(members)
        ]
        self._coders: Kept[RowGroupCoder] = Kept(KEPT_NUMBERS, _numbers)
        self._room = room
        self._pieces: Kept[Sequence[Piece]] = Kept(room, _bytes, least=0)
        self._rows: Kept[np.ndarray] = Kept(room, lambda rows: rows.nbytes, least=0)

    def _find(self, digest: bytes, given: Sequence[Profile]) -> Profile:
        """Return a profile that was not `given`; raise ProfileMissing when it is nowhere."""
        found = Profile.find(digest, self.reader.source.path or None)
        if found is None:
            raise missing(digest, self.reader.name, given)
        return found

    def _members(self, number: int, header: GroupHeader, entries: list[TensorEntry]) -> Members:
        needed = None if header.lossy is None else header.lossy.profile
        profile = None if needed is None else self.profiles[needed]
        return Members(number, header, entries, profile)

    def coder(self, group: Members) -> RowGroupCoder | None:
        """Return the coder of a group; None for one coded bit for bit."""
        grid, lossy = group.grid, group.header.lossy
        if grid is None or lossy is None:
            return None
        return self._coders.get(
            group.number, lambda: row_group_coder(group.header.dtype, lossy, grid, group.profile)
        )

    def decode(
        self,
        wanted: Sequence[TensorEntry],
        target: Callable[[TensorEntry], np.ndarray],
        release: Callable[[], None] = lambda: None,
        convert: Callable[[np.ndarray, str], np.ndarray] | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        """Decode whole tensors into the flat arrays of stored elements that `target` gives.

        Each row group is decoded once, whatever the number of tensors in it. `release` is called
        after each; written elements may then leave memory. `convert` turns elements of a type into
        those that are written. A `share` (i, n) is every n-th row group, from number i on.
        """
        seen = 0
        wholes: dict[int, dict[Key, TensorEntry]] = {}
        for entry in wanted:
            for part in self._parts[entry.name]:
                wholes.setdefault(part.group, {})[part.key] = entry
        for position, chosen in sorted(wholes.items()):
            group = self.groups[position]

            def tensor(
                i: int, group: Members = group, chosen: dict[Key, TensorEntry] = chosen
            ) -> Any:
                entry = group.entries[i]
                if entry.key not in chosen:
                    return None  # in the same row group, but not wanted
                whole = chosen[entry.key]
                if isinstance(entry, PartEntry):
                    return target(whole).reshape(whole.shape)[entry.where]
                return target(whole).reshape(entry.shape if group.shaped else -1)

            numbers = sorted({n for key in chosen for n in group.row_groups(group.places[key])})
            mine = [n for i, n in enumerate(numbers, seen) if i % share[1] == share[0]]
            seen += len(numbers)
            self._expect(group, mine)
            for number in mine:
                for piece in self.pieces(group, number):
                    if convert is not None:
                        values = convert(piece.values, group.header.dtype)
                        piece = replace(piece, values=values)
                    piece.put(tensor)
                release()
            if group.constants.size and group.reduced is not None and share[0] == 0:
                constants = group.constants
                if convert is not None:
                    constants = convert(constants, group.header.dtype)
                group.reduced.rows.put_constants(constants, tensor)
                release()

    def tensor(self, entry: TensorEntry) -> np.ndarray:
        """Return the stored elements of a tensor, flat."""
        stored = np.zeros(nbytes(entry.dtype, entry.values), np.uint8)
        stored = stored.view(stored_dtype(entry.dtype))
        for part in self._parts[entry.name]:
            if isinstance(part, PartEntry):
                self._put(part, stored.reshape(entry.shape)[part.where])
            else:
                shaped = self.groups[part.group].shaped
                self._put(part, stored.reshape(entry.shape if shaped else -1))
        return stored

    def rows(self, entry: TensorEntry, first: int, last: int) -> np.ndarray:
        """Return stored elements first <= i < last along the leading axis of a tensor.

        Only the row groups that hold them are decoded.
        """
        parts = self._parts[entry.name]
        if not isinstance(parts[0], PartEntry):
            return self._rows_of(entry, first, last)
        found = np.zeros((max(last - first, 0), *entry.shape[1:]), stored_dtype(entry.dtype))
        for part in parts:
            assert isinstance(part, PartEntry)
            lead, *rest = part.where
            if isinstance(lead, int):
                if first <= lead < last:
                    self._put(part, found[(lead - first, *rest)])
                continue
            low, high = max(first, lead.start), min(last, lead.stop)
            if low < high:
                rows = self._rows_of(part, low - lead.start, high - lead.start)
                place = found[(slice(low - first, high - first), *rest)]
                place[...] = rows.reshape(-1).view(found.dtype).reshape(place.shape)
        return found

    def edges(self, entry: TensorEntry) -> list[int]:
        """Return where along the leading axis of a tensor a row group begins with a row."""
        found: set[int] = set()
        for part in self._parts[entry.name]:
            group, first = self.groups[part.group], 0
            if isinstance(part, PartEntry):
                if isinstance(part.where[0], int):
                    found.add(part.where[0])
                    continue
                first = part.where[0].start
            if first not in found:
                found.update(first + row for row in group.edges(group.places[part.key]))
        return sorted(found)

    def _put(self, entry: TensorEntry, place: np.ndarray) -> None:
        """Decode a tensor, or part of one, of a single group to a place."""
        group = self.groups[entry.group]
        mine = group.places[entry.key]
        self._expect(group, group.row_groups(mine))
        for number in group.row_groups(mine):
            for piece in self._kept_pieces(group, number):
                piece.put(lambda i: place if i == mine else None)
        if group.constants.size and group.reduced is not None:
            put = group.reduced.rows.put_constants
            put(group.constants, lambda i: place if i == mine else None)

    def _rows_of(self, entry: TensorEntry, first: int, last: int) -> np.ndarray:
        """Do the same for a tensor, or part of one, of a single group."""
        group = self.groups[entry.group]
        mine = group.places[entry.key]
        numbers, window = group.around(mine, first, last)
        unit = 1 if group.shaped else elements(entry) // max(entry.shape[0], 1)

        def around() -> np.ndarray:
            return self._around(group, mine, numbers, window, (first, last))

        some = slice(first * unit - window.first, last * unit - window.first)
        row = nbytes(entry.dtype, entry.values) // max(entry.shape[0], 1)
        if group.reduced is not None or row * (last - first) > self._room:
            return around()[some]
        return self._rows.get((group.number, mine, tuple(numbers)), around)[some].copy()

    def _around(
        self,
        group: Members,
        mine: int,
        numbers: Sequence[int],
        window: Window,
        asked: tuple[int, int],
    ) -> np.ndarray:
        """Return the window of a tensor that is in some row groups."""
        shape = group.entries[mine].shape[1:] if group.shaped else ()
        found = np.zeros((max(window.last - window.first, 0), *shape), stored_type(group.header))
        # What the window does not hold, of other tensors too, is likely to be asked for next.
        several = len(numbers) > 1 or len(group.entries) > 1 or group.reduced is not None
        self._expect(group, numbers)
        for number in numbers:
            pieces = self._kept_pieces(group, number) if several else self.pieces(group, number)
            for piece in pieces:
                piece.within(window).put(lambda i: found if i == mine else None)
        if group.constants.size and group.reduced is not None:
            rows = group.reduced.rows
            wanted = rows.range_of(mine, group.entries[mine].shape, *asked)
            rows.put_constants(group.constants, lambda i: found, wanted, window)
        return found

    def _expect(self, group: Members, numbers: Iterable[int]) -> None:
        """Tell the file which row groups are read next."""
        self.reader.expect(group.header.first_section + number for number in numbers)

    def _kept_pieces(self, group: Members, number: int) -> Sequence[Piece]:
        """Return the pieces of one row group, which stay where there is room."""
        return self._pieces.get((group.number, number), lambda: self.pieces(group, number))

    def pieces(self, group: Members, number: int) -> Sequence[Piece]:
        """Return the decoded pieces of one row group."""
        with ONE_THREAD, np.errstate(all="ignore"):  # NaN are data here
            return self._decode(group, number)

    def _decode(self, group: Members, number: int) -> Sequence[Piece]:
        header = group.header
        payload = self.reader.section(header.first_section + number, b"ROWS")
        first, last = group.slabs(number)
        coder = self.coder(group)
        if coder is not None:
            if not payload:
                raise Corrupt(f"row group {number} of group {group.number} is empty")
            return coder.at_fine_step(payload[0]).decode(memoryview(payload)[1:], first, last)
        kind = unsigned(header.dtype)
        with damaged("a row group"):
            floating = header.dtype in FLOATS
            numbers = exact.decode(payload, last - first, kind.itemsize, floating)
        return pieces_of(group, number, numbers)


def pieces_of(group: Members, number: int, elements: np.ndarray) -> Sequence[Piece]:
    """Return the pieces of a row group that is coded bit for bit, given its elements."""
    first, last = group.slabs(number)
    if group.elements is not None:
        return [RowElements(elements, group.elements, first)]
    pieces, starts = [], group.starts
    for i in group.tensors(number):
        low, high = max(int(starts[i]), first), min(int(starts[i + 1]), last)
        if low < high:
            mine = elements[low - first : high - first]
            pieces.append(ElementRange(mine, i, low - int(starts[i]), high - int(starts[i])))
    return pieces


def _numbers(coder: RowGroupCoder) -> int:
    """Return an estimate of the numbers that a coder holds."""
    matrices = sum(part.transform.numbers for part in coder.parts.values())
    return matrices + sum(part.scales.size for part in coder.parts.values())


def _bytes(pieces: Sequence[Piece]) -> int:
    return sum(piece.values.nbytes for piece in pieces)
