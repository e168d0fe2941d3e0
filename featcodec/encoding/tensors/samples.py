"""Normalised samples of a tensor group, and what they show of its values."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ...align.grids import Box
from ...align.value import ValueAlignment, ValueStats
from ...coding.parts.base import Sizes
from ...container.model import ProfileEntry
from ...request import SampleSizes, Search
from .. import tuning
from ..fit.fitting import Classes
from .group import Group
from .sums import stats_of

LEAST_BLOCKS = 16  # in a sample, so that its scales hold for the rest
FEW = 1 << 8  # values show nothing
GLANCED = 1 << 23  # values of a group, of which not all are read to judge it
FEW_TOKENS = 16  # show no value to be frequent
# Of the variance of a group, below which a sample misses what is strong and is taken anew.
FAINT, GROWTH = 0.25, 2


def _modes(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the most frequent value of each channel (channels, n), and their share of all values.

    Zero where it is frequent, whatever else is; NaN where nothing is.
    """
    modes, count = np.full(len(values), np.nan), values.shape[1]
    if count < FEW_TOKENS:
        return modes, 0.0
    least = count * tuning.RARE
    zeros = np.count_nonzero(values == 0, axis=1)
    modes[zeros > least] = 0
    total = int(zeros[zeros > least].sum())
    others = np.flatnonzero(zeros <= least)
    ordered = np.sort(values[others], axis=1)
    # What is frequent is the same as what lies so far behind it.
    same = ordered[:, int(least) :] == ordered[:, : count - int(least)]
    perhaps = same.any(axis=1)
    for channel, row in zip(others[perhaps], ordered[perhaps], strict=True):
        different, counts = np.unique(row[np.isfinite(row)], return_counts=True)
        most = int(counts.max(initial=0))
        if most > least:
            modes[channel] = different[counts.argmax()]
            total += most
    return modes, total / max(values.size, 1)


