"""Runs of rows that repeat earlier ones or are constant, of rows whose kinds are known."""

from dataclasses import replace

import numpy as np

from ... import limits
from ...align.repeats import Runs

FEW_ROWS = 16  # that are compared one by one


def runs_of(kinds: np.ndarray, plain: np.ndarray, elements: np.ndarray) -> Runs | None:
    """Return how rows repeat earlier ones of their kind, None where that takes too many runs.

    Of rows that are `plain`, all elements are one: of each such row, in order, the next.
    """
    runs, begins = runs_in(kinds, plain, plain)
    constants = elements[np.cumsum(plain)[begins] - 1].tolist()
    return replace(runs, constants=constants) if 0 < len(runs.new) <= limits.REPEAT_RUNS else None


def runs_in(kinds: np.ndarray, plain: np.ndarray, constant: np.ndarray) -> tuple[Runs, list[int]]:
    """Return how later rows repeat earlier ones, and where runs of constant rows begin.

    No run begins with a `plain` row, of elements that are all alike, but one that is constant.
    """
    _, first, kinds = np.unique(kinds, return_index=True, return_inverse=True)
    order = np.argsort(kinds, kind="stable")
    previous = np.full(len(kinds), -1)
    previous[order[1:]] = np.where(np.diff(kinds[order]) == 0, order[:-1], -1)
    begins = np.flatnonzero(constant | (~plain & (previous >= 0)))
    new: list[int] = []
    repeated: list[int] = []
    distances: list[int] = []
    constants: list[int] = []
    done = 0
    while len(new) <= limits.REPEAT_RUNS:
        after = int(np.searchsorted(begins, done))
        if after == len(begins):
            break
        row = int(begins[after])
        if constant[row]:
            length, distance = 1 + _length(kinds, row + 1, 1), 0
            constants.append(row)
        else:
            tried = {row - int(previous[row]), row - int(first[kinds[row]])}
            length, distance = max((_length(kinds, row, by), -by) for by in tried)
        new.append(row - done)
        repeated.append(length)
        distances.append(-distance)
        done = row + length
    return Runs(new, repeated, distances), constants


def _length(kinds: np.ndarray, row: int, distance: int) -> int:
    """Return how many rows from one on are as those a distance before."""
    few = kinds[row : row + FEW_ROWS].tolist()  # most runs are short
    before = kinds[row - distance : row - distance + FEW_ROWS].tolist()
    for length, pair in enumerate(zip(few, before)):
        if pair[0] != pair[1]:
            return length
    length, size = len(few), 4 * FEW_ROWS
    while row + length < len(kinds):
        later = kinds[row + length : row + length + size]
        earlier = kinds[row + length - distance :][: len(later)]
        differs = np.flatnonzero(later != earlier)
        if differs.size:
            return length + int(differs[0])
        length, size = length + len(later), 4 * size
    return length
