"""One group of features to a header and row groups: how it is coded, and its quality met."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from ..align.value import ValueStats
from ..coding.profile import Profile
from ..container.group import GroupHeader
from ..container.writer import Writer
from ..elements import PRECISION
from ..entropy.prediction import PredictionError
from ..errors import InvalidInput
from ..request import Options, Quality
from . import rounding, tuning
from .bounded.choice import bounded_choice, fine_choice
from .bounded.refined import refined_choice, refined_group
from .bounded.rounded import error_of, write_rounded
from .choice import Choice
from .exact_groups import write_exact
from .group_writer import GroupWriter
from .lossless import least_exact_bytes
from .network import as_tokens, neural_choice
from .rate_control.snr import TOLERANCE, SnrControl
from .reached import Signals, decibels
from .search.race import Race
from .task import TaskMetric
from .tensors.group import Group
from .tensors.lossless import LosslessGroup
from .tensors.samples import Samples
from .without_repeats import size_of, without_repeats

Way = Callable[[], GroupHeader | None]  # writes a group; None where it does not reach the SNR
SCARCE_TOLERANCE = 0.02  # dB
FAINT = 1e-150  # a deviation below, or a value above its inverse, is not coded with loss


@dataclass
class FeatureEncoder:
    """Writes groups of features to a file."""

    writer: Writer
    profile: Profile | None
    options: Options
    progress: Callable[[int], None] | None = None

    def write(self, group: Group, quality: Quality) -> GroupHeader:
        """Write the row groups of a group, bit for bit or without repeated rows where that pays."""
        quality = group.quality or quality
        reduced = None if self.options.transform == "neural" else group.without_repeats
        if reduced is None or reduced.rows is None:
            return self._write(group, quality)
        return without_repeats(
            self.writer,
            reduced.rows,
            lambda: self._write(reduced, quality),
            lambda: self._write(group, quality),
        )

    def _write(self, group: Group, quality: Quality) -> GroupHeader:
        snr = quality.decibels
        if snr is not None and snr > PRECISION[group.dtype].exact_above:
            return self._exact(group)
        neural = self.options.transform == "neural"
        if quality.task_snr is not None:
            return self._for_task(group, quality.task_snr)
        group = group if neural else group.with_constants
        if quality.snr is not None and not neural:
            group = group.with_gains
        elif quality.row_snr is not None:
            group = group.with_relative_gains
        samples = Samples(as_tokens(group) if neural else group, self.options.samples)
        if not sane(samples.stats):
            return self._exact(group)
        if quality.max_error is not None:
            bound = quality.max_error
            return self._smaller(group, lambda: self._within_bound(samples, bound))
        assert snr is not None
        choice = self._choice(samples, snr)
        if choice is None:
            return self._exact(group)
        return self._smaller(group, lambda: self._smallest(self._ways(samples, choice, snr)))

    def _ways(self, samples: Samples, choice: Choice, snr: float) -> Iterator[tuple[float, Way]]:
        """Yield ways to write a group at an SNR or, where symbols are few, at higher ones.

        Few symbols reach an SNR in leaps: one leap further may take no more of them. Each comes
        after the bits that it takes, about.
        """
        yield choice.estimate.bits, partial(self._reaching, samples, choice, snr)
        rival = self._rival(samples, choice, snr)
        if rival is not None:
            yield rival.estimate.bits, partial(self._reaching, samples, rival, snr)
        few = min(tuning.FEW_BITS, tuning.COARSE * samples.group.values)
        if choice.picture is not None or not tuning.LEAST_BITS < choice.estimate.bits <= few:
            return
        for more in tuning.RUNGS:
            another = self._choice(samples, more, wary=False) if more > snr else None
            if another is not None:
                yield another.estimate.bits, partial(self._at_snr, samples, another, more)

    def _smallest(self, ways: Iterator[tuple[float, Way]]) -> GroupHeader | None:
        """Write a group in each way until some in a row were no smaller, and keep the smallest.

        Those that take far more by their estimates are not written, and count twice.
        """
        mark, least, missed, last = self.writer.mark(), math.inf, 0, None
        most = math.inf  # bits of what is worth writing
        best: Way | None = None
        for bits, way in ways:
            if bits > tuning.RUNG_BITS * most:
                missed += 2
            else:
                self.writer.rewind(mark)
                header = way()
                rows = self.writer.position - mark[0]
                size = math.inf if header is None else rows + len(header.pack())
                missed, last = 0 if size < least else missed + 1, way
                if size < least:
                    best, least, most = way, size, max(8 * size, bits)
            if missed >= tuning.RUNGS_TRIED:
                break
        if best is None or best is last:
            return header
        self.writer.rewind(mark)
        return best()

    def _for_task(self, group: Group, snr: float) -> GroupHeader:
        """Write a group at a task SNR; at an SNR where the profile has no metric for it."""
        samples, metric, choice = Samples(group.with_constants, self.options.samples), None, None
        if self.options.transform != "neural" and sane(samples.stats):
            metric = TaskMetric.of(samples, self.profile)
            choice = None if metric is None else metric.choice(snr)
        if choice is None:
            return self._write(group, Quality(snr=snr))
        of_task = partial(self._reaching, samples, choice, snr, metric)
        return self._smaller(samples.group, of_task)

    def _reaching(
        self, samples: Samples, choice: Choice, snr: float, metric: TaskMetric | None = None
    ) -> GroupHeader | None:
        """Write a group at an SNR by a choice, or by one for more where it does not reach it.

        With a metric it is the task SNR.
        """
        found = self._at_snr(samples, choice, snr, metric)
        for more in tuning.MORE_SNR if snr < tuning.COARSE_BELOW else ():
            if found is not None:
                break
            wanted = snr + more
            another = metric.choice(wanted) if metric else self._choice(samples, wanted)
            if another is not None:
                found = self._at_snr(samples, another, snr, metric)
        return found

    def _exact(self, group: Group) -> GroupHeader:
        found = refined_group(group, refined_choice(group, self.options.samples))
        return write_exact(self.writer, found or LosslessGroup.of(group), self.progress)

    def _rival(self, samples: Samples, choice: Choice, snr: float) -> Choice | None:
        """Return the choice without the profile where that may take fewer bits."""
        if not choice.estimate.contested:
            return None
        found = self._choice(samples, snr, trained=False)
        if found is None or found.estimate == replace(choice.estimate, contested=False):
            return None
        few = choice.estimate.bits < tuning.FEW_BITS
        most = (tuning.RUNG_BITS if few else tuning.DOUBT) * choice.estimate.bits
        return found if found.estimate.bits < most else None

    def _choice(
        self, samples: Samples, snr: float, wary: bool = True, trained: bool = True
    ) -> Choice | None:
        """Return how a group is coded at an SNR, None for bit for bit.

        One that is `wary` sees whether more SNR takes fewer bits. Unless `trained`, the profile is
        left alone.
        """
        family, group = self.options.transform, samples.group
        if family == "neural":
            assert self.profile is not None
            return neural_choice(samples, self.profile.neural, snr)
        if family == "context" and (len(group.grids[0]) not in (1, 2, 3) or group.layout.prefix):
            raise InvalidInput(f"{group.names[0]}: contexts need lines or maps, without prefix")
        entries = self.profile.entries_of(task=False) if self.profile and trained else []
        race = Race(samples, entries, family, snr)
        found = race.run()
        if found is None:
            return None
        scarce = tuning.FEW_BITS < found.estimate.bits < tuning.COARSE * group.values
        if wary and scarce and snr < tuning.COARSE_BELOW:
            # So few symbols that more of them may take fewer bits.
            higher = Race(samples, entries, family, snr + tuning.RUNG)
            more = higher.run() if higher.promises(race, found) else None
            if more is not None and more.sound and more.estimate.bits < found.estimate.bits:
                found = more
        if samples.sparse and snr > tuning.FINE_ABOVE and family == "auto":
            fine = fine_choice(samples, snr)
            found = fine if fine.estimate.bits < tuning.CLEARLY * found.estimate.bits else found
        return found

    def _smaller(self, group: Group, lossy: Callable[[], GroupHeader | None]) -> GroupHeader:
        """Write a group with loss, or bit for bit when that is no larger."""
        mark = self.writer.mark()
        header = lossy()
        size = math.inf if header is None else size_of(self.writer, mark[0], header)
        if header is not None and size < least_exact_bytes(group):
            return header
        self.writer.rewind(mark)
        exact = self._exact(group)
        if size_of(self.writer, mark[0], exact) <= size:
            return exact
        self.writer.rewind(mark)
        again = lossy()
        assert again is not None
        return again

    def _at_snr(
        self, samples: Samples, choice: Choice, snr: float, metric: TaskMetric | None = None
    ) -> GroupHeader | None:
        """Write the row groups so that the SNR is reached; None when that cannot be.

        With a metric it is the task SNR.
        """
        of_task = None if metric is None else metric.signal
        signals = Signals.of(samples.group, choice.stats, of_task)
        mark, measured = self.writer.mark(), rounding.counts(samples, choice, snr)
        row_groups = self._group_writer(samples.group, self.profile)
        # At low rates a decibel is worth up to half of the bits, and another attempt little time.
        scarce = choice.estimate.bits < tuning.SCARCE * samples.group.values
        control = SnrControl(choice, snr, SCARCE_TOLERANCE if scarce else TOLERANCE)
        budget = signals.counts / 10 ** ((snr + control.aim) / 10)
        following: Choice | None = choice
        while following is not None:
            written = row_groups.write(following, measured, budget=budget)
            reached = signals.reached(written)
            if control.accepts(reached):
                if not measured and rounding.counts(samples, following, reached):
                    measured = True  # so far above what was asked, rounding counts
                    self.writer.rewind(mark)
                    written = row_groups.write(following, measured, budget=budget)
                    reached = signals.reached(written)
                if reached >= snr:
                    return signals.stated(written)
            self.writer.rewind(mark)
            following = control.next(reached, written.mean_step)
        return None

    def _group_writer(self, group: Group, profile: Profile | None) -> GroupWriter:
        return GroupWriter(self.writer, group, profile, self.progress, self.options.row_group)

    def _within_bound(self, samples: Samples, bound: float) -> GroupHeader:
        """Write a group so that no value errs by more than the bound, in the fewest bytes."""
        mark = self.writer.mark()
        size = size_of(self.writer, mark[0], self._bounded(samples, bound))
        self.writer.rewind(mark)
        rounded = write_rounded(self.writer, samples.group, bound)
        if size_of(self.writer, mark[0], rounded) < size:
            squared, largest = error_of(samples.group, bound)
            power = samples.stats.count * samples.stats.std**2
            return replace(rounded, snr_db=decibels(power, squared), max_error=largest)
        self.writer.rewind(mark)
        return self._bounded(samples, bound)

    def _bounded(self, samples: Samples, bound: float) -> GroupHeader:
        """Write the row groups so that no value errs by more than the bound."""
        mark = self.writer.mark()
        try:
            return self._within(samples, bounded_choice(samples, bound), bound)
        except PredictionError:  # what holds for the sample fails elsewhere beyond all bounds
            self.writer.rewind(mark)
            return self._within(samples, bounded_choice(samples, bound, only_plain=True), bound)

    def _within(self, samples: Samples, choice: Choice, bound: float) -> GroupHeader:
        row_groups = self._group_writer(samples.group, None)
        written = row_groups.write(choice, True, bound)
        distortion, lossy = written.distortion, written.header.lossy
        assert lossy is not None
        return replace(
            written.header,
            snr_db=decibels(choice.stats.count * choice.stats.std**2, distortion.squared),
            max_error=distortion.largest,
            lossy=replace(lossy, clipped=distortion.exceptions),
        )


def sane(stats: ValueStats) -> bool:
    """Return whether there is something to code, of a size that double precision can square."""
    return stats.count > 0 and stats.std > FAINT and stats.reach < 1 / FAINT
