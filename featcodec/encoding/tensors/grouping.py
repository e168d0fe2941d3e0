"""Tensors of a dump to tensor groups (encoder's choice; any grouping decodes)."""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from ...align import layout as layouts
from ...align.layout import Layout, LayoutError
from ...align.numbers import STORED
from ...container.model import ARCHITECTURES
from ...elements import FLOATS
from ...errors import InvalidInput
from ...request import Options
from ...tensors import Source, Tensor
from .group import Group
from .lossless import LosslessGroup, lossless_group
from .same_statistics import split_by_statistics
from .side_tensors import side_tensors

OWN_RASTER = 1 << 16  # values of like shape that are coded bit for bit apart from others


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
            groups.append(lossless_group(tensors, tuple(reasons)))
            continue
        for same in split_by_statistics(tensors, key[2]):
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


def _reader(tensors: list[Tensor]) -> Callable[[int], np.ndarray]:
    return lambda i: tensors[i].read().view(STORED[tensors[i].dtype]).reshape(tensors[i].shape)
