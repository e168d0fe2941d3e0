"""Groups that are known before they are coded: to a profile, or because they were judged so."""

from dataclasses import dataclass, field, replace

from ..coding.profile import Profile
from ..request import Options
from . import tuning
from .search.race import Race
from .tensors.group import Group
from .tensors.samples import Samples
from .tensors.sums import sane


@dataclass
class Familiar:
    """What a profile was trained on the like of: it is read as it was then, and not judged.

    Without one, what was written to judge a layout: its race need not be run once more.
    """

    profile: Profile | None
    snr: float | None
    options: Options
    _races: dict[tuple, Race] = field(default_factory=dict)
    _values: int = 0  # of groups whose races are kept

    def __call__(self, group: Group) -> bool:
        """Return whether a group is coded with the profile alone, whatever its axes might be."""
        race = self._race(group)
        return race is not None and race.alone

    def _race(self, group: Group) -> Race | None:
        """Return the race of a group, None where there is nothing to try."""
        entries = self.profile.entries_of(task=False) if self.profile and self.snr else []
        if not entries or self.snr is None or group.values > tuning.KNOWN_VALUES:
            return None
        if _key(group) not in self._races:
            samples = Samples(group, self.options.search)
            race = Race(samples, entries, self.options.transform, self.snr)
            self._races[_key(group)] = race
        race = self._races[_key(group)]
        return race if sane(race.samples.stats) else None

    def keep(self, race: Race) -> None:
        """Keep the race of a group that was judged, for when it is coded so; not of too many."""
        values = self._values + race.samples.group.values
        if self.profile is None and values <= tuning.KEPT_VALUES:
            self._values = values
            self._races[_key(race.samples.group)] = replace(race)  # as before it was run

    def race(self, group: Group) -> Race | None:
        """Return the race of a group as far as it has come, once; None where there is none."""
        race = self._races.pop(_key(group), None)
        if race is None:
            return None
        seen = race.samples.group
        same = replace(seen, wide=group.wide, reading=group.reading, tensor=group.tensor)
        same = replace(same, architecture=group.architecture)  # a tag alone
        same = replace(same, slices=group.slices)  # which follow from the values
        if self.profile is None:  # what only entries, and the writing of a whole file, go by
            same = replace(
                same,
                told=group.told,
                quality=group.quality,
                layered=group.layered,
                parts=group.parts,
            )
        if same != group:
            return None
        race.samples.group = replace(seen, architecture=group.architecture)
        return race


def _key(group: Group) -> tuple:
    """Return what tells groups of a dump apart that are coded as they are."""
    return tuple(group.names), group.layout, group.stacks
