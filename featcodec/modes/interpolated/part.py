"""The coder of symbols near their expected values (SPEC §7.16)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ...coding.parts.base import Coded, NextSymbols, PartCoder, Sizes
from ...entropy import located
from ...entropy.interpolation import LARGEST, Interpolator, Step, Weights
from ...entropy.located import BITS, CLASSES, LOW, NUMBERS, PLACES, TOP, UNIT_BITS
from ...entropy.tables import MAX_MAGNITUDE, Table, bits

KINDS = 6  # of symbols: of zeros by their predictions, of others by what is left of those
UNIT = 64  # offsets in a step
ESCAPE_BITS = 12
MOST = 1 << 20  # magnitude of a symbol
# Of each class of spreads, 64ths.
_HALF_SPREAD = np.array(
    (2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512), np.int32
)


@dataclass(frozen=True)
class Own:
    """The fields of the mode, unpacked."""

    weights: Weights
    tweaks: np.ndarray  # (CLASSES,) of slopes
    zeros: np.ndarray  # (NUMBERS,) of the chances of zero
    offsets: np.ndarray  # (CLASSES, KINDS) of reconstruction points, in 1 / UNIT steps


@dataclass
class InterpolatedCoder(PartCoder):
    """Codes one token grid in the sample domain; blocks are pieces of a map."""

    own: Own | None = None
    positive: bool = False  # no value is below the mean, so no symbol is negative
    _tables: dict[int, Table] = field(default_factory=dict)

    @cached_property
    def interpolator(self) -> Interpolator:
        assert self.own is not None
        return Interpolator(self.own.weights, self.positive)

    def table(self, number: int) -> Table:
        if number not in self._tables:
            assert self.own is not None
            own = self.own
            self._tables[number] = located.table(number, self.positive, own.tweaks, own.zeros)
        return self._tables[number]

    def encode_latents(self, latents: np.ndarray, sizes: Sizes) -> tuple[list[Coded], float]:
        coded: list[Coded] = []
        error = 0.0
        for step, mine, symbols in self.decided(latents, sizes):
            order, found = sorted_runs(step.numbers)
            rest, start = (symbols - step.bases).reshape(-1).take(order), 0
            for number, count in found:
                coded.append((number, rest[start : start + count]))
                start += count
            mine -= self.levels_of(step, symbols)
            error += float(np.vdot(mine, mine))
        return coded, error

    def decided(
        self, latents: np.ndarray, sizes: Sizes
    ) -> Iterator[tuple[Step, np.ndarray, np.ndarray]]:
        """Yield steps, copies of latents, and int32 symbols, which the steps have learnt."""
        blocks = latents.shape[-1]
        for step in self.interpolator.steps(sizes, blocks):
            mine = latents[step.channels[:, None], step.places].reshape(step.numbers.shape)
            symbols = self._decide(mine, step)
            step.learn(symbols)
            yield step, mine, symbols

    def _decide(self, latents: np.ndarray, step: Step) -> np.ndarray:
        """Return the symbols of least squared error plus lmbda times bits.

        The nearest one is a candidate, the next one towards the prediction, and zero.
        """
        exact = latents * latents.dtype.type(1 / self.step)
        nearest = np.clip(np.rint(exact), 0 if self.positive else -MOST, MOST)
        if not self.lmbda:  # as where a bound holds
            return nearest.astype(np.int32)
        toward = np.rint(step.predicted * (1 / (1 << UNIT_BITS)))
        if self.positive:
            np.maximum(toward, 0, out=toward)
        toward = nearest + np.sign(toward - nearest)
        best, least = nearest, self._cost(exact, nearest, step)
        for other in (toward, np.zeros_like(nearest)):
            cost = self._cost(exact, other, step)
            better = cost < least
            best, least = np.where(better, other, best), np.where(better, cost, least)
        return best.astype(np.int32)

    def _cost(self, exact: np.ndarray, symbols: np.ndarray, step: Step) -> np.ndarray:
        rest = np.clip(symbols - step.bases, -MAX_MAGNITUDE, MAX_MAGNITUDE)
        rest += np.multiply(step.numbers, 2 * MAX_MAGNITUDE + 1, dtype=np.int32) + MAX_MAGNITUDE
        error = exact - symbols
        error *= error
        error += self.lmbda * self._bits.take(rest.astype(np.int32))
        return np.asarray(error)

    @cached_property
    def _bits(self) -> np.ndarray:
        """The bits of the symbols -MAX_MAGNITUDE..MAX_MAGNITUDE less the base, by number."""
        found = np.full((NUMBERS, 2 * MAX_MAGNITUDE + 1), 0.0, np.float32)
        symbols = np.arange(-MAX_MAGNITUDE, MAX_MAGNITUDE + 1)
        for number in numbers_of(self.positive):
            table = self.table(number)
            limit = table.magnitude
            found[number] = bits(table)[np.clip(symbols, -limit, limit) + limit]
            found[number][np.abs(symbols) >= limit] += ESCAPE_BITS
        return found

    def levels_of(self, step: Step, symbols: np.ndarray) -> np.ndarray:
        """Return the reconstruction points of the symbols of a step."""
        assert self.own is not None
        offsets = (self.own.offsets / UNIT).reshape(-1).astype(self.dtype)
        latents = offsets.take(kinds(step, symbols, self.positive))
        latents += symbols
        latents *= latents.dtype.type(self.step)
        return latents

    def decode(self, next_symbols: NextSymbols, sizes: Sizes, blocks: int) -> np.ndarray:
        latents = np.empty((len(self.scales), math.prod(sizes), blocks), self.dtype)
        for step in self.interpolator.steps(sizes, blocks):
            order, found = sorted_runs(step.numbers)
            tables = [(count, self.table(number)) for number, count in found]
            symbols = np.empty(step.numbers.size, np.int32)
            symbols[order] = next_symbols(len(order), tables)
            symbols = symbols.reshape(step.numbers.shape) + step.bases
            step.learn(symbols)
            levels = self.levels_of(step, symbols).reshape(len(step.channels), -1, blocks)
            latents[step.channels[:, None], step.places] = levels
        return self.transform.inverse(latents, sizes)


def sorted_runs(numbers: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Return flat positions by ascending table number, and the numbers with their counts."""
    flat = numbers.reshape(-1)
    order = np.argsort(flat, kind="stable")  # a radix sort, because numbers have 16 bits
    counts = np.bincount(flat, minlength=NUMBERS)
    return order, [(n, int(counts[n])) for n in np.flatnonzero(counts).tolist()]


def numbers_of(positive: bool) -> list[int]:
    """Return all numbers that tables can have."""
    sizes = LOW + ((TOP + 1) << BITS) if positive else 1 << BITS
    return [PLACES * kind + place for kind in range(CLASSES) for place in range(int(sizes[kind]))]


def kinds(step: Step, symbols: np.ndarray, positive: bool) -> np.ndarray:
    """Return the positions of the offsets of symbols."""
    left = (np.clip(symbols, -LARGEST, LARGEST) << UNIT_BITS) - step.predicted
    half = _HALF_SPREAD.take(step.spread)
    found = 1 + (left > half) - (left < -half)
    if positive:
        zero = 3 + (step.predicted >= 0) + (step.predicted >= 1 << UNIT_BITS - 1)
        found = np.where(symbols == 0, zero, found)
    found += KINDS * step.spread
    return found
