"""Rate control within a group: the fine step of the next row group."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...coding.row_group import FINE_ONE, FINE_PER_OCTAVE

FINE_MOST = 24  # of 256 an octave: at most 6.7 % of the step, so that quality stays even
RESPONSE = 1.5  # octaves that the error grows by an octave of the step: 2 at high rates
TREND = 4  # row groups, from which on a line through their errors says more than their mean
FARTHEST = 2.0  # times the mean, or less than it: what is believed of a line
UNEVEN = 0.2  # deviations of the errors of parts, by their mean: less of it is chance
TOLD = 0.8  # by row groups of the others, beside what samples tell
LEAST_SHARE = 0.02  # of what others err by, that a row group errs by at least
MOST_AGAIN = 16  # row groups at the end, and
SHARE_AGAIN = 0.25  # that part of all, that are coded again at most (of three row groups one)
MOST_CHANGED = 36  # from the step: rows that differ by more cost bits


@dataclass(frozen=True)
class Spendable:
    """The squared error that a group is to have, and within what it may stay."""

    aim: float
    least: float
    most: float

    def met(self, spent: float) -> bool:
        """Return whether so much needs no other step."""
        return self.least <= spent <= self.most


@dataclass(frozen=True)
class Foreseen:
    """By how much some parts of a group err, in proportion, as samples show them."""

    edges: np.ndarray  # of the parts, in slabs
    errors: np.ndarray

    def of(self, starts: Sequence[int], slabs: int) -> np.ndarray:
        """Return about the errors of row groups that begin at some slabs, in proportion.

        All slabs err alike where parts hardly differ: that is chance.
        """
        lengths = np.diff([*starts, slabs])
        each = self.errors / np.diff(self.edges)
        if each.std() < UNEVEN * each.mean():
            return lengths
        before = np.concatenate([[0.0], self.errors.cumsum()])
        found: np.ndarray = np.diff(np.interp([*starts, slabs], self.edges, before))
        return np.maximum(found * (slabs / found.sum()), lengths * LEAST_SHARE)


@dataclass
class ErrorBudget:
    """A budget of squared error, and the row groups that have spent some of it.

    At the least rate for an error all have one step, and parts of more energy err more. So no row
    group has a share of its own: the next step is that at which all that follow spend what is left.
    By how much they err follows from those before, on a line, as most dumps that drift do so
    slowly; or from how they did when the group was last written, or from what samples show.

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
    slabs: np.ndarray  # of each row group, or by how much it errs, about
    before: np.ndarray | None = None  # errors of each at one step, when they were last written
    sampled: bool = False  # the step is one at which samples spent the budget
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

    def again(self, aim: float, last: int | None = None) -> tuple[int, int] | None:
        """Return how many of the last row groups may spend `aim`, and how their steps change.

        As few as can be, or the `last` ones. None where that would take too many, or too much.
        """
        most = min(round(SHARE_AGAIN * len(self.errors) + 0.1), MOST_AGAIN)
        excess = sum(self.errors) - aim
        for count in range(1, most + 1) if last is None else [last]:
            left = 1 - excess / (sum(self.errors[-count:]) or math.inf)
            change = round(FINE_PER_OCTAVE * math.log2(max(left, 1e-9)) / RESPONSE)
            farthest = max(abs(fine + change - FINE_ONE) for fine in self.fines[-count:])
            if change and abs(change) <= FINE_MOST and farthest <= MOST_CHANGED:
                return count, change
        return None

    def forget(self, count: int, change: int) -> list[int]:
        """Forget what the last row groups spent; return their steps, changed, for another time."""
        del self.errors[-count:]
        self.fines[-count:] = [fine + change for fine in self.fines[-count:]]
        return self.fines[-count:]

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
        found: np.ndarray = mean * slabs
        if done >= TREND:
            line = np.polynomial.Polynomial.fit(np.arange(done), each, 1)
            found = line(np.arange(done, len(self.slabs)))
            found = np.clip(found, mean / FARTHEST, mean * FARTHEST) * slabs
        return found * self._as_sampled(errors, found) if self.sampled else found

    def _as_sampled(self, errors: np.ndarray, expected: np.ndarray) -> float:
        """Return by how much more those that follow err than expected, as far as samples say.

        Of most row groups, they say more; of the last, those before.
        """
        share = float(self.slabs[: len(errors)].sum() / self.slabs.sum())
        weight = (1 - share) ** 2 / ((1 - share) ** 2 + (TOLD * share) ** 2)
        rest = float(expected.sum())
        return 1 + weight * (max(self.budget - float(errors.sum()), rest / FARTHEST) / rest - 1)


def _growth(fines: list[int]) -> np.ndarray:
    """Return by what factors errors grow at fine steps."""
    octaves = (np.array(fines, np.float64) - FINE_ONE) / FINE_PER_OCTAVE
    return np.asarray(2 ** (RESPONSE * octaves))
