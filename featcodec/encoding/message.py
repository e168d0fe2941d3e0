"""The shortest message of an array that has the wanted SNR."""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ..align.grids import GroupGrid
from ..align.numbers import to_float
from ..align.value import LEAST, MOST, typical_bounds
from ..coding.message_entry import Entry, at_head
from ..coding.message_head import EXCEPTIONS, LOSSLESS, SHIFTED, TAG_BYTES, UNCLAMPED, Head, code_of
from ..coding.profile import Profile
from ..coding.row_group import RowGroupCoder
from ..entropy import exact
from ..errors import InvalidInput
from . import tuning
from .row_group import RowGroupEncoder
from .search.solve import solve_step

MOST_SHIFT = 120  # quarter octaves: a step beyond has no code
LEAST_START, MOST_START = 1e-6, 1e3  # deviations of the array, of the first step
DROP = 5  # codes from one attempt at the step to the next
EVEN_DROPS, MOST_DROPS = 16, 32  # attempts; later ones go further and further


@dataclass(frozen=True)
class ArrayEncoder:
    """An array that is to become a message: stored elements, their values, the usual ones."""

    stored: np.ndarray
    dtype: str
    values: np.ndarray
    usual: np.ndarray  # which are neither massive nor infinite nor NaN

    @classmethod
    def of(cls, stored: np.ndarray, dtype: str) -> "ArrayEncoder":
        values = to_float(stored, dtype)
        return cls(stored, dtype, values, _usual(values))

    def shortest(self, entries: Sequence[Entry], profile: Profile, snr: float) -> bytes:
        """Return the shortest message, bit for bit when loss would not make it shorter.

        Raises InvalidInput when the values differ and no entry fits.
        """
        usual = self.values[self.usual]
        if not (usual.size and LEAST < float(usual.std(dtype=np.float64)) < MOST):
            return self.exact()
        grids = [(entry, entry.grid_of(self.stored.shape)) for entry in entries]
        fitting = [(entry, grid) for entry, grid in grids if grid is not None]
        if not fitting:
            known = ", ".join(sorted({str(entry) for entry in entries}))
            raise InvalidInput(
                f"the profile has no entry for an array of shape {self.stored.shape};"
                f" it has {known}"
            )
        tried = [self.with_loss(*pair, profile, snr) for pair in fitting]
        found = [message for message in tried if message is not None]
        if not found or len(min(found, key=len)) > tuning.WORTHWHILE * self.stored.nbytes:
            found.append(self.exact())
        return min(found, key=len)

    def exact(self) -> bytes:
        """Return the message bit for bit."""
        head = Head(LOSSLESS, self.dtype, self.stored.shape).pack()
        numbers = self.stored.reshape(-1).view(f"<u{self.stored.itemsize}")
        return head + exact.ExactEncoder(True).encode(numbers, zlib.crc32(head))

    def with_loss(
        self, entry: Entry, grid: GroupGrid, profile: Profile, snr: float
    ) -> bytes | None:
        """Return the message with one entry; None when it cannot reach the SNR."""
        usual, kept = self.values[self.usual], not self.usual.all()
        mean = usual.mean(dtype=np.float64)
        target = float(((usual - mean) ** 2).sum()) * 10 ** (-snr / 10)
        if not 0 < target < math.inf:
            return None
        head, bounds = self._head(entry, profile)
        coder = entry.coder(grid, head, bounds)
        shift = _shift(coder, np.where(self.usual, self.values, mean) if kept else self.values)
        if shift:
            head = replace(head, flags=head.flags | SHIFTED, shift=shift)
            coder = entry.coder(grid, head, bounds)
        best: bytes | None = None

        @cache
        def attempt(code: int) -> float:
            nonlocal best
            at = replace(head, code=code)
            packed = at.pack()
            row_group = RowGroupEncoder(at_head(coder, at, packed, profile), kept, measured=True)
            payload, change = row_group.encode(0, grid.slabs, lambda _: self.stored)
            message = packed + (payload if kept else payload[1:])
            if change.squared <= target and (best is None or len(message) < len(best)):
                best = message
            return change.squared

        start = math.sqrt(12 * target / usual.size) / entry.head.std
        _search(attempt, target, start, 2 ** (shift / 4))
        return best

    def _head(self, entry: Entry, profile: Profile) -> tuple[Head, tuple[float, float]]:
        """Return the head but for step and shift, and bounds outside of which values are kept.

        Those of the entry serve to clamp when they cut what is not usual, and nothing else.
        """
        bounds = (entry.head.lower, entry.head.upper)
        inside = (self.values >= bounds[0]) & (self.values <= bounds[1])
        flags = 0 if self.usual.all() else EXCEPTIONS
        if not np.array_equal(self.usual, inside):
            flags |= UNCLAMPED
            usual = self.values[self.usual]
            bounds = (float(usual.min()), float(usual.max()))
        tag = profile.digest[:TAG_BYTES]
        return Head(flags, self.dtype, self.stored.shape, tag, entry.number), bounds


def _usual(values: np.ndarray) -> np.ndarray:
    finite = np.isfinite(values)
    if not finite.any():
        return finite
    low, high = typical_bounds(values[finite])
    usual: np.ndarray = finite & (values >= low) & (values <= high)
    return usual


def _search(attempt: Callable[[int], float], target: float, start: float, unit: float) -> None:
    """Attempt codes of steps until one has an error of at most `target`, if any has."""
    start = min(max(start / unit, LEAST_START), MOST_START)
    step = solve_step(lambda s: attempt(code_of(s * unit)), target, start, precision=0.004)
    code, drop = code_of(step * unit), DROP
    for number in range(MOST_DROPS):
        if attempt(code) <= target or code == 0:
            break
        drop = drop if number < EVEN_DROPS else 2 * drop
        code = max(code - drop, 0)


def _shift(coder: RowGroupCoder, values: np.ndarray) -> int:
    """Return by how many quarter octaves the array's latents exceed the scales of the profile."""
    energy = expected = 0.0
    for (prefix, sizes), boxes in coder.grid.boxes(0, coder.grid.slabs).items():
        part = coder.parts[prefix]
        found = coder.grid.collect(boxes, lambda _: values, lambda a: a.astype(coder.compute_dtype))
        latents = part.transform.forward(coder.values.forward(found), sizes)
        flat = latents.reshape(-1, latents.shape[-1])
        for number, rows in part.order(sizes):
            energy += float(np.square(flat[rows], dtype=np.float64).sum())
            expected += 2.0 ** (number - 6) * flat[rows].size
    if not (0 < energy < math.inf and expected > 0):
        return 0
    shift = round(2 * math.log2(energy / expected))
    return min(max(shift, -MOST_SHIFT), MOST_SHIFT) if abs(shift) >= 2 else 0
