"""The least quality that keeps a task: each half of the samples is coded by the other's profile."""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import torch

from ..coding.profile import Profile
from ..container.model import ProfileEntry
from ..encoding.dump import encode
from ..encoding.judge import judge_at
from ..encoding.tensors.group import Group
from ..encoding.tensors.grouping import group_tensors
from ..errors import InvalidInput
from ..modes.weighted import WeightedFields
from ..request import Options, Quality
from ..tensors import Source
from ..torch import load
from .halves import Divided, Half, Tensors
from .linear import train
from .metric import TaskGradients

LOWEST, HIGHEST = 1.0, 61.0  # task SNR in dB
COARSE, FINE = 4.0, 0.5  # dB, from one to the next that is tried
MARGIN = 1.73  # standard errors: 95 % of Student's t with 19 degrees of freedom lie below

Progress = Callable[[str], object]


class Loss(NamedTuple):
    """What is lost of a task on some samples."""

    mean: float
    error: float  # standard error of the mean
    samples: int


class Judge(Protocol):
    """Says what decoded features lose of a task."""

    @property
    def task(self) -> str:
        """The name of the task."""

    def loss(self, dump: Divided, decoded: Tensors, most: float) -> Loss | None:
        """Return the loss, None where the dump has no such task.

        The standard error need not be known where the loss is more than `most`.
        """


@dataclass(frozen=True)
class Recommendation:
    """Looks for the least task SNR at which dumps lose at most `keep`."""

    judge: Judge
    keep: float
    options: Options
    progress: Progress = lambda _: None

    def of(
        self, sources: Sequence[Source], task: TaskGradients, entries: Sequence[ProfileEntry]
    ) -> list[ProfileEntry]:
        """Return the entries of a profile of the dumps, those with a metric with a recommendation.

        `task` has the strengths of their metrics, and so does what half of the samples makes.
        Raises InvalidInput where no quality keeps the task.
        """
        whole = Profile.parse(Profile.pack(entries))
        together: dict[frozenset, list[Divided]] = {}
        for number, source in enumerate(sources):
            found_in = features_of(source, self.options)
            dump = Divided.of(source, found_in, number / len(sources))
            together.setdefault(dump.kinds, []).append(dump)
        found: dict[tuple, float] = {}
        for kinds, dumps in together.items():
            least = self._least(dumps, task, whole)
            for kind in kinds if least is not None else ():
                assert least is not None
                found[kind[:KIND]] = max(least, found.get(kind[:KIND], 0.0))
        if not found:
            raise InvalidInput(no_task(self.judge))
        return [recommending(entry, found.get(_kind(entry), 0.0)) for entry in entries]

    def _least(self, dumps: Sequence[Divided], task: TaskGradients, whole: Profile) -> float | None:
        """Return the least task SNR at which dumps of the same kinds keep the task.

        So they do coded by halves, and with the whole profile. None without a task.
        """
        halves = {second: self._trained(dumps, task, not second) for second in (False, True)}
        known: dict[float, float] = {}

        def keeps(snr: float, *profiles: Profile) -> bool:
            found = list(self._losses(dumps, profiles, snr))
            if not found:
                raise _NoTask
            known[snr] = most = bound(found)
            of_all = " by the profile of all samples" if whole in profiles else ""
            self.progress(f"task SNR {snr:g} dB: at most {most:.4f} lost{of_all}")
            return most <= self.keep

        try:
            least = least_that(lambda snr: keeps(snr, halves[False], halves[True]))
        except _NoTask:
            return None
        while least is not None and not keeps(least, whole):
            least = least + FINE if least < HIGHEST else None
        if least is None:
            last = max(known)
            raise InvalidInput(
                f"--keep {self.keep:g}: {self.judge.task} may lose {known[last]:.4f} at a task SNR"
                f" of {last:g} dB still; allow more, or train on more samples"
            )
        return least

    def _trained(self, dumps: Sequence[Divided], task: TaskGradients, second: bool) -> Profile:
        """Return a profile of one half of the samples."""
        halves = [half for half in (dump.half(second) for dump in dumps) if half.tensors]
        if not halves:
            raise InvalidInput("--keep needs at least two samples")

        def gradients(source: Source, groups: Sequence[Group]) -> tuple[str, Source]:
            assert isinstance(source, Half)
            name, found = task.of(source, groups)
            return name, found if task.made else source.gradients(found)

        mine = replace(task, of=gradients, reactions={}, strengths=dict(task.strengths))
        return Profile.parse(Profile.pack(train(halves, self.options, mine)))

    def _losses(
        self, dumps: Sequence[Divided], profiles: Sequence[Profile], snr: float
    ) -> Iterator[Loss]:
        """Yield the loss of each dump that has the task, with one profile, or one for each half."""
        for dump in dumps:
            halves = [dump.whole] if len(profiles) == 1 else [dump.half(False), dump.half(True)]
            decoded = [
                self._decoded(half, profile, snr)
                for half, profile in zip(halves, profiles, strict=True)
            ]
            loss = self.judge.loss(dump, joined(decoded), self.keep)
            if loss is not None:
                yield loss

    def _decoded(self, dump: Source, profile: Profile, snr: float) -> Tensors:
        if not dump.tensors:
            return {}
        out = io.BytesIO()
        encode(dump, out, Quality(task_snr=snr), profile, self.options)
        return load(out.getvalue(), profile=profile)


class _NoTask(Exception):
    """No dump has a task."""


def no_task(judge: Judge) -> str:
    """Return what to say where no dump has a task."""
    return f"{judge.task} has no task on these dumps: it returns None"


def features_of(source: Source, options: Options) -> list[Group]:
    """Return the groups of features of a dump."""
    judge = judge_at(None, None, options)
    groups = group_tensors(source, options, lossless=False, judge=judge)
    return [group for group in groups if isinstance(group, Group)]


KIND = 5  # of what makes a kind of features: what entries tell of themselves


def _kind(entry: ProfileEntry) -> tuple:
    return entry.name, entry.channels, entry.layout, entry.prefix_tokens, entry.grid


def recommending(entry: ProfileEntry, snr: float) -> ProfileEntry:
    """Return an entry with a task SNR in dB to recommend, when it has a metric."""
    fields = entry.model.fields
    if not isinstance(fields, WeightedFields):
        return entry
    return replace(entry, model=replace(entry.model, fields=replace(fields, recommended=snr)))


def joined(halves: Sequence[Tensors]) -> Tensors:
    """Return the rows of halves in one tensor each."""
    names = dict.fromkeys(name for half in halves for name in half)
    return {name: torch.cat([half[name] for half in halves if name in half]) for name in names}


def bound(losses: Sequence[Loss]) -> float:
    """Return what is lost at most, with a margin for how few the samples are."""
    total = sum(loss.samples for loss in losses)
    mean = sum(loss.mean * loss.samples for loss in losses) / total
    error = math.sqrt(sum((loss.error * loss.samples) ** 2 for loss in losses)) / total
    return mean + MARGIN * error


def least_that(keeps: Callable[[float], bool]) -> float | None:
    """Return the least quality in dB that keeps a task, and so does the next coarse one.

    None where none does up to the highest.
    """
    high, kept = LOWEST, 0
    while high <= HIGHEST:
        kept = kept + 1 if keeps(high) else 0
        if kept == 2:
            high -= COARSE
            break
        high += COARSE
    else:
        return None
    low = high - COARSE
    while low >= LOWEST and high - low > FINE:
        middle = (low + high) / 2
        low, high = (low, middle) if keeps(middle) else (middle, high)
    return high
