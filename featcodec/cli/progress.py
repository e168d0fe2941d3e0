"""One line on a terminal that tells how far a batch is."""

import shutil
import sys
import time
from typing import TextIO

from . import render

EVERY = 0.1  # seconds
# Before that much of all is done, or so many seconds have gone by, the rate is that of starting up,
# and says nothing of the time that is left.
TELLS, TELLS_AFTER = 0.01, 10.0


class Progress:
    """Files and bytes of a batch that are done, at what rate, and how long the rest takes.

    It draws on a stream, nothing without one. `clear` takes the line away before anything else
    is said.
    """

    def __init__(self, files: int, total: int, stream: TextIO | None) -> None:
        self.files, self.total = files, total  # of all inputs; bytes
        self.done = self.bytes = self.passed = 0
        self._under_way: dict[int, int] = {}  # bytes of the inputs that are worked on
        self._stream = stream
        self._start = time.monotonic()
        self._drawn = 0.0
        self._width = 0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    @property
    def rate(self) -> float:
        """Bytes of inputs a second, without those that were skipped."""
        return (self.bytes + sum(self._under_way.values())) / max(self.seconds, 1e-6)

    def advance(self, position: int, count: int, size: int) -> None:
        """Take in that more of an input is done; several passes over it count as one."""
        self._under_way[position] = min(self._under_way.get(position, 0) + count, size)
        self._draw()

    def finish(self, position: int, size: int, skipped: bool = False) -> None:
        """Take in that an input is done, or need not be."""
        self._under_way.pop(position, None)
        self.done += 1
        self.bytes += 0 if skipped else size
        self.passed += size if skipped else 0
        self._draw()

    def line(self) -> str:
        """Return what is shown."""
        under_way = sum(self._under_way.values())
        reached = min(self.bytes + self.passed + under_way, self.total)
        part, whole = (reached, self.total) if self.total else (self.done, max(self.files, 1))
        line = f"{100 * part // whole:3} %"  # 100 when all is done, and not before
        if self.files > 1:
            line += f"  {self.done:,} of {self.files:,} files"
        if self.total:
            line += f"  {render.size(reached)} of {render.size(self.total)}"
        if self.rate:
            line += f"  {render.size(self.rate)}/s"
            if part >= TELLS * whole or self.seconds >= TELLS_AFTER:
                line += f"  {render.duration((self.total - reached) / self.rate)} left"
        return line

    def clear(self) -> None:
        if self._stream is not None and self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def _draw(self) -> None:
        now = time.monotonic()
        if self._stream is None or now - self._drawn < EVERY:
            return
        self._drawn = now
        line = self.line()[: shutil.get_terminal_size().columns - 1]
        self._write("\r" + line.ljust(self._width))
        self._width = max(self._width, len(line))

    def _write(self, text: str) -> None:
        assert self._stream is not None
        self._stream.write(text)
        self._stream.flush()


def terminal(shown: bool) -> TextIO | None:
    """Return standard error where it is a terminal and something is to be shown there."""
    return sys.stderr if shown and sys.stderr is not None and sys.stderr.isatty() else None
