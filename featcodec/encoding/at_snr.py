"""Row groups of a group written so that an SNR is reached, by the group and by its slices."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..align.slices import SliceGains
from ..container.group import GroupHeader
from . import rounding, tuning
from .brief import stated_snr
from .choice import Choice
from .choosing import Chooser
from .contest import LITTLE
from .first_step import first_step
from .group_writer import GroupWriter, Kept, Written
from .measured import Measured, measured
from .outcome import Outcome, size_of
from .rate_control.fine_step import Spendable
from .rate_control.slices import BELOW, SliceControl
from .rate_control.snr import TOLERANCE, SnrControl
from .reached import Signals
from .search.cost import bits_of_error
from .slices import Slices
from .tensors.group import Group
from .tensors.samples import Samples

# dB above the SNR of large groups of few bits; of small ones those that cost that part of the bits.
SCARCE_TOLERANCE, WORTH = 0.02, 0.002
NEAR_ENOUGH = 0.006  # of the bits, for choices that are to take little time
MORE = 0.01  # dB more of all than a slice lacks
NEARLY = 0.05  # dB beside the SNR that do while gains are looked for, which differ by more

# A choice for slices divided by their gains, and what chose it.
Refit = Callable[[SliceGains, float], tuple[Chooser, Choice] | None]


@dataclass(frozen=True)
class Reached:
    """Row groups that reach the SNR or, while gains are looked for, nearly do."""

    written: Written
    choice: Choice
    control: SnrControl
    enough: bool = True

    def following(self, signals: Signals) -> Choice | None:
        """Return the choice that may reach the SNR where this one nearly does."""
        return self.control.next(signals.reached(self.written), self.written.mean_step)


@dataclass
class SnrWriter:
    """Writes a group again and again until the SNR is reached, and hardly exceeded.

    Then `even` says which slices are to be finer, and all begins anew with gains for these.
    """

    row_groups: GroupWriter
    samples: Samples
    signals: Signals
    snr: float  # dB
    even: SliceControl | None
    refit: Refit
    slices: SliceGains | None = None
    fitted: tuple[Chooser, Choice] | None = None  # anew to gains, last
    measured: bool = False  # the error of decoded values, for that of latents
    budget: Spendable | None = None
    found: Measured | None = None  # what the slices have of what was written last
    tolerance: float = field(init=False)
    wanted: float = field(init=False)  # dB that all are to have, so that each slice has enough
    near: bool = False  # what nearly reaches that does for now

    def __post_init__(self) -> None:
        self.wanted = self.snr

    def write(self, choice: Choice) -> Outcome | None:
        """Write the row groups that take least, their slices having enough where that can be.

        Of those that lack something it is what lacks least. None when the SNR cannot be reached.
        """
        # Decoding what is at hand takes less time than decoding the file, if it is written once.
        self.measured = not self.samples.search.thorough
        self.measured |= rounding.counts(self.samples, choice, self.snr)
        self.tolerance = _tolerance(choice, self.samples)
        self.near = self.even is not None and self.tolerance < NEARLY
        writer = self.row_groups.writer
        mark, kept, piece = writer.mark(), None, None
        following: Choice | None
        following, self.row_groups.foreseen = first_step(self.samples, choice, self.snr)
        nearly: list[tuple[tuple[bool, float], int, Reached, Outcome]] = []
        control, raised = None, False
        while following is not None:
            reached = self._reaching(following, control)
            following = control = None
            if reached is not None:
                by = self.fitted, self.slices
                following = self._finer(reached, mark[0])
                found = self._outcome(reached.written, reached.choice, mark[0])
                found = replace(found, fitted=by[0], slices=by[1])
                if not reached.enough:
                    nearly.append((self._cost(found), len(nearly), reached, found))
                elif kept is None or self._cost(found) <= self._cost(kept):
                    kept = found
                    if following is None and not self._short(kept):
                        return found
                    piece = writer.cut(mark)
            writer.rewind(mark)
            if following is None and nearly:
                best = min(nearly)
                if kept is None or (self._short(kept) and best[0] < self._cost(kept)):
                    nearly.remove(best)
                    following, control = self._exactly(*best[2:])
            if following is None and kept is not None and not raised:
                following, raised = self._raised(kept), True
        if kept is not None and piece is not None:
            writer.rewind(mark)
            writer.paste(piece)
        return kept

    def _exactly(self, nearly: Reached, found: Outcome) -> tuple[Choice | None, SnrControl]:
        """Return what reaches the SNR by the gains of a round that nearly did, from now on."""
        assert self.even is not None
        self.near, self.fitted, self.slices = False, found.fitted, found.slices
        self.wanted = nearly.control.snr
        self.even.back_to(found.slices)
        return nearly.following(self.signals), nearly.control

    def _raised(self, kept: Outcome) -> Choice | None:
        """Return the choice for so little more SNR that no slice has too little.

        Gains that change once more may give a slice less: layers that share a KLT share errors.
        None where that would take more SNR.
        """
        if self.even is None or kept.kept is None or not self._short(kept):
            return None
        lacking = self.even.least - kept.lowest
        if lacking > LITTLE:
            return None
        self.near, self.fitted, self.slices = False, kept.fitted, kept.slices
        self.wanted += lacking + MORE
        self.even.back_to(kept.slices)
        return kept.kept.choice

    def _short(self, outcome: Outcome) -> bool:
        """Return whether a slice has too little."""
        return self.even is not None and outcome.lowest < self.even.least

    def _outcome(self, written: Written, by: Choice, start: int) -> Outcome:
        """Return the outcome of row groups written by a choice from a position on."""
        header = self._stated(written)
        lowest = math.inf if self.even is None else self.even.lowest
        size = size_of(self.row_groups.writer, start, header)
        kept = Kept(self.samples.group, by, self.measured, written.each)
        return Outcome(header, size, lowest, kept, self.found)

    def _cost(self, outcome: Outcome) -> tuple[bool, float]:
        short = self._short(outcome)
        return short, -outcome.lowest if short else outcome.size

    def _stated(self, written: Written) -> GroupHeader:
        """Return the header with what it states of quality."""
        header = self.signals.stated(written)
        if header.task_snr is not None:
            return replace(header, task_snr=stated_snr(header.task_snr, self.snr))
        return replace(header, snr_db=stated_snr(header.snr_db, self.snr))

    def _written(self, choice: Choice) -> Written:
        return self.row_groups.write(choice, self.measured, budget=self.budget, slices=self.slices)

    def _reaching(self, choice: Choice, control: SnrControl | None) -> Reached | None:
        """Write row groups that reach the SNR, or nearly while gains are looked for.

        None when that cannot be.
        """
        control = control or SnrControl(choice, self.wanted, self.tolerance)
        self.budget = self._budget(control.aim)
        mark = self.row_groups.writer.mark()
        following: Choice | None = choice
        while following is not None:
            written = self._written(following)
            reached = self.signals.reached(written)
            if control.accepts(reached):
                if not self.measured and rounding.counts(self.samples, following, reached):
                    self.measured = True  # so far above what was asked, rounding counts
                    self.row_groups.writer.rewind(mark)
                    written = self._written(following)
                    reached = self.signals.reached(written)
                if reached >= control.snr:
                    return Reached(written, following, control)
            elif self.near and not control.last and abs(reached - control.snr) < NEARLY:
                return Reached(written, following, control, enough=False)
            self.row_groups.writer.rewind(mark)
            following = control.next(reached, written.mean_step)
        return None

    def _budget(self, aim: float) -> Spendable:
        """Return the error at so many dB above the SNR, and that between which it is accepted."""
        more = (aim, self.tolerance, 0.0)
        return Spendable(*(self.signals.counts / 10 ** ((self.wanted + dB) / 10) for dB in more))

    def _finer(self, reached: Reached, start: int) -> Choice | None:
        """Return the choice for slices of other gains; None when all have enough.

        The row groups were written from a position on.
        """
        written = reached.written
        self.found = found = written.found
        if self.even is None:
            return None
        if found is None:
            group, header, rows = self.samples.group, written.header, self.row_groups
            found = measured(rows.writer, group, header, rows.profile, rows.workers)
            self.found = found
        if not reached.enough:  # what slices have once it is
            sums = found.slices.copy()
            sums[3] *= 10 ** ((self.signals.reached(written) - self.wanted) / 10)
            found = replace(found, slices=sums)
        bits = 8.0 * size_of(self.row_groups.writer, start, written.header)
        more = self.even.next(found, written.mean_step, bits, self.wanted - self.snr)
        if more is None:
            return None
        self.slices = more.gains
        self.wanted = max(self.wanted + more.lacking, self.snr)
        if more.refit is not None:
            refitted = self.refit(more.gains, more.refit + self.wanted - self.snr)
            if refitted is not None:
                self.fitted = refitted
                return refitted[1]
        choice = reached.choice
        return choice.at_step(written.mean_step * more.growth).at_lambda_scale(1.0)


def slice_control(
    group: Group, choice: Choice, snr: float, gains: SliceGains | None
) -> SliceControl | None:
    """Return what keeps slices near an SNR; None where there is one slice, or none counts."""
    relative = group.gains is not None and group.gains.relative
    if choice.picture or choice.of_task or relative:
        return None
    slices = Slices.of(group)
    start = 0 if gains is None else slices.exponents_of(gains)
    apart = slices.count_apart(group.counted)
    return SliceControl(slices, snr - BELOW, start) if apart else None


def _tolerance(choice: Choice, samples: Samples) -> float:
    """Return the dB above the SNR that are near enough.

    At low rates each is worth up to half of the bits, and another attempt at few little time.
    """
    bits, values = max(choice.estimate.bits, 1.0), samples.group.values
    if values > samples.sizes.whole:
        return SCARCE_TOLERANCE if bits < tuning.SCARCE * values else TOLERANCE
    worth = NEAR_ENOUGH if choice.near_enough else WORTH
    return min(worth * bits / bits_of_error(1.0, bits, values), TOLERANCE)
