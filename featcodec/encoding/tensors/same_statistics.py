"""Which tensors have the same statistics: layers differ, instances do not."""

import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ...align.layout import Layout
from ...align.numbers import to_float
from ...tensors import Tensor
from .places import MINUTE, probed
from .stacked import CHANCE, MEANS_CHANGE, SCALES_CHANGE

MOST_CLASSES = 64  # values of a number in the names that may tell layers apart
LEAST_CLASS = 1 << 14  # values of a layer: so few are not worth a model of their own
PROBE_VALUES = 1 << 16
PROBED_TENSORS = 2000
ALIKE, UNLIKE = 1.25, 2.0  # ratios of deviations: below, only means tell; above, no bits are asked
JUDGED_CLASSES = 4
WEAK = 10**-0.1  # of the variance of all: one SNR leaves such tensors more than 1 dB below it
MANY_WEAK = 1 / 3  # of the tensors
SEED = 5
OWN_SCALE = 1 << 16  # values of tensors that are coded apart for their scale

Bits = Callable[[list[Tensor]], float]  # of tensors as one group, about


def split_by_scale(tensors: list[Tensor]) -> list[list[Tensor]]:
    """Split tensors whose scales are so unlike that one SNR for all leaves many far below it."""
    if len(tensors) < 2 or sum(math.prod(t.shape) for t in tensors) < 2 * OWN_SCALE:
        return [tensors]
    some = probed(tensors, len(tensors))
    variances = np.array([_varying(values).var() for values in some])
    sizes = np.array([math.prod(tensor.shape) for tensor in tensors])
    classes = _by_scale(variances, sizes, np.argsort(variances, kind="stable"))
    return [[tensors[i] for i in sorted(each.tolist())] for each in classes]


def _varying(values: np.ndarray) -> np.ndarray:
    """Return the rows of the last axis that are no padding, all where none is."""
    rows = values.reshape(-1, values.shape[-1])
    kept = rows[(rows != rows[:, :1]).any(axis=1)]
    return kept if kept.size else rows


def _by_scale(variances: np.ndarray, sizes: np.ndarray, order: np.ndarray) -> list[np.ndarray]:
    """Return the numbers of tensors of one scale, of those in an order of ascending variance."""
    mine, before = variances[order], np.cumsum(sizes[order])
    weak = np.mean(mine < WEAK * np.average(mine, weights=sizes[order]))
    large = (before[:-1] >= OWN_SCALE) & (before[-1] - before[:-1] >= OWN_SCALE)
    if weak < MANY_WEAK or not large.any():
        return [order]
    steps = np.diff(np.log(np.maximum(mine, MINUTE)))
    cut = 1 + int(np.argmax(np.where(large, steps, -1)))
    halves = (order[:cut], order[cut:])
    return [each for half in halves for each in _by_scale(variances, sizes, half)]


