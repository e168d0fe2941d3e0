"""Groups whose elements are rounded within a bound on the error, then coded as they are (SPEC §5).

Few different elements are left, and exact coding makes use of their neighbours and repeats. So a
bounded group takes about the entropy of the integers of a uniform quantiser at most.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from ...align.numbers import STORED, elements_of, from_float, spacing, to_float, unsigned
from ...container.group import GroupHeader
from ...container.writer import Writer
from ..lossless import write_lossless
from ..tensors.group import CHUNK, Group
from ..tensors.lossless import LosslessGroup

SPARSE = 1 / 16  # of the bound: the distance of elements from which on cells are of whole ones


@dataclass(frozen=True)
class Rounding:
    """Rounds elements to the middles of the widest cells that keep every error within a bound."""

    dtype: str
    bound: float

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """Return elements (n,), unsigned integers, rounded where a middle is near enough."""
        stored = numbers.view(STORED[self.dtype]).copy()
        values = to_float(stored, self.dtype).astype(np.float64)
        wrong, cells = np.isfinite(values), self._cells(values)
        steps = np.rint(values / cells)
        # Across an octave, the nearest middle may be no element.
        for beside in (0.0, np.sign(values - steps * cells)):
            near = from_float((steps + beside) * cells + 0.0, self.dtype)
            hit = wrong & (np.abs(to_float(near, self.dtype) - values) <= self.bound)
            stored[hit] = near[hit]
            wrong &= ~hit
        return stored.view(unsigned(self.dtype))

    def _cells(self, values: np.ndarray) -> np.ndarray:
        """Return the widths of the cells that values lie in.

        Where elements lie sparsely, a cell has an odd number of them and its middle is one.
        """
        distance = spacing(values, self.dtype)
        whole = (2 * np.floor(self.bound / distance) + 1) * distance
        return np.where(distance > SPARSE * self.bound, whole, 2 * self.bound)

    def errors(self, stored: np.ndarray) -> np.ndarray:
        """Return by how much each stored element (n,) changes, float64."""
        rounded = self.of(stored.view(unsigned(self.dtype))).view(STORED[self.dtype])
        ours, theirs = (to_float(a, self.dtype).astype(np.float64) for a in (stored, rounded))
        return np.where(np.isfinite(ours), np.abs(ours - theirs), 0.0)


def write_rounded(writer: Writer, group: Group, bound: float) -> GroupHeader:
    """Write a group rounded within a bound; return its header, whose SNR is still infinite."""
    rounding = Rounding(group.dtype, bound)
    return write_lossless(writer, replace(LosslessGroup.of(group), rounded=rounding.of))


def error_of(group: Group, bound: float) -> tuple[float, float]:
    """Return the sum of the squares and the largest of the errors of a group that is rounded."""
    rounding, squared, largest = Rounding(group.dtype, bound), 0.0, 0.0
    for i, shape in enumerate(group.shapes):
        array, size = group.tensor(i), math.prod(shape)
        for start in range(0, size, CHUNK):
            errors = rounding.errors(elements_of(array, start, min(start + CHUNK, size)))
            squared += float(np.vdot(errors, errors))
            largest = max(largest, float(errors.max()))
    return squared, largest
