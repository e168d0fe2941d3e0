"""The slices of a group that one SNR is to hold for: tensors, layers and heads."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import limits
from ..align.layout import CHANNEL, SAMPLE, Layout
from ..align.slices import SliceGains
from .tensors.group import Group

MOST_INDICES = 64  # of an axis of layers or heads
LEAST_SLICE = 32  # values of a slice on average: by chance an SNR of fewer is off by 1 dB
LEAST_WIDTH = 16  # channels of a head: fewer may be a row of a map that nobody says to be one


@dataclass(frozen=True)
class Slices:
    """What the slices of a group are: tensors, and the indices of axes of layers and heads.

    Those are sample axes behind the first, and the first of several channel axes. Samples are of
    some slice, and so are channels; a pair of both numbers is one slice. A whole is a tensor, a
    stack, or all that padding leaves of either.
    """

    of_samples: np.ndarray  # the number of each sample of all tensors, in order
    of_channels: np.ndarray  # the number of each channel
    firsts: np.ndarray  # the number of the first slice of each whole, then that of all
    wholes: np.ndarray  # the whole that each tensor, or stack, is of

    @classmethod
    def of(cls, group: Group) -> "Slices":
        """Return those of a group."""
        layout, stacks, wholes = group.layout, group.stacks, _wholes(group)
        shapes = group.shapes if stacks is None else stacks.firsts(group.shapes)
        mine = [_numbers(layout, shape) for shape in shapes]
        counts = np.zeros(wholes[-1] + 1, np.int64)
        np.maximum.at(counts, wholes, [int(each.max(initial=0)) + 1 for each in mine])
        firsts = np.concatenate([[0], np.cumsum(counts)])
        numbers = [firsts[whole] + each for whole, each in zip(wholes, mine, strict=True)]
        heads = _heads(layout, group.shapes[0])
        if stacks is not None:  # each tensor of a stack has slices of its own
            heads = np.concatenate([heads + i * (heads[-1] + 1) for i in range(stacks.count)])
        return cls(np.concatenate(numbers), heads, firsts, wholes)

    @property
    def per_sample(self) -> bool:
        """Whether samples of one tensor are of several slices."""
        return int(self.firsts[-1]) > len(self.firsts) - 1

    @property
    def gains(self) -> int:
        """How many gains it takes to have one for each slice."""
        return (len(self.of_samples) if self.per_sample else len(self.wholes)) * self.counts[1]

    def count_apart(self, values: int) -> bool:
        """Return whether there are several, of so many values together that each has an SNR."""
        return 1 < math.prod(self.counts) <= values / LEAST_SLICE and self.gains <= limits.SLICES

    def exponents_of(self, gains: SliceGains) -> np.ndarray:
        """Return the exponents (slices of samples, of channels) of gains."""
        found = np.zeros(self.counts, np.int64)
        found[self._of] = gains.exponents
        return found

    def with_exponents(self, exponents: np.ndarray) -> SliceGains:
        """Return gains of exponents (slices of samples, of channels)."""
        return SliceGains(self.per_sample, exponents[self._of])

    @property
    def _of(self) -> np.ndarray:
        """The slice of samples that each gain is of."""
        return self.of_samples if self.per_sample else self.wholes

    @cached_property
    def counts(self) -> tuple[int, int]:
        """How many slices there are by samples, and by channels."""
        return int(self.firsts[-1]), int(self.of_channels.max()) + 1


def _wholes(group: Group) -> np.ndarray:
    """Return the whole that each tensor, or stack, of a group is of, in ascending order."""
    count = 1 if group.stacks is None else group.stacks.count
    numbers = np.arange(len(group.names) // count)
    if not group.in_pieces:
        return numbers
    stacks = group.stacks
    firsts = (i if stacks is None else stacks.member(i, 0) for i in range(len(numbers)))
    names = [group.parts[i].of for i in firsts]
    place = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([place[name] for name in names])


def index_of(layout: Layout, shape: tuple[int, ...], sample: int, channel: int) -> str:
    """Return the index by which NumPy names a slice of a tensor, from its two numbers there.

    >>> index_of(Layout("NCLD"), (1, 4, 20, 8), 0, 3)
    '[:, 3]'
    """
    found = [":"] * len(shape)
    samples = [axis for axis, letter in enumerate(layout.axes) if letter == SAMPLE]
    lengths = [shape[axis] for axis in samples[1:]]
    if len(samples) > 1 and math.prod(lengths) <= MOST_INDICES:
        for axis, at in zip(samples[1:], np.unravel_index(sample, lengths), strict=True):
            found[axis] = str(at)
    channels = [axis for axis, letter in enumerate(layout.axes) if letter in CHANNEL]
    if len(channels) > 1 and shape[channels[0]] <= MOST_INDICES:
        found[channels[0]] = str(channel)
    while found and found[-1] == ":":
        del found[-1]
    return f"[{', '.join(found)}]" if found else ""


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
    if len(lengths) < 2 or lengths[0] > MOST_INDICES or channels < LEAST_WIDTH * lengths[0]:
        return np.zeros(channels, np.int64)
    return np.arange(channels) // (channels // lengths[0])
