"""The values of a message in the sample domain: symbols, error and bits with context modelling."""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...coding.parts.base import PartCoder, Sizes
from ...entropy.contexts import in_runs
from ...entropy.tables import Table
from ...modes.context.arrays import SYMBOLS
from ...modes.context.scalar import ContextCoder, Settled, by_place
from ...quantise.scalar import Thresholds, quantise
from .latents import bits_of

TYPICAL = Thresholds(0.72, 0.6)  # of symbols whose neighbours are not looked at
OCTAVE = 4.0  # in the unit of scales
ENOUGH = 256  # magnitudes, evenly among all in order, for a rough error

LEAST, MOST = int(SYMBOLS[0]), int(SYMBOLS[-1])

Bounds = tuple[np.ndarray, np.ndarray]  # (channels times blocks,) each


@dataclass(frozen=True)
class MapLatents:
    """The latents of a class of blocks, whose symbols depend on each other."""

    values: np.ndarray  # (channels, points, blocks)
    sizes: Sizes
    bounds: Bounds | None  # of clamped latents

    @property
    def size(self) -> int:
        return self.values.size

    @cached_property
    def rows(self) -> np.ndarray:
        """The latents (points, channels times blocks)."""
        return by_place(self.values)

    @cached_property
    def top(self) -> float:
        """What no decoded latent exceeds."""
        return math.inf if self.bounds is None else float(self.bounds[1].max(initial=0))

    @cached_property
    def total(self) -> float:
        """The sum of magnitudes."""
        return float(np.abs(self.values).sum(dtype=np.float64))

    @cached_property
    def energy(self) -> float:
        """The sum of squares."""
        return float(np.vdot(self.values, self.values))

    @cached_property
    def magnitudes(self) -> np.ndarray:
        """Those that are not 0, ascending."""
        return np.sort(np.abs(self.values[self.values != 0]))

    @cached_property
    def _some(self) -> tuple[np.ndarray, float]:
        """Magnitudes, and how many each stands for."""
        every = max(len(self.magnitudes) // ENOUGH, 1)
        some = self.magnitudes[every // 2 :: every]
        return some, len(self.magnitudes) / max(len(some), 1)

    def rough_errors(self, steps: np.ndarray, dead: float = TYPICAL.dead) -> np.ndarray:
        """Return about the squared errors at steps: what neighbours tell is left out."""
        some, each = self._some
        steps = steps.astype(some.dtype)[:, None]
        sizes = some / steps
        symbols = quantise(sizes, 1.0, replace(TYPICAL, dead=dead))
        found = symbols.astype(sizes.dtype)
        np.minimum(found, self.top / steps, out=found)
        found -= sizes
        found *= steps
        return each * np.einsum("ij,ij->i", found, found)


@dataclass(frozen=True)
class MapSymbols:
    """The symbols of a class of blocks."""

    coder: ContextCoder
    passes: list[Settled]
    error: float  # squared, of the latents when they are decoded and clamped

    @classmethod
    def of(cls, coder: ContextCoder, latents: MapLatents) -> "MapSymbols":
        known = coder.contexts(latents.sizes, latents.values.shape[-1])
        passes = coder.settled(latents.rows, known)
        found = coder.points(known)
        if latents.bounds is not None:
            low, high = latents.bounds
            np.minimum(np.maximum(found, low, out=found), high, out=found)
        found -= latents.rows
        return cls(coder, passes, float(np.vdot(found, found)))

    @property
    def nonzero(self) -> int:
        """The number of symbols that are not 0."""
        return sum(int(np.count_nonzero(symbols)) for _, _, symbols in self.passes)

    @cached_property
    def _sorted(self) -> list[tuple[np.ndarray, Table]]:
        return [
            (symbols.take(places), self.coder.table(number))
            for numbers, keys, symbols in self.passes
            for number, places in in_runs(numbers, keys)
        ]

    def arrays(self) -> list[tuple[np.ndarray, Table]]:
        """Return the symbols of each table, in coding order, flat."""
        return self._sorted

    def bits(self) -> float:
        """Return what they take, but for what the coder adds."""
        if any(s.size and (s.min() < LEAST or s.max() > MOST) for _, _, s in self.passes):
            return bits_of(self.arrays())
        total = 0.0
        for numbers, keys, symbols in self.passes:
            total += float(self.coder.bits(numbers).take(cells_of(keys, symbols)).sum())
        return total


class Maps:
    """The latents of a class of blocks under a coder, at one step after another."""

    def __init__(self, latents: MapLatents) -> None:
        self.latents = latents
        self.values, self.sizes = latents.values, latents.sizes
        self._dead = TYPICAL.dead  # that of the last symbols, on the average
        self._last: MapSymbols | None = None

    def rough_errors(self, steps: np.ndarray) -> np.ndarray:
        """Return about the squared errors at steps."""
        return self.latents.rough_errors(steps, self._dead)

    def saw(self, nonzero: int, step: float) -> None:
        """Take in how many symbols are not 0 at a step."""
        sizes = self.latents.magnitudes
        if 0 < nonzero <= len(sizes):
            self._dead = float(sizes[-nonzero]) / step

    def energy(self, part: PartCoder) -> tuple[float, float]:
        """Return the square of the sum of magnitudes, and that which the model expects."""
        expected = np.exp2(part.scales.reshape(len(part.scales), -1)[:, 0] / OCTAVE).mean()
        return self.latents.total**2, (float(expected) * self.values.size) ** 2

    def error(self, part: PartCoder) -> float:
        """Return the squared error at the step of a coder."""
        return self.quantised(part).error

    def quantised(self, part: PartCoder) -> MapSymbols:
        """Return the symbols at the step of a coder; those of the last one are kept."""
        assert isinstance(part, ContextCoder)
        last = self._last
        if last is None or _asked(last.coder) != _asked(part):
            last = self._last = MapSymbols.of(part, self.latents)
            self.saw(last.nonzero, part.step)
        return last


def cells_of(keys: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return the places of symbols in the bits of tables that have these keys."""
    found = np.multiply(keys, len(SYMBOLS), dtype=np.intp)
    found += np.minimum(np.maximum(symbols, LEAST), MOST)
    found -= LEAST
    return found


def _asked(part: PartCoder) -> tuple[float, int, float]:
    return part.step, part.step_scale, part.lmbda