def split_by_statistics(
    tensors: list[Tensor], layout: Layout, bits: Bits | None = None
) -> Iterable[list[Tensor]]:
    """Split tensors by numbers in their names along which the channels' statistics change.

    `layers.3.sentence_0007`: the first number tells layers apart, the second only instances. With
    `bits`, tensors are split only where that takes fewer of them, unless their scales differ much.
    """
    if len(tensors) == 1:
        return [tensors]
    fields = [re.findall(r"\d+", t.name) for t in tensors]
    if len({len(f) for f in fields}) > 1:
        fields = [[] for _ in tensors]
    stems = [re.sub(r"\d+", "#", t.name) for t in tensors]
    columns = [stems, *map(list, zip(*fields, strict=True))]
    most = min(sum(math.prod(t.shape) for t in tensors) // LEAST_CLASS, MOST_CLASSES)
    columns = [column for column in columns if 1 < len(set(column)) <= most]
    ratios = [_scale_ratio(column, tensors, layout) for column in columns]
    telling = [c for c, ratio in zip(columns, ratios, strict=True) if ratio > 1]
    if bits is not None:
        for column, ratio in zip(columns, ratios, strict=True):
            if 1 < ratio < UNLIKE and _joins(column, telling, tensors, bits):
                telling.remove(column)
            if ratio <= 1 and column is stems and not _joins(column, telling, tensors, bits):
                telling.append(column)  # keys and values may differ in their correlations alone
    return _classes(tensors, telling).values()


def _classes(
    tensors: Sequence[Tensor], columns: Sequence[Sequence[str]]
) -> dict[tuple[str, ...], list[Tensor]]:
    """Return the tensors that agree in all columns."""
    classes: dict[tuple[str, ...], list[Tensor]] = {}
    for i, tensor in enumerate(tensors):
        classes.setdefault(tuple(column[i] for column in columns), []).append(tensor)
    return classes


def _joins(
    column: list[str], telling: Sequence[list[str]], tensors: list[Tensor], bits: Bits
) -> bool:
    """Return whether classes that differ in one column alone take fewer bits as one group."""
    others = [other for other in telling if other is not column]
    alike = max(_classes(tensors, others).values(), key=len)
    names = {tensor.name for tensor in alike}
    values = [value for value, tensor in zip(column, tensors, strict=True) if tensor.name in names]
    classes = list(_classes(alike, [values]).values())
    some = classes[:: -(-len(classes) // JUDGED_CLASSES)]
    return bits(list(itertools.chain(*some))) <= sum(bits(each) for each in some)


def _scale_ratio(column: list[str], tensors: list[Tensor], layout: Layout) -> float:
    """Return by what factor the deviations of classes differ at most.

    1 where neither they nor those, or the means, of channels differ more than by chance.
    """
    classes: dict[str, list[np.ndarray]] = {}
    every = max(len(tensors) // PROBED_TENSORS, 1)
    room = max(PROBE_VALUES * MOST_CLASSES // len(tensors), 1)
    for i in range(0, len(tensors), every):
        tensor = tensors[i]
        channels = layout.token_grid(tensor.shape)[-1]
        ordered = tensor.array().transpose(layout.order())
        wanted = max(room // channels, 4)
        leading = -(-wanted * channels // max(math.prod(ordered.shape[1:]), 1))
        some = np.asarray(ordered[:leading]).reshape(-1, channels)[:wanted]
        rows = to_float(some, tensor.dtype).astype(np.float64)
        if channels > 1:  # padding shows nothing
            rows = rows[(rows != rows[:, :1]).any(axis=1)]
        classes.setdefault(column[i], []).append(np.nan_to_num(rows, posinf=0, neginf=0))
    pooled = [np.concatenate(rows) for rows in classes.values()]
    pooled = [rows for rows in pooled if len(rows)]
    if len(pooled) < 2:
        return 1.0
    means = np.stack([rows.mean(axis=0) for rows in pooled])
    deviations = np.array([rows.std() for rows in pooled])
    within = np.mean([rows.var(axis=0).mean() for rows in pooled])
    if not deviations.max() > 0:
        return 1.0
    ratio = float(deviations.max() / deviations.min()) if deviations.min() > 0 else math.inf
    if ratio > ALIKE:
        return ratio
    between = float(((means - means.mean(axis=0)) ** 2).mean())
    counts = np.array([_distinct(rows) for rows in pooled])  # what is repeated says nothing new
    by_chance = float(np.mean(1 / counts))
    if between > within * (CHANCE * by_chance + MEANS_CHANGE):
        return max(ratio, ALIKE)
    scales = np.log(np.maximum([rows.std(axis=0) for rows in pooled], MINUTE))
    changes = float(scales.var(axis=0).mean()) > CHANCE * by_chance / 2 + SCALES_CHANGE
    return max(ratio, ALIKE) if changes else 1.0


def _distinct(rows: np.ndarray) -> int:
    """Return how many different rows of float64 there are, by hashes of them."""
    weights = np.random.default_rng(SEED).integers(1 << 63, size=rows.shape[1], dtype=np.uint64)
    return len(np.unique(np.ascontiguousarray(rows).view(np.uint64) @ weights))
