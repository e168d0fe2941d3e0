"""Which tensors have the same statistics: layers differ, instances do not."""

import math
import re
from collections.abc import Iterable

import numpy as np

from ...align.layout import Layout
from ...align.numbers import STORED, to_float
from ...tensors import Tensor

MOST_CLASSES = 64  # values of a number in the names that may tell layers apart
LEAST_CLASS = 1 << 14  # values of a layer: so few are not worth a model of their own
PROBE_VALUES = 1 << 16
PROBED_TENSORS = 2000


def split_by_statistics(tensors: list[Tensor], layout: Layout) -> Iterable[list[Tensor]]:
    """Split tensors by numbers in their names along which the channels' statistics change.

    `layers.3.sentence_0007`: the first number tells layers apart, the second only instances.
    """
    if len(tensors) == 1:
        return [tensors]
    fields = [re.findall(r"\d+", t.name) for t in tensors]
    if len({len(f) for f in fields}) > 1:
        fields = [[] for _ in tensors]
    stems = [re.sub(r"\d+", "#", t.name) for t in tensors]
    columns = [stems, *map(list, zip(*fields, strict=True))]
    most = min(sum(math.prod(t.shape) for t in tensors) // LEAST_CLASS, MOST_CLASSES)
    telling = [c for c in columns if 1 < len(set(c)) <= most and _tells(c, tensors, layout)]
    classes: dict[tuple, list[Tensor]] = {}
    for i, tensor in enumerate(tensors):
        classes.setdefault(tuple(c[i] for c in telling), []).append(tensor)
    return classes.values()


def _tells(column: list[str], tensors: list[Tensor], layout: Layout) -> bool:
    """Return whether classes of tensors differ more in mean or deviation than by chance."""
    classes: dict[str, list[np.ndarray]] = {}
    every = max(len(tensors) // PROBED_TENSORS, 1)
    room = max(PROBE_VALUES * MOST_CLASSES // len(tensors), 1)
    for i in range(0, len(tensors), every):
        tensor = tensors[i]
        channels = layout.token_grid(tensor.shape)[-1]
        stored = tensor.read().view(STORED[tensor.dtype]).reshape(tensor.shape)
        ordered = stored.transpose(layout.order())
        wanted = max(room // channels, 4)
        leading = -(-wanted * channels // max(math.prod(ordered.shape[1:]), 1))
        some = np.asarray(ordered[:leading]).reshape(-1, channels)[:wanted]
        rows = to_float(some, tensor.dtype).astype(np.float64)
        classes.setdefault(column[i], []).append(np.nan_to_num(rows, posinf=0, neginf=0))
    pooled = [np.concatenate(rows) for rows in classes.values()]
    means = np.stack([rows.mean(axis=0) for rows in pooled])
    deviations = np.array([rows.std() for rows in pooled])
    within = np.mean([rows.var(axis=0).mean() for rows in pooled])
    if deviations.min() <= 0 or deviations.max() > 1.25 * deviations.min():
        return bool(deviations.max() > 0)
    between = float(((means - means.mean(axis=0)) ** 2).mean())
    counts = np.array([_distinct(rows) for rows in pooled])  # what is repeated says nothing new
    by_chance = float(within * np.mean(1 / counts))
    return bool(between > 4 * by_chance + 0.02 * within)


def _distinct(rows: np.ndarray) -> int:
    """Return how many different rows there are."""
    whole = np.dtype((np.void, rows.shape[1] * rows.itemsize))
    return len(np.unique(np.ascontiguousarray(rows).view(whole)))
