"""Context modelling: decoded neighbours and the channel choose the table of a symbol (SPEC §7.9).

Five passes over a lattice that gets finer code a block of a map. The first pass has every fourth
place of every fourth row, each further one the places in the middle of the earlier ones. From the
second pass on, every symbol has four decoded neighbours. Their magnitudes and the mean magnitude of
the channel predict the magnitude of the symbol, and the prediction chooses the table.
"""

import math
from functools import cache, lru_cache
from types import ModuleType

import numpy as np

from ..compiled import loops
from .context_tables import BUILT_IN
from .tables import Table, by_table

CLASSES = 26  # of predicted magnitudes, half octaves
SAVED = 2e-9  # seconds a symbol and pass, by compiled loops
LARGEST = 127  # magnitude of a neighbour; larger ones count as this
LEAST_LEVEL, MOST_LEVEL = -14, 9  # of a channel: half octaves of its mean magnitude
NEIGHBOURS = 4
KEPT = 256  # block sizes in a cache
LEAST = 6  # class of symbols on chains; in lower classes nearly all are zero
NEARER = (3, 5)  # quantiser 1: its zero and first hazard codes are lower by these
_UNIT = 4096  # of predictions
_MIDDLE = 12  # the class of a prediction of one


def _diagonal(d: int) -> tuple[tuple[int, int], ...]:
    return (-d, -d), (-d, d), (d, -d), (d, d)


def _straight(d: int) -> tuple[tuple[int, int], ...]:
    return (-d, 0), (d, 0), (0, -d), (0, d)


# For each pass: the neighbours, the weights of the mean of the channel and of a neighbour in 64ths,
# and the set of tables. Passes whose neighbours are far share a set.
_FAR, _NEAR, _NEXT = 0, 1, 2
PASSES = (
    ((), 60, 0, _FAR),
    (_diagonal(2), 29, 8, _FAR),
    (_straight(2), 10, 12, _FAR),
    (_diagonal(1), 10, 13, _NEAR),
    (_straight(1), 2, 14, _NEXT),
)
TABLES = (_NEXT + 1) * CLASSES
_NUMBERS = np.arange(TABLES)


def _pass_of(row: int, column: int) -> int:
    if (row + column) % 2:
        return 4
    if row % 2:
        return 3
    if (row + column) % 4:
        return 2
    return 1 if row % 4 else 0


def _mirrored(place: int, distance: int, length: int) -> int | None:
    """Return the place at a distance, or at the opposite one; None when both are outside."""
    for other in (place + distance, place - distance):
        if 0 <= other < length:
            return other
    return None


def _neighbours(
    row: int, column: int, sizes: tuple[int, ...], offsets: tuple[tuple[int, int], ...]
) -> list[int]:
    """Return raster positions; the position behind the block stands for a missing neighbour."""
    rows, columns = _as_map(sizes)
    found = []
    for down, right in offsets:
        if len(sizes) == 1:  # what lies beside it counts as what would lie above and below, too
            down, right = 0, down + right
        y, x = _mirrored(row, down, rows), _mirrored(column, right, columns)
        found.append(rows * columns if y is None or x is None else y * columns + x)
    return found


def _as_map(sizes: tuple[int, ...]) -> tuple[int, int]:
    rows, columns = (1, *sizes)[-2:]
    return rows, columns


@lru_cache(maxsize=KEPT)
def beside(sizes: tuple[int, ...]) -> np.ndarray:
    """Return the neighbours (4, n) above, below, left and right of all places of a block."""
    rows, columns = _as_map(sizes)
    places = [(row, column) for row in range(rows) for column in range(columns)]
    found = [_neighbours(*place, sizes, _straight(1)) for place in places]
    return np.array(found, np.int64).reshape(len(places), NEIGHBOURS).T


