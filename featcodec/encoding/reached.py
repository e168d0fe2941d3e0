"""Which SNR coding a group reaches, and which its header states."""

import math
from dataclasses import dataclass, replace

from ..align.value import ValueStats
from ..container.group import GroupHeader
from .group_writer import Written
from .tensors.group import Group
from .tensors.sums import stats_of_all


@dataclass(frozen=True)
class Signals:
    """The energies of a group that errors are compared with, about their mean."""

    group: Group
    coded: float  # of what is coded; of rows by their norms, whose mean is about zero, all
    of_values: float  # of values as they are, where there are gains
    of_task: float | None  # of latents, in the metric of a task

    @classmethod
    def of(cls, group: Group, stats: ValueStats, of_task: float | None) -> "Signals":
        """Return those of a group whose coded values have these stats."""
        coded = stats.count * stats.std**2
        if group.gains is None:
            return cls(group, coded, 0.0, of_task)
        plain = stats_of_all(replace(group, gains=None))
        if group.gains.relative:
            coded += stats.count * stats.mean**2
        return cls(group, coded, plain.count * plain.std**2, of_task)

    @property
    def counts(self) -> float:
        """The energy that an SNR asked for is of."""
        return self.coded if self.of_task is None else self.of_task

    def reached(self, written: Written) -> float:
        """Return the SNR in dB; of rows where all have gains.

        With gains of large rows it is the lower of that of rows and that of values.
        """
        reached, gains = decibels(self.counts, written.spent), self.group.gains
        if gains is not None and gains.relative:
            return decibels(written.distortion.rows, written.distortion.relative)
        if gains is None:
            return reached
        return min(reached, decibels(self.of_values, written.distortion.of_values))

    def stated(self, written: Written) -> GroupHeader:
        """Return the header with the SNR of values, and with that of a task when it counts."""
        header, distortion, reached = written.header, written.distortion, self.reached(written)
        if self.of_task is not None:
            snr = decibels(self.coded, distortion.squared)
            return replace(header, snr_db=snr, task_snr=reached)
        if self.group.gains is not None and self.group.gains.relative:
            reached = decibels(self.of_values, distortion.of_values)
        return replace(header, snr_db=reached)


def decibels(signal: float, noise: float) -> float:
    """Return an SNR in dB, infinite without noise; of values that do not vary, minus infinity."""
    if noise > 0:
        return 10 * math.log10(signal / noise) if signal > 0 else -math.inf
    return math.inf
