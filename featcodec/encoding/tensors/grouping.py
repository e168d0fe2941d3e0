"""Tensors of a dump to tensor groups (encoder's choice; any grouping decodes)."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...align import layout as layouts
from ...align.layout import Layout, LayoutError
from ...align.numbers import STORED, to_float, unsigned
from ...container.model import ARCHITECTURES
from ...elements import BITS, FLOATS
from ...errors import InvalidInput
from ...request import Options
from ...tensors import Source, Tensor
from .group import Group
from .side_tensors import side_tensors

MOST_CLASSES = 64  # values of a number in the names that may tell layers apart
LEAST_CLASS = 1 << 14  # values of a layer: so few are not worth a model of their own
PROBE_VALUES = 1 << 16
PROBED_TENSORS = 2000
OWN_RASTER = 1 << 16  # values of like shape that are coded bit for bit apart from others


@dataclass(frozen=True)
class LosslessGroup:
    """Tensors of one element type that come back bit for bit."""

    dtype: str
    names: Sequence[str]
    sizes: Sequence[int]  # elements, of `itemsize` bytes
    rasters: Sequence[tuple[int, int]]  # width and channels, in which neighbours may be alike
    tensor: Callable[[int], np.ndarray]
    reasons: Sequence[str] = ()  # for which floating tensors are in it, though loss is allowed

    @classmethod
    def of(cls, group: Group) -> "LosslessGroup":
        sizes = [math.prod(shape) for shape in group.shapes]
        rasters = _rasters(group.shapes)
        return cls(group.dtype, group.names, sizes, rasters, group.tensor)

    @property
    def elements(self) -> int:
        return sum(self.sizes)

    def read(self, first: int, last: int) -> np.ndarray:
        """Return the elements first <= e < last of the concatenation, as unsigned integers."""
        starts = np.concatenate([[0], np.cumsum(self.sizes, dtype=np.int64)])
        kind = unsigned(self.dtype)
        pieces = []
        i = int(np.searchsorted(starts, first, "right")) - 1
        while i < len(self.sizes) and starts[i] < last:
            low, high = max(first - int(starts[i]), 0), last - int(starts[i])
            pieces.append(np.asarray(self.tensor(i).reshape(-1)[low:high].view(kind)))
            i += 1
        return np.concatenate(pieces) if pieces else np.zeros(0, kind)


def group_tensors(source: Source, options: Options, lossless: bool) -> list[Group | LosslessGroup]:
    """Return the groups of a dump, in the order of their first tensors."""
    metadata = source.metadata or {}
    aligned: dict[str, tuple[str, Layout]] = {}
    exact: dict[str, str] = {}
    if not lossless:
        floats = [t for t in source.tensors if t.dtype in FLOATS and t.shape and min(t.shape)]
        aligned = {tensor.name: _align(tensor, metadata, options) for tensor in floats}
        layouts = {name: layout for name, (_, layout) in aligned.items()}
        exact = side_tensors(floats, layouts, options.layouts)
    keys: dict[tuple, list[Tensor]] = {}
    values = Counter[tuple]()
    for tensor in source.tensors:
        values[tensor.dtype, tensor.shape[1:]] += math.prod(tensor.shape)
    for tensor in source.tensors:
        if tensor.name not in aligned or tensor.name in exact:
            key = (tensor.dtype, tensor.shape[1:])
            keys.setdefault(key if values[key] >= OWN_RASTER else key[:1], []).append(tensor)
            continue
        architecture, layout = aligned[tensor.name]
        channels = layout.token_grid(tensor.shape)[-1]
        keys.setdefault((tensor.dtype, architecture, layout, channels), []).append(tensor)
    groups: list[Group | LosslessGroup] = []
    for key, tensors in keys.items():
        if len(key) < 3:
            reasons = dict.fromkeys(exact[t.name] for t in tensors if t.name in exact)
            groups.append(_lossless_group(tensors, tuple(reasons)))
            continue
        for same in _split_by_statistics(tensors, key[2]):
            groups.append(
                Group(
                    key[0],
                    key[1],
                    key[2],
                    [t.name for t in same],
                    [t.shape for t in same],
                    _reader(same),
                    label_of(metadata, same[0].name),
                )
            )
    order = {tensor.name: i for i, tensor in enumerate(source.tensors)}
    return sorted(groups, key=lambda group: order[group.names[0]])


def label_of(metadata: Mapping[str, str], name: str) -> str:
    """Return what a profile calls features of this kind: model and layer, or the name's stem."""
    named = [metadata[key] for key in ("model", "layer") if metadata.get(key)]
    return " / ".join(named) or re.sub(r"\d+", "#", name)


def _align(tensor: Tensor, metadata: Mapping[str, str], options: Options) -> tuple[str, Layout]:
    asked = options.layouts.get(tensor.name, options.layouts.get(""))
    named = options.architectures.get(tensor.name, options.architectures.get(""))
    architecture = named or layouts.architecture_of(tensor.shape, metadata, asked)
    if architecture not in ARCHITECTURES:
        raise InvalidInput(f"architecture {architecture!r}: use {', '.join(ARCHITECTURES)}")
    explicit = tensor.name in options.layouts
    try:
        return architecture, layouts.choose(tensor.shape, metadata, architecture, asked)
    except LayoutError as error:
        if asked and not explicit:
            # A layout for the whole dump speaks of tensors of its rank; others go their own way.
            try:
                rank = len(layouts.parse(asked).axes)
            except LayoutError:
                rank = len(tensor.shape)
            if rank != len(tensor.shape):
                return architecture, layouts.choose(tensor.shape, {}, architecture, None)
        where = f"tensor {tensor.name!r} of shape {list(tensor.shape)}"
        raise InvalidInput(f"{where}: {error}") from None


def _lossless_group(tensors: list[Tensor], reasons: Sequence[str]) -> LosslessGroup:
    kind = unsigned(tensors[0].dtype)

    def read(i: int) -> np.ndarray:
        return tensors[i].read().reshape(-1).view(kind)

    bits = BITS[tensors[0].dtype]
    sizes = [math.prod(t.shape) * bits // 8 // kind.itemsize for t in tensors]
    names, rasters = [t.name for t in tensors], _rasters([t.shape for t in tensors])
    return LosslessGroup(tensors[0].dtype, names, sizes, rasters, read, reasons)


def _rasters(shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Return (width, channels): maps of rows and columns, tokens, rows and columns of tokens."""
    shape = max(shapes, key=math.prod)
    *_, rows, columns = (1, 1, *shape)
    return [(columns, 1), (1, columns), *([(rows, columns)] if len(shape) > 2 else [])]


def _reader(tensors: list[Tensor]) -> Callable[[int], np.ndarray]:
    return lambda i: tensors[i].read().view(STORED[tensors[i].dtype]).reshape(tensors[i].shape)


# --- which tensors have the same statistics -----------------------------------------------------


def _split_by_statistics(tensors: list[Tensor], layout: Layout) -> Iterable[list[Tensor]]:
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
    counts = np.array([len(rows) for rows in pooled])
    within = np.mean([rows.var(axis=0).mean() for rows in pooled])
    if deviations.min() <= 0 or deviations.max() > 1.25 * deviations.min():
        return bool(deviations.max() > 0)
    between = float(((means - means.mean(axis=0)) ** 2).mean())
    by_chance = float(within * np.mean(1 / counts))
    return between > 4 * by_chance + 0.02 * within
