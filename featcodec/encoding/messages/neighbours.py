"""The values of a message in the sample domain: symbols, error and bits with context modelling."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...coding.parts.base import Coded, PartCoder, Sizes
from ...entropy.tables import Table
from ...modes.context.scalar import START, ContextCoder, by_place
from ...quantise.scalar import dequantise, quantise
from .latents import bits_of

OCTAVE = 4.0  # in the unit of scales

Bounds = tuple[np.ndarray, np.ndarray]  # (channels times blocks,) each


@dataclass(frozen=True)
class MapSymbols:
    """The symbols of a class of blocks in coding order, flat."""

    coder: ContextCoder
    coded: list[Coded]
    error: float  # squared, of the latents when they are decoded and clamped

    @classmethod
    def of(
        cls, coder: ContextCoder, values: np.ndarray, sizes: Sizes, bounds: Bounds | None
    ) -> "MapSymbols":
        """Quantise latents (channels, points, blocks)."""
        known, rows = coder.contexts(sizes, values.shape[-1]), by_place(values)
        coded = [(number, symbols) for number, _, symbols in coder.decided(rows, known)]
        found = coder.points(known)
        if bounds is not None:
            np.clip(found, *bounds, out=found)
        found -= rows
        return cls(coder, coded, float(np.vdot(found, found)))

    @cached_property
    def nonzero(self) -> int:
        """The number of symbols that are not 0."""
        return sum(int(np.count_nonzero(symbols)) for _, symbols in self.coded)

    def arrays(self) -> list[tuple[np.ndarray, Table]]:
        """Return the symbols of each table."""
        return [(symbols, self.coder.table(number)) for number, symbols in self.coded]

    def bits(self) -> float:
        """Return what they take, but for what the coder adds."""
        return bits_of(self.arrays())


class Maps:
    """The latents of a class of blocks, whose symbols depend on each other."""

    def __init__(self, values: np.ndarray, sizes: Sizes, bounds: Bounds | None) -> None:
        """`values` is (channels, points, blocks), `bounds` are those of clamped latents."""
        self.values = values
        self.sizes = sizes
        self.size = values.size
        self._bounds = bounds
        self._last: MapSymbols | None = None

    @cached_property
    def _magnitudes(self) -> np.ndarray:
        """Those that are not 0, ascending."""
        return np.sort(np.abs(self.values[self.values != 0]))

    def rough_error(self, step: float) -> float:
        """Return about the squared error at a step: what neighbours tell is left out.

        The dead zone is that of the last symbols, on the average.
        """
        sizes, last, at = self._magnitudes, self._last, START
        zeros = len(sizes) - last.nonzero if last is not None else 0
        if last is not None and 0 <= zeros < len(sizes):
            at = replace(at, dead=float(sizes[zeros]) / last.coder.step)
        found = dequantise(quantise(sizes, step, at), step, (0.0, 0.0), sizes.dtype.name)
        if self._bounds is not None:
            np.minimum(found, self._bounds[1].max(initial=0), out=found)
        found -= sizes
        return float(np.vdot(found, found))

    def energy(self, part: PartCoder) -> tuple[float, float]:
        """Return the square of the sum of magnitudes, and that which the model expects."""
        found = float(np.abs(self.values).sum(dtype=np.float64))
        expected = np.exp2(part.scales.reshape(len(part.scales), -1)[:, 0] / OCTAVE).mean()
        return found**2, (float(expected) * self.size) ** 2

    def error(self, part: PartCoder) -> float:
        """Return the squared error at the step of a coder."""
        return self.quantised(part).error

    def quantised(self, part: PartCoder) -> MapSymbols:
        """Return the symbols at the step of a coder; those of the last one are kept."""
        assert isinstance(part, ContextCoder)
        last = self._last
        if last is None or _asked(last.coder) != _asked(part):
            last = MapSymbols.of(part, self.values, self.sizes, self._bounds)
            self._last = last
        return last


def _asked(part: PartCoder) -> tuple[float, int, float]:
    return part.step, part.step_scale, part.lmbda
