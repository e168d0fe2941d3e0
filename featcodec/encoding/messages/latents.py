"""The latents of a message at any step: symbols, error and bits."""

import itertools
from dataclasses import dataclass

import numpy as np

from ...coding.parts.at_once import AtOnceCoder, Runs
from ...coding.parts.base import PartCoder, Sizes, thresholds_of
from ...entropy.tables import Table, bits
from ...quantise.scalar import LARGEST

ESCAPE_BITS = 12
MANY = 0.4  # of the latents: where more are not zero, gathering them costs more than it saves


@dataclass
class Symbols:
    """The symbols of a class of blocks in coding order, flat."""

    runs: Runs
    blocks: int
    values: np.ndarray  # int32
    error: float  # squared, of the latents

    def arrays(self) -> list[tuple[np.ndarray, Table]]:
        """Return the symbols of each table."""
        ends = itertools.accumulate((n * self.blocks for n in self.runs.counts), initial=0)
        pairs = zip(itertools.pairwise(ends), self.runs.tables, strict=True)
        return [(self.values[start:end], table) for (start, end), table in pairs]

    def bits(self) -> float:
        """Return what they take, but for what the coder adds."""
        return bits_of(self.arrays())


def bits_of(arrays: list[tuple[np.ndarray, Table]]) -> float:
    """Return what symbols take with their tables, but for what the coder adds."""
    total = 0.0
    for symbols, table in arrays:
        limit = table.magnitude
        inside = np.clip(symbols >> table.shift, -limit, limit)
        escapes = np.count_nonzero(np.abs(inside) == limit)
        total += float(bits(table).take(inside + limit).sum()) + ESCAPE_BITS * escapes
    return total


class Latents:
    """The latents of a class of blocks, to be quantised at one step after another."""

    def __init__(self, values: np.ndarray, sizes: Sizes) -> None:
        """`values` is (channels, points, blocks)."""
        self.values = values
        self.sizes = sizes
        self.blocks = values.shape[-1]
        self._flat = values.reshape(-1, self.blocks)
        self._runs: Runs | None = None

    def energy(self, part: PartCoder) -> tuple[float, float]:
        """Return the sum of squares, and that which the model expects."""
        assert isinstance(part, AtOnceCoder)
        expected = part.runs(self.sizes).expected * self.blocks
        return float(np.square(self.values, dtype=np.float64).sum()), expected

    def _order(self, runs: Runs) -> None:
        """Put latents into a coding order, unless they are in it."""
        if runs is self._runs:
            return
        dtype = self.values.dtype.name
        self._ordered = self._flat.take(runs.rows, axis=0).reshape(-1)
        self._sizes = np.abs(self._ordered)
        lost = self._flat.take(runs.lost, axis=0).reshape(-1)
        self._lost = float(np.vdot(lost, lost))  # their squared error, at any step
        self._first, self._more = runs.offsets(self.blocks, dtype)
        self._energy = _energy(self._ordered)
        self._limits: dict[float, tuple[np.ndarray, np.ndarray, float]] = {}
        self._runs = runs

    def _thresholds(self, runs: Runs, lmbda: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Return the thresholds of each latent, and the least from which one is not zero."""
        if lmbda not in self._limits:
            found = [thresholds_of(table, lmbda) for table in runs.tables]
            dtype = self.values.dtype.name
            self._limits[lmbda] = (
                runs.each([at.dead for at in found], self.blocks, dtype),
                runs.each([at.edge for at in found], self.blocks, dtype),
                min((at.dead for at in found), default=0.0),
            )
        return self._limits[lmbda]

    def error(self, part: PartCoder) -> float:
        """Return the squared error at the step of a coder, in less time where most are zero."""
        assert isinstance(part, AtOnceCoder)
        runs = part.runs(self.sizes)
        self._order(runs)
        dead, edge, least = self._thresholds(runs, part.lmbda)
        (some,) = (self._sizes >= least * part.step).nonzero()
        if len(some) > self._sizes.size * MANY:
            return self.quantised(part).error
        large = self._sizes.take(some)
        zeros = self._energy - _energy(large)
        offsets = self._first.take(some), self._more.take(some)
        _, rest = self._symbols(large, part.step, (dead.take(some), edge.take(some)), offsets)
        return float(np.vdot(rest, rest)) * part.step**2 + max(zeros, 0.0) + self._lost

    def quantised(self, part: PartCoder) -> Symbols:
        """Return the symbols at the step of a coder."""
        assert isinstance(part, AtOnceCoder)
        runs = part.runs(self.sizes)
        self._order(runs)
        dead, edge, _ = self._thresholds(runs, part.lmbda)
        offsets = self._first, self._more
        symbols, size = self._symbols(self._sizes, part.step, (dead, edge), offsets)
        error = float(np.vdot(size, size)) * part.step**2 + self._lost
        np.negative(symbols, out=symbols, where=self._ordered < 0)
        return Symbols(runs, self.blocks, symbols, error)

    @staticmethod
    def _symbols(
        sizes: np.ndarray,
        step: float,
        limits: tuple[np.ndarray, np.ndarray],
        offsets: tuple[np.ndarray, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return magnitudes of symbols, and what they leave, in steps."""
        kind = sizes.dtype.type
        size = sizes * kind(1 / step)
        (dead, edge), (first, more) = limits, offsets
        nonzero = size >= dead
        above = size - edge
        np.maximum(above, kind(0), out=above)
        if above.size and not above.max() < LARGEST:  # what lies beyond is left, and counts
            np.minimum(above, kind(LARGEST - 1), out=above)
        symbols = above.astype(np.int32)
        symbols += nonzero
        size -= symbols
        size -= nonzero * first
        size -= (symbols > 1) * more
        return symbols, size


def _energy(values: np.ndarray) -> float:
    """Return the sum of squares, of which small parts are the difference of two."""
    exact = values.astype(np.float64)
    return float(np.vdot(exact, exact))
