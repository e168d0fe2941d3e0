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

    Some row groups are coded at once: the last `ahead - 1` before one are not looked at for it. An
    infinite budget leaves the step as it is.

    >>> budget = ErrorBudget(10.0, np.ones(10))
    >>> budget.next()
    128
    >>> budget.add(1.1)
    >>> budget.next() < 128
    True
    """

    budget: float
    slabs: np.ndarray  # of each row group
    before: np.ndarray | None = None  # errors of each at one step, when they were last written
    ahead: int = 1  # row groups that are coded at once, however many processes there are
    errors: list[float] = field(default_factory=list)
    fines: list[int] = field(default_factory=list)

    def add(self, error: float) -> None:
        """Take in what the next row group spent at the fine step that it was given."""
        self.errors.append(error)

    @property
    def at_one_step(self) -> np.ndarray:
        """The errors so far as they would be without fine steps."""
        return np.array(self.errors) / _growth(self.fines[: len(self.errors)])

    def next(self) -> int:
        """Return the fine step of the next row group."""
        number = len(self.fines)
        done = max(number - self.ahead + 1, 0)
        fine, errors = FINE_ONE, self.at_one_step[:done]
        if errors.any() and math.isfinite(self.budget):
            expected = self._expected(errors)
            at_work = float(expected[: number - done] @ _growth(self.fines[done:]))
            left = self.budget - sum(self.errors[:done]) - at_work
            following = float(expected[number - done :].sum())
            if following > 0:
                octaves = math.log2(min(max(left / following, 0.5), 2.0)) / RESPONSE
                fine += min(max(round(FINE_PER_OCTAVE * octaves), -FINE_MOST), FINE_MOST)
        self.fines.append(fine)
        return fine

    def _expected(self, errors: np.ndarray) -> np.ndarray:
        """Return the errors of all row groups that follow some, without fine steps."""
        done = len(errors)
        if self.before is not None:
            times: float = errors.sum() / self.before[:done].sum()
            return times * self.before[done:]
        each, slabs = errors / self.slabs[:done], self.slabs[done:]
        mean = float(errors.sum() / self.slabs[:done].sum())
        if done < TREND:
            return mean * slabs
        line = np.polynomial.Polynomial.fit(np.arange(done), each, 1)
        found: np.ndarray = line(np.arange(done, len(self.slabs)))
        return np.clip(found, mean / FARTHEST, mean * FARTHEST) * slabs


def _growth(fines: list[int]) -> np.ndarray:
    """Return by what factors errors grow at fine steps."""
    octaves = (np.array(fines, np.float64) - FINE_ONE) / FINE_PER_OCTAVE
    return np.asarray(2 ** (RESPONSE * octaves))
