"""Builds the coder of a message from an entry of a profile, for both ends (SPEC §9.1)."""

import zlib
from dataclasses import dataclass, field, replace
from functools import cached_property

from .. import limits
from ..align.grids import Box, GroupGrid, Sizes
from ..align.layout import Layout, LayoutError
from ..align.value import ValueAlignment
from ..container.model import ProfileEntry
from ..errors import damaged
from ..modes.coder import CoderArguments
from ..modes.context.coder import Own, context_coder
from .from_header import FARTHEST
from .kept import Kept
from .message_head import DEPENDENT, UNCLAMPED, Head
from .model import GridModel
from .parts.at_once import AtOnceCoder, Runs
from .parts.base import PartCoder
from .parts.dependent import DependentCoder
from .profile import Profile
from .row_group import RowGroupCoder

KEPT_COEFFICIENTS = 1 << 22  # of the coding orders of an entry that are kept
KEPT_SHAPES = 64  # of arrays of an entry
KEPT_SCALES = 32  # of steps, whose coding orders along a trellis are kept


class MessageGrid(GroupGrid):
    """The blocks of one array, found once."""

    @cached_property
    def classes(self) -> dict[tuple[bool, Sizes], list[Box]]:
        return super().boxes(0, self.slabs)

    def boxes(self, first: int, last: int) -> dict[tuple[bool, Sizes], list[Box]]:
        return self.classes  # a message has one row group, of all slabs


@dataclass(frozen=True)
class Entry:
    """The unpacked entry of a grid, with that of its prefix tokens.

    What depends on it alone, or on it and the shape of an array, is made on first use and kept.
    Threads may share it.
    """

    number: int
    head: ProfileEntry
    grid: GridModel
    prefix: GridModel | None
    _grids: Kept[tuple[MessageGrid | None]] = field(
        default_factory=lambda: Kept(KEPT_SHAPES, lambda _: 1), compare=False
    )
    _parts: dict[tuple[str, bool], PartCoder] = field(default_factory=dict, compare=False)
    _trellis: Kept[PartCoder] = field(
        default_factory=lambda: Kept(KEPT_SCALES, lambda _: 1), compare=False
    )

    def grid_of(self, shape: tuple[int, ...]) -> MessageGrid | None:
        """Return the blocks of an array, with or without its sample axis; None: it does not fit."""
        return self._grids.get(shape, lambda: (self._grid_of(shape),))[0]

    def _grid_of(self, shape: tuple[int, ...]) -> MessageGrid | None:
        head, axes = self.head, self.head.layout
        if len(axes) == len(shape) + 1:
            axes = axes.replace("N", "", 1)
        try:
            layout = Layout(axes, head.prefix_tokens, head.grid)
            sizes = layout.token_grid(shape)
        except LayoutError:
            return None
        rank = len(layout.grid or sizes[1:-1])
        known = len(self.grid.block) == rank and (self.prefix is not None or not layout.prefix)
        if sizes[-1] != head.channels or not known:
            return None
        grid = MessageGrid(layout, [shape], self.grid.block)
        return grid if grid.largest_slab() <= limits.SLAB_VALUES else None

    def _part(self, dtype: str, prefix: bool) -> PartCoder:
        """Return the coder of the grid, or of prefix tokens, at a step of 1."""
        found = self._parts.get((dtype, prefix))
        if found is None:
            found = self._parts[dtype, prefix] = self._made(dtype, prefix)
        return found

    def _made(self, dtype: str, prefix: bool, dependent: bool = False, scale: int = 0) -> PartCoder:
        model = self.prefix if prefix else self.grid
        assert model is not None
        arguments = model.transform_in(dtype), model.scales, model.tables, 1.0, scale, dtype
        if isinstance(model.own, Own):
            positive = self.head.lower >= self.head.mean
            return context_coder(model.own, CoderArguments(*arguments), dependent, positive)
        if dependent:
            return DependentCoder(*arguments)
        orders: Kept[Runs] = Kept(KEPT_COEFFICIENTS, lambda runs: runs.numbers)
        return AtOnceCoder(*arguments, kept=orders)

    def part(self, dtype: str, prefix: bool, head: Head) -> PartCoder:
        """Return the coder of the grid, or of prefix tokens, at the step of a head."""
        scale = head.step_scale - min(max(head.shift, -FARTHEST), FARTHEST)
        if not head.flags & DEPENDENT:
            return replace(self._part(dtype, prefix), step=head.step, step_scale=scale)

        def make() -> PartCoder:
            with damaged("the entry of a message"):
                return self._made(dtype, prefix, True, scale)

        found = self._trellis.get((dtype, prefix, scale), make)
        return replace(found, step=head.step)

    def coder(
        self, grid: GroupGrid, head: Head, bounds: tuple[float, float], seed: int = 0
    ) -> RowGroupCoder:
        """Return the coder of a message."""
        dtype = "float64" if head.dtype == "F64" else "float32"
        parts = {
            prefix: self.part(dtype, prefix, head)
            for prefix in ((False, True) if grid.layout.prefix else (False,))
        }
        values = ValueAlignment(*bounds, self.head.mean, self.head.std)
        clamp = not head.flags & UNCLAMPED
        return RowGroupCoder(grid, head.dtype, values, clamp, dtype, parts, seed)

    def __str__(self) -> str:
        layout = Layout(self.head.layout, self.head.prefix_tokens, self.head.grid)
        return f"{layout} of {self.head.channels} channels"


def seed_of(packed: bytes, profile: Profile) -> int:
    """Return the seed that the bytes of a head determine."""
    return zlib.crc32(packed, profile.seed)


def entries_of(profile: Profile) -> list[Entry]:
    """Return the entries for grids."""
    found = []
    known = profile.entries_of(task=False)
    for number, head in known:
        if head.prefix:
            continue
        prefix = next(
            (
                GridModel.unpack(e.model, e.channels)
                for _, e in known
                if e.prefix
                and (e.name, e.channels, e.mean) == (head.name, head.channels, head.mean)
            ),
            None,
        )
        found.append(Entry(number, head, GridModel.unpack(head.model, head.channels), prefix))
    return found
