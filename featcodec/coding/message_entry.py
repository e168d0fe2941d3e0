"""Builds the coder of a message from an entry of a profile, for both ends (SPEC §9.1)."""

import zlib
from dataclasses import dataclass, replace

from .. import limits
from ..align.grids import GroupGrid
from ..align.layout import Layout, LayoutError
from ..align.value import ValueAlignment
from ..container.model import ProfileEntry
from .from_header import FARTHEST
from .message_head import FIRST, UNCLAMPED, Head
from .model import GridModel
from .parts.base import PartCoder
from .profile import Profile
from .row_group import RowGroupCoder


@dataclass(frozen=True)
class Entry:
    """The unpacked entry of a grid, with that of its prefix tokens."""

    number: int
    head: ProfileEntry
    grid: GridModel
    prefix: GridModel | None

    def grid_of(self, shape: tuple[int, ...]) -> GroupGrid | None:
        """Return the blocks of an array, with or without its sample axis; None: it does not fit."""
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
        grid = GroupGrid(layout, [shape], self.grid.block)
        return grid if grid.largest_slab() <= limits.SLAB_VALUES else None

    def coder(self, grid: GroupGrid, head: Head, bounds: tuple[float, float]) -> RowGroupCoder:
        """Return the coder of a message, without its step and its seed."""
        compute_dtype = "float64" if head.dtype == "F64" else "float32"
        shift = min(max(head.shift, -FARTHEST), FARTHEST)
        parts = {
            prefix: PartCoder(
                model.transform_in(compute_dtype),
                model.scales + shift,
                model.tables,
                1.0,
                0,
                compute_dtype,
            )
            for prefix, model in ((False, self.grid), (True, self.prefix))
            if model is not None and (grid.layout.prefix or not prefix)
        }
        values = ValueAlignment(*bounds, self.head.mean, self.head.std)
        return RowGroupCoder(
            grid, head.dtype, values, not head.flags & UNCLAMPED, compute_dtype, parts
        )

    def __str__(self) -> str:
        layout = Layout(self.head.layout, self.head.prefix_tokens, self.head.grid)
        return f"{layout} of {self.head.channels} channels"


def at_head(coder: RowGroupCoder, head: Head, packed: bytes, profile: Profile) -> RowGroupCoder:
    """Return the coder at the step of a head, with the seed that the head determines."""
    parts = {
        prefix: replace(part, step=head.step, step_scale=head.step_scale, _orders={})
        for prefix, part in coder.parts.items()
    }
    seed = zlib.crc32(packed, profile.seed) if head.version > FIRST else profile.seed
    return replace(coder, parts=parts, seed=seed)


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
