"""A tensor group as the encoder sees it: tensors, samples of them, their stats."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...align.gains import Gains, scales_of
from ...align.grids import Box, GroupGrid
from ...align.layout import Layout
from ...align.numbers import elements_of, to_float, unsigned
from ...align.reduced import ReducedGrid
from ...align.repeats import Rows
from ...align.slices import SliceGains
from ...align.stacks import StackedGrid, Stacks
from ...coding.parts.base import Sizes
from ...coding.refinement import Refinement
from ...request import Quality
from ...tensors import Tensor
from .repeats import find

CHUNK = 1 << 21
GOLDEN = (5**0.5 - 1) / 2  # the fractions of its multiples are spread evenly
RUNS = 64  # a sample is taken from so many places
LEAST_RUNS, LARGER = 4, 4  # one place says little of all: so many are, in a sample so much larger
PROBE = 64  # tokens that are looked at before all
# Of a channel of zeros: a list takes three bytes for it, and its symbols hardly more. Of one map of
# 1,280 x 7 x 7 a list of 316 channels was a quarter of the file.
LISTED = 1 << 10


@dataclass(frozen=True)
class Group:
    """Tensors that share element type, layout, channels and statistics, in the dump's order."""

    dtype: str
    architecture: str
    layout: Layout
    names: Sequence[str]
    shapes: Sequence[tuple[int, ...]]
    tensor: Callable[[int], np.ndarray]  # stored elements of tensor i, read when touched
    label: str  # model and layer, from the metadata
    told: str = ""  # the name with the numbers that tell its tensors from others of its kind
    wide: bool = False  # values whose squares single precision does not hold
    quality: Quality | None = None  # asked for by name, instead of that of the file
    rows: Rows | None = None  # with repeated ones, which are left out of what is coded
    constants: tuple[tuple[int, int], ...] = ()  # channels, each of one stored element all over
    gains: Gains | None = None  # that tokens are divided by before they are coded
    truncated: Refinement | None = None  # what truncates all elements before they are looked at
    slices: SliceGains | None = None  # that samples are divided by
    stacks: Stacks | None = None  # of tensors that are coded as one
    cut_as: Layout | None = None  # the layout of the tensors of which these are `parts`
    parts: Sequence[Tensor] = ()
    trimmed: bool = False  # tensors whose padding was cut off, and that need not lie at one go
    reading: int = 0  # why the layout is this, of READINGS
    layered: Layout | None = None  # with layers side by side, that are not in the layout
    expected: int = 1  # times the values that there are will come in all, to be coded alike

    def written_as(self, axes: str) -> "Group":
        """Return the group in the layout of these axes, in which it was written."""
        if self.layered is None or axes == self.layout.axes:
            return self
        return replace(self, layout=self.layered, layered=None)

    @property
    def channels(self) -> int:
        """Return how many a token has; of stacks those of all their tensors."""
        each = self.layout.token_grid(self.shapes[0])[-1]
        return each if self.stacks is None else each * self.stacks.count

    @property
    def first(self) -> str:
        """Return the name of the first tensor, or of that of which the first part is."""
        return self.parts[0].of if self.parts else self.names[0]

    @property
    def in_pieces(self) -> bool:
        """Whether parts are what padding leaves of tensors, and not layers or heads."""
        return bool(self.parts) and self.cut_as is not None and not self.cut_as.cuts

    @property
    def values(self) -> int:
        """Return the number of values that are expected to be coded."""
        return self.expected * self.present

    @property
    def present(self) -> int:
        """Return the number of values that are coded now."""
        if self.rows is not None:
            return self.rows.kept_values
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def counted(self) -> int:
        """Return the number of values that an SNR counts, of repeated rows as often as they are."""
        if self.rows is None:
            return self.values
        sizes = np.array([math.prod(shape) for shape in self.rows.shapes])
        return int(sizes[self.rows.tensor_of(self.rows.kept)] @ self.rows.counts)

    @cached_property
    def without_repeats(self) -> "Group | None":
        """The group without repeated rows, if there are such; zeros of both signs are one."""
        rows = self._repeated(signed=False)
        return None if rows is None else replace(self, rows=rows)

    @cached_property
    def bit_for_bit(self) -> "Group":
        """The group as it is coded bit for bit, without rows that are repeated so."""
        plain = replace(self, constants=(), gains=None, slices=None)  # of lossy coding alone
        return replace(plain, rows=self._repeated(signed=True))

    def _repeated(self, signed: bool) -> Rows | None:
        if self.stacks is not None:
            return None
        return find(self.dtype, [self.layout], self.shapes, self.tensor, signed=signed)

    @cached_property
    def with_constants(self) -> "Group":
        """The group with its constant channels, those of one element in all rows that vary.

        Refinement knows no such. Few zeros take less as symbols than in a list.
        """
        if self.truncated is not None or self.channels < 2:
            return self
        grid, kind = self.grid(tuple(1 for _ in self.grids[0])), unsigned(self.dtype)
        candidates: np.ndarray | None = None
        elements = np.zeros(0, kind)
        for tokens in self._tokens():
            found = tokens.reshape(-1, grid.channels).view(kind)
            if candidates is None:
                candidates, elements = np.arange(grid.channels), found[0]
            for part in (found[:PROBE], found[PROBE:]):  # most channels vary at once
                alike = (part[:, candidates] == elements[candidates]).all(axis=0)
                candidates = candidates[alike]
            if not candidates.size:
                return self
        if candidates is None or candidates.size == grid.channels:
            return self
        few = self.present < LISTED * grid.channels
        listed = [c for c in candidates.tolist() if elements[c] or not few]
        constants = [(c, int(elements[c])) for c in listed]
        return replace(self, constants=tuple(constants))

    @cached_property
    def with_relative_gains(self) -> "Group":
        """The group with a gain for each row, from its norm."""
        scales = self.scales(relative=True)
        typical = float(np.median(scales[scales > 0])) if scales.any() else 1.0
        return replace(self, gains=Gains(typical, relative=True))

    def scales(self, relative: bool) -> np.ndarray:
        """Return the scales of all rows that vary."""
        found = [np.zeros(0)]
        for tokens in self._tokens():
            values = self.floats(tokens.reshape(-1, tokens.shape[-1]).T)
            found.append(scales_of(values, relative))
        return np.concatenate(found)

    @property
    def compute_dtype(self) -> str:
        return "float64" if self.wide or self.dtype == "F64" else "float32"

    @property
    def grids(self) -> list[Sizes]:
        """Return the distinct grids the tokens lie on."""
        if self.layout.grid:
            return [self.layout.grid]
        if self.rows is not None:
            return sorted({shape[1:-1] for shape in self.rows.reduced[1]})
        return sorted({self.layout.token_grid(shape)[1:-1] for shape in self.shapes})

    def grid(self, block: Sizes) -> GroupGrid:
        if self.rows is not None:
            return ReducedGrid(self.rows, block)
        if self.stacks is not None:
            return StackedGrid(self.layout, self.shapes, block, self.stacks)
        return GroupGrid(self.layout, self.shapes, block)

    def floats(self, stored: np.ndarray) -> np.ndarray:
        """Return stored elements as floating numbers of the type the group is worked in."""
        if self.truncated is not None:
            return self.truncated.floats(stored).astype(self.compute_dtype, copy=False)
        return to_float(stored, self.dtype).astype(self.compute_dtype, copy=False)

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield all values, repeated ones too, as flat float arrays of bounded size.

        They are divided by gains. Constant rows and channels show nothing of the others.
        """
        constant_rows = self.rows is not None and self.rows.runs.constants
        if self.constants or constant_rows or self.gains is not None:
            constant = [channel for channel, _ in self.constants]
            for tokens in self._tokens():
                values = self.floats(tokens.reshape(-1, tokens.shape[-1]).T)
                if self.gains is not None:
                    values = self.gains.divided(values)
                yield np.delete(values, constant, axis=0).ravel()
            return
        for i, shape in enumerate(self.shapes):
            array, size = self.tensor(i), math.prod(shape)
            for start in range(0, size, CHUNK):
                yield self.floats(elements_of(array, start, min(start + CHUNK, size)))

    def _tokens(self) -> Iterator[np.ndarray]:
        """Yield stored elements (tokens..., channels) of all rows that vary, of bounded size."""
        if self.rows is not None:
            yield from self.rows.varying(self.tensor)
            return
        grid = self.grid(tuple(1 for _ in self.grids[0]))
        each = max(CHUNK // max(grid.largest_slab(), 1), 1)
        for first in range(0, grid.slabs, each):
            for boxes in grid.boxes(first, min(first + each, grid.slabs)).values():
                found = grid.collect(boxes, self.tensor, lambda stored: stored)
                yield np.moveaxis(found, 0, -1)

    def sample(
        self,
        block: Sizes,
        budget: int,
        disjoint: bool = False,
        centre: np.ndarray | None = None,
    ) -> tuple[dict[tuple[bool, Sizes], np.ndarray], float]:
        """Return about `budget` values, evenly spread, as arrays of blocks, and their share.

        A `disjoint` sample lies between the places of the other one, as far as there is room.
        Equal distances would hit one row of every map: each run lies somewhere in its part. Gains
        of slices divide distances from a centre (channels,), or from means where that is NaN.
        """
        grid, found = self.boxes(block, budget, disjoint)
        arrays = {
            key: grid.collect(boxes, self.tensor, self.floats) for key, boxes in found.items()
        }
        if self.gains is not None:
            arrays = {key: self.gains.divided(values) for key, values in arrays.items()}
        if self.slices is not None:
            centre = np.full(self.channels, np.nan) if centre is None else centre
            for key, values in arrays.items():
                self.slices.divide(values, grid, found[key], centre)
        return arrays, sum(a.size for a in arrays.values()) / self.values

    def boxes(
        self, block: Sizes, budget: int, disjoint: bool = False
    ) -> tuple[GroupGrid, dict[tuple[bool, Sizes], list[Box]]]:
        """Return the grid, and the boxes of a sample of about `budget` values."""
        grid = self.grid(block)
        runs = [(0, grid.slabs)]
        if self.present > budget:
            length = max(round(grid.slabs * budget / self.present / RUNS), 1)
            fit = grid.slabs * budget / self.present / length
            count = max(min(round(fit), RUNS), min(int(LARGER * fit), LEAST_RUNS), 1)
            half = grid.slabs / count / 2
            within = (0.5 + np.arange(count) * GOLDEN) % 1 * max(half - length, 0)
            starts = (2 * np.arange(count) + disjoint) * half + within
            starts = np.unique(np.minimum(starts, grid.slabs - length).astype(int))
            runs = [(int(s), int(s) + length) for s in starts]
        found: dict[tuple[bool, Sizes], list[Box]] = {}
        for first, last in runs:
            for key, boxes in grid.boxes(first, last).items():
                found.setdefault(key, []).extend(boxes)
        return grid, found
