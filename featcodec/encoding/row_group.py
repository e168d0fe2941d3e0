"""A range of slabs of a group to the payload of a row group (SPEC §7.6, §7.7, §7.8)."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..align.numbers import to_float
from ..coding.exceptions import Exceptions
from ..coding.parts.base import Coded, Sizes, in_order
from ..coding.row_group import RowGroupCoder
from ..entropy import symbols
from ..entropy.tables import Table

Tensors = Callable[[int], np.ndarray]


@dataclass
class Distortion:
    """What coding a range of slabs changed, exceptions left out."""

    squared: float = 0.0
    task: float = 0.0  # squared, of latents in the metric of a task
    largest: float = 0.0
    exceptions: int = 0

    def add(self, other: "Distortion") -> None:
        """Take in that of further slabs."""
        self.squared += other.squared
        self.task += other.task
        self.largest = max(self.largest, other.largest)
        self.exceptions += other.exceptions


@dataclass
class RowGroupEncoder:
    """Codes the classes of blocks of one row group, one after the other.

    With `exceptions`, values beyond the bounds, non-finite ones and those that would err by more
    than `bound` are kept as they are; without, the caller knows that there are none. With
    `measured`, the distortion is that of the decoded values in their own type; without, that of
    the latents, which is the same up to correction and rounding to the type, or that of a task.
    """

    coder: RowGroupCoder
    exceptions: bool = False
    measured: bool = False
    bound: float = np.inf
    arrays: list[tuple[np.ndarray, Table]] = field(default_factory=list)
    pictures: bytes = b""
    kept: Exceptions = field(default_factory=Exceptions)
    distortion: Distortion = field(default_factory=Distortion)

    def encode(self, first: int, last: int, tensor: Tensors) -> tuple[bytes, Distortion]:
        """Return the payload of slabs first <= s < last, and what it changed."""
        grid = self.coder.grid
        for (prefix, sizes), boxes in grid.boxes(first, last).items():
            stored = grid.collect(boxes, tensor, lambda stored: stored)
            self._add(prefix, sizes, stored, grid.weights(boxes))
        self.distortion.exceptions = self.kept.count
        coded = symbols.encode(self.arrays, self.coder.seed)
        return self.kept.pack() + self.pictures + coded, self.distortion

    def _add(
        self, prefix: bool, sizes: Sizes, stored: np.ndarray, weights: np.ndarray | None
    ) -> None:
        """Code the blocks of a class, stored elements (channels, points, blocks).

        An error counts as often as its value occurs: by its weight (points, blocks).
        """
        coder, part = self.coder, self.coder.parts[prefix]
        values, outside = self._inside(stored)
        original = values.copy() if self.measured else None
        aligned = coder.values.forward(values)
        base = None
        if coder.base is not None:
            picture = np.ascontiguousarray(aligned[:, 0].T, np.float32)
            packed, decoded = coder.base.encode(picture)
            self.pictures += packed
            base = decoded.T[:, None].astype(coder.compute_dtype)
            aligned -= base
        coded, error = part.encode(aligned, sizes)
        self.arrays += [(found, part.table(number)) for number, found in coded]
        self.distortion.task += error * coder.values.std**2
        if original is None:
            self.distortion.squared += error * coder.values.std**2
            return
        change = self._change(prefix, sizes, coded, base, original)
        if self.exceptions:
            outside = np.union1d(outside, np.flatnonzero(~(change <= self.bound)))
            change.reshape(-1)[outside] = 0
        self.kept.add(outside, stored)
        if weights is None:
            self.distortion.squared += float(np.vdot(change, change))
        else:
            squares = np.square(change, dtype=np.float64).sum(axis=0)
            self.distortion.squared += float(np.vdot(squares, weights))
        self.distortion.largest = max(self.distortion.largest, float(change.max(initial=0)))

    def _inside(self, stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values as floats of their own, within the bounds, and where they were not."""
        coder = self.coder
        values = to_float(stored, coder.dtype)
        if values is stored and (self.exceptions or self.measured):
            values = stored.copy()
        values = values.astype(coder.compute_dtype, copy=False)
        outside = coder.values.outside(values) if self.exceptions else np.zeros(0, np.int64)
        if outside.size:
            flat = values.reshape(-1)
            nearest = np.clip(flat[outside], coder.values.lower, coder.values.upper)
            finite = np.isfinite(flat[outside])
            flat[outside] = np.where(finite, nearest, coder.values.mean)
        return values, outside

    def _change(
        self,
        prefix: bool,
        sizes: Sizes,
        coded: list[Coded],
        base: np.ndarray | None,
        original: np.ndarray,
    ) -> np.ndarray:
        """Return by how much decoded values differ from the original ones."""
        coder = self.coder
        part, blocks = coder.parts[prefix], original.shape[-1]
        back = coder.reconstruct(part, in_order(coded), sizes, blocks, base)
        change: np.ndarray = np.abs(to_float(back, coder.dtype) - original)
        return change
