"""Arrays in a file of which only what is wanted is read, however large they are.

A memory map would do the same with less, but a file that is cut off while it is mapped kills the
process.
"""

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .container.source import Source

DENSE = 2  # times the bytes that are wanted: as many are read at once
CALL = 1 << 14  # bytes that take as long to read as a call of the system (1.6 us at 10 GB/s)
ROOM = 1 << 23  # bytes read into at once where there are gaps
# Before 2.1 NumPy cannot be told that reshaping is never to copy, from 2.5 on shapes are not set.
TOLD = np.lib.NumpyVersion(np.__version__) >= "2.1.0"
_NOWHERE = np.zeros(1, np.uint8)


class FileArray:
    """Part of a file as an array that can be cut, split and transposed; `np.asarray` reads it."""

    def __init__(self, source: Source, view: np.ndarray) -> None:
        """`view` has the addresses in the file, counted from those of `_NOWHERE`: no memory."""
        self._source = source
        self._view = view

    @classmethod
    def of(cls, source: Source) -> "FileArray":
        """Return the bytes of a whole file."""
        return cls(source, as_strided(_NOWHERE, (source.size,), (1,), writeable=False))

    @property
    def shape(self) -> tuple[int, ...]:
        return self._view.shape

    @property
    def ndim(self) -> int:
        return self._view.ndim

    @property
    def size(self) -> int:
        return self._view.size

    @property
    def nbytes(self) -> int:
        return self._view.nbytes

    @property
    def dtype(self) -> np.dtype:
        return self._view.dtype

    @property
    def path(self) -> str:
        """That of the file, by which other processes read it; they cannot where it has none."""
        return self._source.path

    def __reduce__(self) -> tuple:
        offset = _address(self._view) - _address(_NOWHERE)
        view = self._view
        return array_at, (self._source, offset, view.shape, view.strides, view.dtype)

    def view(self, dtype: Any) -> "FileArray":
        return FileArray(self._source, self._view.view(dtype))

    def transpose(self, order: tuple[int, ...]) -> "FileArray":
        return FileArray(self._source, self._view.transpose(order))

    def reshape(self, *shape: Any) -> "FileArray":
        """Split axes, or merge some that follow each other in the file.

        Raises ValueError, or AttributeError before NumPy 2.1, where axes do not.
        """
        wanted = shape[0] if isinstance(shape[0], tuple) else shape
        if TOLD:
            return FileArray(self._source, np.reshape(self._view, wanted, copy=False))
        view = self._view.view()
        view.shape = wanted
        return FileArray(self._source, view)

    def __getitem__(self, index: slice | tuple[slice | int, ...]) -> "FileArray":
        parts = index if isinstance(index, tuple) else (index,)
        if not any(isinstance(part, slice) for part in parts):
            raise TypeError("an array in a file is cut by slices, along one axis at least")
        return FileArray(self._source, self._view[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return _read(self._source, self._view).astype(dtype or self.dtype, copy=bool(copy))


def array_at(
    source: Source, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype
) -> FileArray:
    """Return the array of a shape that lies at an offset of a file, its axes `strides` apart."""
    if 0 in shape:
        return FileArray(source, np.empty(shape, dtype))
    first = FileArray.of(source)[offset : offset + dtype.itemsize].view(dtype)
    return FileArray(source, as_strided(first._view, shape, strides, writeable=False))


def _read(source: Source, view: np.ndarray) -> np.ndarray:
    """Return what a view of a file holds, in the order of its axes there."""
    if view.size == 0:
        return np.empty(view.shape, view.dtype)
    outer, inner = _pieces(view)
    count, span = math.prod(view.shape[axis] for axis in outer), _span(view, inner)
    if count * span <= max(DENSE * view.nbytes, ROOM):
        return _at_once(source, view, outer, span)
    # Gaps are read a window at a time, so that they take no memory.
    axis = max(range(view.ndim), key=lambda axis: (view.shape[axis] - 1) * view.strides[axis])
    each = max(view.shape[axis] * ROOM // (count * span), 1)
    found = np.empty_like(view, subok=False)
    for start in range(0, view.shape[axis], each):
        some = (slice(None),) * axis + (slice(start, start + each),)
        found[some] = _read(source, view[some])
    return found


def _pieces(view: np.ndarray) -> tuple[list[int], list[int]]:
    """Split the axes of a view: for each place on the first ones, one piece is read at once."""
    axes = sorted(range(view.ndim), key=lambda axis: -view.strides[axis])
    counts = [math.prod(view.shape[axis] for axis in axes[:i]) for i in range(view.ndim + 1)]
    costs = [count * (CALL + _span(view, axes[i:])) for i, count in enumerate(counts)]
    first = costs.index(min(costs))
    return axes[:first], axes[first:]


def _span(view: np.ndarray, axes: list[int]) -> int:
    """Return the bytes from the first to the last element along some axes."""
    return sum((view.shape[axis] - 1) * view.strides[axis] for axis in axes) + view.itemsize


def _at_once(source: Source, view: np.ndarray, outer: list[int], span: int) -> np.ndarray:
    """Read a piece of `span` bytes for each place on the outer axes."""
    starts = np.array([_address(view) - _address(_NOWHERE)])
    strides = list(view.strides)
    for axis in reversed(outer):
        strides[axis] = len(starts) * span
        steps = np.arange(view.shape[axis]) * view.strides[axis]
        starts = (steps[:, None] + starts).reshape(-1)
    room = np.empty(len(starts) * span, np.uint8)
    source.read_pieces(starts.tolist(), room.data)
    return np.ndarray(view.shape, view.dtype, room, 0, strides)


def _address(view: np.ndarray) -> int:
    address: int = view.__array_interface__["data"][0]
    return address
