"""Padding at the ends of axes, cut off where rows cannot be left out (SPEC §4.3).

Constant rows are left out of tensors of one channel axis. Of stacks, of layers that are channels
and of maps they are not: padding would count in their statistics, and come back as what it is near
to. There, it becomes parts of tensors that are kept bit for bit.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...align.layout import SAMPLE
from ...align.numbers import unsigned
from ...container.cuts import Along, Where, places
from ...elements import BITS, FLOATS
from ...request import Options
from ...tensors import Source, Tensor
from .group import Group
from .lossless import LosslessGroup, lossless_group
from .stated import has_stated_sizes
from .wholes import wholes

WORTHWHILE = 1 / 16  # of the values are padding at least, but where tokens may be of a layer each:
# a single padded one keeps such from being stacked
LEAST_VALUES = 1 << 8  # are left
SHOWN = 4  # places of each other axis that are looked at first
PADDING = "padding"

Groups = Sequence[Group | LosslessGroup]


@dataclass(frozen=True)
class Trimmed:
    """A dump of which some tensors are without the padding at their ends."""

    tensors: Sequence[Tensor]
    metadata: dict[str, str] | None
    data_bytes: int
    padded: Mapping[str, Tensor]  # the tensors with it, by name

    @classmethod
    def of(cls, source: Source, options: Options) -> "Trimmed":
        """Return that of a dump, of which tensors on a grid that is stated stay as they are."""
        tensors, padded, metadata = [], dict[str, Tensor](), source.metadata or {}
        for tensor in source.tensors:
            box = None if has_stated_sizes(tensor, metadata, options) else _box(tensor)
            if box is not None:
                padded[tensor.name] = tensor
                shape = tuple(at.stop - at.start for at in box)
                tensor = replace(tensor, shape=shape, where=box, whole=tensor.shape)
            tensors.append(tensor)
        return cls(tensors, source.metadata, source.data_bytes, padded)

    def with_padding(self, groups: Groups) -> list[Group | LosslessGroup]:
        """Return groups of these tensors as groups of the dump, behind them those of padding."""
        found, axes = list[Group | LosslessGroup](), dict[str, tuple[Along, ...]]()
        for group in groups:
            names = dict(wholes(group)) if isinstance(group, Group) else dict.fromkeys(group.names)
            mine = [name for name in names if name in self.padded]
            if not mine:
                found.append(group)
            elif isinstance(group, Group) and self._leaves_out(group, mine):
                found.append(group)
                axes |= {name: self._axes(group, name) for name in mine}
            else:
                found.append(self._whole(group))
        kinds: dict[str, list[Tensor]] = {}
        for tensor in self.tensors:
            if tensor.name in axes:
                kinds.setdefault(tensor.dtype, []).extend(self._margins(tensor, axes[tensor.name]))
        for parts in kinds.values():
            padding = lossless_group(parts, (PADDING,))
            found.append(replace(padding, parts=parts, cuts=axes))
        return found

    def _leaves_out(self, group: Group, names: Sequence[str]) -> bool:
        """Return whether padding is cut off: where it can be, and rows cannot be left out."""
        if not (group.parts or group.stacks or group.layered):
            return False  # rows of padding, and channels of one value, are known to a header
        letters = (group.cut_as or group.layout).axes
        inner = [axis for axis, letter in enumerate(letters) if letter == SAMPLE][1:]
        boxes = [self._tensor(name) for name in names]
        return not any(t.shape[axis] < t.whole[axis] for t in boxes for axis in inner)

    def _tensor(self, name: str) -> Tensor:
        return next(tensor for tensor in self.tensors if tensor.name == name)

    def _axes(self, group: Group, name: str) -> tuple[Along, ...]:
        """Return how the axes of a padded tensor are cut."""
        tensor = self._tensor(name)
        cut = group.cut_as.along(tensor.shape) if group.cut_as else ((),) * len(tensor.shape)
        found: list[Along] = []
        for along, at, length in zip(cut, tensor.where, tensor.whole, strict=True):
            assert isinstance(at, slice)
            if along is None or (at.start, at.stop) == (0, length):
                found.append(along)
                continue
            lengths = (at.start, *(along or (at.stop - at.start,)), length - at.stop)
            found.append(tuple(n for n in lengths if n))
        return tuple(found)

    def _margins(self, tensor: Tensor, axes: tuple[Along, ...]) -> Iterator[Tensor]:
        """Yield the parts of a padded tensor that are padding."""
        whole = self.padded[tensor.name]
        for where in places(axes, whole.shape):
            if not inside(where, tensor.where):
                yield whole.part(where)

    def _whole(self, group: Group | LosslessGroup) -> Group | LosslessGroup:
        """Return a group of tensors with their padding."""
        tensors = [self.padded.get(name, self._tensor(name)) for name in group.names]
        if isinstance(group, LosslessGroup):
            return lossless_group(tensors, group.reasons)
        shapes = [tensor.shape for tensor in tensors]
        return replace(group, shapes=shapes, tensor=lambda i: tensors[i].array())


def inside(where: Where, box: Where) -> bool:
    """Return whether a part of a tensor lies in another.

    >>> inside((1, slice(0, 3)), (slice(0, 2), slice(0, 4)))
    True
    """
    edges = ((at, at + 1) if isinstance(at, int) else (at.start, at.stop) for at in where)
    return all(
        isinstance(of, slice) and of.start <= low and high <= of.stop
        for (low, high), of in zip(edges, box, strict=True)
    )


def _box(tensor: Tensor) -> tuple[slice, ...] | None:
    """Return what lies between the padding of a tensor; None where there is hardly any."""
    if tensor.dtype not in FLOATS or BITS[tensor.dtype] < 8 or len(tensor.shape) < 2:
        return None
    if math.prod(tensor.shape) < LEAST_VALUES:
        return None
    found, array, kind = list[slice](), tensor.array(), unsigned(tensor.dtype)
    for axis, length in enumerate(tensor.shape):
        start = _run(array, axis, kind, 1)
        stop = length - _run(array, axis, kind, -1) if start < length else 0
        if start >= stop:
            return None
        found.append(slice(start, stop))
        array = array[(slice(None),) * axis + (found[-1],)]
    values, left = (math.prod(shape) for shape in (tensor.shape, array.shape))
    tokens = sum(length > 1 for length in tensor.shape) == 2
    worthwhile = left < values if tokens else left <= values * (1 - WORTHWHILE)
    return tuple(found) if left >= LEAST_VALUES and worthwhile else None


def _run(array: Any, axis: int, kind: np.dtype, step: int) -> int:
    """Return how many indices of an axis, from its start or its end, hold one element all over."""
    lead, length = (slice(None),) * axis, array.shape[axis]

    def same(first: int, last: int, few: bool = False) -> np.ndarray:
        """Return which indices have the element, counted from where the run begins."""
        low, high = (first, last) if step > 0 else (length - last, length - first)
        part = array[(*lead, slice(low, high))]
        if few:
            every = (max(n // SHOWN, 1) if i != axis else 1 for i, n in enumerate(part.shape))
            part = part[tuple(slice(None, None, n) for n in every)]
        rows = np.moveaxis(np.asarray(part).view(kind), axis, 0)[::step]
        return (rows == element).reshape(len(rows), -1).all(axis=1)

    corner = tuple(slice(0, 1) if step > 0 else slice(n - 1, n) for n in array.shape)
    element = np.asarray(array[corner]).view(kind).reshape(-1)[0]
    if not same(0, 1, few=True)[0]:
        return 0
    done = 0
    for size in itertools.count():
        found = same(done, min(done + (1 << size), length))
        done += int(np.argmin(found)) if not found.all() else len(found)
        if done == length or not found.all():
            return done
    raise AssertionError
