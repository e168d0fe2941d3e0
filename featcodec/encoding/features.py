"""One group of features to a header and row groups: how it is coded, and its quality met."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from .. import modes
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
from .choice import Choice
from .group_writer import GroupWriter
from .lossless import least_exact_bytes, write_lossless
from .network import as_tokens, neural_choice
from .rate_control.snr import AIM, TOLERANCE, SnrControl
from .search.race import Race
from .task import TaskMetric
from .tensors.group import Group
from .tensors.lossless import LosslessGroup
from .tensors.samples import Samples
from .without_repeats import without_repeats

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
        if quality.snr is not None and quality.snr > PRECISION[group.dtype].exact_above:
            return self._exact(group)
        neural = self.options.transform == "neural"
        if quality.task_snr is not None and not neural:
            return self._for_task(group, quality.task_snr)
        samples = Samples(as_tokens(group) if neural else group, self.options.samples)
        if not sane(samples.stats):
            return self._exact(group)
        if quality.max_error is not None:
            bound = quality.max_error
            return self._smaller(group, lambda: self._bounded(samples, bound))
        assert quality.snr is not None
        return self._to_snr(samples, quality.snr)

    def _to_snr(self, samples: Samples, snr: float) -> GroupHeader:
        """Write a group at an SNR, or bit for bit when that is no larger."""
        choice = self._choice(samples, snr)
        if choice is None:
            return self._exact(samples.group)
        again = partial(self._choice, samples)
        return self._smaller(samples.group, lambda: self._reaching(samples, choice, snr, again))

    def _for_task(self, group: Group, snr: float) -> GroupHeader:
        """Write a group at a task SNR; at an SNR where the profile has no metric for it."""
        samples = Samples(group, self.options.samples)
        if not sane(samples.stats):
            return self._exact(group)
        metric = TaskMetric.of(samples, self.profile)
        choice = None if metric is None else metric.choice(snr)
        if metric is None or choice is None:
            return self._to_snr(samples, snr)
        of = metric
        return self._smaller(
            group, lambda: self._reaching(samples, choice, snr, of.choice, of.signal)
        )

    def _reaching(
        self,
        samples: Samples,
        choice: Choice,
        snr: float,
        again: Callable[[float], Choice | None],
        of_task: float | None = None,
    ) -> GroupHeader | None:
        """Write a group at an SNR by a choice, or by one for more where it does not reach it."""
        found = self._at_snr(samples, choice, snr, of_task)
        for more in tuning.MORE_SNR if snr < tuning.COARSE_BELOW else ():
            if found is not None:
                break
            another = again(snr + more)
            if another is not None:
                found = self._at_snr(samples, another, snr, of_task)
        return found

    def _exact(self, group: Group) -> GroupHeader:
        return write_lossless(self.writer, LosslessGroup.of(group))

    def _choice(self, samples: Samples, snr: float) -> Choice | None:
        """Return how a group is coded at an SNR, None for bit for bit."""
        family, sizes, group = self.options.transform, self.options.samples, samples.group
        if family == "neural":
            assert self.profile is not None
            return neural_choice(samples, self.profile.neural, snr)
        if family == "context" and (len(group.grids[0]) not in (1, 2, 3) or group.layout.prefix):
            raise InvalidInput(f"{group.names[0]}: contexts need lines or maps, without prefix")
        entries = self.profile.entries_of(task=False) if self.profile else []
        found = Race(samples, entries, family, snr).run()
        if found is None:
            return None
        few = found.estimate.bits < tuning.COARSE * group.values
        if few and snr < tuning.COARSE_BELOW:
            # So few symbols that more of them may take fewer bits.
            more = Race(samples, entries, family, snr + tuning.MORE_SNR[0]).run()
            if more is not None and more.sound and more.estimate.bits < found.estimate.bits:
                found = more
        if (
            modes.search_of(found.transform).family == "linear"
            and entries
            and group.values <= sizes.whole
        ):
            # All is known of a small group, so that a profile need never cost anything.
            without = Race(samples, [], family, snr).run()
            most = tuning.SAME_BITS * found.estimate.bits
            if without is not None and without.estimate.bits < most:
                found = without
        if samples.sparse and snr > tuning.FINE_ABOVE and family == "auto":
            fine = fine_choice(samples, snr)
            found = fine if fine.estimate.bits < tuning.CLEARLY * found.estimate.bits else found
        return found

    def _smaller(self, group: Group, lossy: Callable[[], GroupHeader | None]) -> GroupHeader:
        """Write a group with loss, or bit for bit when that is no larger."""
        mark = self.writer.mark()
        header = lossy()
        size = self.writer.position - mark[0]
        if header is not None and size < least_exact_bytes(group):
            return header
        self.writer.rewind(mark)
        exact = self._exact(group)
        if header is None or self.writer.position - mark[0] <= size:
            return exact
        self.writer.rewind(mark)
        again = lossy()
        assert again is not None
        return again

    def _at_snr(
        self, samples: Samples, choice: Choice, snr: float, of_task: float | None = None
    ) -> GroupHeader | None:
        """Write the row groups so that the SNR is reached; None when that cannot be.

        With the signal `of_task` it is a task SNR.
        """
        whole = choice.stats.count * choice.stats.std**2
        signal = whole if of_task is None else of_task
        budget = signal / 10 ** ((snr + AIM) / 10)
        mark, measured = self.writer.mark(), rounding.counts(samples, choice, snr)
        row_groups = GroupWriter(self.writer, samples.group, self.profile, self.progress)
        # At low rates a decibel is worth up to half of the bits, and another attempt little time.
        scarce = choice.estimate.bits < tuning.SCARCE * samples.group.values
        control = SnrControl(choice, snr, SCARCE_TOLERANCE if scarce else TOLERANCE)
        following: Choice | None = choice
        while following is not None:
            written = row_groups.write(following, measured, budget=budget)
            reached = decibels(signal, written.spent)
            if control.accepts(reached):
                if not measured and rounding.counts(samples, following, reached):
                    measured = True  # so far above what was asked, rounding counts
                    self.writer.rewind(mark)
                    written = row_groups.write(following, measured, budget=budget)
                    reached = decibels(signal, written.spent)
                if reached >= snr:
                    return written.reaching(reached, decibels(whole, written.distortion.squared))
            self.writer.rewind(mark)
            following = control.next(reached, written.mean_step)
        return None

    def _bounded(self, samples: Samples, bound: float) -> GroupHeader:
        """Write the row groups so that no value errs by more than the bound."""
        mark = self.writer.mark()
        try:
            return self._within(samples, bounded_choice(samples, bound), bound)
        except PredictionError:  # what holds for the sample fails elsewhere beyond all bounds
            self.writer.rewind(mark)
            return self._within(samples, bounded_choice(samples, bound, only_plain=True), bound)

    def _within(self, samples: Samples, choice: Choice, bound: float) -> GroupHeader:
        row_groups = GroupWriter(self.writer, samples.group, None, self.progress)
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


def decibels(signal: float, noise: float) -> float:
    """Return an SNR in dB; infinite without noise."""
    return 10 * math.log10(signal / noise) if noise > 0 else math.inf
