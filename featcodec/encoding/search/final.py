"""The end of a race: which trials are fitted to the largest sample, and the best of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ... import modes
from .. import tuning
from ..choice import Choice
from . import finalist

if TYPE_CHECKING:
    from .race import Race, Trial


@dataclass
class Final:
    """Trials of a race that are made choices, while another of them may be the smallest."""

    race: "Race"
    finished: list[tuple["Trial", Choice]] = field(default_factory=list)

    @property
    def sound(self) -> list[tuple["Trial", Choice]]:
        """What can meet the SNR."""
        return [(trial, choice) for trial, choice in self.finished if choice.sound]

    @property
    def least(self) -> float:
        """The bits of the smallest that can meet the SNR."""
        return min((choice.estimate.bits for _, choice in self.sound), default=math.inf)

    def run(self, trials: Sequence["Trial"]) -> None:
        """Make choices of trials but those behind; samples misjudge those of one mode alike."""
        for trial in trials:
            off = [c.estimate.bits / max(t.bits, 1.0) for t, c in self.sound if _alike(t, trial)]
            if min(off, default=1.0) * trial.bits < tuning.BEHIND * self.least:
                self.finished.append((trial, finalist.finished(self.race, trial)))

    def close(self) -> list["Trial"]:
        """Return the trials whose choices are near the best, the best first."""
        found = sorted(self.sound, key=lambda pair: pair[1].estimate.bits)
        most = tuning.BEHIND * self.least
        return [trial for trial, choice in found if choice.estimate.bits < most]

    def others(self, best: Choice) -> list[Choice]:
        """Return the choices near the best but it, the best first, also if they may miss a little.

        Of few bits estimates are off by more than choices differ.
        """
        few = best.estimate.bits < tuning.FEW_BITS
        most = (tuning.NEAR_FEW if few else tuning.NEAR_BITS) * best.estimate.bits
        found = [c for _, c in self.finished if c is not best and c.estimate.bits < most]
        found = [c for c in found if c.sound or c.estimate.miss < tuning.SATURATION_MISS]
        return sorted(found, key=lambda c: c.estimate.bits)[: tuning.OTHERS]

    def best(self) -> Choice:
        """Return the smallest choice, with the quantiser that suits it; if need be the nearest."""
        if not self.sound:
            return min((choice for _, choice in self.finished), key=lambda c: c.estimate.miss)
        trial, choice = min(self.sound, key=lambda pair: pair[1].estimate.bits)
        return finalist.with_quantiser(self.race, trial, choice)


def _alike(one: "Trial", other: "Trial") -> bool:
    """Return whether two trials are of one mode."""
    search, another = (modes.search_of(t.recipe.model.transform) for t in (one, other))
    return search is another
