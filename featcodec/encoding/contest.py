"""Ways to write a group, of which the smallest is kept."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..container.writer import Piece, Writer
from .outcome import Outcome
from .rate_control.slices import BELOW

Way = Callable[[], Outcome | None]  # writes a group; None where it does not reach the SNR
Cost = tuple[int, float]  # whether some slice has too little, by little or by more, and the size
LITTLE = 0.25  # dB


@dataclass
class Contest:
    """Writes a group one way after the other, and keeps the smallest."""

    writer: Writer
    snr: float = -math.inf  # dB that each slice is to have, about
    best: Outcome | None = None
    least: Cost = (2, math.inf)  # what missed the SNR is the worst
    last: Outcome | None = None  # what was written last
    _piece: Piece | None = None  # the best, where another was written behind it

    def __post_init__(self) -> None:
        self._mark = self.writer.mark()

    def enter(self, way: Way) -> bool:
        """Write the group a way; return whether that is the best so far."""
        if self.best is not None and self.best is self.last:
            self._piece = self.writer.cut(self._mark)
        self.writer.rewind(self._mark)
        self.last = found = way()
        if found is None:
            return False
        short = self.snr - BELOW - found.lowest
        cost = (short > 0) + (short > LITTLE), float(found.size)
        if cost >= self.least:
            return False
        self.best, self.least = found, cost
        return True

    def kept(self) -> Outcome | None:
        """Return the best outcome, which is in the file then; None where there is none."""
        if self.best is not self.last:
            self.writer.rewind(self._mark)
            if self._piece is not None:
                self.writer.paste(self._piece)
            self.last = self.best
        return self.best

    def surely_kept(self) -> Outcome:
        """Return the best outcome, where some way writes the group whatever it is."""
        found = self.kept()
        assert found is not None
        return found
