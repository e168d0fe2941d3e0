"""Task metrics of a profile: what a group's values and errors weigh in them (SPEC §6.7)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..align.grids import Box
from ..align.value import ValueAlignment
from ..coding.model import GridModel
from ..coding.profile import Profile
from ..container.model import ProfileEntry
from .choice import Choice
from .search.entries import TASK, matching
from .search.race import Race
from .tensors.samples import Samples

AT_ONCE = 1 << 20  # values

Tensors = Callable[[int], np.ndarray]


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
            assert profile is not None
            entries = [(number, entry), *mine[: 1 if layout.prefix else 0]]
            models = {bool(p): profile.model(i) for p, (i, _) in enumerate(entries)}
            return cls(samples, entries, models)
        return None

    @property
    def values(self) -> ValueAlignment:
        return self.samples.alignment(self.entries[0][1])

    @cached_property
    def signal(self) -> float:
        """The energy of all values, each less the centre of its channel, in squared units."""
        return self._energy(self.models, self._aligned)

    def error(self, decoded: Tensors) -> float:
        """Return the energy of the errors of decoded tensors, stored elements by number."""
        still = {p: replace(m, centre=np.zeros_like(m.centre)) for p, m in self.models.items()}
        grid = self.samples.group.grid(self.models[False].block)
        floats = self.samples.group.floats

        def change(boxes: Sequence[Box]) -> np.ndarray:
            back = grid.collect(boxes, decoded, floats) - self.values.mean
            off: np.ndarray = back / self.values.std - self._aligned(boxes)
            return np.nan_to_num(off, copy=False, nan=0.0, posinf=0.0, neginf=0.0)

        return self._energy(still, change)

    def choice(self, snr: float) -> Choice | None:
        """Return how the group is coded in the metric at a task SNR in dB."""
        mean = self.signal / self.samples.group.values / self.samples.std**2
        if not mean > 0:
            return None
        return Race(self.samples, self.entries, TASK, snr - 10 * math.log10(mean)).run()

    def _aligned(self, boxes: Sequence[Box]) -> np.ndarray:
        """Return aligned values of boxes, massive and non-finite ones made harmless."""
        group, values = self.samples.group, self.values
        found = group.grid(self.models[False].block).collect(boxes, group.tensor, group.floats)
        if self.samples.stats.cut:
            np.nan_to_num(found, copy=False, nan=values.mean)
            np.clip(found, values.lower, values.upper, out=found)
        return values.forward(found)

    def _energy(
        self, models: Mapping[bool, GridModel], of: Callable[[Sequence[Box]], np.ndarray]
    ) -> float:
        """Return the energy of latents of all slabs, in squared units of the values."""
        group, total = self.samples.group, 0.0
        grid = group.grid(models[False].block)
        transforms = {p: m.transform_in(group.compute_dtype) for p, m in models.items()}
        per = max(AT_ONCE // max(grid.largest_slab(), 1), 1)
        for first in range(0, grid.slabs, per):
            boxes = grid.boxes(first, min(first + per, grid.slabs))
            for (prefix, sizes), found in boxes.items():
                latents = transforms[prefix].forward(of(found), sizes)
                total += float(np.vdot(latents, latents))
        return total * self.values.std**2
