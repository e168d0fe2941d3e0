"""Tensors in which others are stacked or joined: what the values show of that.

Layers or heads along an axis, or joined in the channels, are told by their scales. Where these are
unlike, one SNR for all would leave the weak ones with none.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ...align.layout import CHANNEL, INDEPENDENT, MAX_CHANNELS, SAMPLE, Layout
from ...tensors import Tensor
from .brightness import are_samples
from .places import MINUTE, is_border, probed

MOST_INDICES = 64  # of an axis of layers or heads
LEAST_VALUES = 1 << 13  # of an index: fewer are not worth a model of their own,
FAINT_VALUES = 1 << 10  # but a quality of its own
UNLIKE = 2.0  # the strongest and the weakest index: one SNR does not do for both
HALF = 0.5  # of what is stacked along one axis
APART = 1.25  # from the index of median scale: as far are a third of all, not a few tokens alone
LEAST_CHANNELS = 16  # of one of several parts
MOST_PARTS = 16
BESIDE, LEAP = 6, 0.5  # channels on both sides of a cut have so much of the step between the parts
MOST_EQUAL = 8
EXPLAINED = 0.75  # of the variance of the logarithms of scales: parts explain so much of it
# Of the channels of a part, the deviation of the logarithms of their scales at most, by the
# quartiles, which are so many deviations apart: .14 to .38 in a layer of a Transformer, .84 among
# the vectors of a graph's nodes, which beside scalars took most of the bits for what is weak.
OF_LAYER, QUARTILES = 0.5, 1.349
CHANCE = 4.0  # times what chance explains,
MEANS_CHANGE, SCALES_CHANGE = 0.02, 0.01  # and so much more, is a change


def stacked_axes(tensors: Sequence[Tensor], least: int = LEAST_VALUES) -> list[int]:
    """Return the axes along which tensors of one rank are stacked whose scales are unlike.

    Of each index there are so many values at least. Of keys and values one side may be unlike from
    layer to layer where the other, the stronger, is not: half of what is stacked tells.
    """
    few = _few(tensors, least)
    some = list(probed(tensors)) if few else []
    found = [axis for axis in few if _is_stacked(some, axis) and not are_samples(tensors, axis)]
    hidden = []
    for outer in found:
        count = min(tensor.shape[outer] for tensor in tensors)
        shown = min(x.shape[outer] for x in some)  # of a long axis, some indices
        within = [[x.take([i], outer) for x in some] for i in range(shown)]
        enough = _few(tensors, least * count)
        for axis in enough:
            if axis not in found and np.mean([_is_stacked(x, axis) for x in within]) >= HALF:
                hidden.append(axis)
    return sorted({*found, *hidden})


def _is_stacked(some: Sequence[np.ndarray], axis: int) -> bool:
    """Return whether the indices of an axis of values are of unlike scale, and no border."""
    unlike = np.median([_unlike(x, axis) for x in some]) > 0
    return bool(unlike and np.median([is_border(x, axis) for x in some]) < 1)


def unlike_along(tensors: Sequence[Tensor], axis: int) -> bool:
    """Return whether the indices of an axis are of unlike scale."""
    return bool(np.median([_unlike(some, axis) for some in probed(tensors)]) > 0)


def layers_axis(layout: Layout) -> int | None:
    """Return the axis of layers or heads that are channels: the first of several such axes.

    >>> layers_axis(Layout("LCD"))
    1
    """
    found = [axis for axis, letter in enumerate(layout.axes) if letter in CHANNEL]
    return found[0] if len(found) > 1 else None


def _few(tensors: Sequence[Tensor], least: int = LEAST_VALUES) -> list[int]:
    """Return the axes of few indices, each of many values; the last is none."""
    shapes = [tensor.shape for tensor in tensors]
    return [
        axis
        for axis in range(len(shapes[0]) - 1)
        if all(2 <= shape[axis] <= MOST_INDICES for shape in shapes)
        and min(math.prod(shape) // shape[axis] for shape in shapes) >= least
    ]


def _unlike(values: np.ndarray, axis: int) -> bool:
    """Return whether the indices of an axis of values are of unlike scale."""
    scales = np.sort(_scales(values, axis))
    if not scales.size:
        return False
    middle = scales[len(scales) // 2]
    far = (scales > APART * middle) | (scales * APART < middle)
    unlike = scales[-1] > UNLIKE * max(scales[0], MINUTE)
    return bool(unlike and 3 * np.count_nonzero(far) >= len(scales))


def _scales(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the deviations of the indices of an axis, without the tokens that are padding."""
    indices = np.moveaxis(values, axis, 0)
    tokens = indices.reshape(len(indices), -1, indices.shape[-1])
    alive = np.ptp(tokens, axis=2) > 0
    return np.array([t[kept].std() for t, kept in zip(tokens, alive, strict=True) if kept.any()])


