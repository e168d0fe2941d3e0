"""Normalised samples of a tensor group, and what they show of its values."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from ..align.value import Spread, ValueAlignment
from ..container.model import ProfileEntry
from .fitting import Classes
from .group import Group, spread
from .part_coder import Sizes

TRIAL_VALUES = 1 << 17  # on which all candidates are compared
SAMPLE_VALUES = 1 << 20  # on which the chosen one is fitted,
ALL_VALUES = 3 << 20  # unless the group has no more than this, and all of it is taken
LEAST_BLOCKS = 16  # in a sample, so that its scales hold for the rest
LEAST, MOST = 1e-15, 1e15  # between which single precision holds squares of values


@dataclass
class Samples:
    """A group, its spread, and samples of it in blocks of any size, each taken once."""

    group: Group
    spread: Spread = field(init=False)

    def __post_init__(self) -> None:
        self.ones: Sizes = tuple(1 for _ in self.group.grids[0])
        self.channels = self.group.layout.token_grid(self.group.shapes[0])[-1]
        arrays, _ = self.group.sample(self.ones, TRIAL_VALUES)
        some = np.concatenate([a.ravel() for a in arrays.values()])
        finite = some[np.isfinite(some)].astype(np.float64)
        if finite.size and not LEAST < float(np.abs(finite).max()) < MOST:
            self.group = replace(self.group, wide=True)
            some = some.astype(np.float64)
        self.spread = spread(self.group, some)
        self.std = self.spread.std if self.spread.std > 0 else 1.0
        self.sparse = np.count_nonzero(some == 0) > some.size // 20
        self.spike = np.count_nonzero(some >= self.spread.upper) > some.size // 200
        self._some = some
        self._samples: dict[tuple, tuple[dict[bool, Classes], float]] = {}

    def near_bounds(self, distance: float) -> bool:
        """Return whether more than one in a hundred values lie so close to a bound."""
        low, high = self.spread.lower + distance, self.spread.upper - distance
        near = (self._some <= low) | (self._some >= high)
        return bool(np.count_nonzero(near) > self._some.size // 100)

    def alignment(self, entry: ProfileEntry | None = None) -> ValueAlignment:
        """Return the bounds of the group, and its normalisation or that of a profile's entry."""
        bounds = (self.spread.lower, self.spread.upper)
        if entry is None:
            return ValueAlignment(*bounds, self.spread.mean, self.std)
        return ValueAlignment(*bounds, entry.mean, entry.std)

    def sample(
        self,
        block: Sizes,
        budget: int,
        values: ValueAlignment,
        least: int = LEAST_BLOCKS,
        apart: bool = False,
    ) -> tuple[dict[bool, Classes], float]:
        """Return normalised samples by part, massive and non-finite values made harmless.

        They are of `least` blocks at least. What is fitted to a sample flatters it: a sample
        `apart` is for that.
        """
        budget = min(max(budget, least * self.channels * math.prod(block)), SAMPLE_VALUES)
        if budget == SAMPLE_VALUES and self.group.values <= ALL_VALUES:
            budget = self.group.values
        key = (block, budget, values.mean, values.std, apart)
        if key not in self._samples:
            arrays, share = self.group.sample(block, budget, apart)
            parts: dict[bool, dict[Sizes, np.ndarray]] = {}
            for (prefix, sizes), a in arrays.items():
                if self.spread.cut:
                    np.nan_to_num(a, copy=False, nan=values.mean)
                    np.clip(a, values.lower, values.upper, out=a)
                parts.setdefault(prefix, {})[sizes] = values.forward(a)
            self._samples[key] = (dict(parts), share)
        return self._samples[key]
