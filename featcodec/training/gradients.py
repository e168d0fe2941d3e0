"""Gradients of a task, dumps with the names of the features': what they say of each kind."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..align.numbers import STORED
from ..coding.parts.base import Sizes
from ..elements import FLOATS
from ..encoding.fit import fitting
from ..encoding.tensors.group import Group
from ..encoding.tensors.wholes import wholes
from ..errors import InvalidInput
from ..modes.banded.fit import EDGES, Moments, radial
from ..tensors import Source, Tensor
from ..transform import dct
from .pools import kind_of

MOST_CHANNELS = 4096  # of a metric with axes of its own
HELD_OUT = 0.25  # of the samples
KEPT_VALUES = 1 << 19  # of those held out, about
CHUNKS = 8  # at least, so that some samples are held out
ONE_BAND = 1024  # channels from which on a metric has one band: profiles grow more than it gains


@dataclass
class Reaction:
    """Squared gradients of one token grid: over channels, and over the places of a block."""

    prefix: bool  # of prefix tokens, each a block, whatever the blocks of their grid
    products: dict[Sizes, Moments] = field(default_factory=dict)  # by longest block of the grid
    power: dict[Sizes, np.ndarray] = field(default_factory=dict)  # (*longest) sums of squares
    counts: dict[Sizes, np.ndarray] = field(
        default_factory=dict
    )  # (*longest) of values behind them

    def add(self, gradients: np.ndarray, sizes: Sizes, block: Sizes) -> None:
        """Take in gradients (channels, points, blocks) of blocks of a size; they may be lost."""
        channels, longest = len(gradients), (1,) if self.prefix else block
        if block not in self.products:
            bands = np.zeros(longest, np.int64)
            if channels <= ONE_BAND:
                bands = radial(longest, max(EDGES))
            self.products[block] = Moments(bands, channels)
            self.power[block], self.counts[block] = np.zeros(longest), np.zeros(longest)
        coefficients = dct.forward(gradients, sizes)
        self.products[block].add_coefficients(coefficients, sizes)
        places = np.ix_(*dct.places(sizes, longest))
        squares = np.einsum("cpn,cpn->p", coefficients, coefficients, dtype=np.float64)
        np.add.at(self.power[block], places, squares.reshape(sizes))
        np.add.at(self.counts[block], places, channels * coefficients.shape[2])

    def total(self, block: Sizes) -> tuple[float, float]:
        """Return the sum of all squares, and how many values it is of."""
        if block not in self.power:
            return 0.0, 0.0
        return float(self.power[block].sum()), float(self.counts[block].sum())


class Pair(NamedTuple):
    """Features and their gradients in the same places."""

    sizes: Sizes
    values: np.ndarray  # (channels, points, blocks)
    gradients: np.ndarray  # (draws, channels, points, blocks)


@dataclass
class Gathered:
    """All of one token grid, the same without some samples, and those: what is fitted to the
    former is judged on the latter.
    """

    whole: Reaction
    fitted: Reaction
    held_out: dict[Sizes, list[Pair]] = field(default_factory=dict)  # by longest block

    @classmethod
    def of(cls, prefix: bool) -> "Gathered":
        return cls(Reaction(prefix), Reaction(prefix))

    def add(self, block: Sizes, pair: Pair, held_out: bool, keep: bool) -> None:
        """Take in features and gradients in blocks of a longest size."""
        for gradients in pair.gradients:
            self.whole.add(gradients.copy(), pair.sizes, block)
            if not held_out:
                self.fitted.add(gradients.copy(), pair.sizes, block)
        if held_out and keep:
            self.held_out.setdefault(block, []).append(pair)

    def kept(self, block: Sizes) -> int:
        """Return how many values are held out."""
        return sum(pair.values.size for pair in self.held_out.get(block, ()))


Reactions = dict[tuple, Gathered]  # by kind of features, and "prefix tokens?"


def gather(reactions: Reactions, group: Group, source: Source, name: str) -> None:
    """Add the gradients of a group; InvalidInput names a tensor whose gradients do not fit."""
    kind = kind_of(group)
    if kind[1] > MOST_CHANNELS:
        raise InvalidInput(
            f"{group.names[0]}: {kind[1]} channels; a metric has at most {MOST_CHANNELS}"
        )
    draws = list(draws_of(group, source, name))
    # Of the longest blocks: an output reacts to the whole of a sample.
    blocks = fitting.blocks_worth_trying(group.grids) or [tuple(1 for _ in group.grids[0])]
    block = blocks[0]
    grid = group.grid(block)
    per = max(min((1 << 20) // max(grid.largest_slab(), 1), grid.slabs // CHUNKS), 1)
    for first in range(0, grid.slabs, per):
        boxes = grid.boxes(first, min(first + per, grid.slabs))
        mine = reactions.setdefault((*kind, False), Gathered.of(False))
        held_out = first >= (1 - HELD_OUT) * grid.slabs
        keep = mine.kept(block) < KEPT_VALUES
        for (prefix, sizes), found in boxes.items():
            arrays = [grid.collect(found, d.tensor, d.floats) for d in (group, *draws)]
            pair = Pair(sizes, arrays[0], np.stack(arrays[1:]))
            if not np.isfinite(pair.gradients).all():
                raise InvalidInput(f"{name}: {group.names[0]} has gradients not finite")
            mine = reactions.setdefault((*kind, prefix), Gathered.of(prefix))
            mine.add(block, pair, held_out, keep)


def draws_of(group: Group, source: Source, name: str) -> Iterator[Group]:
    """Yield the gradients of a group as groups, one a draw."""
    tensors = {tensor.name: tensor for tensor in source.tensors}
    found, counts = [], set()
    for wanted, shape in wholes(group):
        tensor = tensors.get(wanted)
        if tensor is None:
            raise InvalidInput(f"{name} has no gradients of tensor {wanted!r}")
        if tensor.dtype not in FLOATS or tensor.shape[-len(shape) :] != shape:
            raise InvalidInput(
                f"{name}: gradients of {wanted!r} are {tensor.dtype} {list(tensor.shape)}; they"
                f" must be floats of shape {list(shape)}, or with an axis of draws before that"
            )
        counts.add(math.prod(tensor.shape[: len(tensor.shape) - len(shape)]))
        found.append(tensor)
    if len(counts) > 1 or not min(counts):
        raise InvalidInput(f"{name}: gradients of a group have {sorted(counts)} draws, not as many")
    for draw in range(draws := counts.pop()):
        read = partial(_draw, found, group, draws, draw)
        yield replace(group, dtype=found[0].dtype, tensor=read, rows=None)


def _draw(tensors: list[Tensor], group: Group, draws: int, draw: int, i: int) -> Any:
    """Return one draw of the gradients of tensor `i` of a group."""
    stored = tensors[i].read().view(STORED[tensors[i].dtype])
    whole = stored.reshape((draws, *wholes(group)[i][1]))
    where = group.parts[i].where if group.parts else ()
    return whole[(slice(draw, draw + 1), *where)].reshape(group.shapes[i])
