"""A range of slabs of a group to the payload of a row group (SPEC §7.6, §7.7, §7.8)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..align.gains import Gains, factors
from ..align.grids import Box
from ..align.numbers import to_float, unsigned
from ..align.slices import scale
from ..coding.exceptions import Exceptions
from ..coding.parts.base import Sizes, in_order
from ..coding.pieces import Blocks
from ..coding.row_group import RowGroupCoder
from ..container.wire import Builder
from ..entropy import integers, symbols
from ..entropy.tables import Table

Tensors = Callable[[int], np.ndarray]


@dataclass
class Distortion:
    """What coding a range of slabs changed, exceptions left out."""

    squared: float = 0.0  # each value's divided by the gain of its token
    of_values: float = 0.0  # the same as they are, where there are gains
    relative: float = 0.0  # of each row over its squared norm, where every row has a gain
    rows: float = 0.0  # how many these are
    task: float = 0.0  # squared, of latents in the metric of a task
    largest: float = 0.0
    exceptions: int = 0

    def add(self, other: "Distortion") -> None:
        """Take in that of further slabs."""
        self.squared += other.squared
        self.of_values += other.of_values
        self.relative += other.relative
        self.rows += other.rows
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
    gains: Gains | None = None
    exponents: list[np.ndarray] = field(default_factory=list)  # of the gains
    arrays: list[tuple[np.ndarray, Table]] = field(default_factory=list)
    pictures: bytes = b""
    kept: Exceptions = field(default_factory=Exceptions)
    distortion: Distortion = field(default_factory=Distortion)
    refined: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    see: Callable[[Blocks], None] | None = None  # is shown blocks as they decode, when measured

    def encode(self, first: int, last: int, tensor: Tensors) -> tuple[bytes, Distortion]:
        """Return the payload of slabs first <= s < last, and what it changed."""
        grid = self.coder.grid
        for (prefix, sizes), boxes in grid.boxes(first, last).items():
            stored = grid.collect(boxes, tensor, lambda stored: stored)
            self._add(prefix, sizes, stored, boxes)
        self.distortion.exceptions = self.kept.count
        coded = symbols.encode(self.arrays, self.coder.seed)
        packed = self.kept.pack() + self._packed_gains() + self.pictures + self._refinement()
        return packed + coded, self.distortion

    def _packed_gains(self) -> bytes:
        out = Builder()
        if self.gains is not None:
            exponents = [found.ravel() for found in self.exponents]
            out.blob(integers.pack(np.concatenate(exponents)) if exponents else b"")
        return bytes(out)

    def _refinement(self) -> bytes:
        """Return what makes elements of truncated ones, in a refined group."""
        if self.coder.refinement is None:
            return b""
        kind = unsigned(self.coder.dtype)
        pairs = zip(*self.refined, strict=True) if self.refined else ([], [])
        multiples, numbers = (np.concatenate([np.zeros(0, kind), *arrays]) for arrays in pairs)
        out = Builder()
        out.blob(self.coder.refinement.pack(multiples, numbers))
        return bytes(out)

    def _add(self, prefix: bool, sizes: Sizes, stored: np.ndarray, boxes: Sequence[Box]) -> None:
        """Code the blocks of a class, stored elements (channels, points, blocks).

        An error counts as often as its value occurs: by its weight (points, blocks).
        """
        coder, part, weights = self.coder, self.coder.parts[prefix], self.coder.grid.weights(boxes)
        exponents = None
        if self.gains is not None:
            exponents = self.gains.exponents(to_float(stored, coder.dtype))
            self.exponents.append(exponents)
        values, outside = self._inside(stored, exponents)
        original = values.copy() if self.measured else None
        aligned = coder.values.forward(values)
        base = None
        if coder.base is not None:
            picture = np.ascontiguousarray(aligned[:, 0].T, np.float32)
            packed, decoded = coder.base.encode(picture)
            self.pictures += packed
            base = decoded.T[:, None].astype(coder.compute_dtype)
            aligned -= base
        of_slices = coder.of_slices(boxes)
        if of_slices is not None:
            scale(aligned, 1 / of_slices, part.transform.centre)
        coded, error = part.encode(aligned, sizes)
        self.arrays += [(found, part.table(number)) for number, found in coded]
        self.distortion.task += error * coder.values.std**2
        if original is None:
            self.distortion.squared += error * coder.values.std**2
            return
        blocks = original.shape[-1]
        back = coder.reconstruct(part, in_order(coded), sizes, blocks, base, exponents, of_slices)
        if exponents is not None:
            original = original * factors(exponents, original.dtype)
        change = np.abs(coder.floats(back) - original)
        change[list(coder.constants)] = 0
        if self.exceptions:
            outside = np.union1d(outside, np.flatnonzero(~(change <= self.bound)))
            change.reshape(-1)[outside] = 0
        self.kept.add(outside, stored)
        if coder.refinement is not None:
            self._refine(back, stored, outside)
        if self.see is not None:
            shown = back.copy()
            shown.reshape(-1)[outside] = stored.reshape(-1)[outside]  # as exceptions are put back
            self.see(Blocks(shown, coder.grid, boxes))
        self.distortion.largest = max(self.distortion.largest, float(change.max(initial=0)))
        if self.gains is not None and self.gains.relative:
            self._add_rows(stored, change, weights)
        if exponents is not None:
            self.distortion.of_values += _energy(change, weights)
            change /= factors(exponents, change.dtype)
        self.distortion.squared += _energy(change, weights)

    def _add_rows(self, stored: np.ndarray, change: np.ndarray, weights: np.ndarray | None) -> None:
        """Take in the errors of rows, each by its own norm; those of zeros have none.

        What is kept as it is, constant channels and values beyond the bounds, counts in the norm.
        """
        values = self.coder.floats(stored)
        finite = np.where(np.isfinite(values), values, 0)
        norms, errors = (np.square(a, dtype=np.float64).sum(axis=0) for a in (finite, change))
        each = (norms > 0) * (1.0 if weights is None else weights)
        self.distortion.relative += float(np.vdot(errors / np.where(norms > 0, norms, 1), each))
        self.distortion.rows += float(each.sum())

    def _inside(
        self, stored: np.ndarray, exponents: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return values as floats of their own, within the bounds, and where they were not.

        They are divided by their gains.
        """
        coder = self.coder
        values = coder.floats(stored)
        if values is stored and (self.exceptions or self.measured):
            values = stored.copy()
        values = values.astype(coder.compute_dtype, copy=values is stored and bool(coder.constants))
        if exponents is not None:
            values = values / factors(exponents, values.dtype)
        for channel in coder.constants:
            values[channel] = coder.values.mean
        outside = coder.values.outside(values) if self.exceptions else np.zeros(0, np.int64)
        if outside.size:
            flat = values.reshape(-1)
            nearest = np.clip(flat[outside], coder.values.lower, coder.values.upper)
            finite = np.isfinite(flat[outside])
            flat[outside] = np.where(finite, nearest, coder.values.mean)
        return values, outside

    def _refine(self, back: np.ndarray, elements: np.ndarray, outside: np.ndarray) -> None:
        """Take in elements and the multiples of the step that they decode to."""
        kind = unsigned(self.coder.dtype)
        numbers = elements.reshape(-1).view(kind).copy()
        numbers[outside] = 0  # are kept as they are
        self.refined.append((back.reshape(-1).view(kind), numbers))


def _energy(change: np.ndarray, weights: np.ndarray | None) -> float:
    """Return the squares of changes (channels, points, blocks), each as often as it occurs."""
    if weights is None:
        return float(np.vdot(change, change))
    squares = np.square(change, dtype=np.float64).sum(axis=0)
    return float(np.vdot(squares, weights))
