"""The row groups of a group in the file, of which the last may be coded again."""

from collections import deque
from dataclasses import dataclass, field

from ..coding.row_group import FINE_ONE
from ..container.writer import Mark, Writer
from .measured import Measured
from .rate_control.fine_step import MOST_AGAIN, ErrorBudget
from .row_group import Distortion

Coded = tuple[int, bytes, Distortion, Measured | None]  # the fine step and payload of a row group


@dataclass
class Sections:
    """The row groups of a group that are in the file, and what is known of them."""

    writer: Writer
    spending: ErrorBudget
    of_task: bool
    on_saturation: bool
    each: list[tuple[int, Distortion]] = field(default_factory=list)
    _marks: list[Mark] = field(default_factory=list)
    _found: Measured | None = None
    _last: deque[Measured] = field(default_factory=deque)  # not yet in it: may be coded again

    def add(self, coded: Coded) -> None:
        """Write the next row group."""
        fine, payload, distortion, found = coded
        stored = FINE_ONE if self.on_saturation else fine
        self._marks.append(self.writer.mark())
        self.writer.section(b"ROWS", bytes((stored,)) + payload)
        self.each.append((fine, distortion))
        self.spending.add(distortion.task if self.of_task else distortion.squared)
        if found is not None:
            self._last.append(found)
            if len(self._last) > MOST_AGAIN:
                self._take(self._last.popleft())

    def forget(self, count: int, change: int) -> list[int]:
        """Remove the last row groups; return the fine steps at which they are to come again."""
        self.writer.rewind(self._marks[-count])
        del self._marks[-count:], self.each[-count:]
        for _ in range(min(count, len(self._last))):
            self._last.pop()
        return self.spending.forget(count, change)

    @property
    def total(self) -> Distortion:
        """What coding all of them changed."""
        total = Distortion()
        for _, distortion in self.each:
            total.add(distortion)
        return total

    @property
    def found(self) -> Measured | None:
        """What the user has of all of them, where that was measured."""
        while self._last:
            self._take(self._last.popleft())
        return self._found

    def _take(self, found: Measured) -> None:
        if self._found is None:
            self._found = found
        else:
            self._found.add(found)