def with_independent(layouts: Iterable[Layout], axes: Sequence[int]) -> list[Layout]:
    """Return layouts with some axes independent; those that need them for channels are left out."""
    found = []
    for layout in layouts:
        letters = list(layout.axes)
        if layout.grid or any(letters[axis] in CHANNEL for axis in axes):
            continue
        for axis in axes:
            letters[axis] = INDEPENDENT
        samples = [axis for axis, letter in enumerate(letters) if letter == SAMPLE]
        for axis in samples:  # on one side of what is cut they are samples of each part
            if INDEPENDENT in letters[axis : samples[-1]]:
                letters[axis] = INDEPENDENT
        if set(letters) != {INDEPENDENT}:
            found.append(usual("".join(letters)))
    return list(dict.fromkeys(found))


def usual(axes: str) -> Layout:
    """Return the layout, with L for the only grid axis."""
    grid = [letter for letter in axes if letter in "HW"]
    return Layout(axes.replace(grid[0], "L") if len(grid) == 1 and "L" not in axes else axes)


def perhaps_independent(layouts: Sequence[Layout], tensors: Sequence[Tensor]) -> list[Layout]:
    """Return layouts with sample axes independent along which the channels' statistics change.

    Of heads those are axes beside that of a batch: layers, or keys and values.
    """
    found = []
    some: list[np.ndarray] = []
    for layout in layouts:
        channels = [axis for axis, letter in enumerate(layout.axes) if letter in CHANNEL]
        axes = [axis for axis in _few(tensors) if layout.axes[axis] == SAMPLE]
        if len(channels) == 1:
            may_be = INDEPENDENT not in layout.axes
        else:
            may_be = layout.grid_axes == 1 and len(layout.axes) > len(channels) + 2
        if not channels or not axes or not may_be:
            continue
        some = some or list(probed(tensors))
        axes = [a for a in axes if np.median([_changes(x, a, channels) for x in some]) > 0]
        parts = [math.prod(tensor.shape[axis] for axis in axes) for tensor in tensors]
        each = min(math.prod(t.shape) // n for t, n in zip(tensors, parts, strict=True))
        found += with_independent([layout], axes) if axes and each >= LEAST_VALUES else []
        if len(axes) > 1 and (len(channels) > 1 or each < LEAST_VALUES):
            found += [one for axis in axes for one in with_independent([layout], [axis])]
    return list(dict.fromkeys(found))


def _changes(values: np.ndarray, axis: int, channels: Sequence[int]) -> bool:
    """Return whether means or deviations of channels change along an axis more than by chance."""
    kept = [axis, *channels]
    rows = np.moveaxis(values, kept, range(len(kept))).reshape(
        values.shape[axis], math.prod(values.shape[channel] for channel in channels), -1
    )
    count = rows.shape[2]
    if count < 2:
        return False
    means, scales = rows.mean(axis=2), rows.std(axis=2)
    within = float(np.square(scales).mean())
    if means.var(axis=0).mean() > within * (CHANCE / count + MEANS_CHANGE):
        return True
    logs = np.log(np.maximum(scales, MINUTE))
    return bool(logs.var(axis=0).mean() > CHANCE / (2 * count) + SCALES_CHANGE)


def joined_parts(tensors: Sequence[Tensor], layout: Layout) -> Layout:
    """Return the layout with its last axis in parts, if that has channels in parts unlike in scale.

    What are channels is known by then.
    """
    if layout.axes[-1:] not in tuple(CHANNEL) or layout.channel_axes > 1:
        return layout
    lengths, _ = _parts(tensors)
    return replace(layout, parts=lengths) if len(lengths) > 1 else layout


def joined_tokens(tensors: Sequence[Tensor]) -> list[Layout]:
    """Return layouts of tokens joined of others, of more channels than are ever coded together.

    So long an axis might be time as well, but then its parts would hardly be of simple fractions
    of its length.
    """
    if len(tensors[0].shape) < 2 or tensors[0].shape[-1] <= MAX_CHANNELS:
        return []
    lengths, simple = _parts(tensors)
    if len(lengths) < 2 or not simple or max(lengths) > MAX_CHANNELS:
        return []
    samples = SAMPLE * (len(tensors[0].shape) - 2)
    return [Layout(samples + "LD", parts=lengths), Layout(samples + "DL", parts=lengths)]


def _parts(tensors: Sequence[Tensor]) -> tuple[tuple[int, ...], bool]:
    """Return the lengths of parts of the last axis, and whether simple fractions of it."""
    last = len(tensors[0].shape) - 1
    length = tensors[0].shape[last]
    values = min(math.prod(tensor.shape) for tensor in tensors)
    if length < 2 * LEAST_CHANNELS or values < 2 * LEAST_VALUES:
        return (length,), False
    if any(tensor.shape[last] != length for tensor in tensors):
        return (length,), False
    logs = []
    for some in probed(tensors, whole=last):
        logs.append(np.log(np.maximum(some.reshape(-1, length).std(axis=0), MINUTE)))
    edges, simple = _snapped(_edges(np.mean(logs, axis=0)))
    lengths = tuple(int(n) for n in np.diff(edges))
    enough = min(lengths) * values >= length * LEAST_VALUES
    return (lengths, simple) if enough else ((length,), False)


def _snapped(edges: list[int]) -> tuple[list[int], bool]:
    """Return edges at simple fractions of the whole, and True, where they are nearly there."""
    for count in range(2, MOST_EQUAL + 1):
        each, rest = divmod(edges[-1], count)
        near = [round(edge / each) * each for edge in edges]
        room = max(1, each // 200)
        if not rest and all(abs(a - b) <= room for a, b in zip(edges, near, strict=True)):
            return near, True
    return edges, False


def _edges(logs: np.ndarray) -> list[int]:
    """Return where parts of like scale begin and end; one part where they explain too little."""
    edges = [0, len(logs)]
    while len(edges) <= MOST_PARTS:
        best = max((_best_cut(logs, a, b) for a, b in itertools.pairwise(edges)))
        if best[0] <= 0:
            break
        edges = sorted([*edges, best[1]])
    left = sum(logs[a:b].var() * (b - a) for a, b in itertools.pairwise(edges))
    total = float(logs.var()) * len(logs)
    if left >= (1 - EXPLAINED) * total:
        return [0, len(logs)]
    return _of_layers(logs, edges)


def _of_layers(logs: np.ndarray, edges: Sequence[int]) -> list[int]:
    """Return the edges between parts whose channels are as alike in scale as those of a layer."""
    quartiles = [np.quantile(logs[a:b], (0.25, 0.75)) for a, b in itertools.pairwise(edges)]
    alike = [(high - low) / QUARTILES <= OF_LAYER for low, high in quartiles]
    inner = [edge for edge, pair in zip(edges[1:], itertools.pairwise(alike)) if all(pair)]
    return [edges[0], *inner, edges[-1]]


def _best_cut(logs: np.ndarray, first: int, last: int) -> tuple[float, int]:
    """Return how much of the variance a cut of a range explains, and where; 0 for a small step."""
    part, n = logs[first:last], last - first
    if n < 2 * LEAST_CHANNELS:
        return 0.0, first
    at = np.arange(LEAST_CHANNELS, n - LEAST_CHANNELS + 1)
    sums = np.cumsum(part)
    left, right = sums[at - 1] / at, (sums[-1] - sums[at - 1]) / (n - at)
    gains = at * (n - at) / n * (left - right) ** 2
    best = int(np.argmax(gains))
    step = abs(float(left[best] - right[best]))
    clear = step > math.log(UNLIKE) and gains[best] > part.var() * n / 5
    near = (
        slice(int(at[best]) - BESIDE, int(at[best])),
        slice(int(at[best]), int(at[best]) + BESIDE),
    )
    there = abs(float(part[near[0]].mean() - part[near[1]].mean()))
    clear &= there > LEAP * step  # channels whose scales fall little by little are of one layer
    return (float(gains[best]) if clear else 0.0), first + int(at[best])
