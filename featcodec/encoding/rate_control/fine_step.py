"""Rate control within a group: the fine step of the next row group."""

import math
from dataclasses import dataclass, field

import numpy as np

from ...coding.row_group import FINE_ONE, FINE_PER_OCTAVE

FINE_MOST = 24  # of 256 an octave: at most 6.7 % of the step, so that quality stays even
RESPONSE = 1.5  # octaves that the error grows by an octave of the step: 2 at high rates
TREND = 4  # row groups, from which on a line through their errors says more than their mean
FARTHEST = 2.0  # times the mean, or less than it: what is believed of a line


@dataclass
class ErrorBudget:
    """A budget of squared error, and the row groups that have spent some of it.

    At the least rate for an error all have one step, and parts of more energy err more. So no row
    group has a share of its own: the next step is that at which all that follow spend what is left.
    By how much they err follows from those before, on a line, as most dumps that drift do so
    slowly; or from how they did when the group was last written.

    >>> budget = ErrorBudget(10.0, np.ones(10))
    >>> budget.fine
    128
    >>> budget.add(1.1, budget.fine)
    >>> budget.fine < 128
    True
    """

    budget: float
    slabs: np.ndarray  # of each row group
    before: np.ndarray | None = None  # errors of each at one step, when they were last written
    errors: list[float] = field(default_factory=list)
    fines: list[int] = field(default_factory=list)

    def add(self, error: float, fine: int) -> None:
        """Take in what a row group spent at a fine step."""
        self.errors.append(error)
        self.fines.append(fine)

    @property
    def at_one_step(self) -> np.ndarray:
        """The errors so far as they would be without fine steps."""
        octaves = (np.array(self.fines) - FINE_ONE) / FINE_PER_OCTAVE
        return np.array(self.errors) * 2 ** (-RESPONSE * octaves)

    @property
    def fine(self) -> int:
        """The fine step of the next row group."""
        expected = self._expected() if any(self.errors) else 0.0
        left = self.budget - sum(self.errors)
        if not expected > 0:
            return FINE_ONE
        octaves = math.log2(min(max(left / expected, 0.5), 2.0)) / RESPONSE
        return FINE_ONE + min(max(round(FINE_PER_OCTAVE * octaves), -FINE_MOST), FINE_MOST)

    def _expected(self) -> float:
        """Return the error of all row groups that follow, without fine steps."""
        errors, done = self.at_one_step, len(self.errors)
        if self.before is not None:
            return float(errors.sum() / self.before[:done].sum() * self.before[done:].sum())
        each, slabs = errors / self.slabs[:done], self.slabs[done:]
        mean = float(errors.sum() / self.slabs[:done].sum())
        if done < TREND:
            return mean * float(slabs.sum())
        line = np.polynomial.Polynomial.fit(np.arange(done), each, 1)
        found = line(np.arange(done, len(self.slabs)))
        return float(np.clip(found, mean / FARTHEST, mean * FARTHEST) @ slabs)
