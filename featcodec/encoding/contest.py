"""Ways to write a group, of which the smallest is kept."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..container.group import GroupHeader
from ..container.writer import Writer
from .levels import Levels
from .rate_control.slices import AIM, BELOW
from .without_repeats import size_of

Way = Callable[[], GroupHeader | None]  # writes a group; None where it does not reach the SNR
Cost = tuple[bool, float]  # whether some slice has too little, and the size

LEVELED = 3  # times that levels are sought, ever finer, until no slice has too little
MORE = 1.25  # times what a slice lacks


@dataclass
class Contest:
    """Writes a group one way after the other, over what was written before."""

    writer: Writer
    snr: float  # dB
    lowest: Callable[[], float]  # dB of the slice that has least, of what was written last
    header: GroupHeader | None = None  # of what was written last
    least: Cost = (True, math.inf)  # what missed the SNR is the worst
    _way: Way | None = None
    _best: Way | None = None

    def __post_init__(self) -> None:
        self._mark = self.writer.mark()

    def enter(self, way: Way) -> bool:
        """Write the group a way; return whether that is the best so far."""
        self.writer.rewind(self._mark)
        self._way, self.header = way, way()
        cost: Cost = (True, math.inf)
        if self.header is not None:
            size = size_of(self.writer, self._mark[0], self.header)
            cost = self.lowest() < self.snr - BELOW, size
        better = cost < self.least
        if better or self._best is None:
            self._best, self.least = way, cost
        return better

    def enter_levels(
        self, levels_at: Callable[[float, float], list[Levels]], way_of: Callable[[Levels], Way]
    ) -> None:
        """Write the group by levels for the SNR and, while slices have too little, for more.

        `levels_at` returns those for an SNR that may take fewer than so many bytes.
        """
        wanted = self.snr
        for _ in range(LEVELED):
            lowest = math.inf
            for levels in levels_at(wanted, self.least[1]):
                self.enter(way_of(levels))
                lowest = min(lowest, self.lowest())
            if lowest >= self.snr - BELOW:
                break
            wanted += MORE * (self.snr - BELOW - lowest) + AIM

    def kept(self) -> GroupHeader | None:
        """Return the header of the best way, by which the group is written."""
        if self._best is None or self._best is self._way:
            return self.header
        self.writer.rewind(self._mark)
        return self._best()
