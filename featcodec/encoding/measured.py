"""What a group reaches where the user looks, measured on decoded values."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..align.numbers import to_float, unsigned
from ..coding.from_header import grid_of, row_group_coder
from ..coding.pieces import Blocks
from ..coding.profile import Profile
from ..coding.row_group import RowGroupCoder
from ..compiled import loops
from ..container.group import GroupHeader
from ..container.writer import Writer
from .slices import Slices
from .tensors.group import Group
from .workers import Workers

TENTH = 0.1
NOTHING = 1.0  # dB: what a channel keeps that comes back as next to nothing
AT_ONCE = 1 << 16  # values compared at once: about what a cache holds of them in double precision
SAVED = 5e-9  # seconds a value, by compiled loops
MINUTE = 1e-12  # of squares: rounding makes as much of values that do not vary
LOWEST, HIGHEST, PER_DB = -100, 300, 100  # of the histogram of rows: 0.01 dB are told apart


def snrs_of(sums: np.ndarray) -> np.ndarray:
    """Return SNRs in dB from counts, sums, squares and squared errors (4, ...), of any pivot.

    NaN where neither values vary nor anything is lost.
    """
    count, total, squares, noise = sums
    signal = squares - total**2 / np.maximum(count, 1)
    signal = np.where(signal <= MINUTE * squares, 0, signal)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = 10 * np.log10(signal / noise)
    return found


@dataclass
class Measured:
    """The sums of slices and of channels of a group, and how many rows have which SNR."""

    slices: np.ndarray  # sums (4, slices of samples, slices of channels), about the mean of all
    channels: np.ndarray  # sums (4, channels)
    rows: np.ndarray = field(default_factory=lambda: np.zeros((HIGHEST - LOWEST) * PER_DB + 1))

    def add(self, other: "Measured") -> None:
        """Take in what was found of further row groups."""
        self.slices += other.slices
        self.channels += other.channels
        self.rows += other.rows

    def add_rows(self, signal: np.ndarray, noise: np.ndarray) -> None:
        """Take in squares of rows, and their squared errors."""
        known = signal > 0
        with np.errstate(divide="ignore"):
            snrs = 10 * np.log10(signal[known] / noise[known])
        places = np.clip(np.rint((snrs - LOWEST) * PER_DB), 0, len(self.rows) - 1)
        self.rows += np.bincount(places.astype(np.intp), minlength=len(self.rows))

    @property
    def noise(self) -> float:
        """The squared error of all that counts."""
        return float(self.slices[3].sum())

    @property
    def tenth_of_channels(self) -> float:
        """The SNR in dB that nine channels in ten have."""
        known = np.sort(self._of_channels)
        return float(known[int(TENTH * len(known))]) if len(known) else math.inf

    @property
    def erased(self) -> tuple[int, int]:
        """How many channels come back with less than NOTHING, and how many vary or lose."""
        known = self._of_channels
        if np.isneginf(known).all():
            return 0, len(known)  # channels of a single row do not vary
        return int((known < NOTHING).sum()), len(known)

    @property
    def _of_channels(self) -> np.ndarray:
        """The SNRs in dB of channels that have one."""
        snrs = snrs_of(self.channels)
        return snrs[~np.isnan(snrs)]

    @property
    def tenth_of_rows(self) -> float:
        """The SNR in dB, by their own norm, that nine rows in ten have."""
        count = self.rows.sum()
        if not count:
            return math.inf
        at = int(np.searchsorted(np.cumsum(self.rows), math.floor(TENTH * count) + 0.5))
        return LOWEST + at / PER_DB if at < len(self.rows) - 1 else math.inf


def measured(
    writer: Writer,
    group: Group,
    header: GroupHeader,
    profile: Profile | None,
    workers: Workers,
) -> Measured:
    """Return what the row groups of a header reach; they are the last that were written."""
    coder = coder_of(group, header, profile)
    comparing = Comparing.of(group, header)
    found = comparing.nothing
    written = (row_group(writer, header, number) for number in range(header.row_groups))
    for each in workers.map(group, Measuring(coder, comparing), written):
        found.add(each)
    return found


def coder_of(group: Group, header: GroupHeader, profile: Profile | None) -> RowGroupCoder:
    """Return the coder of the row groups of a header."""
    assert header.lossy is not None
    profile = None if header.lossy.profile is None else profile
    grid = grid_of(header.lossy, group.shapes, profile, header.repeats)
    return row_group_coder(header.dtype, header.lossy, grid, profile)


def row_group(writer: Writer, header: GroupHeader, number: int) -> tuple[bytes, int, int]:
    """Return the payload of a row group, and its first and last slab."""
    per = header.slabs_per_row_group
    payload = writer.payload(header.first_section + number)
    return payload, number * per, min((number + 1) * per, header.slabs)


def measured_elements(group: Group, rounded: Callable[[np.ndarray], np.ndarray]) -> Measured:
    """Return what a group has whose elements, unsigned integers (n,), are rounded."""
    grid, slices = group.grid(tuple(1 for _ in group.grids[0])), Slices.of(group)
    comparing = Comparing(group.tensor, slices, Counted(), group.dtype, len(slices.of_channels))
    found = comparing.nothing

    def convert(stored: np.ndarray) -> np.ndarray:
        numbers = np.ascontiguousarray(stored).view(unsigned(group.dtype))
        return rounded(numbers.reshape(-1)).reshape(stored.shape).view(stored.dtype)

    for boxes in grid.boxes(0, grid.slabs).values():
        comparing.add(found, Blocks(grid.collect(boxes, group.tensor, convert), grid, boxes))
    return found


@dataclass(frozen=True)
class Measuring:
    """Compares row groups, each a payload with its first and last slab, with their tensors."""

    coder: RowGroupCoder
    comparing: "Comparing"

    def __call__(self, row_group: tuple[bytes, int, int]) -> Measured:
        payload, first, last = row_group
        found = self.comparing.nothing
        fine = self.coder.at_fine_step(payload[0])
        for blocks in fine.decode(memoryview(payload)[1:], first, last):
            self.comparing.add(found, blocks)
        return found


class Counted(NamedTuple):
    """Which values count, and about what."""

    constant: Sequence[int] = ()  # channels that do not count
    lower: float = -math.inf  # bounds of what does
    upper: float = math.inf
    mean: float = 0.0


@dataclass(frozen=True)
class Comparing:
    """Compares decoded blocks of a group with its tensors."""

    tensor: Callable[[int], np.ndarray]
    slices: Slices
    counted: Counted
    dtype: str
    channels: int

    @classmethod
    def of(cls, group: Group, header: GroupHeader) -> "Comparing":
        """Return what compares the blocks of a group that a header is of."""
        lossy, slices = header.lossy, Slices.of(group)
        assert lossy is not None
        constant = [channel for channel, _ in lossy.constants]
        # With gains, bounds are of divided values.
        bounds = (-math.inf, math.inf) if lossy.gains else (lossy.lower, lossy.upper)
        counted = Counted(constant, *bounds, lossy.mean)
        return cls(group.tensor, slices, counted, header.dtype, len(slices.of_channels))

    @property
    def nothing(self) -> Measured:
        """What no blocks have."""
        return Measured(np.zeros((4, *self.slices.counts)), np.zeros((4, self.channels)))

    def add(self, found: Measured, blocks: Blocks) -> None:
        """Take in what decoded blocks have."""
        pairs = blocks.grid.occurrences(blocks.values, blocks.boxes, self.tensor)
        for samples, stored, decoded in pairs:
            each = max(AT_ONCE // max(stored.shape[1], 1), 1)
            for start in range(0, stored.shape[-1], each):
                some = slice(start, start + each)
                self._add(found, samples[some], stored[..., some], decoded[..., some])

    def _add(
        self, found: Measured, samples: np.ndarray, stored: np.ndarray, decoded: np.ndarray
    ) -> None:
        """Take in elements (channels, points, blocks) of blocks of some samples."""
        known, (x, y) = self.counted, (to_float(a, self.dtype) for a in (stored, decoded))
        counted = np.ones(len(x), bool)
        counted[list(known.constant)] = False
        compiled = loops("featcodec.encoding.compiled_measured", x.size * SAVED)
        # NumPy adds up what lies side by side in pairs.
        summed = compiled.sums if compiled and x.shape[-1] > 1 else sums
        each, rows = summed(x, y, counted, known.lower, known.upper, known.mean)
        found.add_rows(*rows)
        for i, values in enumerate(each):
            found.channels[i] += values.sum(axis=1)
            self._add_slices(found.slices[i], values, samples)

    def _add_slices(self, sums: np.ndarray, values: np.ndarray, samples: np.ndarray) -> None:
        of_channels, of_samples = self.slices.of_channels, self.slices.of_samples[samples]
        count, heads = self.slices.counts
        edges = np.searchsorted(of_channels, np.arange(heads))
        for head, each in enumerate(np.add.reduceat(values, edges, axis=0)):
            sums[:, head] += np.bincount(of_samples, each, count)


def sums(
    stored: np.ndarray,
    decoded: np.ndarray,
    counted: np.ndarray,
    lower: float,
    upper: float,
    mean: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return sums (4, channels, blocks) over points, and (2, points, blocks) over channels.

    Values are (channels, points, blocks), of which finite ones within the bounds count, and only in
    channels that are `counted`. The first sums are counts, values about the mean, their squares and
    squared errors; the others are squares and squared errors.
    """
    channels, points, blocks = stored.shape
    each, rows = np.zeros((4, channels, blocks)), np.zeros((2, points, blocks))
    at_once = max(AT_ONCE // max(points * blocks, 1), 1)
    for first in range(0, channels, at_once):
        some = slice(first, first + at_once)
        x, y = stored[some].astype(np.float64), decoded[some].astype(np.float64)
        inside = np.isfinite(x)
        inside &= (x >= lower) & (x <= upper)
        inside &= counted[some, None, None]
        outside = None if inside.all() else ~inside  # most often there is nothing to leave out
        if outside is not None:
            x[outside], y[outside] = 0, 0
        noise = np.square(np.subtract(x, y, out=y), out=y)
        _add_channels(rows[0], np.square(x))
        x -= mean
        if outside is not None:
            x[outside] = 0
        each[:, some] = [values.sum(axis=1) for values in (inside, x, np.square(x), noise)]
        _add_channels(rows[1], noise)
    return each, rows


def _add_channels(rows: np.ndarray, values: np.ndarray) -> None:
    """Add values (channels, points, blocks) to rows, one channel after the other; values change."""
    values[0] += rows
    if rows.size > 1:
        np.add.reduce(values, axis=0, out=rows)
    else:  # in pairs, that would be
        rows[...] = np.add.accumulate(values, axis=0)[-1]
