"""What is kept of the features of one kind, from dumps read once."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ..align.value import LEAST, MOST, ValueAlignment, typical_bounds
from ..coding.parts.base import Sizes
from ..encoding.fit import fitting
from ..encoding.fit.spectrum import strongest
from ..encoding.rough.neighbours import BLOCKS
from ..encoding.tensors.group import Group
from ..encoding.tensors.sums import FAINT
from ..modes.banded.fit import EDGES, Moments, radial
from ..modes.context.search import LEAST_PLACES
from ..transform.linear import principal_axes

KEPT_VALUES = 1 << 22  # a sample of so many values per entry, for scales and tables
MOST_AXES = 1024  # channels of a KLT for each band: beyond, profiles grow more than rates shrink
KEPT_ROWS = 1 << 24  # values of tokens of more channels, which axes are fitted to,
AXES_WORK = 1 << 31  # so many times the number of axes at most
TINY = 1e-300
SPARSE = 0.8  # of the values are not zero, at most, where axes may do worse than none


@dataclass
class Kept:
    """Some tokens of many channels, evenly spread: their second moments would be too many."""

    dtype: str = "float32"
    rows: list[np.ndarray] = field(default_factory=list)  # (channels, n) each
    every: int = 1
    seen: int = 0

    def add(self, values: np.ndarray) -> None:
        """Take in some of the values (channels, n)."""
        some = values[:, -self.seen % self.every :: self.every]
        self.seen += values.shape[1]
        self.rows.append(np.ascontiguousarray(some, self.dtype))
        if sum(a.size for a in self.rows) > KEPT_ROWS:
            self.rows = [np.ascontiguousarray(np.concatenate(self.rows, axis=1)[:, ::2])]
            self.every *= 2


@dataclass
class Sums:
    """First and second moments of some tokens about a pivot."""

    count: int
    total: np.ndarray  # (channels,)
    products: np.ndarray  # (channels, channels)

    @classmethod
    def none(cls, channels: int) -> "Sums":
        return cls(0, np.zeros(channels), np.zeros((channels, channels)))

    def add(self, values: np.ndarray) -> None:
        """Take in values (channels, n) less the pivot."""
        self.count += values.shape[1]
        self.total += values.sum(axis=1, dtype=np.float64)
        self.products += values @ values.T

    def about(self, mean: np.ndarray) -> np.ndarray:
        """Return the products about a mean, which is given less the pivot."""
        crossed = np.outer(self.total, mean)
        return self.products - crossed - crossed.T + self.count * np.outer(mean, mean)


@dataclass
class Pool:
    """What is kept of all features of one kind: moments of all, and a sample."""

    group: Group
    prefix: bool
    count: int = 0
    pivot: np.ndarray | None = None
    total: np.ndarray | None = None
    squares: np.ndarray | None = None
    halves: list[Sums] = field(default_factory=list)  # of no more than MOST_AXES channels
    tokens: Kept = field(default_factory=Kept)  # of more
    lower: float = math.inf
    upper: float = -math.inf
    bands: dict[Sizes, Moments] = field(default_factory=dict)  # by longest block
    samples: dict[Sizes, list[dict[Sizes, np.ndarray]]] = field(default_factory=dict)
    maps: dict[Sizes, list[dict[Sizes, np.ndarray]]] = field(default_factory=dict)  # sparse ones
    kept: int = 0

    def add(self, values: np.ndarray) -> None:
        """Take in values (channels, n), not yet normalised."""
        if self.pivot is None:
            self.tokens = Kept("float64" if self.group.wide else "float32")
            self.pivot = values.mean(axis=1, dtype=np.float64)
            self.total = np.zeros(len(values))
            self.squares = np.zeros(len(values))
            if len(values) <= MOST_AXES:
                self.halves = [Sums.none(len(values)) for _ in range(2)]
        assert self.total is not None and self.squares is not None
        shifted = values - self.pivot.astype(values.dtype)[:, None]
        self.total += shifted.sum(axis=1, dtype=np.float64)
        self.squares += np.einsum("cn,cn->c", shifted, shifted, dtype=np.float64)
        if not self.halves:
            self.tokens.add(shifted)
        for half, some in zip(self.halves, np.array_split(shifted, 2, axis=1), strict=False):
            half.add(some)
        self.count += values.shape[1]
        self.lower = min(self.lower, float(values.min()))
        self.upper = max(self.upper, float(values.max()))

    def add_bands(self, values: np.ndarray, sizes: Sizes, block: Sizes) -> None:
        """Take in values (channels, points, blocks) once more, by bands of frequencies."""
        if block not in self.bands:
            self.bands[block] = Moments(radial(block, max(EDGES)), len(values))
        assert self.pivot is not None and self.total is not None
        mean = self.pivot + self.total / self.count
        self.bands[block].add(values - mean.astype(values.dtype)[:, None, None], sizes)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance of the channels."""
        assert self.pivot is not None and self.total is not None and self.squares is not None
        mean = self.total / self.count
        return self.pivot + mean, self.squares / self.count - mean**2

    def covariance(self) -> np.ndarray:
        """Return the covariance of the channels, of many of them that of some tokens."""
        if not self.halves:
            rows = self._rows()
            return (rows @ rows.T).astype(np.float64) / rows.shape[1]
        some, others = self._products()
        return (some + others) / self.count

    def _products(self) -> list[np.ndarray]:
        """Return the sums of products about the mean, of each half."""
        assert self.total is not None
        return [half.about(self.total / self.count) for half in self.halves]

    def _rows(self) -> np.ndarray:
        """Return the tokens of many channels that are kept, less their mean."""
        assert self.total is not None
        rows = np.concatenate(self.tokens.rows, axis=1)
        rows -= (self.total / self.count).astype(rows.dtype)[:, None]
        return rows

    def axes(self) -> "Axes":
        """Return the principal axes."""
        if not self.halves:
            rows = self._rows()
            some, others = np.array_split(rows, 2, axis=1)
            most = max(AXES_WORK // rows.size, 1)
            fitted, axes = (strongest(a, min(most, *some.shape)) for a in (some, rows))
            return Axes(axes, _shares(fitted.T @ others, others), _shares(axes.T @ rows, rows))
        products, more = self._products()
        fitted = principal_axes(products)[1]
        elsewhere = np.einsum("cj,cj->j", fitted, more @ fitted)
        seen, axes = principal_axes(products + more)
        return Axes(axes, elsewhere / max(elsewhere.sum(), TINY), seen / max(seen.sum(), TINY))


def _shares(latents: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the part of the energy of rows (channels, n) in each of some latents (axes, n)."""
    return (latents.astype(np.float64) ** 2).sum(axis=1) / max(float(np.vdot(rows, rows)), TINY)


@dataclass(frozen=True)
class Axes:
    """Principal axes, the strongest first, and the part of the variance along each.

    What is fitted to a sample flatters it: `elsewhere` are the parts in one half of the sample
    along the axes of the other half.
    """

    axes: np.ndarray  # (channels, axes)
    elsewhere: np.ndarray  # (axes,)
    seen: np.ndarray  # (axes,)


def kind_of(group: Group) -> tuple:
    """Return what features have in common that one entry serves."""
    layout = group.layout
    return (
        group.label,
        layout.token_grid(group.shapes[0])[-1],
        layout.axes,
        layout.prefix,
        layout.grid,
        len(group.grids[0]),
        group.compute_dtype,
    )


def in_reach(group: Group) -> Group | None:
    """Return a group in a precision that holds the squares of its values; None where none does."""
    values = next(group.chunks())
    values = values[np.isfinite(values)]
    reach = float(np.abs(np.clip(values, *_bounds(values))).max(initial=0))
    if reach and not FAINT < reach < 1 / FAINT:
        return None
    return group if not reach or LEAST < reach < MOST else replace(group, wide=True)


def _bounds(values: np.ndarray) -> tuple[float, float]:
    """Return the range of values that are not massive."""
    finite = values[np.isfinite(values)]
    return typical_bounds(finite) if finite.size else (0.0, 0.0)


def collect(pools: dict[tuple, Pool], group: Group) -> None:
    """Add a group to the pools of its kind: all values to the moments, some to the sample."""
    key = kind_of(group)
    channels = key[1]
    ones = tuple(1 for _ in group.grids[0])
    for prefix, _, values in _chunks(group, ones):
        pool = pools.setdefault((*key, prefix), Pool(group, prefix))
        pool.add(values.reshape(channels, -1))
    if 2 <= channels <= MOST_AXES:
        for block in fitting.blocks_worth_trying(group.grids):
            for prefix, sizes, values in _chunks(group, block):
                if not prefix:
                    pools[(*key, False)].add_bands(values, sizes, block)
    _sample(pools, key, group)


def _chunks(group: Group, block: Sizes) -> Iterator[tuple[bool, Sizes, np.ndarray]]:
    """Yield all blocks of a group: of the prefix or not, sizes, values made harmless."""
    grid = group.grid(block)
    per = max((1 << 20) // max(grid.largest_slab(), 1), 1)
    bounds: tuple[float, float] | None = None
    for first in range(0, grid.slabs, per):
        boxes = grid.boxes(first, min(first + per, grid.slabs))
        for (prefix, sizes), found in boxes.items():
            values = grid.collect(found, group.tensor, group.floats)
            if bounds is None:
                bounds = _bounds(values)
            yield prefix, sizes, np.clip(np.nan_to_num(values, nan=0.0), *bounds)


def _sample(pools: dict[tuple, Pool], key: tuple, group: Group) -> None:
    """Keep blocks of a group in every size worth trying."""
    room = KEPT_VALUES - pools[(*key, False)].kept
    if room <= 0:
        return
    ones = tuple(1 for _ in group.grids[0])
    for block in [*fitting.blocks_worth_trying(group.grids), ones]:
        arrays, _ = group.sample(block, min(room, KEPT_VALUES // 4))
        for prefix in (False, True):
            mine = {sizes: a for (p, sizes), a in arrays.items() if p == prefix}
            if mine:
                pools[(*key, prefix)].samples.setdefault(block, []).append(mine)
        pools[(*key, False)].kept += sum(a.size for a in arrays.values()) // 3
    whole = _map_of(group)
    if whole is not None and is_sparse(arrays.values()):
        arrays, _ = group.sample(whole, min(room, KEPT_VALUES // 4))
        mine = {sizes: a for (_, sizes), a in arrays.items()}
        pools[(*key, False)].maps.setdefault(whole, []).append(mine)


def is_sparse(arrays: Collection[np.ndarray]) -> bool:
    """Return whether enough values are zero for a KLT to make something of zeros."""
    return sum(map(np.count_nonzero, arrays)) < SPARSE * sum(a.size for a in arrays)


def _map_of(group: Group) -> Sizes | None:
    """Return the longest block of lines and maps for context modelling, where it serves."""
    grids = group.grids
    if group.layout.prefix or len(grids[0]) not in BLOCKS:
        return None
    block = fitting.longest_block(grids, BLOCKS[len(grids[0])])
    return block if math.prod(block) >= LEAST_PLACES else None


def merged(samples: list[dict[Sizes, np.ndarray]], values: ValueAlignment) -> dict:
    """Return normalised samples of all dumps, by size of block."""
    merged: dict[Sizes, list[np.ndarray]] = {}
    for sample in samples:
        for sizes, a in sample.items():
            inside = np.clip(np.nan_to_num(a, nan=values.mean), values.lower, values.upper)
            merged.setdefault(sizes, []).append(values.forward(inside).astype(np.float32))
    return {sizes: np.concatenate(arrays, axis=2) for sizes, arrays in merged.items()}
