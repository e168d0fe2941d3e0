"""The tensors of a group: which row groups hold them, and where."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..align.grids import GroupGrid, Window
from ..align.numbers import STORED, unsigned
from ..align.reduced import ReducedElements, ReducedGrid, row_groups
from ..coding.from_header import elements_of, grid_of
from ..coding.profile import Profile
from ..container.group import GroupHeader
from ..container.index import TensorEntry
from ..elements import count
from ..errors import Corrupt


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
        self.places = {entry.key: i for i, entry in enumerate(entries)}
        self.grid: GroupGrid | None = None  # None: bit for bit, a slab is an element
        self.elements: ReducedElements | None = None  # of rows that are kept, bit for bit
        shapes, slabs = [entry.shape for entry in entries], header.slabs
        if header.lossy is not None:
            self.grid = grid_of(header.lossy, shapes, profile, header.repeats)
            slabs = self.grid.slabs
        elif header.repeats is not None:
            self.elements = elements_of(header.repeats, shapes)
            slabs = self.elements.count
        if slabs != header.slabs:
            stated = f"{header.slabs} slabs; its tensors have {slabs}"
            raise Corrupt(f"group {number} states {stated}")

    @cached_property
    def starts(self) -> np.ndarray:
        """The first slab of each tensor, then the number of all slabs."""
        if self.grid is not None:
            return self.grid.starts
        sizes = [elements(entry) for entry in self.entries]
        return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])

    @property
    def reduced(self) -> ReducedGrid | ReducedElements | None:
        """What is left of the tensors without repeated rows, if there are any."""
        return self.grid if isinstance(self.grid, ReducedGrid) else self.elements

    @property
    def constants(self) -> np.ndarray:
        """The stored elements of constant rows."""
        listed = self.header.repeats.constants if self.header.repeats else ()
        kind = unsigned(self.header.dtype)
        return np.array(listed, np.uint64).astype(kind).view(stored_type(self.header))

    @property
    def shaped(self) -> bool:
        """Whether values have places in tensors of their shapes, not in flat ones."""
        return self.grid is not None or self.elements is not None

    @property
    def per(self) -> int:
        """How many slabs a row group has; a header may state more than there are."""
        return min(self.header.slabs_per_row_group, max(self.header.slabs, 1))

    @cached_property
    def largest_slab(self) -> int:
        """The number of values of the largest slab; one coded bit for bit is an element."""
        return 1 if self.grid is None else self.grid.largest_slab()

    @cached_property
    def model_numbers(self) -> int:
        """How many numbers the matrices of the models have, unpacked."""
        lossy, grid = self.header.lossy, self.grid
        if lossy is None or grid is None:
            return 0
        models = [part.model for part in lossy.parts if part.model is not None]
        if self.profile is not None:
            entries = [part.entry for part in lossy.parts if part.model is None]
            models += [self.profile.entries[entry].model for entry in entries]
        return sum(model.numbers(grid.channels) for model in models)

    def slabs(self, number: int) -> tuple[int, int]:
        """Return the slabs first <= s < last of a row group."""
        first = number * self.per
        return first, min(first + self.per, self.header.slabs)

    def tensors(self, number: int) -> range:
        """Return the positions of the tensors with slabs in a row group."""
        first, last = self.slabs(number)
        low = int(np.searchsorted(self.starts, first, "right")) - 1
        return range(low, int(np.searchsorted(self.starts, last, "left")))

    def row_groups(self, i: int) -> Sequence[int]:
        """Return the row groups that hold values of a tensor."""
        per = self.per
        if self.reduced is not None:
            rows = slice(*self.reduced.rows.starts[i : i + 2])
            return row_groups(self.reduced.rows, self.reduced.spans, rows, per)
        start, end = self._slabs_of(i)
        return range(start // per, -(-end // per)) if start < end else ()

    def _slabs_of(self, i: int) -> tuple[int, int]:
        if self.grid is not None:
            return self.grid.slabs_of(i)
        return int(self.starts[i]), int(self.starts[i + 1])

    def around(self, i: int, first: int, last: int) -> tuple[Sequence[int], Window]:
        """Return the row groups that hold rows first <= i < last of a tensor's leading axis.

        Of that axis they decode a window; of one of elements, where a slab is an element.
        """
        entry, per = self.entries[i], self.per
        if self.reduced is not None:
            rows = self.reduced.rows
            wanted = rows.range_of(i, entry.shape, first, last)
            numbers = row_groups(rows, self.reduced.spans, wanted, per)
            return numbers, rows.window(i, entry.shape, wanted)
        start = self._slabs_of(i)[0]
        if self.grid is None:
            unit = elements(entry) // max(entry.shape[0], 1)
            low, high = start + first * unit, start + last * unit
        else:
            low, high = self.grid.slabs_of_rows(i, entry.shape, first, last)
        found = range(low // per, -(-high // per))
        slabs = found.start * per, found.stop * per
        if self.grid is not None:
            return found, self.grid.window(i, entry.shape, *slabs)
        begin, end = max(slabs[0] - start, 0), min(slabs[1] - start, elements(entry))
        return found, Window(begin, end, 0, begin)

    def edges(self, i: int) -> list[int]:
        """Return the rows of a tensor's leading axis at which what is decoded at once begins."""
        found, row, rows = [], 0, self.entries[i].shape[0]
        while row < rows:
            found.append(row)
            row = max(self._end(i, row), row + 1)
        return found

    def _end(self, i: int, row: int) -> int:
        """Return the row behind those that the row groups of a row hold."""
        window = self.around(i, row, row + 1)[1]
        unit = 1 if self.shaped else elements(self.entries[i]) // self.entries[i].shape[0]
        return window.last // max(unit, 1)


def stored_type(header: GroupHeader) -> np.dtype:
    """Return the type of the stored elements of a group."""
    return STORED[header.dtype] if header.lossy else unsigned(header.dtype)


def elements(entry: TensorEntry) -> int:
    """Return how many stored elements a tensor has."""
    return count(entry.dtype, entry.values)
