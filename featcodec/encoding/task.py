"""Task metrics of a profile: what a group's values and errors weigh in them (SPEC §6.7)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..align.grids import Box, GroupGrid
from ..align.value import ValueAlignment
from ..coding.model import GridModel
from ..coding.profile import Profile
from ..container.model import ProfileEntry
from ..modes.weighted.coder import UNIT
from .choice import Choice
from .search.entries import TASK, matching
from .search.race import Race
from .tensors.samples import Samples

AT_ONCE = 1 << 20  # values
# Of values so many times as large or small as those of an entry, its metric says nothing.
UNLIKE = 8.0


@dataclass(frozen=True)
class TaskMetric:
    """The metric of a profile for a group, of its grid and of its prefix tokens."""

    samples: Samples
    entries: Sequence[tuple[int, ProfileEntry]]  # with a metric
    models: Mapping[bool, GridModel]  # by "prefix tokens?"

    @classmethod
    def of(cls, samples: Samples, profile: Profile | None) -> "TaskMetric | None":
        """Return the metric for a group; None when the profile holds none."""
        layout, known = samples.group.layout, profile.entries_of(task=True) if profile else []
        prefixes = matching(samples, known, TASK, prefix=True)
        for number, entry in matching(samples, known, TASK, prefix=False):
            mine = [(i, e) for i, e in prefixes if (e.mean, e.std) == (entry.mean, entry.std)]
            if entry.prefix_tokens != layout.prefix or (layout.prefix and not mine):
                continue
            if not 1 / UNLIKE < samples.std / entry.std < UNLIKE:
                continue
            assert profile is not None
            entries = [(number, entry), *mine[: 1 if layout.prefix else 0]]
            models = {bool(p): profile.model(i) for p, (i, _) in enumerate(entries)}
            return cls(samples, entries, models)
        return None

    @property
    def recommended(self) -> float:
        """The task SNR in dB that the profile recommends; 0 without one."""
        return self.entries[0][1].recommended

    @property
    def values(self) -> ValueAlignment:
        return self.samples.alignment(self.entries[0][1])

    @cached_property
    def signal(self) -> float:
        """The energy of all values, each less the centre of its channel, in squared units."""
        group, total = self.samples.group, 0.0
        grid = group.grid(self.models[False].block)
        transforms = {p: m.transform_in(group.compute_dtype) for p, m in self.models.items()}
        per = max(AT_ONCE // max(grid.largest_slab(), 1), 1)
        for first in range(0, grid.slabs, per):
            boxes = grid.boxes(first, min(first + per, grid.slabs))
            for (prefix, sizes), found in boxes.items():
                latents = transforms[prefix].forward(self._aligned(grid, found), sizes)
                total += float(np.vdot(latents, latents))
        return total * self.values.std**2

    @cached_property
    def weight(self) -> float | None:
        """What the metric weighs all squared errors by; None where it tells them apart."""
        owns = [model.own for model in self.models.values()]
        found = {
            int(each)
            for own in owns
            for each in np.unique(np.add.outer(np.unique(own.channels), np.unique(own.places)))
        }
        return 4.0 ** (found.pop() / UNIT) if len(found) == 1 else None

    def snr_of_values(self, snr: float) -> float | None:
        """Return the SNR of values at a task SNR, in dB, where the metric weighs all alike.

        Any mode may then code the group: the error of each is that of the task. None also where
        the centres of channels tell all that is asked for.
        """
        if self.weight is None or not self.signal > 0:
            return None
        values = self.samples.group.values * self.samples.varying
        found = snr - 10 * math.log10(self.signal / self.weight / values / self.samples.std**2)
        return found if found > 0 else None

    def choice(self, snr: float) -> Choice | None:
        """Return how the group is coded in the metric at a task SNR in dB."""
        values = self.samples.group.values * self.samples.varying
        mean = self.signal / values / self.samples.std**2
        if not mean > 0:
            return None
        return Race(self.samples, self.entries, TASK, snr - 10 * math.log10(mean)).run()

    def _aligned(self, grid: GroupGrid, boxes: Sequence[Box]) -> np.ndarray:
        """Return aligned values of boxes, massive and non-finite ones made harmless."""
        group, values = self.samples.group, self.values
        found = grid.collect(boxes, group.tensor, group.floats)
        if self.samples.stats.cut:
            np.nan_to_num(found, copy=False, nan=values.mean)
            np.clip(found, values.lower, values.upper, out=found)
        return values.forward(found)
