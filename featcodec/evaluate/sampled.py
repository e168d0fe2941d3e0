"""A sample of the features of each tensor group, on their token grids, to look at."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..align.layout import CHANNEL, Layout, parse

MOST = 1 << 21  # values of a group

Array = np.ndarray
Read = Callable[[str, int | None], Array]  # so many rows of a tensor, all for None, as floats


@dataclass(frozen=True)
class Sample:
    """Values of a tensor group, and what `info` says of its first tensor."""

    about: dict[str, Any]
    names: Sequence[str]  # of all tensors of the group
    values: Array  # flat, those that are finite
    grids: Sequence[Array]  # (samples, grid..., channels) over `scale`, without prefix tokens
    scale: float  # the largest value, whose square might be none
    left: float  # share of the values of the group that are not looked at

    @property
    def tokens(self) -> Array:
        """The tokens of all grids: (tokens, channels)."""
        return np.concatenate([grid.reshape(-1, grid.shape[-1]) for grid in self.grids])


def samples(tensors: Sequence[dict[str, Any]], read: Read) -> Iterator[Sample]:
    """Yield a sample of each group of features, from what `info` says of all tensors."""
    groups: dict[int, list[dict[str, Any]]] = {}
    for tensor in tensors:
        if tensor["layout"] is not None and math.prod(tensor["shape"]):
            groups.setdefault(tensor["group"], []).append(tensor)
    for members in groups.values():
        layout = parse(members[0]["layout"])
        all_values = sum(math.prod(one["shape"]) for one in members)
        few = members[:: min(-(-all_values // MOST), len(members))]
        found = [read(one["name"], _rows(one["shape"], layout, MOST // len(few))) for one in few]
        flat = np.concatenate([one.ravel() for one in found])
        values = flat[np.isfinite(flat)]
        if values.size:
            scale = float(np.abs(values).max()) or 1.0
            finite = [np.where(np.isfinite(one), one, 0) / scale for one in found]
            grids = [_grid(one, layout) for one in finite]
            names, left = [one["name"] for one in members], 1 - flat.size / all_values
            yield Sample(members[0], names, values, grids, scale, left)


def _rows(shape: Sequence[int], layout: Layout, budget: int) -> int | None:
    """Return how many rows of a tensor about so many values are; None where none is left out."""
    if layout.axes[:1] in CHANNEL or (layout.axes[:1] == "L" and layout.grid):
        return None
    return max(budget * shape[0] // math.prod(shape), 1)


def _grid(tensor: Array, layout: Layout) -> Array:
    """Return a tensor as (samples, grid..., channels), without prefix tokens."""
    grid = tensor.transpose(layout.order()).reshape(layout.token_grid(tensor.shape))
    if not layout.grid:
        return grid
    tokens = grid[:, layout.prefix :]
    return tokens.reshape(len(tokens), *layout.grid, tokens.shape[-1])
