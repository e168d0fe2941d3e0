"""Gains of tensors or samples, and of channels: how much finer they are coded (SPEC §6.9).

One step serves a whole group. A tensor, layer or head weaker than the others would get less of the
quality that all have together; with a gain below 1 its errors are smaller by that factor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .grids import Box, GroupGrid

PER_OCTAVE = 16
MOST_EXPONENT = 512  # sixteenths of an octave either way


@dataclass(frozen=True)
class SliceGains:
    """The exponents of gains, in sixteenths of an octave, and what they are of.

    >>> SliceGains(False, np.array([-16]), np.array([0, 16])).factors(np.array([0])).ravel()
    array([0.5, 1. ])
    """

    per_sample: bool  # else for each tensor
    tensors: np.ndarray  # of each tensor, or of each sample of all tensors in order
    channels: np.ndarray

    def of_boxes(self, grid: GroupGrid, boxes: Sequence[Box]) -> np.ndarray:
        """Return the factors (channels, 1, blocks) of the values of boxes."""
        return self.factors(grid.samples(boxes) if self.per_sample else grid.tensors_of(boxes))

    def factors(self, numbers: np.ndarray) -> np.ndarray:
        """Return the factors (channels, 1, blocks) of blocks of some tensors or samples."""
        exponents = self.channels[:, None, None] + self.tensors[numbers]
        found: np.ndarray = np.exp2(exponents / PER_OCTAVE)
        return found


def scale(values: np.ndarray, factors: np.ndarray, centre: np.ndarray | None) -> None:
    """Multiply the distances of values (channels, points, blocks) from centres, in place."""
    if centre is not None:
        values -= centre
    values *= factors.astype(values.dtype)
    if centre is not None:
        values += centre
