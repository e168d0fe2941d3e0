"""What paid in groups alike: the layers of a network, the parts of a cache.

Each attempt at fewer bytes takes its time. One that was made in the first groups of a kind, and was
the smallest in none, is not made in the others.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from .contest import Contest, Way
from .tensors.samples import Samples

FIRST = 2  # groups of a kind in which an attempt is made
# Attempts: another of the choices near the best, levels, and a higher SNR.
ANOTHER, LEVELS, MORE_SNR = "another", "levels", "more SNR"


@dataclass
class Kind:
    """Groups of one kind, as far as they are written."""

    groups: int = 0
    made: Counter[str] = field(default_factory=Counter)  # attempts, in how many of them
    paid: set[str] = field(default_factory=set)  # that were the smallest in one

    @property
    def known(self) -> bool:
        """Whether enough of them are written to know the others by."""
        return self.groups >= FIRST

    def makes(self, attempt: str) -> bool:
        """Return whether an attempt is made in one more group."""
        self.made[attempt] += 1
        return self.made[attempt] <= FIRST or attempt in self.paid

    def enter(self, contest: Contest, attempt: str, way: Way) -> bool:
        """Write a group a way; return whether that is the best so far."""
        won = contest.enter(way)
        self.paid |= {attempt} if won else set()
        return won


@dataclass
class Precedents:
    """Kinds of groups: of one layout and about one size, of values alike, named but for numbers."""

    _kinds: dict[tuple, Kind] = field(default_factory=dict)

    def kind(self, samples: Samples) -> Kind:
        """Return the kind of a group."""
        group = samples.group
        names = re.sub(r"\d+", "#", group.names[0])
        like = samples.sparse, samples.concentrated, bool(samples.saturation)
        key = names, group.dtype, group.layout, group.quality, group.values.bit_length(), like
        return self._kinds.setdefault(key, Kind())
