"""Padding at the ends of axes, and the box of what lies between it."""

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...align.layout import Layout
from ...align.numbers import one_zero, unsigned
from ...container.cuts import Along, Where
from ...elements import BITS, FLOATS
from ...tensors import Tensor

WORTHWHILE = 1 / 16  # of the values are padding at least, but where tokens may be of a layer each:
# a single padded one keeps such from being stacked
LEAST_VALUES = 1 << 8  # are left
SHOWN = 4  # places of each other axis that are looked at first


@dataclass(frozen=True)
class Box:
    """Where in a tensor lies what is no padding."""

    where: tuple[slice, ...]

    @classmethod
    def of(cls, tensor: Tensor, axes: int | None = None) -> "Box | None":
        """Return that of a tensor, of its first axes or all; None of hardly any padding."""
        if tensor.dtype not in FLOATS or BITS[tensor.dtype] < 8 or len(tensor.shape) < 2:
            return None
        if math.prod(tensor.shape) < LEAST_VALUES:
            return None
        found, array, kind = list[slice](), tensor.array(), unsigned(tensor.dtype)
        for axis, length in enumerate(tensor.shape[:axes]):
            start = _run(array, axis, kind, 1)
            stop = length - _run(array, axis, kind, -1) if start < length else 0
            if start >= stop:
                return None
            found.append(slice(start, stop))
            array = array[(slice(None),) * axis + (found[-1],)]
        found += [slice(0, length) for length in tensor.shape[len(found) :]]
        values, left = (math.prod(shape) for shape in (tensor.shape, array.shape))
        tokens = sum(length > 1 for length in tensor.shape) == 2
        worthwhile = left < values if tokens else left <= values * (1 - WORTHWHILE)
        return cls(tuple(found)) if left >= LEAST_VALUES and worthwhile else None

    def shown(self, tensor: Tensor, most: int = 0) -> Tensor:
        """Return a tensor without its padding."""
        shape = tuple(at.stop - at.start for at in self.where)
        return replace(tensor, shape=shape, where=self.where, whole=tensor.shape)

    def cut(self, shape: tuple[int, ...]) -> list[int]:
        """Return the axes of padding."""
        both = enumerate(zip(self.where, shape, strict=True))
        return [axis for axis, (at, n) in both if (at.start, at.stop) != (0, n)]

    def axes(self, tensor: Tensor, cut_as: Layout | None) -> tuple[Along, ...]:
        """Return how the axes of a tensor are cut, what is no padding as in a layout."""
        lengths = self.shown(tensor).shape
        found = list(cut_as.along(lengths) if cut_as else ((),) * len(lengths))
        for axis in self.cut(tensor.shape):
            along, at = found[axis], self.where[axis]
            if along is not None:
                edges = (at.start, *(along or (lengths[axis],)), tensor.shape[axis] - at.stop)
                found[axis] = tuple(n for n in edges if n)
        return tuple(found)

    def is_true(self, where: Where) -> bool:
        """Return whether a part of the tensor is no padding.

        >>> Box((slice(0, 2), slice(0, 4))).is_true((1, slice(0, 3)))
        True
        """
        edges = ((at, at + 1) if isinstance(at, int) else (at.start, at.stop) for at in where)
        return all(
            of.start <= low and high <= of.stop
            for (low, high), of in zip(edges, self.where, strict=True)
        )

    def whole(self, where: Where, shape: tuple[int, ...]) -> Where:
        """Return where in the tensor a part lies, with the padding of axes that it is all of."""
        both = zip(where, self.where, shape, strict=True)
        return tuple(slice(0, n) if at == of else at for at, of, n in both)


def _run(array: Any, axis: int, kind: np.dtype, step: int) -> int:
    """Return how many indices of an axis, from its start or its end, hold one element all over.

    Zeros of both signs are one.
    """
    lead, length = (slice(None),) * axis, array.shape[axis]

    def same(first: int, last: int, few: bool = False) -> np.ndarray:
        """Return which indices have the element, counted from where the run begins."""
        low, high = (first, last) if step > 0 else (length - last, length - first)
        part = array[(*lead, slice(low, high))]
        if few:
            every = (max(n // SHOWN, 1) if i != axis else 1 for i, n in enumerate(part.shape))
            part = part[tuple(slice(None, None, n) for n in every)]
        rows = np.moveaxis(one_zero(np.asarray(part).view(kind)), axis, 0)[::step]
        return (rows == element).reshape(len(rows), -1).all(axis=1)

    corner = tuple(slice(0, 1) if step > 0 else slice(n - 1, n) for n in array.shape)
    element = one_zero(np.asarray(array[corner]).view(kind)).reshape(-1)[0]
    if not same(0, 1, few=True)[0]:
        return 0
    done = 0
    for size in itertools.count():
        found = same(done, min(done + (1 << size), length))
        done += int(np.argmin(found)) if not found.all() else len(found)
        if done == length or not found.all():
            return done
    raise AssertionError
