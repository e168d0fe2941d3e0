"""Tensors of a dump to tensor groups (encoder's choice; any grouping decodes)."""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from ...align import layout as layouts
from ...align.layout import Layout, LayoutError
from ...align.numbers import STORED
from ...container.model import ARCHITECTURES
from ...elements import FLOATS
from ...errors import InvalidInput
from ...request import Options, Quality
from ...rules import Rules
from ...tensors import Source, Tensor
from .axes import best_layouts
from .group import Group
from .lossless import LosslessGroup, lossless_group
from .same_statistics import split_by_statistics
from .side_tensors import side_tensors

Judge = Callable[[Group], float]  # the bits of a group, about
ASKED = "asked for by name"
OWN_RASTER = 1 << 16  # values of like shape that are coded bit for bit apart from others


def group_tensors(
    source: Source,
    options: Options,
    lossless: bool,
    judge: Judge | None = None,
) -> list[Group | LosslessGroup]:
    """Return the groups of a dump, in the order of their first tensors.

    Floating tensors are features unless the file is `lossless`, or a rule says otherwise. `judge`
    returns about how many bits a group takes; with it, axes nobody states are those of the
    fewest bits.
    """
    metadata = source.metadata or {}
    aligned: dict[str, tuple[str, Layout]] = {}
    exact: dict[str, str] = {}
    rules = Rules(options.rules)
    asked = {tensor.name: rules.of(tensor.name) for tensor in source.tensors}
    floats = [t for t in source.tensors if t.dtype in FLOATS and t.shape and min(t.shape)]
    kept = {t.name for t in floats if _is_lossless(asked[t.name], lossless)}
    if len(kept) < len(floats):
        aligned = {tensor.name: _align(tensor, metadata, options) for tensor in floats}
        found = {name: layout for name, (_, layout) in aligned.items()}
        exact = side_tensors(floats, found, {*options.layouts, *rules.lossy_names()})
        exact |= dict.fromkeys(kept, ASKED)
        if judge is not None:
            features = [tensor for tensor in floats if tensor.name not in exact]
            stated = {t.name: _is_stated(t, metadata, options) for t in features}
            aligned |= _by_bits(features, aligned, stated, judge, metadata)
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
        quality = asked[tensor.name]
        keys.setdefault((tensor.dtype, architecture, layout, channels, quality), []).append(tensor)
    groups: list[Group | LosslessGroup] = []
    for key, tensors in keys.items():
        if len(key) < 3:
            reasons = dict.fromkeys(exact[t.name] for t in tensors if t.name in exact)
            groups.append(lossless_group(tensors, tuple(reasons)))
            continue
        group = partial(
            _group, architecture=key[1], layout=key[2], metadata=metadata, quality=key[4]
        )
        bits = None if judge is None else partial(_bits, group, judge)
        groups += [group(same) for same in split_by_statistics(tensors, key[2], bits)]
    order = {tensor.name: i for i, tensor in enumerate(source.tensors)}
    return sorted(groups, key=lambda group: order[group.names[0]])


def _is_lossless(asked: Quality | None, default: bool) -> bool:
    return default if asked is None else asked.lossless


def _group(
    tensors: Sequence[Tensor],
    architecture: str,
    layout: Layout,
    metadata: Mapping[str, str],
    quality: Quality | None = None,
) -> Group:
    return Group(
        tensors[0].dtype,
        architecture,
        layout,
        [tensor.name for tensor in tensors],
        [tensor.shape for tensor in tensors],
        _reader(tensors),
        label_of(metadata, tensors[0].name),
        quality=quality,
    )


def _bits(group: Callable[[list[Tensor]], Group], judge: Judge, tensors: list[Tensor]) -> float:
    return judge(group(tensors))


def _by_bits(
    tensors: Sequence[Tensor],
    aligned: Mapping[str, tuple[str, Layout]],
    stated: Mapping[str, bool],
    judge: Judge,
    metadata: Mapping[str, str],
) -> dict[str, tuple[str, Layout]]:
    """Return architecture and layout of tensors by name, their axes those of the fewest bits."""

    def bits(layout: Layout, some: Sequence[Tensor]) -> float:
        return judge(_group(some, aligned[some[0].name][0], layout, metadata))

    inferred = {tensor.name: aligned[tensor.name][1] for tensor in tensors}
    found = best_layouts(tensors, inferred, stated, bits)
    return {name: (aligned[name][0], layout) for name, layout in found.items()}


def _is_stated(tensor: Tensor, metadata: Mapping[str, str], options: Options) -> bool:
    asked = options.layouts.get(tensor.name, options.layouts.get(""))
    return bool(asked or layouts.stated(tensor.shape, metadata))


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


def _reader(tensors: Sequence[Tensor]) -> Callable[[int], np.ndarray]:
    return lambda i: tensors[i].read().view(STORED[tensors[i].dtype]).reshape(tensors[i].shape)
