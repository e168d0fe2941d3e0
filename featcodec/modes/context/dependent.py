"""Context modelling with dependent quantisation (SPEC §7.14)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...coding.parts import chains
from ...coding.parts.base import NextSymbols, Quantised, Run
from ...entropy import contexts, shapes
from ...errors import Damage
from ...quantise import dependent
from ...quantise.scalar import LAMBDA
from .scalar import ContextCoder, PassSymbols, laid


@dataclass
class DependentContextCoder(ContextCoder):
    """Codes symbols of low classes as a `ContextCoder` does, all others along chains."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(n >= contexts.TABLES and not t.magnitude for n, t in self.tables.items()):
            raise Damage("an empty table has the number of a quantiser")

    def lattice(self, number: int) -> tuple[float, float]:
        quantiser = number % shapes.NUMBERS // contexts.TABLES
        if not quantiser:
            return super().lattice(number)
        return self.step * dependent.RATIO, 0.5 * (quantiser == 2)

    def _decide(
        self, found: PassSymbols, values: np.ndarray, runs: Sequence[Run]
    ) -> Iterator[Quantised]:
        scalar, chained = _split(runs)
        yield from super()._decide(found, values, scalar)
        where = laid(chained)
        lmbda = dependent.LAMBDA * self.lmbda / LAMBDA
        levels = []
        for number, places in chained:
            numbers = [contexts.of_quantiser(number, q) for q in (0, 1)]
            offsets = tuple(self.expected_of(n) for n in numbers)
            levels.append((len(places), chains.levels(*map(self.table, numbers), lmbda, offsets)))
        spacing = self.step * dependent.RATIO
        symbols, second, _ = dependent.quantise(values.take(where), spacing, levels)
        found.symbols[where], found.quantisers[where] = symbols, 1 + second
        order, arrays = chains.by_quantiser(_counts(chained), second, contexts.of_quantiser)
        latents, symbols = values.take(where[order]), symbols.take(order)
        for number, some in arrays:
            yield number, latents[some], symbols[some]

    def _decode_pass(
        self, next_symbols: NextSymbols, found: PassSymbols, runs: Sequence[Run]
    ) -> None:
        scalar, chained = _split(runs)
        super()._decode_pass(next_symbols, found, scalar)
        where = laid(chained)
        symbols, second = chains.decode(
            next_symbols, _counts(chained), lambda n, q: self.table(contexts.of_quantiser(n, q))
        )
        found.symbols[where], found.quantisers[where] = symbols, 1 + second


def _split(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Return the runs of the scalar quantiser, and those of the dependent ones."""
    scalar = [run for run in runs if not contexts.chained(run[0])]
    return scalar, [run for run in runs if contexts.chained(run[0])]


def _counts(runs: Sequence[Run]) -> chains.TableCounts:
    return [(number, len(where)) for number, where in runs]
