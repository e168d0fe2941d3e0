"""What is kept of the features of one kind, from dumps read once."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..align.value import ValueAlignment, typical_bounds
from ..coding.parts.base import Sizes
from ..encoding.fit import fitting
from ..encoding.fit.spectrum import Spectrum, strongest
from ..encoding.tensors.group import Group
from ..modes.banded.fit import EDGES, Moments, radial
from ..transform.linear import principal_axes

KEPT_VALUES = 1 << 22  # a sample of so many values per entry, for scales and tables
MOST_AXES = 1024  # channels of a KLT for each band: beyond, profiles grow more than rates shrink
KEPT_ROWS = 1 << 24  # values of tokens of more channels, which axes are fitted to,
AXES_WORK = 1 << 31  # so many times the number of axes at most


@dataclass
class Kept:
    """Some tokens of many channels, evenly spread: their second moments would be too many."""

    rows: list[np.ndarray] = field(default_factory=list)  # (channels, n) each
    every: int = 1
    seen: int = 0

    def add(self, values: np.ndarray) -> None:
        """Take in some of the values (channels, n)."""
        some = values[:, -self.seen % self.every :: self.every]
        self.seen += values.shape[1]
        self.rows.append(np.ascontiguousarray(some, np.float32))
        if sum(a.size for a in self.rows) > KEPT_ROWS:
            self.rows = [np.ascontiguousarray(np.concatenate(self.rows, axis=1)[:, ::2])]
            self.every *= 2


@dataclass
class Pool:
    """What is kept of all features of one kind: moments of all, and a sample."""

    group: Group
    prefix: bool
    count: int = 0
    pivot: np.ndarray | None = None
    total: np.ndarray | None = None
    squares: np.ndarray | None = None
    products: np.ndarray | None = None  # of no more than MOST_AXES channels
    tokens: Kept = field(default_factory=Kept)  # of more
    lower: float = math.inf
    upper: float = -math.inf
    bands: dict[Sizes, Moments] = field(default_factory=dict)  # by longest block
    samples: dict[Sizes, list[dict[Sizes, np.ndarray]]] = field(default_factory=dict)
    kept: int = 0

    def add(self, values: np.ndarray) -> None:
        """Take in values (channels, n), not yet normalised."""
        if self.pivot is None:
            self.pivot = values.mean(axis=1, dtype=np.float64)
            self.total = np.zeros(len(values))
            self.squares = np.zeros(len(values))
            if len(values) <= MOST_AXES:
                self.products = np.zeros((len(values), len(values)))
        assert self.total is not None and self.squares is not None
        shifted = values - self.pivot.astype(values.dtype)[:, None]
        self.total += shifted.sum(axis=1, dtype=np.float64)
        self.squares += np.einsum("cn,cn->c", shifted, shifted, dtype=np.float64)
        if self.products is not None:
            self.products += shifted @ shifted.T
        else:
            self.tokens.add(shifted)
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
        assert self.total is not None
        mean = self.total / self.count
        if self.products is not None:
            return self.products / self.count - np.outer(mean, mean)
        rows = self._rows()
        return (rows @ rows.T).astype(np.float64) / rows.shape[1]

    def _rows(self) -> np.ndarray:
        """Return the tokens of many channels that are kept, less their mean."""
        assert self.total is not None
        rows = np.concatenate(self.tokens.rows, axis=1)
        rows -= (self.total / self.count).astype(rows.dtype)[:, None]
        return rows

    def spectrum(self, unit: float, tokens: float, goal: float) -> Spectrum:
        """Return the spectrum of the channels in a unit, at an error of so many tokens."""
        if self.products is not None:
            variances, axes = principal_axes(self.covariance() / unit**2)
            outside = np.zeros(1)
        else:
            rows = self._rows()
            rows /= rows.dtype.type(unit)
            some, others = rows[:, ::2], rows[:, 1::2]  # what is fitted to a sample flatters it
            axes = strongest(some, min(max(AXES_WORK // rows.size, 1), some.shape[1]))
            variances = ((axes.T @ others) ** 2).mean(axis=1)
            outside = np.maximum((others**2).mean(axis=1).sum() - variances.sum(), 0)[None]
        return Spectrum.at(axes, variances[:, None], outside, np.array([tokens]), goal)


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
                finite = values[np.isfinite(values)]
                bounds = typical_bounds(finite) if finite.size else (0.0, 0.0)
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


def merged(samples: list[dict[Sizes, np.ndarray]], values: ValueAlignment) -> dict:
    """Return normalised samples of all dumps, by size of block."""
    merged: dict[Sizes, list[np.ndarray]] = {}
    for sample in samples:
        for sizes, a in sample.items():
            inside = np.clip(np.nan_to_num(a, nan=values.mean), values.lower, values.upper)
            merged.setdefault(sizes, []).append(values.forward(inside.astype(np.float32)))
    return {sizes: np.concatenate(arrays, axis=2) for sizes, arrays in merged.items()}
