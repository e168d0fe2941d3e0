"""Token grids cut into slabs and blocks (SPEC §5.2, §5.3).

Each grid axis is cut into as few pieces as its longest block allows. Their lengths differ by at
most one; the longer pieces come first. A slab is the least that can be coded by itself: one row of
blocks along the first grid axis of one sample, or the whole sample.
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np

Array = np.ndarray


def cut(length: int, longest: int) -> list[tuple[int, int, int]]:
    """Return runs (offset, blocks, size) of the balanced cut of an axis."""
    if length == 0:
        return []
    pieces = -(-length // longest)
    size, longer = divmod(length, pieces)
    runs = [(0, longer, size + 1), (longer * (size + 1), pieces - longer, size)]
    return [run for run in runs if run[1]]


def count(length: int, longest: int) -> int:
    """Return how many blocks an axis is cut into."""
    return -(-length // longest)


def slice_runs(
    runs: list[tuple[int, int, int]], first: int, last: int
) -> list[tuple[int, int, int]]:
    """Return the runs of the blocks first <= i < last of an axis."""
    kept, start = [], 0
    for offset, blocks, size in runs:
        low, high = max(first - start, 0), min(last - start, blocks)
        if low < high:
            kept.append((offset + low * size, high - low, size))
        start += blocks
    return kept


def boxes(
    samples: int, grid: tuple[int, ...], block: tuple[int, ...], first: int, last: int, whole: bool
) -> Iterator[tuple[tuple[slice, ...], tuple[int, ...], tuple[int, ...]]]:
    """Yield the boxes of equal blocks of slabs first <= s < last of a token grid.

    A box is (slices of samples and grid axes, blocks along each axis, size along each axis). With
    `whole`, slabs are samples.
    """
    runs = [cut(length, longest) for length, longest in zip(grid, block, strict=True)]
    rows = 1 if whole or not grid else count(grid[0], block[0])
    for low, high, row, end in _ranges(first, last, rows):
        axes = list(runs)
        if rows > 1:
            axes[0] = slice_runs(runs[0], row, end)
        for combination in itertools.product(*axes):
            index = [slice(low, high)]
            index += [slice(o, o + n * size) for o, n, size in combination]
            yield (
                tuple(index),
                tuple(n for _, n, _ in combination),
                tuple(size for _, _, size in combination),
            )


def _ranges(first: int, last: int, rows: int) -> Iterator[tuple[int, int, int, int]]:
    """Split a range of slabs into (samples from, to, block rows from, to)."""
    while first < last:
        sample, row = divmod(first, rows)
        if row == 0 and last - first >= rows:
            whole = (last - first) // rows
            yield sample, sample + whole, 0, rows
            first += whole * rows
        else:
            end = min(rows, row + last - first)
            yield sample, sample + 1, row, end
            first += end - row


def gather(box: Array, blocks: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    """Return a view (channels, block points..., samples, blocks...) of a box of a token grid.

    `box` is (samples, grid..., channels) with grid axis i of length blocks[i] * sizes[i].
    """
    samples, channels = box.shape[0], box.shape[-1]
    split = list(itertools.chain.from_iterable(zip(blocks, sizes, strict=True)))
    view = box.reshape(samples, *split, channels)
    axes = len(sizes)
    order = (
        1 + 2 * axes,
        *range(2, 2 + 2 * axes, 2),
        0,
        *range(1, 1 + 2 * axes, 2),
    )
    return view.transpose(order)


def points(sizes: tuple[int, ...]) -> int:
    return math.prod(sizes)