@dataclass
class Samples:
    """A group, its spread, and samples of it in blocks of any size, each taken once.

    What samples show guides the choice; what the header states holds for the whole group.
    """

    group: Group
    search: Search
    glance: bool = False  # of a large group, samples show what all of it is like
    stats: ValueStats = field(init=False)

    def __post_init__(self) -> None:
        self.ones: Sizes = tuple(1 for _ in self.group.grids[0])
        self.channels = self.group.channels
        self.modes = np.full(self.channels, np.nan)
        arrays = self._varying(replace(self.group, slices=None))
        modes, repeated = _modes(np.concatenate([a.reshape(len(a), -1) for a in arrays], axis=1))
        constant = [channel for channel, _ in self.group.constants]
        self.modes[np.delete(np.arange(self.channels), constant)] = modes
        whole = not (self.glance and self.group.values > GLANCED)
        # Bounds are of values as they are, and what is frequent stays as it is: what is massive
        # might be none beside a tensor that is divided by a small gain.
        some = np.concatenate([a.ravel() for a in arrays])
        self.stats = stats_of(self.group, some, whole)
        if self.group.slices is not None:
            some = np.concatenate([a.ravel() for a in self._varying(self.group)])
        if not self.stats.moderate:
            self.group = replace(self.group, wide=True)
            some = some.astype(np.float64)
        self.std = self.stats.std if self.stats.std > 0 else 1.0
        self.zeros = bool(np.count_nonzero(some == 0) > some.size * tuning.RARE)
        self.sparse = self.zeros or repeated > tuning.RARE
        self.some = some
        self._samples: dict[tuple, tuple[dict[bool, Classes], float]] = {}

    def _varying(self, group: Group) -> list[np.ndarray]:
        """Return some values of the channels of a group that are not constant."""
        found, _ = group.sample(self.ones, self.sizes.trial, centre=self.modes)
        constant = [channel for channel, _ in group.constants]
        return [np.delete(a, constant, axis=0) for a in found.values()]

    @property
    def sizes(self) -> SampleSizes:
        """How many values are looked at."""
        return self.search.samples

    @cached_property
    def concentrated(self) -> bool:
        """Whether most values lie close together, as probabilities do, and few carry the variance.

        At a step of their own order such values are sparse, though none need be zero.
        """
        middle = np.median(self.some)
        near = np.abs(self.some - middle) < tuning.NEAR * self.std
        return self.sparse or bool(np.count_nonzero(near) > tuning.MOST_NEAR * self.some.size)

    @cached_property
    def saturating(self) -> bool:
        """Whether most values lie close to either bound, as those behind a tanh may.

        No basis serves those.
        """
        room = tuning.EDGE * (self.stats.upper - self.stats.lower)
        low = np.count_nonzero(self.some < self.stats.lower + room) / self.some.size
        high = np.count_nonzero(self.some > self.stats.upper - room) / self.some.size
        return bool(low + high > tuning.MOST_NEAR and min(low, high) > tuning.RARE)

    @property
    def varying(self) -> float:
        """The share of channels that are not constant: no other has an error, or counts in SNR."""
        return 1 - len(self.group.constants) / self.channels

    def near_bounds(self, distance: float) -> bool:
        """Return whether more than one in a hundred values lie so close to a bound."""
        low, high = self.stats.lower + distance, self.stats.upper - distance
        near = (self.some <= low) | (self.some >= high)
        return bool(np.count_nonzero(near) > self.some.size // 100)

    @property
    def saturation(self) -> float:
        """The magnitude of the bound other than 0 that most values of a sparse group saturate at.

        0 when there is none.
        """
        least = self.some.size * tuning.SATURATED
        found = {
            abs(bound): np.count_nonzero(at_bound)
            for bound, at_bound in (
                (self.stats.lower, self.some <= self.stats.lower),
                (self.stats.upper, self.some >= self.stats.upper),
            )
            if bound and self.zeros and np.count_nonzero(at_bound) > least
        }
        return max(found, key=found.__getitem__, default=0.0)

    @property
    def peaked(self) -> bool:
        """Whether one value other than 0 may occur so often that its rounding counts."""
        some = self.some[self.some != 0]
        _, counts = np.unique(some, return_counts=True)
        return some.size < FEW or bool(counts.max() > some.size * tuning.SATURATED)

    def alignment(self, entry: ProfileEntry | None = None) -> ValueAlignment:
        """Return the bounds of the group, and its normalisation or that of a profile's entry."""
        bounds = (self.stats.lower, self.stats.upper)
        if entry is None:
            return ValueAlignment(*bounds, self.stats.mean, self.std)
        return ValueAlignment(*bounds, entry.mean, entry.std)

    def variance_of(self, arrays: Iterable[np.ndarray]) -> float:
        """Return the variance of a normalised sample about its own mean; 0 of constants counts.

        A sample may lie where values are weak, at the borders of maps: what is compared on several
        samples has the SNR of each. Gains change it, but not the variance that SNRs are of.
        """
        if self.group.slices is not None:
            return self.varying
        return self._energy(arrays) or self.varying

    def _energy(self, arrays: Iterable[np.ndarray]) -> float:
        """Return the variance of a normalised sample about its own mean, 0 of constants."""
        constant = [channel for channel, _ in self.group.constants]
        varying = [np.delete(a, constant, axis=0) if constant else a for a in arrays]
        count = max(sum(a.size for a in varying), 1)
        mean = sum(float(a.sum(dtype=np.float64)) for a in varying) / count
        energy = sum(float(np.vdot(a, a)) for a in varying) / count - mean * mean
        return self.varying * max(energy, 0.0)

    def budget(self, block: Sizes, wanted: int, least: int = LEAST_BLOCKS, times: int = 1) -> int:
        """Return how many values a sample of about so many has, of at least so many blocks.

        Samples of which each value serves several bases may be so many `times` as large.
        """
        most = times * self.sizes.fit
        budget = min(max(wanted, least * self.channels * math.prod(block)), most)
        small = self.group.values <= times * self.sizes.whole
        return self.group.present if budget == most and small else budget

    def sample(
        self,
        block: Sizes,
        budget: int,
        values: ValueAlignment,
        least: int = LEAST_BLOCKS,
        disjoint: bool = False,
        times: int = 1,
        centre: np.ndarray | None = None,
    ) -> tuple[dict[bool, Classes], float]:
        """Return normalised samples by part, massive and non-finite values made harmless.

        They are of `least` blocks at least. What is fitted to a sample flatters it: a `disjoint`
        sample is for that. One that misses what is strong is taken anew, larger. Gains of slices
        divide distances from an aligned centre, as a coder has it; from means where it is not
        known yet.
        """
        budget = self.budget(block, budget, least, times)
        about = None
        if self.group.slices is not None and centre is not None:
            about = values.mean + values.std * centre
        at = None if about is None else about.tobytes()
        key = (block, budget, values.mean, values.std, disjoint, at)
        if key not in self._samples:
            found = self._sample(block, budget, values, disjoint, about)
            most = self.budget(block, times * self.sizes.fit, times=times)
            while budget < most and self._faint(found[0], values):
                budget = min(GROWTH * budget, most)
                found = self._sample(block, budget, values, disjoint, about)
            self._samples[key] = found
        return self._samples[key]

    def _sample(
        self,
        block: Sizes,
        budget: int,
        values: ValueAlignment,
        disjoint: bool,
        about: np.ndarray | None,
    ) -> tuple[dict[bool, Classes], float]:
        arrays, fraction = self.group.sample(block, budget, disjoint, about)
        parts: dict[bool, dict[Sizes, np.ndarray]] = {}
        for (prefix, sizes), a in arrays.items():
            parts.setdefault(prefix, {})[sizes] = self._aligned(a, values)
        return dict(parts), fraction

    def _faint(self, parts: Mapping[bool, Classes], values: ValueAlignment) -> bool:
        """Return whether a sample lies where values are far weaker than those of the group.

        Gains of slices make all values as strong.
        """
        arrays = (a for some in parts.values() for a in some.values())
        least = FAINT * self.varying * (self.std / values.std) ** 2
        return self.group.slices is None and self._energy(arrays) < least

    def at(
        self, block: Sizes, starts: Sequence[int], each: int, values: ValueAlignment
    ) -> dict[tuple[bool, Sizes], tuple[np.ndarray, np.ndarray]]:
        """Return normalised blocks of so many slabs each from some places on, and which place."""
        grid = self.group.grid(block)
        found: dict[tuple[bool, Sizes], tuple[list[Box], list[int]]] = {}
        for place, start in enumerate(starts):
            for key, boxes in grid.boxes(start, min(start + each, grid.slabs)).items():
                all_boxes, places = found.setdefault(key, ([], []))
                all_boxes += boxes
                places += [place] * sum(box.count for box in boxes)
        arrays = {}
        for key, (boxes, places) in found.items():
            some = grid.collect(boxes, self.group.tensor, self.group.floats)
            if self.group.gains is not None:
                some = self.group.gains.divided(some)
            arrays[key] = self._aligned(some, values), np.array(places)
        return arrays

    def _aligned(self, some: np.ndarray, values: ValueAlignment) -> np.ndarray:
        """Return values normalised, massive and non-finite ones made harmless; they change."""
        some[[channel for channel, _ in self.group.constants]] = values.mean
        if self.stats.cut:
            np.nan_to_num(some, copy=False, nan=values.mean)
            np.clip(some, values.lower, values.upper, out=some)
        return values.forward(some)
