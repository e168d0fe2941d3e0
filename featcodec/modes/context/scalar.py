"""Context modelling with the scalar quantiser (SPEC §7.9, §7.13)."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np

from ...coding.parts.base import Coded, NextSymbols, PartCoder, Quantised, Run, Sizes
from ...entropy import contexts, shapes
from ...entropy.contexts import Contexts
from ...entropy.tables import Table, bits
from ...quantise.dependent import Offsets
from ...quantise.scalar import PLAIN, Thresholds, quantise, thresholds
from . import reconstruction
from .arrays import TableArrays, bits_of, limits_of
from .means import NUMBER, Means

# Of a pass: numbers of tables; which of them each symbol has, (places, columns) uint8; symbols.
Settled = tuple[np.ndarray, np.ndarray, np.ndarray]

USUAL: Offsets = (0.15, 0.0, 0.0)
START = Thresholds(0.6, 0.55)  # before there are tables
AT_ONCE = 1 << 16  # symbols of several tables that are quantised at once
KEPT = 2048  # thresholds of tables


@dataclass
class ContextCoder(PartCoder):
    """Codes one token grid in the sample domain; blocks are pieces of a map."""

    positive: bool = False  # no value is below the mean, so no symbol is negative
    offsets: np.ndarray | None = None  # of reconstruction points; None: an encoder seeks them
    expected: Mapping[int, Offsets] = field(default_factory=dict)  # by table, while encoding
    shaped: np.ndarray | None = None  # which shapes have tables of their own; None: none
    means: Means | None = None  # of maps; None: as the reconstruction points have them
    _arrays: TableArrays | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self._arrays is None or not self._arrays.are_of(self.tables, self.expected):
            self._arrays = TableArrays(self.tables, self.expected)

    def with_tables(self, tables: Mapping[int, Table]) -> Self:
        """Return this coder with tables of numbers and of shapes."""
        shaped = any(number >= shapes.NUMBERS for number in tables)
        return replace(self, tables=tables, shaped=shapes.having(tables) if shaped else None)

    def table(self, number: int) -> Table:
        if number == NUMBER and self.means is not None:
            return self.means.table
        found = self.tables.get(number) or self.tables.get(number % shapes.NUMBERS)
        return found or contexts.table(number % shapes.NUMBERS, self.positive)

    def expected_of(self, number: int) -> Offsets:
        """Return where the latents of symbols of a table are expected, in steps beyond them."""
        found = self.expected.get(number) or self.expected.get(number % shapes.NUMBERS)
        return found or USUAL

    def deciding_like(self, other: PartCoder, lambda_scale: float) -> PartCoder:
        found = super().deciding_like(other, lambda_scale)
        assert isinstance(found, ContextCoder) and isinstance(other, ContextCoder)
        return replace(found, expected=other.expected)

    def contexts(self, sizes: Sizes, blocks: int, shaped: np.ndarray | None = None) -> Contexts:
        """Return the contexts of a class of blocks, before any symbol is known.

        `shaped` are the shapes to tell apart, in place of those that have tables.
        """
        shaped = self.shaped if shaped is None else shaped
        scales = self.scales.reshape(len(self.scales), -1)[:, 0]
        levels = (scales - self.step_scale + 1) >> 1
        if shaped is None:
            return Contexts(sizes[-2:], levels, blocks)
        return shapes.ShapedContexts(sizes[-2:], levels, blocks, shaped)

    def encode_latents(self, latents: np.ndarray, sizes: Sizes) -> tuple[list[Coded], float]:
        known = self.contexts(sizes, latents.shape[-1])
        rows = by_place(latents)
        coded = [(number, symbols) for number, _, symbols in self.decided(rows, known)]
        symbols, errors = self.with_means(rows, known)
        if symbols is not None:
            coded.append((NUMBER, symbols))
        return coded, float(np.vdot(errors, errors))

    def with_means(self, rows: np.ndarray, known: Contexts) -> tuple[np.ndarray | None, np.ndarray]:
        """Return the symbols of the means of maps, if there are any, and what errors they leave."""
        errors = self.errors(rows, known)
        if self.means is None:
            return None, errors
        symbols = self.means.symbols(errors, known, self.step)
        errors -= self.means.shift(symbols, known, self.step).astype(errors.dtype)
        return symbols if self.means.table.magnitude else None, errors

    def decided(self, rows: np.ndarray, known: Contexts) -> Iterator[Quantised]:
        """Yield (number of table, copies of latents, int32 symbols) in coding order.

        `rows` are latents (points, columns); `known` knows none of their symbols yet. They are
        decided pass by pass, because earlier passes determine the tables.
        """
        for number, (places, _) in enumerate(known.lattice):
            found = PassSymbols.of(known.shape(number))
            yield from self._decide(found, rows[places].reshape(-1), known.runs(number))
            found.tell(known, number)

    def settled(self, rows: np.ndarray, known: Contexts) -> list[Settled]:
        """Decide symbols as `decided` does, and leave them where they are: without sorting them."""
        found = []
        for number, (places, _) in enumerate(known.lattice):
            numbers, keys = known.keyed(number)
            dead, edge = self.limits(numbers)
            at = Thresholds(dead.take(keys), edge.take(keys))
            symbols = quantise(rows[places], self.step, at)
            known.learn(number, symbols)
            found.append((numbers, keys, symbols))
        return found

    def errors(self, rows: np.ndarray, known: Contexts) -> np.ndarray:
        """Return what the latents have more than their reconstruction points."""
        return rows - self.points(known)

    def points(self, known: Contexts) -> np.ndarray:
        """Return the reconstruction points (points, columns) of all symbols."""
        assert self.offsets is not None
        return reconstruction.from_neighbours(known, self.offsets, self.step, self.dtype)

    def _decide(
        self, found: "PassSymbols", values: np.ndarray, runs: Sequence[Run]
    ) -> Iterator[Quantised]:
        """Quantise the values of a pass, and yield in coding order."""
        for some in _together(runs):
            order, counts = laid(some), [len(where) for _, where in some]
            limits = [self.thresholds_of(number) for number, _ in some]
            latents = values.take(order)
            at = Thresholds(
                _each([at.dead for at in limits], counts, latents.dtype),
                _each([at.edge for at in limits], counts, latents.dtype),
            )
            symbols = quantise(latents, self.step, at)
            found.symbols[order] = symbols
            ends = itertools.accumulate(counts, initial=0)
            for (number, _), (start, end) in zip(some, itertools.pairwise(ends), strict=True):
                yield number, latents[start:end], symbols[start:end]

    def thresholds_of(self, number: int) -> Thresholds:
        """Return the thresholds of symbols of a table."""
        return _thresholds(self.table(number), self.expected_of(number), self.lmbda)

    def limits(self, numbers: np.ndarray) -> tuple[Any, Any]:
        """Return both thresholds of each table."""

        def make() -> tuple[Any, Any]:
            return limits_of([self.thresholds_of(n) for n in numbers.tolist()], self.dtype)

        assert self._arrays is not None
        found: tuple[Any, Any] = self._arrays.get((self.lmbda, self.dtype, numbers.tobytes()), make)
        return found

    def bits(self, numbers: np.ndarray) -> np.ndarray:
        """Return the bits (tables, SYMBOLS) of symbols of each table."""

        def make() -> np.ndarray:
            tables = [self.table(n) for n in numbers.tolist()]
            of_each = {table: bits_of(table).astype(np.float32) for table in set(tables)}
            return np.stack([of_each[table] for table in tables])

        assert self._arrays is not None
        found: np.ndarray = self._arrays.get((numbers.tobytes(),), make)
        return found

    def decode(self, next_symbols: NextSymbols, sizes: Sizes, blocks: int) -> np.ndarray:
        """Return aligned values (channels, points, blocks) of the next symbols."""
        channels, points = len(self.scales), math.prod(sizes)
        known = self.contexts(sizes, blocks)
        for number in range(len(known.lattice)):
            found = PassSymbols.of(known.shape(number))
            self._decode_pass(next_symbols, found, known.runs(number))
            found.tell(known, number)
        latents = self.points(known)
        if self.means is not None:
            table = self.means.table
            symbols = next_symbols(latents.shape[1], table) if table.magnitude else 0
            latents += self.means.shift(symbols, known, self.step).astype(self.dtype)
        aligned = latents.reshape(points, channels, blocks).transpose(1, 0, 2)
        return self.transform.inverse(np.ascontiguousarray(aligned), sizes)

    def _decode_pass(
        self, next_symbols: NextSymbols, found: "PassSymbols", runs: Sequence[Run]
    ) -> None:
        for chosen, where in runs:
            found.symbols[where] = next_symbols(len(where), self.table(chosen))


@lru_cache(maxsize=KEPT)
def _thresholds(table: Table, expected: Offsets, lmbda: float) -> Thresholds:
    if table.shift:
        return PLAIN
    zero, one, further = expected
    return thresholds(bits(table), (one, further), lmbda, zero)


def _together(runs: Sequence[Run]) -> Iterator[Sequence[Run]]:
    """Yield runs that are quantised at once: of few symbols, each call costs more than its work."""
    some, count = list[Run](), 0
    for run in runs:
        if some and count + len(run[1]) > AT_ONCE:
            yield some
            some, count = [], 0
        some.append(run)
        count += len(run[1])
    if some:
        yield some


def _each(of_runs: list[float], counts: list[int], dtype: Any) -> Any:
    """Return a number of each run, for all its symbols where there are several runs."""
    return of_runs[0] if len(counts) == 1 else np.repeat(np.array(of_runs, dtype), counts)


def laid(runs: Sequence[Run]) -> np.ndarray:
    """Return the places of runs, laid end to end."""
    if len(runs) == 1:
        return runs[0][1]
    return np.concatenate([where for _, where in runs] or [np.zeros(0, np.intp)])


@dataclass
class PassSymbols:
    """The symbols of a pass over a class of blocks, and their quantisers, flat."""

    symbols: np.ndarray  # int32
    quantisers: np.ndarray  # uint8, as `Contexts` has them
    shape: tuple[int, int]  # places, columns

    @classmethod
    def of(cls, shape: tuple[int, int]) -> "PassSymbols":
        size = math.prod(shape)
        return cls(np.empty(size, np.int32), np.zeros(size, np.uint8), shape)

    def tell(self, known: Contexts, number: int) -> None:
        symbols, quantisers = self.symbols.reshape(self.shape), self.quantisers.reshape(self.shape)
        known.learn(number, symbols, quantisers)


def by_place(latents: np.ndarray) -> np.ndarray:
    """Return latents (channels, points, blocks) as (points, channels times blocks)."""
    return np.ascontiguousarray(latents.transpose(1, 0, 2)).reshape(latents.shape[1], -1)
