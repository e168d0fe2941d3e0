"""How a group is coded at an SNR, and at higher ones that might take no more bits."""

from dataclasses import dataclass, replace

from ..align.slices import SliceGains
from ..coding.profile import Profile
from ..errors import InvalidInput
from ..request import Options, RowGroupSize
from . import tuning
from .bounded.choice import fine_choice
from .choice import Choice
from .network import neural_choice
from .search.race import Race
from .tensors.samples import Samples


@dataclass
class Chooser:
    """Chooses how a group is coded, with its profile, by what the options allow."""

    samples: Samples
    profile: Profile | None
    options: Options
    first: Race | None = None  # at the SNR that is asked for
    last: Race | None = None  # that had the smallest choice
    like: Choice | None = None  # of whose mode alone choices are
    brief: bool = False  # of whose block, too; the best trial alone is fitted to more

    def choice(self, snr: float) -> Choice | None:
        """Return how the group is coded at an SNR, None for bit for bit."""
        samples, group, family = self.samples, self.samples.group, self.options.transform
        if family == "neural":
            assert self.profile is not None
            return neural_choice(samples, self.profile.neural, snr)
        if family == "context" and (len(group.grids[0]) not in (1, 2, 3) or group.layout.prefix):
            raise InvalidInput(
                f"{group.names[0]}: the transform context is for sequences and maps without prefix"
                " tokens; use transform='auto'"
            )
        wanted = snr + self._shift
        if self.first is None or self.first.snr != wanted:
            self.first = Race(samples, self._entries, family, wanted, like=self.like)
        self.first.brief = self.brief
        found = self._of(self.first)
        return found and replace(found, near_enough=self.alone)

    def rival(self, choice: Choice, bits: float) -> Choice | None:
        """Return the choice without the profile where that may take fewer bits, once written.

        A choice with it, as written, takes so many.
        """
        trials = [t.bits for t in self.first.trials if t.recipe.of_profile] if self.first else []
        if self.first is None or not trials:
            return None
        race = self.first.without_profile()
        mine, other = (bits, race.least) if choice.uses_profile else (race.least, min(trials))
        if tuning.CONTESTED * max(mine, tuning.FEW_BITS) < other:
            return None
        found = Chooser(self.samples, None, self.options)._of(race)
        few = choice.estimate.bits < tuning.FEW_BITS
        most = (tuning.RUNG_BITS if few else tuning.DOUBT) * max(choice.estimate.bits, bits)
        if found is None or found.estimate == choice.estimate or found.estimate.bits > most:
            return None
        return found

    @property
    def alone(self) -> bool:
        """Whether entries of the profile were tried alone."""
        return self.first is not None and self.first.alone

    @property
    def by_levels(self) -> bool:
        """Whether levels may be worth their time; their row groups are of one size."""
        free = self.options.transform == "auto" and self.options.row_group == RowGroupSize()
        small = self.samples.group.values <= tuning.LEVELS_ANYHOW
        return free and (small or not self.alone)

    @property
    def with_profile(self) -> float | None:
        """Bits with the profile over those without, on samples; None where not both were tried."""
        trials = self.first.trials if self.first else []
        of = {of: [t.bits for t in trials if t.recipe.of_profile is of] for of in (True, False)}
        return min(of[True]) / min(of[False]) if all(of.values()) and min(of[False]) > 0 else None

    def others(self, choice: Choice) -> list[Choice]:
        """Return other choices of the last race that may be as small, of a group of few values."""
        race = self.last
        if race is None or self.samples.group.values > tuning.WRITTEN_VALUES:
            return []
        others = race.final.others(choice) if race.thorough else []
        mine = choice.estimate, choice.quantiser
        return [other for other in others if (other.estimate, other.quantiser) != mine]

    def higher(self, snr: float, most: float) -> Choice | None:
        """Return how the group is coded at a higher SNR than the last, about as it was there.

        None where that takes more than `most` bits, or what the last one took: it is the same.
        """
        if self.last is None:
            return None
        before = self.last.final.least
        race = Race(self.samples, self.last.entries, self.last.family, snr + self._shift)
        found = race.run_near(self.last, most)
        self.last = race if found else self.last
        return found if found and before != found.estimate.bits <= most else None

    @property
    def _shift(self) -> float:
        """The dB that values divided by gains are to have more, so that undivided they have it."""
        slices = self.samples.group.slices
        return 0.0 if slices is None else slices.decibels

    @property
    def _entries(self) -> list:
        return self.profile.entries_of(task=False) if self.profile else []

    def _of(self, race: Race) -> Choice | None:
        """Return the choice of a race, or of one for more SNR."""
        self.last = race
        found = race.run()
        return found and self._or_fine(self._or_higher(found, race.snr), race.snr)

    def _or_higher(self, found: Choice, snr: float) -> Choice:
        """Return a choice, or one for more SNR: of so few symbols more may take fewer bits."""
        race, values = self.last, self.samples.group.values
        few = tuning.FEW_BITS < found.estimate.bits < tuning.COARSE * values
        if race is None or not (few and race.thorough) or snr >= tuning.COARSE_BELOW:
            return found
        higher = Race(self.samples, race.entries, race.family, snr + tuning.RUNG, like=race.like)
        higher.brief = race.brief
        more = higher.run() if higher.promises(race, found) else None
        if more is None or not more.sound or more.estimate.bits >= found.estimate.bits:
            return found
        self.last = higher
        return more

    def _or_fine(self, found: Choice, snr: float) -> Choice:
        """Return a choice, or one of split symbols where those take clearly fewer bits."""
        auto = self.options.transform == "auto"
        if not self.samples.sparse or snr <= tuning.FINE_ABOVE or not auto:
            return found
        fine = fine_choice(self.samples, snr)
        return fine if fine.estimate.bits < tuning.CLEARLY * found.estimate.bits else found


def refitted(
    samples: Samples,
    profile: Profile | None,
    options: Options,
    snr: float,
    choice: Choice,
    brief: bool,
    slices: SliceGains,
    shift: float,
) -> tuple[Chooser, Choice] | None:
    """Return a choice like another for slices that are divided by their gains, and its chooser.

    Neighbours tell how strong a slice is. Where they tell little else, gains leave them nothing:
    any other mode may take less.
    """
    scaled = Samples(replace(samples.group, slices=slices), options.search)
    profile = profile if choice.uses_profile else None
    anew = choice.transform == "context" and not samples.concentrated
    chooser = Chooser(scaled, profile, options, like=None if anew else choice, brief=brief)
    found = chooser.choice(snr + shift - slices.decibels)
    return None if found is None else (chooser, found)
