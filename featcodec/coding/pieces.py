"""Decoded pieces of a row group: values, and their places in tensors."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..align.grids import Box, GroupGrid, Window
from ..align.numbers import elements_of
from ..align.reduced import ReducedElements

# The number of a tensor in its group to its array of stored elements; None when it is not wanted.
Targets = Callable[[int], np.ndarray | None]
# The same of another source: an array, or an object whose slices NumPy converts.
Origins = Callable[[int], Any]
Pairs = Iterator[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Blocks:
    """Blocks of equal size of tensors coded with loss."""

    values: np.ndarray  # (channels, points, blocks) stored elements
    grid: GroupGrid
    boxes: Sequence[Box]

    def put(self, targets: Targets) -> None:
        """Write the values to their places."""
        self.grid.scatter(self.values, self.boxes, targets)

    def within(self, window: Window) -> "Blocks":
        """Return the blocks with places counted from the start of a window."""
        grid, boxes = self.grid.within(self.boxes, window)
        return replace(self, grid=grid, boxes=boxes)

    def pairs(self, origins: Origins) -> Pairs:
        """Yield the values of another source in these places, and the decoded ones."""
        return self.grid.pairs(self.values, self.boxes, origins)


@dataclass(frozen=True)
class ElementRange:
    """Elements low <= e < high of a tensor coded bit for bit."""

    values: np.ndarray  # unsigned integers
    number: int
    low: int
    high: int

    def put(self, targets: Targets) -> None:
        target = targets(self.number)
        if target is not None:
            flat = target.reshape(-1) if target.flags.c_contiguous else target.flat
            flat[self.low : self.high] = self.values.view(target.dtype)

    def within(self, window: Window) -> "ElementRange":
        return replace(self, low=self.low - window.shift, high=self.high - window.shift)

    def pairs(self, origins: Origins) -> Pairs:
        yield elements_of(origins(self.number), self.low, self.high), self.values


@dataclass(frozen=True)
class RowElements:
    """Elements of the kept rows of tensors that are coded bit for bit."""

    values: np.ndarray  # unsigned integers
    reduced: ReducedElements
    first: int  # of the elements of all kept rows
    window: Window | None = None

    def put(self, targets: Targets) -> None:
        self.reduced.put(self.values, self.first, targets, self.window)

    def within(self, window: Window) -> "RowElements":
        return replace(self, window=window)

    def pairs(self, origins: Origins) -> Pairs:
        return self.reduced.pairs(self.values, self.first, origins)


Piece = Blocks | ElementRange | RowElements
