"""A message along a trellis: fewer bits at the same error, in more time (SPEC §7.10, §9.1)."""

import math
from dataclasses import replace

from ...coding.message_head import DEPENDENT, STEPS_PER_OCTAVE, Head
from ...coding.parts.base import Coded, PartCoder, in_order
from .step import At
from .trial import Trial

ROUNDS, FURTHER = 3, 8  # attempts at a step; more of them only where none met the error
CLOSE = 0.01  # of the error, by which it may be less
OCTAVES = 1.5  # that the error grows by an octave of the step
BACK = 16  # codes from one further attempt to the next
MEASURED = 3  # rounds in which the error of latents is to foretell that of decoded values


def along_trellis(trial: Trial, near: At, target: float) -> bytes | None:
    """Return the message of a trial whose squared error is at most `target`; None without one.

    The step is sought near that of scalar quantisation, whose error is about the same.
    """
    variance = trial.coder.values.std**2
    goal = target / variance
    measured = trial.measured(target)
    if measured:
        goal = min(goal, trial.error(near.position))
    for _ in range(MEASURED):
        found = _Search(trial, goal).run(near.code)
        if found is None:
            return None
        head, coded, error = found
        reached = _squared(trial, head, coded) / target if measured else error / goal
        if reached <= 1:
            arrays = [
                (symbols.reshape(-1), part.table(number))
                for part, some in zip(_parts(trial, head), coded, strict=True)
                for number, symbols in some
            ]
            return trial.packed(head, arrays)
        goal *= (1 - CLOSE / 2) / reached
    return None


class _Search:
    """The codes tried, for the largest whose latents err by no more than a goal."""

    def __init__(self, trial: Trial, goal: float) -> None:
        self.trial, self.goal = trial, goal
        self.best: tuple[Head, list[list[Coded]], float] | None = None

    def run(self, code: int) -> tuple[Head, list[list[Coded]], float] | None:
        for number in range(FURTHER):
            error = self._try(code)
            if (1 - CLOSE) * self.goal <= error <= self.goal:
                break
            if number < ROUNDS - 1:
                wanted = math.log2((1 - CLOSE / 2) * self.goal / max(error, 1e-300))
                code += round(STEPS_PER_OCTAVE * min(max(wanted, -2.0), 2.0) / OCTAVES)
            elif self.best is not None:
                break
            else:
                code -= BACK * (number + 2 - ROUNDS)
            code = min(max(code, 0), 0xFFFF)
        return self.best

    def _try(self, code: int) -> float:
        """Quantise at a step, and keep what comes of it when it is the best so far."""
        head = replace(self.trial.head, flags=self.trial.head.flags | DEPENDENT, code=code)
        coded, error = [], 0.0
        for part, (_, latents) in zip(_parts(self.trial, head), self.trial.latents, strict=True):
            found, more = part.encode_latents(latents.values, latents.sizes)
            coded.append(found)
            error += more
        if error <= self.goal and (self.best is None or code > self.best[0].code):
            self.best = head, coded, error
        return error


def _parts(trial: Trial, head: Head) -> list[PartCoder]:
    """Return the coder of each class of blocks."""
    dtype = trial.coder.compute_dtype
    return [trial.entry.part(dtype, prefix, head) for prefix, _ in trial.latents]


def _squared(trial: Trial, head: Head, coded: list[list[Coded]]) -> float:
    parts = dict(zip((prefix for prefix, _ in trial.latents), _parts(trial, head), strict=True))
    return trial.change(parts, [in_order(some) for some in coded])[0]
