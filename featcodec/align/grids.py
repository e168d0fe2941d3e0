"""Format alignment of a tensor group: tensors to arrays of blocks, and back (SPEC §5.3).

The tensors of a group form one sequence of slabs. `GroupGrid` finds the blocks of a range of slabs
and moves them between tensors and arrays (channels, points, blocks), one array for each size of
block. The specification states the order of the arrays, and of the blocks in each.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import blocks
from .layout import Layout, LayoutError
from .views import merge_samples, split_axis, staged

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Box:
    """Equal blocks in one tensor: an index into its token grid, and how they are cut."""

    tensor: int
    prefix: bool
    index: tuple[slice, ...]
    blocks: tuple[int, ...]
    sizes: Sizes

    @property
    def samples(self) -> int:
        return int(self.index[0].stop - self.index[0].start)

    @property
    def count(self) -> int:
        return self.samples * math.prod(self.blocks)

    def shape(self, channels: int) -> tuple[int, ...]:
        """Return that of the box as an array (samples, grid..., channels)."""
        cut = zip(self.blocks, self.sizes, strict=True)
        return (self.samples, *(blocks * size for blocks, size in cut), channels)

    def moved(self, axis: int, by: int) -> "Box":
        """Return the box with places along an axis of the token grid counted from `by`."""
        old = self.index[axis]
        new = slice(old.start - by, old.stop - by)
        return replace(self, index=(*self.index[:axis], new, *self.index[axis + 1 :]))


@dataclass(frozen=True)
class Window:
    """Rows first <= i < last of the leading axis of a tensor, which hold a range of slabs.

    They begin at place `shift` along `axis` of the token grid.
    """

    first: int
    last: int
    axis: int = 0
    shift: int = 0


class GroupGrid:
    """The slabs of the tensors of a group with a common layout and longest block."""

    def __init__(self, layout: Layout, shapes: Sequence[tuple[int, ...]], block: Sizes) -> None:
        """Raise LayoutError for tensors that do not fit the layout, or have 2**63 slabs or more."""
        self._cut(layout, [layout.token_grid(shape) for shape in shapes], block)

    def _cut(self, layout: Layout, token_grids: Sequence[tuple[int, ...]], block: Sizes) -> None:
        self.layout = layout
        self.block = block
        self.shapes = token_grids
        self.channels = self.shapes[0][-1]
        slabs = [self._slabs(shape) for shape in self.shapes]
        if sum(slabs) >= 1 << 63:
            raise LayoutError(f"the tensors have {sum(slabs)} slabs; the limit is {(1 << 63) - 1}")
        self.starts = np.concatenate([[0], np.cumsum(slabs, dtype=np.int64)])

    @property
    def slabs(self) -> int:
        return int(self.starts[-1])

    def _slabs(self, shape: tuple[int, ...]) -> int:
        if self.layout.slabs_are_samples:
            return shape[0]
        return shape[0] * blocks.count(self._grid(shape)[0], self.block[0])

    def _grid(self, shape: tuple[int, ...]) -> Sizes:
        return self.layout.grid or shape[1:-1]

    def largest_slab(self) -> int:
        """Return the number of values of the largest slab of any tensor."""
        return max(self._largest_slab(shape) for shape in self.shapes)

    def _largest_slab(self, shape: tuple[int, ...]) -> int:
        if self.layout.slabs_are_samples or not math.prod(shape):
            return math.prod(shape[1:]) if math.prod(shape) else 0
        rows = self._grid(shape)[0]
        longest = -(-rows // blocks.count(rows, self.block[0]))
        return math.prod(shape[1:]) // rows * longest

    def tensors(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """Yield (tensor, from, to) for the slabs first <= s < last, in slabs of the tensor."""
        tensor = int(np.searchsorted(self.starts, first, "right")) - 1
        while first < last:
            start, end = int(self.starts[tensor]), min(last, int(self.starts[tensor + 1]))
            if first < end:
                yield tensor, first - start, end - start
                first = end
            tensor += 1

    def slabs_of(self, tensor: int) -> tuple[int, int]:
        """Return the range of slabs of a tensor."""
        number = self.number_of(tensor)
        return int(self.starts[number]), int(self.starts[number + 1])

    def number_of(self, tensor: int) -> int:
        """Return the number by which slabs and boxes know a tensor."""
        return tensor

    def slabs_of_rows(
        self, tensor: int, shape: tuple[int, ...], first: int, last: int
    ) -> tuple[int, int]:
        """Return the range of slabs that hold rows first <= i < last of a tensor's leading axis."""
        start, end = self.slabs_of(tensor)
        slabs = end - start
        axis = self.layout.axes[0] if shape else ""
        per_row = slabs // max(shape[0], 1) if shape else 0
        if axis == "N" and per_row * shape[0] == slabs:
            return start + first * per_row, start + last * per_row
        grid = self._grid(self.shapes[self.number_of(tensor)])
        leads = self.layout.order()[0] == 0 and len(grid) and not self.layout.slabs_are_samples
        if not leads or axis == "N":
            return start, start + slabs
        # Rows of the leading axis in one row of the grid: its tokens, when L holds the whole grid.
        each = math.prod(grid[1:]) if self.layout.grid else 1
        edges = [edge * each for edge in self._edges(grid)]
        low = int(np.searchsorted(edges, first, "right")) - 1
        return start + low, start + int(np.searchsorted(edges, last, "left"))

    def window(self, tensor: int, shape: tuple[int, ...], first: int, last: int) -> Window:
        """Return the rows of a tensor that hold slabs first <= s < last."""
        start, end = self.slabs_of(tensor)
        low, high = max(first, start) - start, min(last, end) - start
        token_grid = self.shapes[self.number_of(tensor)]
        samples, grid = token_grid[0], self._grid(token_grid)
        per_sample = max((end - start) // max(samples, 1), 1)
        if self.layout.axes[0] == "N":
            per_row = samples // max(shape[0], 1)
            row = low // per_sample // max(per_row, 1)
            return Window(row, -(-high // (per_sample * max(per_row, 1))), 0, row * per_row)
        leads = self.layout.order()[0] == 0 and "N" not in self.layout.axes
        if not leads or self.layout.slabs_are_samples or self.layout.grid:
            return Window(0, shape[0])
        edges = self._edges(grid)
        return Window(edges[low], edges[high], 1, edges[low])

    def _edges(self, grid: Sizes) -> list[int]:
        """Return the edges of the slabs of a sample along the first axis of its grid."""
        runs = blocks.cut(grid[0], self.block[0])
        return [o + i * size for o, n, size in runs for i in range(n)] + [grid[0]]

    def boxes(self, first: int, last: int) -> dict[tuple[bool, Sizes], list[Box]]:
        """Return the boxes of a range of slabs by (prefix?, size of block), in coding order."""
        found: dict[tuple[bool, Sizes], list[Box]] = {}
        whole = self.layout.slabs_are_samples
        for tensor, low, high in self.tensors(first, last):
            shape = self.shapes[tensor]
            for index, counts, sizes in blocks.boxes(
                shape[0], self._grid(shape), self.block, low, high, whole
            ):
                box = Box(tensor, False, index, counts, sizes)
                found.setdefault((False, sizes), []).append(box)
            if self.layout.prefix:
                index = (slice(low, high), slice(0, self.layout.prefix))
                box = Box(tensor, True, index, (self.layout.prefix,), (1,))
                found.setdefault((True, (1,)), []).append(box)
        return dict(sorted(found.items()))

    def _part(self, tensor: Any, box: Box) -> Any:
        """Return a box of a tensor as a view (samples, grid..., channels...)."""
        merged = merge_samples(tensor, self.layout)
        if self.layout.prefix or self.layout.grid:
            prefix = self.layout.prefix
            if box.prefix:
                merged = merged[:, :prefix]
            else:
                shape = (merged.shape[0], *self.layout.grid, *merged.shape[2:])
                merged = split_axis(merged[:, prefix:], shape)
        return merged[box.index]

    def _values(self, tensor: Callable[[int], Any], box: Box) -> np.ndarray:
        part = np.asarray(self._part(tensor(box.tensor), box))
        return part if self.layout.channel_axes < 2 else part.reshape(box.shape(self.channels))

    def collect(
        self,
        boxes: Sequence[Box],
        tensor: Callable[[int], Any],
        convert: Callable[[np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Return a new array (channels, points, blocks) of equal boxes, values converted.

        `tensor` gives arrays, or objects whose slices `np.asarray` converts.
        """
        points = math.prod(boxes[0].sizes)
        total = sum(box.count for box in boxes)
        arrays = []
        for box in boxes:
            part = staged(self._values(tensor, box))
            arrays.append(convert(blocks.gather(part, box.blocks, box.sizes)))
        if len(arrays) == 1:
            return np.array(arrays[0], order="C").reshape(self.channels, points, total)
        flat = [a.reshape(self.channels, points, -1) for a in arrays]
        return np.ascontiguousarray(np.concatenate(flat, axis=2))

    def scatter(
        self, values: np.ndarray, boxes: Sequence[Box], tensor: Callable[[int], np.ndarray | None]
    ) -> None:
        """Write an array (channels, points, blocks) into the tensors; None is skipped."""
        start = 0
        for box in boxes:
            whole = tensor(box.tensor)
            if whole is not None:
                piece = values[:, :, start : start + box.count]
                self._put(piece, self._part(whole, box), box)
            start += box.count

    def _put(self, values: np.ndarray, part: np.ndarray, box: Box) -> None:
        """Write the values (channels, points, blocks) of a box to its place in a tensor."""
        several = self.layout.channel_axes > 1  # which no view of the tensor merges
        tokens = np.empty(box.shape(self.channels), values.dtype) if several else part
        target = blocks.gather(tokens, box.blocks, box.sizes)
        target[...] = values.reshape(target.shape)
        if several:
            part[...] = tokens.reshape(part.shape)

    def pairs(
        self, values: np.ndarray, boxes: Sequence[Box], tensor: Callable[[int], Any]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield what tensors have in the places of some values, and the values, in one order."""
        yield self.collect(boxes, tensor, lambda stored: stored), values

    @property
    def tensor_count(self) -> int:
        return len(self.shapes)

    @property
    def sample_count(self) -> int:
        return sum(shape[0] for shape in self.shapes)

    def tensors_of(self, boxes: Sequence[Box]) -> np.ndarray:
        """Return the number of the tensor of each block of boxes."""
        return np.repeat([box.tensor for box in boxes], [box.count for box in boxes])

    def samples(self, boxes: Sequence[Box]) -> np.ndarray:
        """Return the number of the sample of each block of boxes, through all tensors."""
        firsts = np.cumsum([0, *(shape[0] for shape in self.shapes)])
        numbers = [np.arange(box.samples) + box.index[0].start for box in boxes]
        each = [firsts[box.tensor] + mine for box, mine in zip(boxes, numbers, strict=True)]
        counts = np.repeat([math.prod(box.blocks) for box in boxes], [box.samples for box in boxes])
        return np.repeat(np.concatenate(each), counts)

    def occurrences(
        self, values: np.ndarray, boxes: Sequence[Box], tensor: Callable[[int], Any]
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield samples (blocks,), and of each place the values that tensors have, and those."""
        yield self.samples(boxes), self.collect(boxes, tensor, lambda stored: stored), values

    def within(self, boxes: Sequence[Box], window: Window) -> tuple["GroupGrid", Sequence[Box]]:
        """Return grid and boxes, places counted from the first of a window."""
        return self, [box.moved(window.axis, window.shift) for box in boxes]

    def weights(self, boxes: Sequence[Box]) -> np.ndarray | None:
        """Return how often values (points, blocks) of boxes occur; None when that is once."""
        return None