@lru_cache(maxsize=KEPT)
def lattice(sizes: tuple[int, ...]) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Return (places, neighbours) of each pass over a block, (n,) and (4, n) raster positions.

    A block is a map of rows and columns, or a line. The position behind it stands for a missing
    neighbour.
    """
    rows, columns = _as_map(sizes)
    places: list[list[int]] = [[] for _ in PASSES]
    around: list[list[list[int]]] = [[] for _ in PASSES]
    for row in range(rows):
        for column in range(columns):
            number = _pass_of(row, column)
            places[number].append(row * columns + column)
            around[number].append(_neighbours(row, column, sizes, PASSES[number][0]))
    return tuple(
        (
            np.array(where, np.int64),
            np.array(found, np.int64).reshape(len(where), len(PASSES[number][0])).T,
        )
        for number, (where, found) in enumerate(zip(places, around, strict=True))
    )


@cache
def _class_of(number: int) -> np.ndarray:
    """Return the table numbers (levels of a channel, sums of neighbours) of a pass, uint8."""
    _, of_channel, of_neighbour, family = PASSES[number]
    levels = np.arange(LEAST_LEVEL, MOST_LEVEL + 1)
    means = np.maximum(np.rint(64 * 2.0 ** (levels / 2)), 1).astype(np.int64)
    sums = np.arange(NEIGHBOURS * LARGEST + 1)
    prediction = of_channel * means[:, None] + 64 * of_neighbour * sums
    edges = np.rint(_UNIT * 2.0 ** ((np.arange(1, CLASSES) - _MIDDLE) / 2))
    classes = np.searchsorted(edges, prediction, side="right")
    return (family * CLASSES + classes).astype(np.uint8)


def level_of(mean: np.ndarray) -> np.ndarray:
    """Return the levels of channels from the mean magnitudes of their symbols."""
    return np.clip(np.rint(2 * np.log2(np.maximum(mean, 1e-9))), LEAST_LEVEL, MOST_LEVEL).astype(
        np.int64
    )


class Contexts:
    """The known symbols of a class of blocks, and the table numbers that follow from them.

    Columns are channels times blocks, channel by channel.
    """

    def __init__(self, sizes: tuple[int, ...], levels: np.ndarray, blocks: int) -> None:
        """`levels` (channels,) are half octaves of mean magnitudes, clipped here."""
        self.sizes = sizes
        self.lattice = lattice(sizes)
        row = np.clip(levels, LEAST_LEVEL, MOST_LEVEL) - LEAST_LEVEL
        width = NEIGHBOURS * LARGEST + 1
        self.row = np.repeat((row * width).astype(np.uint16), blocks)
        points = math.prod(sizes)
        self.symbols = np.zeros((points, len(self.row)), np.int32)
        self.magnitudes = np.zeros((points + 1, len(self.row)), np.uint8)
        # The quantiser of each symbol: 0, the scalar one; 1 and 2, those of SPEC §7.14.
        self.quantisers = np.zeros((points, len(self.row)), np.uint8)

    def shape(self, number: int) -> tuple[int, int]:
        """Return the numbers of places and columns of a pass."""
        return len(self.lattice[number][0]), len(self.row)

    def near(self, number: int) -> list[np.ndarray]:
        """Return the magnitudes (places, columns), uint8, of each neighbour in a pass."""
        return [self.magnitudes[others] for others in self.lattice[number][1]]

    @property
    def compiled(self) -> ModuleType | None:
        """Compiled loops, where they pay."""
        return loops("featcodec.entropy.compiled_contexts", self.symbols.size * SAVED)

    def numbers(self, number: int, total: np.ndarray | None = None) -> np.ndarray:
        """Return the table numbers (places, columns) of a pass, uint8.

        `total` is the sum of the neighbours, uint16, if it is at hand.
        """
        others, classes = self.lattice[number][1], self.classes(number)
        if total is None:
            if len(others) and (compiled := self.compiled):
                return compiled.numbers(self.magnitudes, others, self.row, classes)
            total = np.zeros(self.shape(number), np.uint16)
            for each in self.near(number):
                total += each
        return classes.take(total + self.row)

    def classes(self, number: int) -> np.ndarray:
        """Return the table numbers of a pass, uint8, by `row` plus the sum of neighbours."""
        return _class_of(number).reshape(-1)

    def keyed(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the table numbers of a pass, ascending, and which of them each symbol has.

        The latter, uint8, are (places, columns).
        """
        return _NUMBERS, self.numbers(number)

    def runs(self, number: int) -> list[tuple[int, np.ndarray]]:
        """Return the table numbers of a pass and the flat places of their symbols, ascending."""
        return in_runs(*self.keyed(number))

    def learn(self, number: int, symbols: np.ndarray, quantisers: np.ndarray | int = 0) -> None:
        """Take in the symbols (places, columns) of a pass."""
        places = self.lattice[number][0]
        self.quantisers[places] = quantisers
        self.symbols[places] = symbols
        self.magnitudes[places] = _magnitudes(symbols)

    def learn_all(self, symbols: np.ndarray) -> None:
        """Take in the symbols (points, columns) of all passes, of the scalar quantiser."""
        self.symbols = symbols
        self.magnitudes[:-1] = _magnitudes(symbols)


def _magnitudes(symbols: np.ndarray) -> np.ndarray:
    return np.abs(np.minimum(np.maximum(symbols, -LARGEST), LARGEST))  # `clip` takes longer


def in_runs(found: np.ndarray, keys: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Return table numbers, and the flat places of the keys that stand for them, ascending."""
    return [(int(found[key]), places) for key, places in by_table(keys)]


def chained(number: int) -> bool:
    """Return whether dependent quantisation takes the symbols of a table."""
    return number % CLASSES >= LEAST


def of_quantiser(number: int, quantiser: int) -> int:
    """Return the table number of a quantiser from that of the scalar quantiser."""
    return TABLES * (1 + quantiser) + number


def table(number: int, positive: bool) -> Table:
    """Return the built-in table of a number, for `positive` symbols alone or for both signs."""
    quantiser, scalar = divmod(number, TABLES)
    magnitude, zero, hazards = BUILT_IN[scalar]
    if quantiser == 2:
        zero = max(zero - NEARER[0], 0)
        hazards = (max(hazards[0] - NEARER[1], 0), *hazards[1:])
    return Table(magnitude, 0, zero, 255 if positive else 128, hazards)
