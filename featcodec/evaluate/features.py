"""The features of a dump, format-aligned: what other codecs code and what all are measured on."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..align.grids import GroupGrid, Sizes
from ..align.layout import Layout
from ..align.numbers import STORED, from_float, to_float
from ..encoding.tensors.group import Group
from ..encoding.tensors.grouping import group_tensors
from ..encoding.tensors.sums import stats_of
from ..encoding.tensors.wholes import has_samples, wholes
from ..errors import InvalidInput
from ..request import Options
from ..tensors import Source

SAMPLE = 1 << 20  # values from which the typical range is judged

Array = np.ndarray


@dataclass(frozen=True)
class Alignment:
    """The tensors of a group side by side as planes: arrays (channels, tokens or samples, grid...).

    There is one plane of the tokens on the grid, and one of the prefix tokens where there are some.
    Samples of different sizes, and sequences, lie in a plane as tokens.
    """

    dtype: str
    layout: Layout
    shapes: Sequence[tuple[int, ...]]

    @cached_property
    def _grid(self) -> GroupGrid:
        grids = {self.layout.grid or self.layout.token_grid(s)[1:-1] for s in self.shapes}
        first = next(iter(grids))
        same = len(grids) == 1 and len(first) > 1
        return GroupGrid(self.layout, self.shapes, first if same else (1,) * len(first))

    def planes(self, tensor: Callable[[int], Array]) -> list[Array]:
        """Return the planes, float64 for F64 and else float32, of tensors as stored elements."""
        return [
            _plane(self._grid.collect(boxes, tensor, self._floats), sizes)
            for (_, sizes), boxes in self._grid.boxes(0, self._grid.slabs).items()
        ]

    def plane_shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes of the planes."""
        return [
            (self._grid.channels, sum(box.count for box in boxes), *_axes(sizes))
            for (_, sizes), boxes in self._grid.boxes(0, self._grid.slabs).items()
        ]

    def tensors(self, planes: Sequence[Array]) -> list[Array]:
        """Return the tensors, as stored elements, whose planes are given: inverse of `planes`."""
        found = [np.empty(shape, STORED[self.dtype]) for shape in self.shapes]
        groups = self._grid.boxes(0, self._grid.slabs).values()
        for plane, boxes in zip(planes, groups, strict=True):
            blocks = np.moveaxis(from_float(plane, self.dtype), 1, -1)
            points = blocks.reshape(plane.shape[0], -1, plane.shape[1])
            self._grid.scatter(points, boxes, found.__getitem__)
        return found

    def rounded(self, plane: Array) -> Array:
        """Return the values as they are when stored in the tensors' type."""
        if self.dtype in ("F32", "F64"):
            return plane
        return self._floats(from_float(plane, self.dtype))

    def _floats(self, stored: Array) -> Array:
        return to_float(stored, self.dtype)


def _axes(sizes: Sizes) -> Sizes:
    return () if math.prod(sizes) == 1 else sizes


def _plane(blocks: Array, sizes: Sizes) -> Array:
    """Return (channels, points, blocks) as (channels, blocks, grid...)."""
    split = blocks.reshape(blocks.shape[0], *_axes(sizes), blocks.shape[-1])
    return np.ascontiguousarray(np.moveaxis(split, -1, 1))


class FeatureGroup:
    """A tensor group with its planes, and the SNR of other planes against them."""

    def __init__(self, group: Group) -> None:
        self.names = group.names
        self.stored = group.tensor
        self.alignment = Alignment(group.dtype, group.layout, group.shapes)
        self.planes = self.alignment.planes(group.tensor)
        # As in encoding: NaN, infinities and massive activations have no part in the SNR.
        some = np.concatenate([p.ravel()[:: max(group.values // SAMPLE, 1)] for p in self.planes])
        known = stats_of(group, some)
        self.signal = known.count * known.std**2
        self._bounds = (known.lower, known.upper) if known.cut else None

    def snr(self, planes: Sequence[Array]) -> float:
        """Return the SNR in dB of decoded planes; infinite when they are exact."""
        noise = 0.0
        for ours, theirs in zip(self.planes, planes, strict=True):
            error = np.subtract(ours, theirs, dtype=np.float64)
            if self._bounds is not None:
                error = error[(ours >= self._bounds[0]) & (ours <= self._bounds[1])]
            noise += float(np.vdot(error, error))
        if noise == 0:
            return math.inf
        return 10 * math.log10(self.signal / noise) if self.signal > 0 else -math.inf

    def snr_of(self, decoded: Mapping[str, Array]) -> float:
        """Return the SNR in dB of decoded tensors, given by name as stored elements."""
        shapes = dict(zip(self.names, self.alignment.shapes, strict=True))
        kind = STORED[self.alignment.dtype]
        tensors = [decoded[name].reshape(-1).view(kind).reshape(shapes[name]) for name in shapes]
        return self.snr(self.alignment.planes(tensors.__getitem__))


class Features:
    """The feature tensors of a dump, in groups; tensors that are no features are left out."""

    def __init__(self, source: Source) -> None:
        """Read all features into memory; InvalidInput when there are none."""
        self.source = source
        found = group_tensors(source, Options(), lossless=False)
        groups = [group for group in found if isinstance(group, Group)]
        with np.errstate(all="ignore"):  # NaN and extremes are data here
            self.groups = [FeatureGroup(group) for group in groups]
        # By tensor: whether its first axis is that of samples.
        self.samples = {name: has_samples(group) for group in groups for name, _ in wholes(group)}
        if not self.groups:
            raise InvalidInput("the dump holds no features")
        self.values = sum(plane.size for group in self.groups for plane in group.planes)

    def snr(self, decoded: Mapping[str, Array]) -> float:
        """Return the SNR in dB, of the worst group, of tensors by name as stored elements."""
        with np.errstate(all="ignore"):
            return min(group.snr_of(decoded) for group in self.groups)
