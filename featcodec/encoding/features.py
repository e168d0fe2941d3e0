"""One group of features to a header and row groups: how it is coded, and its quality met."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ..align.slices import SliceGains
from ..coding.profile import Profile
from ..container.group import GroupHeader
from ..container.writer import Writer
from ..elements import PRECISION
from ..request import Options, Quality
from . import tuning
from .across_layers import across_layers, even_layers
from .as_places import with_enough
from .at_snr import SnrWriter, slice_control
from .bounded.refined import refined_choice, refined_group
from .bounded.within import write_within
from .choice import Choice
from .choosing import Chooser, refitted
from .contest import Contest
from .exact_groups import write_exact
from .familiar import Familiar
from .foreseen import foreseen
from .group_writer import GroupWriter, Kept
from .levels import Levels, enter_levels, write_levels
from .lossless import surely_less
from .measured import Measured, snrs_of
from .near_repeats import without_near_rows
from .network import as_tokens
from .outcome import Outcome, size_of
from .precedents import ANOTHER, LEVELS, Precedents
from .rate_control.slices import BELOW
from .reached import Signals
from .rungs import climb, rungs
from .search.race import Race
from .task import TaskMetric
from .tensors.group import Group
from .tensors.large_rows import with_gains
from .tensors.lossless import LosslessGroup
from .tensors.samples import Samples
from .tensors.sums import sane
from .without_repeats import without_repeats
from .workers import Workers


@dataclass
class FeatureEncoder:
    """Writes groups of features to a file."""

    writer: Writer
    profile: Profile | None
    options: Options
    progress: Callable[[int], None] | None = None
    workers: Workers = field(default_factory=Workers)
    familiar: Familiar | None = None  # to a profile, what has been looked at
    levels: bool = True  # are tried; a group by levels states no task SNR
    further: bool = True  # the choices beside the best, and higher SNRs, are written, too
    small: bool = True  # the dump is: choices near the best on the sample are written, too
    kept: Kept | None = None  # how the last group was written, where that was by models at an SNR
    # What was measured of headers whose slices count.
    measured: list[tuple[GroupHeader, Measured]] = field(default_factory=list)
    with_profile: dict[str, float | None] = field(default_factory=dict)  # by first names of groups
    precedents: Precedents = field(default_factory=Precedents)  # what paid in other groups
    keep: Callable[[Race], None] | None = None  # takes the races that choose how groups are written

    def write(self, group: Group, quality: Quality) -> GroupHeader:
        """Write the row groups of a group, bit for bit or without repeated rows where that pays.

        Layers that are places are channels, or have more, where one of them has too little.
        """
        quality = group.quality or quality
        write = self._smallest_of_rows
        if group.layered is None or quality.snr is None or self.options.pool:
            found = write(group, quality)
        else:
            found = with_enough(group, quality, write, self.writer, self.profile)
        self.kept = found.kept
        if found.found is not None:
            self.measured.append((found.header, found.found))
        return found.header

    def _smallest_of_rows(self, group: Group, quality: Quality) -> Outcome:
        """Write a group, or without rows that are near to others where that is smaller."""
        contest = Contest(self.writer, -math.inf if quality.snr is None else quality.snr)
        contest.enter(partial(self._with_repeats, group, quality))
        # Neither would slices that lack something have more, nor does a metric know what is lost.
        of_task = self.profile is not None and self.profile.entries_of(task=True)
        if quality.snr is None or of_task or contest.least[0] or not self.further:
            return contest.surely_kept()
        near = without_near_rows(group, quality.snr, self.options)
        if near is not None:
            contest.enter(partial(self._write, near, quality))
        return contest.surely_kept()

    def _with_repeats(self, group: Group, quality: Quality) -> Outcome:
        """Write a group without repeated rows where that pays."""
        reduced = None if self.options.transform == "neural" else group.without_repeats
        if reduced is None or reduced.rows is None:
            return self._write(group, quality)
        write = partial(self._write, quality=quality)
        ways = partial(write, reduced), partial(write, group), partial(self._exact, group)
        return without_repeats(self.writer, reduced.rows, *ways)

    def _write(self, group: Group, quality: Quality) -> Outcome:
        snr = quality.decibels
        if snr is not None and snr > PRECISION[group.dtype].exact_above:
            return self._exact(group)
        neural = self.options.transform == "neural"
        if quality.task_snr is not None or (quality.recommended and not neural):
            return self._for_task(group, quality)
        group = group if neural else group.with_constants
        if quality.snr is not None and not neural:
            group = with_gains(group)
            group = group if self.options.pool else foreseen(group, quality.snr)
        elif quality.row_snr is not None:
            group = group.with_relative_gains
        race = self.familiar.race(group) if self.familiar and not neural else None
        if race is None:
            samples = Samples(as_tokens(group) if neural else group, self.options.search)
        else:
            samples = race.samples
        if not sane(samples.stats):
            return self._exact(group)
        if quality.max_error is not None:
            bound = quality.max_error
            row_groups = partial(self._group_writer, samples.group, None)
            start = self.writer.position
            within = partial(write_within, bound, samples, row_groups)
            return self._smaller(group, lambda: Outcome.of(self.writer, start, within()))
        assert snr is not None
        known = self.precedents.kind(samples).known
        chooser = Chooser(samples, self.profile, self.options, race, brief=known)
        choice = chooser.choice(snr)
        self.with_profile[group.names[0]] = chooser.with_profile
        if self.keep and chooser.first:
            self.keep(chooser.first)
        if choice is None:
            return self._exact(group)
        across = None if self.options.pool else across_layers(chooser, choice, snr)
        chooser, choice = across or (chooser, choice)
        return self._smaller(group, lambda: self._even(chooser, choice, snr))

    def _even(self, chooser: Chooser, choice: Choice, snr: float) -> Outcome | None:
        """Write a group at an SNR, its layers made alike in scale where one has too little else."""
        mark = self.writer.mark()
        found = self._smallest(chooser, choice, snr)
        if found is None or found.lowest >= snr - BELOW:
            return found
        even = even_layers(chooser, snr)
        if even is None:
            return found
        self.writer.rewind(mark)
        return self._smallest(*even, snr)

    def _smallest(self, chooser: Chooser, choice: Choice, snr: float) -> Outcome | None:
        """Write a group at an SNR or, where symbols are few, at a higher one of fewer bytes."""
        samples, kind = chooser.samples, self.precedents.kind(chooser.samples)
        kind.groups += 1
        contest = Contest(self.writer, snr)
        contest.enter(partial(self._reaching, samples, choice, snr))
        if not self.further:
            return contest.best
        rival = chooser.rival(choice, 8 * contest.least[1])
        if rival is not None:
            contest.enter(partial(self._reaching, samples, rival, snr))
        first, by, best, gains = contest.best, chooser, choice, None
        if first is not None and samples.group.slices is not None:
            by, best = first.fitted or (chooser, choice)
            gains = first.slices  # which the others need, about
        others = by.others(best) if self.small and not chooser.alone else ()
        for other in others if others and kind.makes(ANOTHER) else ():
            way = partial(self._at_snr, by.samples, other, snr, None, snr, gains)
            kind.enter(contest, ANOTHER, way)
        by_models, ladder = contest.least, rungs(samples, choice, snr)
        if self.levels and chooser.by_levels and kind.makes(LEVELS):
            enter_levels(contest, samples, partial(partial, self._by_levels, samples, snr))
            kind.paid |= {LEVELS} if contest.least < by_models else set()
        if contest.least[0] or contest.least[1] >= tuning.FAR_LESS * by_models[1]:
            climb(contest, kind, chooser, ladder, partial(self._at_snr, samples, least=snr))
        return contest.kept()

    def _for_task(self, group: Group, quality: Quality) -> Outcome:
        """Write a group at a task SNR; at an SNR where the profile has no metric for it."""
        samples, metric, choice = Samples(group.with_constants, self.options.search), None, None
        if self.options.transform != "neural" and sane(samples.stats):
            metric = TaskMetric.of(samples, self.profile)
        snr = quality.task_snr
        if quality.recommended:
            snr = metric.recommended if metric else None
        of_values = metric.snr_of_values(snr) if metric and snr else None
        if snr and of_values is not None:
            return self._alike(group, of_values, snr)
        if metric is not None and snr:
            choice = metric.choice(snr)
        if choice is None or snr is None:
            return self._write(group, Quality(snr=quality.task_snr or quality.snr))
        of_task = partial(self._reaching, samples, choice, snr, metric)
        return self._smaller(samples.group, of_task)

    def _alike(self, group: Group, snr: float, of_task: float) -> Outcome:
        """Write a group at an SNR, which a metric that weighs all errors alike has as a task SNR.

        All of the group counts together, as it does in the metric of a task.
        """
        all_together = replace(self, options=replace(self.options, pool=True), levels=False)
        found = all_together._write(group, Quality(snr=snr))
        header = found.header
        if header.lossy is None or header.exact:
            return found
        return replace(found, header=replace(header, task_snr=header.snr_db + of_task - snr))

    def _reaching(
        self, samples: Samples, choice: Choice, snr: float, metric: TaskMetric | None = None
    ) -> Outcome | None:
        """Write a group at an SNR, with a metric a task SNR, by a choice or by one for more.

        That is tried where the SNR is not reached, or in far more bits than the sample let expect,
        or the model fitted to gains: axes with next to nothing in it come back by fine steps only.
        """
        contest = Contest(self.writer, -math.inf if metric else snr)
        contest.enter(partial(self._at_snr, samples, choice, snr, metric))
        profile = self.profile if choice.uses_profile else None
        by = contest.best.fitted[1] if contest.best and contest.best.fitted else choice
        most = tuning.FAR_MORE * max(by.estimate.bits, tuning.FEW_BITS)
        for more in tuning.MORE_SNR:
            if 8 * contest.least[1] <= most:
                break
            another = (metric or Chooser(samples, profile, self.options)).choice(snr + more)
            if another is not None:
                contest.enter(partial(self._at_snr, samples, another, snr, metric))
        return contest.kept()

    def _exact(self, group: Group) -> Outcome:
        start = self.writer.position
        found = refined_group(group, refined_choice(group, self.options.search))
        header = write_exact(self.writer, found or LosslessGroup.of(group), self.progress)
        return Outcome.of(self.writer, start, header)

    def _smaller(self, group: Group, lossy: Callable[[], Outcome | None]) -> Outcome:
        """Write a group with loss, or bit for bit when that is no larger."""
        contest = Contest(self.writer)
        contest.enter(lossy)
        if contest.best is None or not surely_less(contest.best.size, group):
            contest.enter(partial(self._exact, group))
        return contest.surely_kept()

    def _at_snr(
        self,
        samples: Samples,
        choice: Choice,
        snr: float,
        metric: TaskMetric | None = None,
        least: float | None = None,
        gains: SliceGains | None = None,
    ) -> Outcome | None:
        """Write the row groups so that the SNR is reached; None when that cannot be.

        With a metric it is the task SNR. Slices have at most 1 dB less than `least`, the SNR
        without it.
        """
        of_task = None if metric is None else metric.signal
        gains = samples.group.slices if gains is None else gains
        least = snr if least is None else least
        even = None if self.options.pool else slice_control(samples.group, choice, least, gains)
        brief = not self.small or self.precedents.kind(samples).known
        attempts = SnrWriter(
            self._group_writer(samples.group, self.profile),
            samples,
            Signals.of(samples.group, choice.stats, of_task),
            snr,
            even,
            partial(refitted, samples, self.profile, self.options, snr, choice, brief),
            gains,
        )
        return attempts.write(choice)

    def _by_levels(self, samples: Samples, snr: float, levels: Levels) -> Outcome | None:
        """Write a group by levels that reach the SNR; None without errors: that is bit for bit."""
        start = self.writer.position
        header, found = write_levels(self.writer, samples, levels, snr)
        if header.exact:
            return None
        each = not self.options.pool and found.slices[0].size > 1
        lowest = float(np.nanmin(snrs_of(found.slices), initial=math.inf)) if each else math.inf
        return Outcome(header, size_of(self.writer, start, header), lowest, found=found)

    def _group_writer(self, group: Group, profile: Profile | None) -> GroupWriter:
        size, workers = self.options.row_group, self.workers
        return GroupWriter(self.writer, group, profile, self.progress, size, workers)
