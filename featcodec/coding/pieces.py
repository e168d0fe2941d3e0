"""What a row group decodes to: values, and the places of tensors that they belong to."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..align.grids import Box, GroupGrid, Window
from ..align.reduced import ReducedElements

# The stored elements of a tensor of a group by its number, None where nobody wants them.
Targets = Callable[[int], np.ndarray | None]
# The same of another source, an array or what NumPy makes one of once it is cut.
Origins = Callable[[int], Any]
Pairs = Iterator[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Blocks:
    """Equal blocks of tensors that are coded with loss."""

    values: np.ndarray  # (channels, points, blocks) stored elements
    grid: GroupGrid
    boxes: Sequence[Box]

    def put(self, targets: Targets) -> None:
        """Write the values to their places."""
        self.grid.scatter(self.values, self.boxes, targets)

    def within(self, window: Window) -> "Blocks":
        """Return the same, with places counted from the first of a window."""
        grid, boxes = self.grid.within(self.boxes, window)
        return replace(self, grid=grid, boxes=boxes)

    def pairs(self, origins: Origins) -> Pairs:
        """Yield what another source of the tensors has in these places, and the values."""
        return self.grid.pairs(self.values, self.boxes, origins)


@dataclass(frozen=True)
class Run:
    """Elements low <= e < high of a tensor that is coded bit for bit."""

    values: np.ndarray  # unsigned integers
    number: int
    low: int
    high: int

    def put(self, targets: Targets) -> None:
        target = targets(self.number)
        if target is not None:
            flat = target.reshape(-1)
            flat[self.low : self.high] = self.values.view(flat.dtype)

    def within(self, window: Window) -> "Run":
        return replace(self, low=self.low - window.shift, high=self.high - window.shift)

    def pairs(self, origins: Origins) -> Pairs:
        yield np.asarray(origins(self.number).reshape(-1)[self.low : self.high]), self.values


@dataclass(frozen=True)
class Elements:
    """Elements of the kept rows of tensors that are coded bit for bit."""

    values: np.ndarray  # unsigned integers
    reduced: ReducedElements
    first: int  # of the elements of all kept rows
    window: Window | None = None

    def put(self, targets: Targets) -> None:
        self.reduced.put(self.values, self.first, targets, self.window)

    def within(self, window: Window) -> "Elements":
        return replace(self, window=window)

    def pairs(self, origins: Origins) -> Pairs:
        return self.reduced.pairs(self.values, self.first, origins)


Piece = Blocks | Run | Elements
