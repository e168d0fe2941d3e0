"""First looks: which entries may take the fewest bits, before a step is sought for any."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .step import At, last_at_most
from .told import Told
from .trial import Trial

# Of the bits of the first look: an entry that takes more is not solved, unless the first takes more
# than it was to. With the latter, for maps, messages of 14 qualities took .01 % more than with all
# entries solved, and .3 % at most.
NEAR, NEAR_MAPS = 1.3, 1.04
OFF = 1.6  # of the error that is asked for: further off a look tells too little


@dataclass(frozen=True)
class Look:
    """What an entry takes, about, at a squared error that is asked for."""

    trial: Trial
    start: int  # the position from which its step is sought
    bits: float
    sure: bool = True

    def near(self, other: "Look") -> bool:
        """Return whether it may take fewer bits than one that looks better."""
        of_maps = self.trial.of_maps and other.trial.of_maps
        return not self.sure or self.bits < (NEAR_MAPS if of_maps else NEAR) * other.bits


def smallest(trials: Sequence[Trial], target: float) -> tuple[Trial, At] | None:
    """Return the trial of the fewest bits at a squared error, and its step; None where none is.

    Only those that may be it are solved, the likeliest first.
    """
    if len(trials) == 1:
        trial = trials[0]
        at = trial.at_error(target, trial.start(target))
        return None if at is None else (trial, at)
    looks = [_at_start(trial, target) for trial in trials if not trial.of_maps]
    looks += [look for group in _alike(trials) for look in _of_maps(group, target)]
    first, *others = sorted(looks, key=lambda look: look.bits)
    best: tuple[Trial, At] | None = None
    least = math.inf
    for look in (first, *others):
        trial = look.trial
        if look is first or look.near(first) or look.bits < least:
            at = trial.at_error(target, look.start)
            if at is not None and (bits := trial.bits(at)) < least:
                best, least = (trial, at), bits
    return best


def _at_start(trial: Trial, target: float) -> Look:
    start = trial.start(target)
    bits, error = trial.bits(At.of(start)), trial.error(start) / trial.goal(target)
    # Bits fall about as the error grows, where they are few, else by less.
    return Look(trial, start, bits * error, error < OFF)


def _alike(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Return the trials of maps, those that tell symbols apart alike together."""
    groups: dict[tuple, list[Trial]] = {}
    for trial in trials:
        if trial.of_maps:
            groups.setdefault(tuple(_told_apart(trial)), []).append(trial)
    return list(groups.values())


def _told_apart(trial: Trial) -> Iterator[tuple[int, int, bytes]]:
    """Yield what the symbols of each class of blocks are of, and what chooses their tables."""
    for maps, (prefix, _) in zip(trial.maps, trial.latents, strict=True):
        part = trial.coder.parts[prefix]
        of_channels = part.scales.reshape(len(part.scales), -1)[:, 0]
        yield id(maps.latents), part.step_scale, of_channels.tobytes()


def _of_maps(trials: Sequence[Trial], target: float) -> list[Look]:
    """Return the looks of trials of maps that tell symbols apart alike, all at one step."""
    one, goal = trials[0], trials[0].goal(target)
    start = last_at_most(one.rough_errors, goal, one.start(target))
    coders = [trial.map_coders(At.of(start)) for trial in trials]
    known = [
        Told.of(*each) for each in zip([maps.latents for maps in one.maps], coders[0], strict=True)
    ]
    looks = []
    for trial, of_classes in zip(trials, coders, strict=True):
        bits, error = float(trial.overhead), 0.0
        for maps, told, coder in zip(trial.maps, known, of_classes, strict=True):
            symbols, some, missed = told.under(coder)
            maps.saw(int(np.count_nonzero(symbols)), coder.step)
            bits, error = bits + some, error + missed
        looks.append(Look(trial, start, bits * error / goal))
    return looks
