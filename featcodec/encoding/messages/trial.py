"""An array under one entry of a profile: its latents, their error at a step, and its message."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...align.numbers import to_float
from ...coding.exceptions import Exceptions
from ...coding.message_entry import Entry, MessageGrid, seed_of
from ...coding.message_head import EXCEPTIONS, SHIFTED, TAG_BYTES, UNCLAMPED, Head, code_of
from ...coding.parts.base import NextSymbols, PartCoder
from ...coding.profile import Profile
from ...coding.row_group import RowGroupCoder
from ...entropy import symbols as coded_symbols
from ...entropy.tables import Table
from ...modes.context.scalar import ContextCoder
from ...quantise.scalar import LARGEST
from .latents import Symbols
from .neighbours import Maps, MapSymbols
from .shared import Classes, Shared
from .step import CLOSE, LAST, At, fitted, foretold, start_of, steps_of
from .values import Values

MOST_SHIFT = 120  # quarter octaves: a step beyond has no code
LEAST_START, MOST_START = 1e-6, 1e6  # of a first step, in deviations of the profile
ROUNDS = 3  # in which the error of latents is to foretell that of decoded values,
NEARLY = 0.02  # which may be less than is asked for by that share
SURELY = 1 - 1e-6  # of a bound: what arithmetic adds to an error
NEARLY_MAPS = 0.01  # the same of latents with context modelling: each look takes longer
NEAR = 3.0  # deviations from the mean to a bound at which many decoded values are clamped
OVERHEAD = 13  # bytes beside the head and what symbols take, about


@dataclass
class Trial:
    """An array under one entry; `coder` and `head` are at a step of 1."""

    values: Values
    profile: Profile
    entry: Entry
    head: Head
    coder: RowGroupCoder
    latents: Classes
    _last: tuple[At, list[Symbols | MapSymbols]] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, shared: Shared, entry: Entry, grid: MessageGrid, profile: Profile) -> "Trial":
        values = shared.values
        bounds = (entry.head.lower, entry.head.upper)
        flags = 0 if values.usual is None else EXCEPTIONS
        if not values.are_those_within(*bounds):
            # Bounds serve to clamp when they cut what is not usual, and nothing else.
            flags |= UNCLAMPED
            bounds = (values.low, values.high)
        tag = profile.digest[:TAG_BYTES]
        head = Head(flags, values.dtype, values.stored.shape, tag, entry.number)
        coder = entry.coder(grid, head, bounds)
        latents = shared.latents(coder, grid)
        shift = _shift(coder, latents)
        if shift:
            head = replace(head, flags=head.flags | SHIFTED, shift=shift)
            coder = entry.coder(grid, head, bounds)
        return cls(values, profile, entry, head, coder, latents)

    def goal(self, target: float) -> float:
        """Return the squared error of latents for one of values."""
        return target / self.coder.values.std**2

    def start(self, target: float) -> int:
        """Return a position from which the step for a squared error is sought."""
        values = [latents.values for _, latents in self.latents]
        return self._start(start_of(values, self.goal(target)))

    def at_error(self, target: float, start: int) -> At | None:
        """Return the largest step found, from a start, where the squared error is at most that."""
        goal = self.goal(target)
        measured = self.measured(target)
        for number in range(ROUNDS):
            rough = measured and not number  # how far decoded values err otherwise, is not known
            found = self._fitted(goal, start, NEARLY if rough else CLOSE)
            if found is None:
                break
            if not measured:
                return At.of(found)
            reached = self._squared(found) / target
            if 1 - NEARLY <= reached <= 1:
                return At.of(found)
            start = found
            goal *= min(max((1 - NEARLY / 2) / max(reached, 1e-9), 0.01), 100.0)
        return self._at(fitted(self._squared, target, start, NEARLY))

    def _fitted(self, goal: float, start: int, close: float) -> int | None:
        """Return the largest position found at which latents err by at most `goal`."""
        found = None
        if self.of_maps:
            found = foretold(self.error, self.rough_errors, goal, start, NEARLY_MAPS)
        return fitted(self.error, goal, start, close) if found is None else found

    def rough_errors(self, positions: np.ndarray) -> np.ndarray:
        """Return about the squared errors of latents of maps."""
        steps = steps_of(positions)
        found: np.ndarray = np.sum([maps.rough_errors(steps) for maps in self.maps], axis=0)
        return found

    def within(self, bound: float) -> At | None:
        """Return the largest step found at which no decoded value errs by more than `bound`."""
        start = self._start(2 * bound / self.coder.values.std)
        return self._at(fitted(self._largest, (bound * SURELY) ** 2, start))

    def at_bits(self, bits: float) -> At | None:
        """Return the least step found at which the message takes at most about so many bits."""
        size = max(self.values.values.size, 1)
        deviation = math.sqrt(self.values.power / size) / self.coder.values.std
        start = self._start(2 * deviation * 2 ** min(-bits / size, 0.0))

        def rate(back: int) -> float:
            return float(2 ** (2 * self.bits(At.of(LAST - back)) / size))

        back = fitted(rate, 2 ** (2 * bits / size), LAST - start)
        return None if back is None else At.of(LAST - back)

    def at_step(self, step: float) -> At | None:
        """Return the code of a step in the unit of the values; None for one that is too fine."""
        wanted = step / self.coder.values.std
        reach = max(float(np.abs(some.values).max(initial=0)) for _, some in self.latents)
        if wanted < LEAST_START or not reach < wanted * (LARGEST - 1):
            return None
        return At.of(self._start(wanted))

    @property
    def of_maps(self) -> bool:
        """Whether all symbols depend on their neighbours: each look at a step takes longer."""
        return len(self.maps) == len(self.latents)

    @property
    def maps(self) -> list[Maps]:
        return [latents for _, latents in self.latents if isinstance(latents, Maps)]

    def map_coders(self, at: At) -> list[ContextCoder]:
        """Return the coder of each class of blocks of maps."""
        parts = [self._part(prefix, at) for prefix, _ in self.latents]
        return [part for part in parts if isinstance(part, ContextCoder)]

    def measured(self, target: float) -> bool:
        """Return whether decoded values err otherwise than their latents."""
        values = self.values
        if values.usual is not None or values.rounding_counts(target, self.coder.values.mean):
            return True
        if self.of_maps:
            return False
        bounds, reach = self.coder.values, NEAR * math.sqrt(values.power / values.count)
        nearest = min(values.mean - bounds.lower, bounds.upper - values.mean)
        return self.coder.clamp and nearest < reach

    @staticmethod
    def _at(position: int | None) -> At | None:
        return None if position is None else At.of(position)

    @staticmethod
    def _start(step: float) -> int:
        """Return the position of a step, in deviations of the profile."""
        return At(code_of(min(max(step, LEAST_START), MOST_START))).position

    def bits(self, at: At) -> float:
        """Return about the bits of the message."""
        return self.overhead + sum(found.bits() for found in self._quantised(at))

    @property
    def overhead(self) -> int:
        """About the bits of a message beside its symbols."""
        return 8 * (len(self.head.pack()) + OVERHEAD)

    def message(self, at: At) -> bytes:
        """Return the message."""
        arrays = [pair for found in self._quantised(at) for pair in found.arrays()]
        return self.packed(replace(self.head, code=at.code), arrays)

    def packed(self, head: Head, arrays: list[tuple[np.ndarray, Table]]) -> bytes:
        """Return the message of a head and symbols with their tables."""
        packed = head.pack()
        coded = coded_symbols.encode(arrays, seed_of(packed, self.profile))
        return packed + self._exceptions() + coded

    def _exceptions(self) -> bytes:
        if self.values.usual is None:
            return b""
        kept, grid = Exceptions(), self.coder.grid
        for boxes in grid.boxes(0, grid.slabs).values():
            usual = grid.collect(boxes, lambda _: self.values.usual, lambda a: a)
            stored = grid.collect(boxes, lambda _: self.values.stored, lambda a: a)
            kept.add(np.flatnonzero(~usual), stored)
        return kept.pack()

    def _part(self, prefix: bool, at: At) -> PartCoder:
        head, part = replace(self.head, code=at.code), self.coder.parts[prefix]
        return replace(
            part,
            step=head.step,
            step_scale=part.step_scale + head.step_scale,
            lmbda=at.lmbda,
        )

    def _quantised(self, at: At) -> list[Symbols | MapSymbols]:
        if self._last is None or self._last[0] != at:
            found = [latents.quantised(self._part(prefix, at)) for prefix, latents in self.latents]
            self._last = at, found
        return self._last[1]

    def error(self, position: int) -> float:
        """Return the squared error of the latents."""
        at = At.of(position)
        if self._last is not None and self._last[0] == at:
            return sum(found.error for found in self._last[1])
        return sum(latents.error(self._part(prefix, at)) for prefix, latents in self.latents)

    def _squared(self, position: int) -> float:
        return self._change(At.of(position))[0]

    def _largest(self, position: int) -> float:
        return self._change(At.of(position))[1] ** 2

    def _change(self, at: At) -> tuple[float, float]:
        found = self._quantised(at)
        parts = {prefix: self._part(prefix, at) for prefix, _ in self.latents}
        return self.change(parts, [in_order(symbols) for symbols in found])

    def change(
        self, parts: Mapping[bool, PartCoder], symbols: Sequence[NextSymbols]
    ) -> tuple[float, float]:
        """Return the squared and the largest error of decoded usual values.

        They are decoded by coders of the parts, from the symbols of each class of blocks.
        """
        squared, largest, grid = 0.0, 0.0, self.coder.grid
        classes = grid.boxes(0, grid.slabs).items()
        for ((prefix, sizes), boxes), following in zip(classes, symbols, strict=True):
            blocks = sum(box.count for box in boxes)
            back = self.coder.reconstruct(parts[prefix], following, sizes, blocks, None)
            values = grid.collect(boxes, lambda _: self.values.values, lambda a: a)
            change = np.abs(to_float(back, self.values.dtype) - values)
            if self.values.usual is not None:
                change[~grid.collect(boxes, lambda _: self.values.usual, lambda a: a)] = 0
            squared += float(np.square(change, dtype=np.float64).sum())
            largest = max(largest, float(change.max(initial=0)))
        return squared, largest


def in_order(found: Symbols | MapSymbols) -> NextSymbols:
    """Return symbols in the form that `decode` takes them."""
    arrays = iter(found.arrays())
    return lambda count, table: next(arrays)[0]


def _shift(coder: RowGroupCoder, latents: Classes) -> int:
    """Return by how many quarter octaves latents exceed the scales of the profile."""
    energy = expected = 0.0
    for prefix, some in latents:
        more, of_model = some.energy(coder.parts[prefix])
        energy, expected = energy + more, expected + of_model
    if not (0 < energy < math.inf and expected > 0):
        return 0
    shift = round(2 * math.log2(energy / expected))
    return min(max(shift, -MOST_SHIFT), MOST_SHIFT) if abs(shift) >= 2 else 0
