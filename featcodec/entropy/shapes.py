"""The shape of a neighbourhood chooses among the tables of a number (SPEC §7.15).

Neighbours of the same sum tell different things: of four alike, a symbol is likely to be like them;
of one that is large and three zeros, nothing is sure. The shape is how many neighbours are zero,
and how much opposite ones differ against the sum of all. Neighbours that are far tell too little.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from .contexts import CLASSES, PASSES, TABLES, Contexts

SHAPES = 9
FAR = 2  # passes without shapes
KEPT = 64  # sets of tables whose ranks are kept
NUMBERS = 3 * TABLES  # without a shape: of the scalar quantiser, and of both others


def shape_of(near: list[np.ndarray], diagonal: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the shapes, uint8, 0 to 8, of places, and the sums of their neighbours, uint16.

    There are four arrays of magnitudes, uint8, in the order of `contexts.PASSES`.
    """
    first, second, third, fourth = (near[i] for i in ((0, 3, 1, 2) if diagonal else range(4)))
    high, low = np.maximum(first, second), np.minimum(first, second)
    higher, lower = np.maximum(third, fourth), np.minimum(third, fourth)
    one_zero = np.maximum(np.minimum(low, higher), np.minimum(high, lower))
    shape = (one_zero > 0).astype(np.uint8)
    shape += np.minimum(low, lower) > 0
    shape *= np.uint8(3)
    # Each is at most twice the largest magnitude.
    high_sum, low_sum = np.add(high, higher), np.add(low, lower)
    total = np.add(high_sum, low_sum, dtype=np.uint16)
    high_sum -= low_sum  # how much opposite neighbours differ
    half = (total >> np.uint16(1)).astype(np.uint8)
    shape += high_sum > half
    half >>= np.uint8(1)
    shape += high_sum > half
    return shape, total


def with_shape(number: Any, shape: Any) -> Any:
    """Return the table number of a shape from that without one, integers or arrays."""
    return NUMBERS * (1 + shape) + number


def having(numbers: Iterable[int]) -> np.ndarray:
    """Return which shapes (SHAPES, TABLES) have a table of their own, for any quantiser."""
    found = np.zeros((1 + SHAPES, 3, TABLES), bool)
    found.reshape(-1)[list(numbers)] = True
    return np.logical_or.reduce(found[1:], axis=1)


def set_of(number: int) -> slice:
    """Return the table numbers that the symbols of a pass may have."""
    family = PASSES[number][3]
    return slice(family * CLASSES, (family + 1) * CLASSES)


def numbered(known: Contexts, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return table numbers and shapes (places, columns) of a pass, uint8; SHAPES for none."""
    if number < FAR:
        numbers = known.numbers(number)
        return numbers, np.full_like(numbers, SHAPES)
    shape, total = shape_of(known.near(number), _diagonal(number))
    return known.numbers(number, total), shape


def _diagonal(number: int) -> bool:
    """Return whether the neighbours of a pass lie along the diagonals."""
    return 0 not in PASSES[number][0][0]


class ShapedContexts(Contexts):
    """Contexts that have tables of shapes, too."""

    def __init__(
        self, sizes: tuple[int, ...], levels: np.ndarray, blocks: int, own: np.ndarray
    ) -> None:
        """`own` (SHAPES, TABLES) is whether there is a table of a shape."""
        super().__init__(sizes, levels, blocks)
        self._own = own

    def keyed(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        of_set = set_of(number)
        own = self._own[:, of_set]
        if number < FAR or not own.any():
            return super().keyed(number)
        found, ranks = _ranks(own.tobytes(), of_set.start)
        return found, self._ranked(number, ranks, of_set.start)

    def _ranked(self, number: int, ranks: np.ndarray, first: int) -> np.ndarray:
        """Return the ranks (places, columns) of the shapes and numbers of symbols of a pass.

        `ranks` (SHAPES, CLASSES) are of all, from a first number on.
        """
        others, compiled = self.lattice[number][1], self.compiled
        if compiled:
            opposite = others[[0, 3, 1, 2]] if _diagonal(number) else others
            classes = self.classes(number) - np.uint8(first)
            keys: np.ndarray = compiled.shaped(self.magnitudes, opposite, self.row, classes, ranks)
            return keys
        numbers, shape = numbered(self, number)
        index = np.multiply(shape, CLASSES, dtype=np.uint8)
        index += numbers
        index -= np.uint8(first)
        return ranks.reshape(-1).take(index)


@lru_cache(maxsize=KEPT)
def _ranks(own: bytes, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the table numbers of a set, ascending, and their ranks (SHAPES, CLASSES), uint8.

    `own` is which shapes have tables of their own, `first` the first number of the set.
    """
    which = np.frombuffer(own, bool).reshape(SHAPES, CLASSES)
    plain = np.arange(first, first + CLASSES)
    shaped = with_shape(plain, np.arange(SHAPES)[:, None])
    found, ranks = np.unique(np.where(which, shaped, plain), return_inverse=True)
    return found, ranks.astype(np.uint8).reshape(which.shape)
