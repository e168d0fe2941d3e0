"""Gains of tensors or samples: how much finer they are coded than others (SPEC §6.9).

One step serves a whole group. A tensor, layer or head weaker than the others would get less of the
quality that all have together; with a gain below 1 its errors are smaller by that factor.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .grids import Box, GroupGrid

PER_OCTAVE = 16
MOST_EXPONENT = 512  # sixteenths of an octave either way


@dataclass(frozen=True)
class SliceGains:
    """The exponents of gains, in sixteenths of an octave, and what they are of.

    >>> gains = SliceGains(False, np.array([[-16, 0], [16, 0]]))
    >>> gains.factors(np.array([1]), channels=4).ravel()
    array([2., 2., 1., 1.])
    """

    per_sample: bool
    exponents: np.ndarray  # (tensors, or samples of all tensors; equal runs of channels)

    @property
    def decibels(self) -> float:
        """By how many dB the mean square of the factors differs from 1.

        So much more SNR is to be asked for of divided values, against what those undivided vary.
        """
        return 10 * math.log10(np.exp2(2 * self.exponents / PER_OCTAVE).mean())

    def of_boxes(self, grid: GroupGrid, boxes: Sequence[Box]) -> np.ndarray:
        """Return the factors (channels, 1, blocks) of the values of boxes."""
        numbers = grid.samples(boxes) if self.per_sample else grid.tensors_of(boxes)
        return self.factors(numbers, grid.channels)

    def divide(
        self, values: np.ndarray, grid: GroupGrid, boxes: Sequence[Box], centre: np.ndarray
    ) -> None:
        """Divide the distances of values of boxes from centres (channels,), in place.

        From the mean of a channel where its centre is NaN.
        """
        finite = np.where(np.isfinite(values), values, 0)
        means = finite.mean(axis=(1, 2), keepdims=True)
        centre = centre.astype(values.dtype)[:, None, None]
        centre = np.where(np.isnan(centre), means, centre)
        scale(values, 1 / self.of_boxes(grid, boxes), centre)

    def factors(self, numbers: np.ndarray, channels: int) -> np.ndarray:
        """Return the factors (channels, 1, blocks) of blocks of some tensors or samples."""
        factors = np.exp2(self.exponents[numbers].T / PER_OCTAVE)
        found: np.ndarray = np.repeat(factors, channels // len(factors), axis=0)[:, None]
        return found


def scale(values: np.ndarray, factors: np.ndarray, centre: np.ndarray | None) -> None:
    """Multiply the distances of values (channels, points, blocks) from centres, in place."""
    if centre is not None:
        values -= centre
    values *= factors.astype(values.dtype)
    if centre is not None:
        values += centre
