"""Gradients of a task, dumps with the names of the features': what they say of each kind."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ..align.numbers import STORED
from ..coding.parts.base import Sizes
from ..elements import FLOATS
from ..encoding.fit import fitting
from ..encoding.tensors.group import Group
from ..errors import InvalidInput
from ..modes.banded.fit import EDGES, Moments, radial
from ..tensors import Source, Tensor
from ..transform import dct
from .pools import kind_of

MOST_CHANNELS = 4096  # of a metric with axes of its own
ONE_BAND = 1024  # channels from which on a metric has one band: profiles grow more than it gains


@dataclass
class Reaction:
    """Squared gradients of one token grid: over channels, and over the places of a block."""

    products: dict[Sizes, Moments] = field(default_factory=dict)  # by longest block
    power: dict[Sizes, np.ndarray] = field(default_factory=dict)  # (*block) sums of squares
    counts: dict[Sizes, np.ndarray] = field(default_factory=dict)  # (*block) of values behind them

    def add(self, gradients: np.ndarray, sizes: Sizes, block: Sizes) -> None:
        """Take in gradients (channels, points, blocks) of blocks of a size; they are kept."""
        channels = len(gradients)
        if block not in self.products:
            bands = radial(block, max(EDGES)) if channels <= ONE_BAND else np.zeros(block, int)
            self.products[block] = Moments(bands, channels)
            self.power[block], self.counts[block] = np.zeros(block), np.zeros(block)
        coefficients = dct.forward(gradients, sizes)
        self.products[block].add_coefficients(coefficients, sizes)
        places = np.ix_(*dct.places(sizes, block))
        squares = np.einsum("cpn,cpn->p", coefficients, coefficients, dtype=np.float64)
        np.add.at(self.power[block], places, squares.reshape(sizes))
        np.add.at(self.counts[block], places, channels * coefficients.shape[2])

    @property
    def total(self) -> tuple[float, float]:
        """The sum of all squares, and how many values it is of."""
        power = next(iter(self.power))
        return float(self.power[power].sum()), float(self.counts[power].sum())


Reactions = dict[tuple, Reaction]  # by kind of features, and "prefix tokens?"


def gather(reactions: Reactions, group: Group, source: Source, name: str) -> None:
    """Add the gradients of a group; InvalidInput names a tensor whose gradients do not fit."""
    channels = kind_of(group)[1]
    if channels > MOST_CHANNELS:
        raise InvalidInput(
            f"{group.names[0]}: {channels} channels; a metric has at most {MOST_CHANNELS}"
        )
    blocks = fitting.blocks_worth_trying(group.grids) or [tuple(1 for _ in group.grids[0])]
    for drawn in draws_of(group, source, name):
        for block in blocks:
            grid = drawn.grid(block)
            per = max((1 << 20) // max(grid.largest_slab(), 1), 1)
            for first in range(0, grid.slabs, per):
                boxes = grid.boxes(first, min(first + per, grid.slabs))
                for (prefix, sizes), found in boxes.items():
                    if prefix and block != blocks[0]:
                        continue
                    values = grid.collect(found, drawn.tensor, drawn.floats)
                    if not np.isfinite(values).all():
                        raise InvalidInput(f"{name}: {group.names[0]} has gradients not finite")
                    mine = reactions.setdefault((*kind_of(group), prefix), Reaction())
                    mine.add(values, sizes, (1,) if prefix else block)


def draws_of(group: Group, source: Source, name: str) -> Iterator[Group]:
    """Yield the gradients of a group as groups, one a draw."""
    tensors = {tensor.name: tensor for tensor in source.tensors}
    found, counts = [], set()
    for wanted, shape in zip(group.names, group.shapes, strict=True):
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
        tensor = partial(_draw, found, group.shapes, draws, draw)
        yield replace(group, dtype=found[0].dtype, tensor=tensor, rows=None)


def _draw(tensors: list[Tensor], shapes: Sequence[Sizes], draws: int, draw: int, i: int) -> Any:
    """Return one draw of the gradients of tensor `i`."""
    stored = tensors[i].read().view(STORED[tensors[i].dtype])
    return stored.reshape((draws, *shapes[i]))[draw : draw + 1].reshape(shapes[i])
