"""The step of a message, and lambda where no step meets an error.

The error of an array grows with the step, and jumps where the step scale chooses other tables. A
larger lambda fills these gaps: positions count the steps, and at each gap some levels of lambda.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...coding.message_head import MIDDLE, STEPS_PER_OCTAVE
from ...quantise.scalar import LAMBDA
from ..rate_control.bracket import Bracket

CLOSE = 0.004  # of a logarithm of the error: 0.017 dB
ROUNDS = 12
DROP = 5  # positions from one attempt to the next where those of a bracket have failed
EVEN_DROPS, MOST_DROPS = 16, 32  # attempts; later ones go further and further
LOOKED_AT = 2048  # latents, for a first step
DEAD = 0.62  # steps, below which most latents become 0
LEVELS, LEVELS_PER_OCTAVE = 12, 12  # of lambda
WIDE = 16  # positions of a level, which changes the error as much as so many codes
PER_TABLE = STEPS_PER_OCTAVE // 2  # codes of a step scale
PERIOD = PER_TABLE + WIDE * LEVELS
FIRST = (MIDDLE - PER_TABLE // 2) % PER_TABLE - PER_TABLE  # a code at which tables change
LAST_CODE = 0xFFFF
FORETOLD_ROUNDS, FORETOLD_MOST = 4, 10  # more only where the error is far below
FORETOLD_NEAR = 0.6  # of the target: it leaps where many values are the largest of all
FORETOLD_REACH = 128  # positions
WINDOW, STRIDE, NARROW = 1408, 64, 4  # positions: an octave to both sides, and those looked at


Errors = Callable[[np.ndarray], np.ndarray]  # of positions


@dataclass(frozen=True)
class At:
    """What a message is quantised with."""

    code: int  # of the step
    level: int = 0  # of lambda

    @property
    def lmbda(self) -> float:
        return LAMBDA * float(2 ** (self.level / LEVELS_PER_OCTAVE))

    @property
    def position(self) -> int:
        scale, code = divmod(self.code - FIRST, PER_TABLE)
        return scale * PERIOD + code + WIDE * self.level

    @classmethod
    def of(cls, position: int) -> "At":
        """Return what lies at a position; those beyond the codes are that of the last."""
        scale, code = divmod(position, PERIOD)
        level = max(code - PER_TABLE + WIDE, 0) // WIDE
        code = min(code, PER_TABLE - 1)
        return cls(min(max(scale * PER_TABLE + code + FIRST, 0), LAST_CODE), level)


LAST = At(LAST_CODE).position


def start_of(latents: Sequence[np.ndarray], target: float) -> float:
    """Return about the step at which latents have a squared error of `target`."""
    total = sum(part.size for part in latents)
    every = max(total // LOOKED_AT, 1)
    some = np.concatenate([part.reshape(-1)[::every] for part in latents]).astype(np.float64)
    size = np.sort(np.abs(some))
    below = np.concatenate([[0.0], np.cumsum(size * size)])  # the error when so many become 0
    above = np.arange(len(size), 0, -1)  # of the rest each errs by a twelfth of the squared step
    error = below[:-1] + above * (size / DEAD) ** 2 / 12
    goal = target * len(size) / total
    first = min(int(np.searchsorted(error, goal)), len(size) - 1)
    return math.sqrt(max(12 * (goal - below[first]) / above[first], (size[first] * 0.1) ** 2))


def steps_of(positions: np.ndarray) -> np.ndarray:
    """Return the steps of positions."""
    scale, code = np.divmod(positions, PERIOD)
    codes = scale * PER_TABLE + np.minimum(code, PER_TABLE - 1) + FIRST
    found: np.ndarray = 2.0 ** ((np.clip(codes, 0, LAST_CODE) - MIDDLE) / STEPS_PER_OCTAVE)
    return found


def fitted(
    error: Callable[[int], float], target: float, start: int, close: float = CLOSE
) -> int | None:
    """Return the largest position found of an error, which grows with it, of at most `target`.

    None when there is none. The search ends within `close`, a logarithm, of the target.
    """
    seen: dict[int, float] = {}

    def excess(position: int) -> float:
        if position not in seen:
            found = math.log(max(error(position), 1e-300) / target)
            seen[position] = math.inf if math.isnan(found) else found
        return seen[position]

    position, drop = _search(excess, start, close), DROP
    for number in range(MOST_DROPS):
        if excess(position) <= 0:
            return position
        if position == 0:
            break
        drop = drop if number < EVEN_DROPS else 2 * drop
        position = max(position - drop, 0)
    return None


def foretold(
    error: Callable[[int], float],
    rough: Errors,
    target: float,
    start: int,
    close: float,
) -> int | None:
    """Return the largest position found of an error of at most `target`, of few that are looked at.

    A rough error, which takes less time, foretells where it is met. None when it is not.
    """
    low, reached, high = -1, 0.0, LAST + 1  # where the error was below the target, and above it
    times, position = 1.0, start
    for number in range(FORETOLD_MOST):
        goal = (1 - close / 2) * target / times
        position = last_at_most(rough, goal, position)
        if not low < position < high:
            if reached >= FORETOLD_NEAR * target:
                break
            position = _between(low, high)
            if not low < position < min(high, LAST):
                break
        found = error(position)
        if found <= target:
            low, reached = position, found
        else:
            high = position
        enough = 1 - close if number < FORETOLD_ROUNDS else FORETOLD_NEAR
        if reached >= enough * target:
            break
        times = max(found, 1e-300) / max(float(rough(np.array([position]))[0]), 1e-300)
    return low if low >= 0 else None


def _between(low: int, high: int) -> int:
    """Return the middle of two positions, or what lies near one where the other is unknown."""
    if low >= 0 and high <= LAST:
        return (low + high) // 2
    return low + FORETOLD_REACH if low >= 0 else high - FORETOLD_REACH


def last_at_most(errors: Errors, most: float, start: int) -> int:
    """Return about the largest position near a start at which an error is no more than the most.

    Many positions are looked at together, as errors need not grow: where many values are the
    largest of all, they are less at steps that divide it.
    """
    while True:
        positions = np.arange(max(start - WINDOW, 0), min(start + WINDOW, LAST) + 1, STRIDE)
        (fits,) = (errors(positions) <= most).nonzero()
        low = int(positions[fits[-1]]) if len(fits) else 0
        if not len(fits) and start > WINDOW:
            start -= WINDOW
        elif len(fits) and fits[-1] == len(positions) - 1 and low + STRIDE <= LAST:
            start += WINDOW
        else:
            break
    positions = np.arange(low, min(low + STRIDE, LAST + 1), NARROW)
    (fits,) = (errors(positions) <= most).nonzero()
    return int(positions[fits[-1]]) if len(fits) else low


def _search(excess: Callable[[int], float], position: int, close: float) -> int:
    """Return the largest position found of an excess of at most 0, or the last one tried."""
    curve = Bracket(-close / 2, math.log(2) * 1.5, (0.2, 2.0), reach=4.0)
    for _ in range(ROUNDS):
        y = excess(position)
        if -close <= y <= 0:
            return position
        curve.add(position / STEPS_PER_OCTAVE, min(max(y, -700.0), 700.0))
        wanted = round(curve.next() * STEPS_PER_OCTAVE)
        if curve.low and curve.high:
            low, high = (round(end[0] * STEPS_PER_OCTAVE) for end in (curve.low, curve.high))
            wanted = min(max(wanted, low + 1), high - 1)
            if At.of(wanted).position in (low, high):
                wanted = (low + high) // 2
            if At.of(wanted).position in (low, high):
                return low
        following = At.of(min(max(wanted, 0), LAST)).position
        if following == position:
            break
        position = following
    return round(curve.low[0] * STEPS_PER_OCTAVE) if curve.low else position
