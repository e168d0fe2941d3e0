"""The latents of an array; entries that put it into the sample domain alike share them."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ...coding.message_entry import MessageGrid
from ...coding.parts.base import PartCoder, Sizes
from ...coding.row_group import RowGroupCoder
from ...modes.context.scalar import ContextCoder
from .latents import Latents
from .neighbours import Bounds, MapLatents, Maps
from .values import Values

Classes = list[tuple[bool, Latents | Maps]]  # of blocks, and whether they are of prefix tokens


@dataclass
class Shared:
    """The values of an array, and its latents in the sample domain."""

    values: Values
    _maps: dict[tuple, MapLatents] = field(default_factory=dict)

    def latents(self, coder: RowGroupCoder, grid: MessageGrid) -> Classes:
        """Return the latents of each class of blocks for the coder of an entry."""
        return [(of[0], self._of_class(coder, grid, of)) for of in grid.classes]

    def _of_class(
        self, coder: RowGroupCoder, grid: MessageGrid, of: tuple[bool, Sizes]
    ) -> Latents | Maps:
        part = coder.parts[of[0]]
        if not isinstance(part, ContextCoder):
            return Latents(self._transformed(coder, grid, of), of[1])
        assert part.transform.centre is not None
        centre = part.transform.centre.tobytes()
        key = grid.layout, grid.block, of, coder.values, coder.clamp, centre
        if key not in self._maps:
            latents = self._transformed(coder, grid, of)
            bounds = _bounds(coder, part, latents.shape[-1])
            self._maps[key] = MapLatents(latents, of[1], bounds)
        return Maps(self._maps[key])

    def _transformed(
        self, coder: RowGroupCoder, grid: MessageGrid, of: tuple[bool, Sizes]
    ) -> np.ndarray:
        some = grid.collect(grid.classes[of], lambda _: self._filled, lambda a: a)
        aligned = coder.values.forward(some.astype(coder.compute_dtype, copy=False))
        return coder.parts[of[0]].transform.forward(aligned, of[1])

    @cached_property
    def _filled(self) -> np.ndarray:
        return self.values.filled()


def _bounds(coder: RowGroupCoder, part: PartCoder, blocks: int) -> Bounds | None:
    """Return the bounds of latents in the sample domain; None where they are not clamped."""
    if not coder.clamp:
        return None
    values = coder.values
    low, high = ((bound - values.mean) / values.std for bound in (values.lower, values.upper))
    assert part.transform.centre is not None
    centre = np.repeat(part.transform.centre.reshape(-1), blocks)
    return low - centre, high - centre
