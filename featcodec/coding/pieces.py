"""Decoded pieces of a row group: values, and their places in tensors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..align.grids import Box, GroupGrid, Window

# The number of a tensor in its group to its array of stored elements; None when it is not wanted.
Targets = Callable[[int], np.ndarray | None]
# The same of another source: an array, or an object whose slices NumPy converts.
Origins = Callable[[int], Any]


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
        return replace(self, boxes=[box.moved(window.axis, window.shift) for box in self.boxes])

    def original(self, origins: Origins) -> np.ndarray:
        """Return the values of another source in these places."""
        return self.grid.collect(self.boxes, origins, lambda stored: stored)


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
            flat = target.reshape(-1)
            flat[self.low : self.high] = self.values.view(flat.dtype)

    def within(self, window: Window) -> "ElementRange":
        return replace(self, low=self.low - window.shift, high=self.high - window.shift)

    def original(self, origins: Origins) -> np.ndarray:
        return np.asarray(origins(self.number).reshape(-1)[self.low : self.high])


Piece = Blocks | ElementRange
