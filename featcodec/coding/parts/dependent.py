"""The coder of a token grid with dependent quantisation (SPEC §7.10)."""

import math
from dataclasses import dataclass

import numpy as np

from ...entropy import dependent_family as family
from ...entropy.tables import Table
from ...errors import Damage
from ...quantise import dependent
from ...quantise.scalar import LAMBDA
from . import chains
from .base import Coded, NextSymbols, PartCoder, Run, Sizes

MOST_POINTS = 1 << 10  # magnitude of symbols of which all points are worked out


@dataclass
class DependentCoder(PartCoder):
    """Codes latents of low table numbers as a `PartCoder` does, all others along chains."""

    def __post_init__(self) -> None:
        if any(n >= family.FIRST and not t.magnitude for n, t in self.tables.items()):
            raise Damage("an empty table has the number of a quantiser")

    def table(self, number: int) -> Table:
        if number < family.FIRST:
            return super().table(number)
        return self.tables.get(number) or family.table(number)

    def lattice(self, number: int) -> tuple[float, float]:
        if number < family.FIRST:
            return super().lattice(number)
        return self.step * dependent.RATIO, 0.5 * family.quantiser(number)

    def encode_latents(self, latents: np.ndarray, sizes: Sizes) -> tuple[list[Coded], float]:
        latents = latents.reshape(-1, latents.shape[-1])
        scalar, runs = self.split(sizes)
        coded, error = self._coded(self._scalar(latents, scalar))
        symbols, second, more = self.along_chains(latents, runs)
        order, arrays = chains.by_quantiser(_counts(runs, latents.shape[-1]), second, family.number)
        symbols = symbols.take(order)
        coded += [(number, symbols[some]) for number, some in arrays]
        return coded, error + more

    def decode(self, next_symbols: NextSymbols, sizes: Sizes, blocks: int) -> np.ndarray:
        latents = np.zeros((len(self.scales), math.prod(sizes), blocks), self.dtype)
        flat = latents.reshape(-1, blocks)
        scalar, runs = self.split(sizes)
        self._decode_runs(next_symbols, flat, scalar)
        symbols, second = chains.decode(
            next_symbols, _counts(runs, blocks), lambda n, q: self.table(family.number(n, q))
        )
        self._put_points(symbols, second, runs, flat)
        return self.transform.inverse(latents, sizes)

    def _put_points(
        self, symbols: np.ndarray, second: np.ndarray, runs: list[Run], latents: np.ndarray
    ) -> None:
        """Put the reconstruction points of symbols in their rows of latents (rows, blocks)."""
        most = max(int(symbols.max(initial=0)), -int(symbols.min(initial=0)))
        compiled = dependent.compiled_loops(symbols) if most <= MOST_POINTS else None
        if compiled and symbols.size:
            each = np.arange(-most, most + 1, dtype=np.int32)
            found = [self.levels(family.number(n, q), each) for n, _ in runs for q in (0, 1)]
            points = np.stack(found).reshape(len(runs), 2, -1)
            counts = np.array([len(rows) for _, rows in runs])
            compiled.put_points(symbols, second, _rows(runs), counts, points, latents)
            return
        start = 0
        for number, rows in runs:
            some = slice(start, start + len(rows) * latents.shape[1])
            points = self.levels(family.number(number, 0), symbols[some])
            other = self.levels(family.number(number, 1), symbols[some])
            np.copyto(points, other, where=second[some])
            latents[rows] = points.reshape(len(rows), -1)
            start = some.stop

    def split(self, sizes: Sizes) -> tuple[list[Run], list[Run]]:
        """Return the runs of the scalar quantiser, and those of the dependent ones."""
        order = self.order(sizes)
        first = sum(number < family.LEAST for number, _ in order)
        return order[:first], order[first:]

    def along_chains(
        self, latents: np.ndarray, runs: list[Run]
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Return symbols of all runs, which of them are of quantiser 1, and the squared error."""
        rows = _rows(runs)
        lmbda = dependent.LAMBDA * self.lmbda / LAMBDA
        levels = []
        for number, mine in runs:
            tables = (self.table(family.number(number, q)) for q in (0, 1))
            levels.append((len(mine) * latents.shape[-1], chains.levels(*tables, lmbda)))
        spacing = self.step * dependent.RATIO
        return dependent.quantise(latents[rows].reshape(-1), spacing, levels)


def _rows(runs: list[Run]) -> np.ndarray:
    return np.concatenate([rows for _, rows in runs] or [np.zeros(0, np.intp)])


def _counts(runs: list[Run], blocks: int) -> chains.TableCounts:
    return [(number, len(rows) * blocks) for number, rows in runs]
