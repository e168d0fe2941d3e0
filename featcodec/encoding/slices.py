"""The slices of a group that one SNR is to hold for: tensors, layers and heads."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..align.layout import CHANNEL, SAMPLE, Layout
from .tensors.group import Group

MOST_INDICES = 64  # of an axis of layers or heads


@dataclass(frozen=True)
class Slices:
    """What the slices of a group are: tensors, and the indices of axes of layers and heads.

    Those are sample axes behind the first, and the first of several channel axes. Samples are of
    some slice, and so are channels; a pair of both numbers is one slice.
    """

    of_samples: np.ndarray  # the number of each sample of all tensors, in order
    of_channels: np.ndarray  # the number of each channel
    per_sample: bool  # else all samples of a tensor are of one slice

    @classmethod
    def of(cls, group: Group) -> "Slices":
        """Return those of a group."""
        layout, numbers, first, several = group.layout, [], 0, False
        for shape in group.shapes:
            mine = _numbers(layout, shape)
            numbers.append(first + mine)
            first += int(mine.max(initial=0)) + 1
            several |= bool(mine.any())
        return cls(np.concatenate(numbers), _heads(layout, group.shapes[0]), several)

    @cached_property
    def counts(self) -> tuple[int, int]:
        """How many slices there are by samples, and by channels."""
        return int(self.of_samples.max(initial=0)) + 1, int(self.of_channels.max()) + 1

    @cached_property
    def firsts(self) -> np.ndarray:
        """The first sample of each slice."""
        return np.unique(self.of_samples, return_index=True)[1]


def _numbers(layout: Layout, shape: tuple[int, ...]) -> np.ndarray:
    """Return the slices of the samples of a tensor."""
    lengths = [n for n, letter in zip(shape, layout.axes, strict=True) if letter == SAMPLE]
    inner = math.prod(lengths[1:])
    count = math.prod(lengths)
    if len(lengths) < 2 or inner > MOST_INDICES:
        return np.zeros(count, np.int64)
    return np.arange(count) % max(inner, 1)


def _heads(layout: Layout, shape: tuple[int, ...]) -> np.ndarray:
    """Return the slices of the channels."""
    lengths = [n for n, letter in zip(shape, layout.axes, strict=True) if letter in CHANNEL]
    channels = math.prod(lengths)
    if len(lengths) < 2 or lengths[0] > MOST_INDICES:
        return np.zeros(channels, np.int64)
    return np.arange(channels) // (channels // lengths[0])
