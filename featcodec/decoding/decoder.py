"""Decodes tensors of a file, whole or by a range of the leading axis."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ..align.grids import GroupGrid, Window
from ..align.numbers import STORED, unsigned
from ..coding.from_header import grid_of, row_group_coder
from ..coding.kept import Kept
from ..coding.pieces import ElementRange, Piece
from ..coding.profile import Profile
from ..coding.row_group import RowGroupCoder
from ..container.group import GroupHeader
from ..container.index import TensorEntry
from ..container.reader import Reader
from ..elements import FLOATS, count
from ..entropy import exact
from ..errors import Corrupt, ProfileMissing, damaged

KEPT_NUMBERS = 1 << 26  # numbers of models in the cache


class Members:
    """The tensors of one group, and their slabs."""

    def __init__(
        self,
        number: int,
        header: GroupHeader,
        entries: list[TensorEntry],
        profile: Profile | None,
    ) -> None:
        """Raise Corrupt when header and tensors disagree; no model is unpacked."""
        self.number = number  # of the group
        self.header = header
        self.entries = entries
        self.profile = profile
        self.places = {entry.name: i for i, entry in enumerate(entries)}
        self.grid: GroupGrid | None = None  # None: bit for bit, a slab is an element
        if header.lossy is not None:
            self.grid = grid_of(header.lossy, [entry.shape for entry in entries], profile)
            if self.grid.slabs != header.slabs:
                stated = f"{header.slabs} slabs; its tensors have {self.grid.slabs}"
                raise Corrupt(f"group {number} states {stated}")

    @cached_property
    def starts(self) -> np.ndarray:
        """The first slab of each tensor, then the number of all slabs."""
        if self.grid is not None:
            return self.grid.starts
        sizes = [_elements(entry) for entry in self.entries]
        return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])

    def slabs(self, number: int) -> tuple[int, int]:
        """Return the slabs first <= s < last of a row group."""
        first = number * self.header.slabs_per_row_group
        return first, min(first + self.header.slabs_per_row_group, self.header.slabs)

    def tensors(self, number: int) -> range:
        """Return the positions of the tensors with slabs in a row group."""
        first, last = self.slabs(number)
        low = int(np.searchsorted(self.starts, first, "right")) - 1
        return range(low, int(np.searchsorted(self.starts, last, "left")))


class Decoder:
    """Decodes tensors of an open file; caches only the models of its groups."""

    def __init__(self, reader: Reader, profiles: Sequence[Profile] = ()) -> None:
        """Raise ProfileMissing when the file needs a profile that is not among `profiles`."""
        self.reader = reader
        known: dict[bytes, Profile | None] = {profile.digest: profile for profile in profiles}
        self.profiles: list[Profile] = []
        for digest in reader.index.profiles:
            if digest not in known:
                known[digest] = Profile.built_in(digest)
            profile = known[digest]
            if profile is None:
                raise ProfileMissing(
                    f"{reader.name} needs the profile with SHA-256 {digest.hex()};"
                    " name its file with --profile"
                )
            self.profiles.append(profile)
        headers = reader.groups()
        members: list[list[TensorEntry]] = [[] for _ in headers]
        for tensor in reader.index.tensors:
            members[tensor.group].append(tensor)
        self.groups = [
            Members(number, headers[number], entries, self._profile(headers[number]))
            for number, entries in enumerate(members)
        ]
        self._coders: Kept[RowGroupCoder] = Kept(KEPT_NUMBERS, _numbers)

    def _profile(self, header: GroupHeader) -> Profile | None:
        number = None if header.lossy is None else header.lossy.profile
        return None if number is None else self.profiles[number]

    def _coder(self, group: Members) -> RowGroupCoder | None:
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
    ) -> None:
        """Decode whole tensors into the flat arrays of stored elements that `target` gives.

        Each row group is decoded once, whatever the number of tensors in it. `release` is called
        after each; written elements may then leave memory. `convert` turns elements of a type into
        those that are written.
        """
        names: dict[int, set[str]] = {}
        for entry in wanted:
            names.setdefault(entry.group, set()).add(entry.name)
        for position, chosen in sorted(names.items()):
            group = self.groups[position]

            def tensor(i: int, group: Members = group, chosen: set[str] = chosen) -> Any:
                entry = group.entries[i]
                if entry.name not in chosen:
                    return None  # in the same row group, but not wanted
                return target(entry).reshape(entry.shape if group.grid else -1)

            for number in range(group.header.row_groups):
                if any(group.entries[i].name in chosen for i in group.tensors(number)):
                    for piece in self.pieces(group, number):
                        if convert is not None:
                            values = convert(piece.values, group.header.dtype)
                            piece = replace(piece, values=values)
                        piece.put(tensor)
                    release()

    def rows(self, entry: TensorEntry, first: int, last: int) -> np.ndarray:
        """Return stored elements first <= i < last along the leading axis of a tensor.

        Only the row groups that hold them are decoded.
        """
        group = self.groups[entry.group]
        grid, per = group.grid, group.header.slabs_per_row_group
        mine = group.places[entry.name]
        start, unit = int(group.starts[mine]), 1
        if grid is None:
            unit = _elements(entry) // max(entry.shape[0], 1)
            low, high = start + first * unit, start + last * unit
        else:
            low, high = grid.slabs_of_rows(mine, entry.shape, first, last)
        numbers = range(low // per, -(-high // per))
        slabs = numbers.start * per, numbers.stop * per
        shape: tuple[int, ...] = ()
        if grid is None:
            begin, end = max(slabs[0] - start, 0), min(slabs[1] - start, _elements(entry))
            window = Window(begin, end, 0, begin)
        else:
            window, shape = grid.window(mine, entry.shape, *slabs), entry.shape[1:]
        found = np.zeros((max(window.last - window.first, 0), *shape), _stored(group.header))
        for number in numbers:
            for piece in self.pieces(group, number):
                piece.within(window).put(lambda i: found if i == mine else None)
        return found[first * unit - window.first : last * unit - window.first]

    def pieces(self, group: Members, number: int) -> Sequence[Piece]:
        """Return the decoded pieces of one row group."""
        with np.errstate(all="ignore"):  # NaN are data here
            return self._pieces(group, number)

    def _pieces(self, group: Members, number: int) -> Sequence[Piece]:
        header = group.header
        payload = self.reader.section(header.first_section + number, b"ROWS")
        first, last = group.slabs(number)
        coder = self._coder(group)
        if coder is not None:
            if not payload:
                raise Corrupt(f"row group {number} of group {group.number} is empty")
            return coder.at_fine_step(payload[0]).decode(memoryview(payload)[1:], first, last)
        kind = unsigned(header.dtype)
        with damaged("a row group"):
            floating, version = header.dtype in FLOATS, self.reader.version[0]
            numbers = exact.decode(payload, last - first, kind.itemsize, floating, version)
        pieces, starts = [], group.starts
        for i in group.tensors(number):
            low, high = max(int(starts[i]), first), min(int(starts[i + 1]), last)
            if low < high:
                mine = numbers[low - first : high - first]
                pieces.append(ElementRange(mine, i, low - int(starts[i]), high - int(starts[i])))
        return pieces


def _numbers(coder: RowGroupCoder) -> int:
    """Return an estimate of the numbers that a coder holds."""
    matrices = sum(part.transform.numbers for part in coder.parts.values())
    return matrices + sum(part.scales.size for part in coder.parts.values())


def _elements(entry: TensorEntry) -> int:
    return count(entry.dtype, entry.values)


def _stored(header: GroupHeader) -> np.dtype:
    return STORED[header.dtype] if header.lossy else unsigned(header.dtype)
