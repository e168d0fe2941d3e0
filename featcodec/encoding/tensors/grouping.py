"""Tensors of a dump to tensor groups (encoder's choice; any grouping decodes)."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ...align.layout import Layout
from ...container.model import ProfileEntry
from ...elements import FLOATS
from ...request import Options, Quality
from ...rules import Rules
from ...tensors import Source, Tensor
from ..layers import UNLIKE, evened
from .accidents import without_accidents
from .axes import Chosen, best_layouts
from .axes import Judge as LayoutJudge
from .cut import cut
from .group import Group
from .known import Known, as_known
from .labels import has_parts, label_of, told_apart, trained_layouts
from .large_rows import with_gains
from .lossless import LosslessGroup, lossless_group
from .same_statistics import split_by_scale, split_by_statistics
from .side_tensors import side_tensors
from .stated import align, architecture_as_read, is_stated, reading_of

Judge = Callable[[Group], float]  # the bits of a group, about
ASKED = "asked for by name"
JUDGED_CLASSES = 4  # of those into which parts of tensors fall
OWN_RASTER = 1 << 16  # values of like shape that are coded bit for bit apart from others


@dataclass(frozen=True)
class Judges:
    """A judge and, for the axes of few values, one that writes groups and tells their true bits."""

    about: Judge
    written: Judge | None = None

    def __call__(self, group: Group) -> float:
        """Return the bits of a group, about."""
        return self.about(group)


def group_tensors(
    source: Source,
    options: Options,
    lossless: bool,
    judge: Judge | None = None,
    entries: Sequence[ProfileEntry] = (),
    joins: Judge | None = None,
    training: bool = False,
    known: Known | None = None,
) -> list[Group | LosslessGroup]:
    """Return the groups of a dump, in the order of their first tensors.

    Floating tensors are features unless the file is `lossless`, or a rule says otherwise. `judge`
    returns about how many bits a group takes; with it, axes nobody states are those of the
    fewest bits, those of the `entries` of a profile among them. Another judge, `joins`, may say
    which tensors are one group where the profile has no entries of their parts. What is `known` in
    the layout of an entry is not judged. For `training`, few tokens never serve as channels, and
    what differs in statistics is apart, whatever bits that takes in a file.
    """
    metadata, rules = source.metadata or {}, Rules(options.rules)
    asked = {tensor.name: rules.of(tensor.name) for tensor in source.tensors}
    aligned, exact, readings, layered = _aligned(
        source, options, lossless, judge, asked, entries, not training, known
    )
    names = {tensor.name for tensor in source.tensors}
    tensors = [part for tensor in source.tensors for part in _parts(tensor, aligned, exact, names)]
    keys: dict[tuple, list[Tensor]] = {}
    values = Counter[tuple]()
    for tensor in tensors:
        values[tensor.dtype, tensor.shape[1:]] += math.prod(tensor.shape)
    for tensor in tensors:
        name = tensor.of or tensor.name
        if name not in aligned or name in exact:
            key = (tensor.dtype, tensor.shape[1:])
            keys.setdefault(key if values[key] >= OWN_RASTER else key[:1], []).append(tensor)
            continue
        architecture, layout = aligned[name]
        channels = layout.of_parts.token_grid(tensor.shape)[-1]
        keys.setdefault((tensor.dtype, architecture, layout, channels, asked[name]), []).append(
            tensor
        )
    groups: list[Group | LosslessGroup] = []
    pooled = options.pool or judge is None
    for key, alike in keys.items():
        if len(key) < 3:
            reasons = dict.fromkeys(exact[t.name] for t in alike if t.name in exact)
            groups.append(lossless_group(alike, tuple(reasons)))
        else:
            told = judge if joins is None or has_parts(alike, entries) else joins
            for group in _features(key, alike, metadata, None if training else told, pooled):
                name = alike[0].of or alike[0].name
                found = layered.get(name)
                groups.append(replace(group, reading=readings[name], layered=found))
    order = {tensor.name: i for i, tensor in enumerate(tensors)}
    return sorted(groups, key=lambda group: order[group.names[0]])


def _aligned(
    source: Source,
    options: Options,
    lossless: bool,
    judge: Judge | None,
    asked: Mapping[str, Quality | None],
    entries: Sequence[ProfileEntry],
    swaps: bool,
    known: Known | None,
) -> tuple[dict[str, tuple[str, Layout]], dict[str, str], dict[str, int], dict[str, Layout]]:
    """Return by name architecture and layout, why tensors are kept exactly, and why read so.

    And the layouts of layers side by side that are not so in these.
    """
    metadata = source.metadata or {}
    aligned: dict[str, tuple[str, Layout]] = {}
    exact: dict[str, str] = {}
    layered: dict[str, Layout] = {}
    floats = [t for t in source.tensors if t.dtype in FLOATS and t.shape and min(t.shape)]
    readings = {tensor.name: reading_of(tensor, metadata, options) for tensor in floats}
    kept = {t.name for t in floats if _is_lossless(asked[t.name], lossless)}
    if len(kept) == len(floats):
        return aligned, exact, readings, layered
    aligned = {tensor.name: align(tensor, metadata, options) for tensor in floats}
    found = {name: layout for name, (_, layout) in aligned.items()}
    exact = side_tensors(floats, found, {*options.layouts, *Rules(options.rules).lossy_names()})
    exact |= dict.fromkeys(kept, ASKED)
    if judge is not None:
        features = [tensor for tensor in floats if tensor.name not in exact]
        aligned |= without_accidents(features, aligned, metadata, options)
        stated = {tensor.name: is_stated(tensor, metadata, options) for tensor in features}
        best = as_known(features, aligned, metadata, entries, known, _group, stated)
        features = [tensor for tensor in features if tensor.name not in best]
        chosen = _by_bits(features, aligned, judge, metadata, options, entries, swaps)
        for tensor in features:
            name, layout = tensor.name, chosen[tensor.name].layout
            tag = architecture_as_read(tensor, layout, aligned[name][0], metadata, options)
            best[name] = tag, layout
        layered = {name: each.layered for name, each in chosen.items() if each.layered}
        readings |= {name: 0 for name in best if best[name] != aligned[name]}
        aligned |= best
    return aligned, exact, readings, layered


def _features(
    key: tuple,
    alike: list[Tensor],
    metadata: Mapping[str, str],
    judge: Judge | None,
    pooled: bool,
) -> Iterator[Group]:
    """Yield the groups of tensors that agree in what no group mixes, by their statistics."""
    _, architecture, layout, _, quality = key
    group = partial(
        _group,
        architecture=architecture,
        layout=layout,
        metadata=metadata,
        quality=quality,
        among=alike,
    )
    bits = None if judge is None else partial(_bits, group, judge)
    for same in split_by_statistics(alike, layout.of_parts, bits):
        yield from map(group, [same] if pooled else split_by_scale(same))


def _is_lossless(asked: Quality | None, default: bool) -> bool:
    return default if asked is None else asked.lossless


def _parts(
    tensor: Tensor,
    aligned: Mapping[str, tuple[str, Layout]],
    exact: Mapping[str, str],
    names: Collection[str],
) -> list[Tensor]:
    """Return what a tensor is cut into: itself where it is not cut."""
    if tensor.name not in aligned or tensor.name in exact:
        return [tensor]
    parts = cut(tensor, aligned[tensor.name][1])
    unlike = [part for part in parts if part is not tensor]
    while any(part.name in names for part in unlike):
        unlike = [replace(part, name=part.name + "'") for part in unlike]
    return unlike or parts


def _group(
    tensors: Sequence[Tensor],
    architecture: str,
    layout: Layout,
    metadata: Mapping[str, str],
    quality: Quality | None = None,
    among: Sequence[Tensor] = (),
) -> Group:
    """Return the group of some tensors among others, or of some parts of tensors of a layout."""
    return Group(
        tensors[0].dtype,
        architecture,
        layout.of_parts,
        [tensor.name for tensor in tensors],
        [tensor.shape for tensor in tensors],
        _reader(tensors),
        label_of(metadata, tensors[0].of or tensors[0].name),
        told_apart([tensor.name for tensor in tensors], [tensor.name for tensor in among]),
        quality=quality,
        cut_as=layout if tensors[0].of else None,
        parts=tensors if tensors[0].of else (),
    )


def _bits(group: Callable[[list[Tensor]], Group], judge: Judge, tensors: list[Tensor]) -> float:
    return judge(group(tensors))


def _by_bits(
    tensors: Sequence[Tensor],
    aligned: Mapping[str, tuple[str, Layout]],
    judge: Judge,
    metadata: Mapping[str, str],
    options: Options,
    entries: Sequence[ProfileEntry],
    swaps: bool,
) -> dict[str, Chosen]:
    """Return the layouts of tensors by name, their axes those of the fewest bits."""

    def bits(judge: Judge, layout: Layout, some: Sequence[Tensor]) -> float:
        architecture = aligned[some[0].name][0]
        group = partial(_group, architecture=architecture, layout=layout, metadata=metadata)

        judged_so: dict[tuple[str, ...], float] = {}

        def joint(tensors: list[Tensor]) -> float:
            names = tuple(tensor.name for tensor in tensors)
            if names not in judged_so:
                whole = group(tensors)
                whole = whole if options.pool or layout.cuts else evened(whole, UNLIKE)
                judged_so[names] = judge(whole)
            return judged_so[names]

        # Tensors of unlike statistics are to be groups of their own, cut or not.
        parts = [part for tensor in some for part in cut(tensor, layout)]
        classes = list(split_by_statistics(parts, layout.of_parts, joint))
        judged = classes[:: -(-len(classes) // JUDGED_CLASSES)]
        return sum(map(joint, judged)) * _values(some) / sum(map(_values, judged))

    def uneven(layout: Layout, some: Sequence[Tensor]) -> bool:
        group = _group(some, aligned[some[0].name][0], layout, metadata)
        return with_gains(group).gains is not None

    inferred = {tensor.name: aligned[tensor.name][1] for tensor in tensors}
    stated = {tensor.name: is_stated(tensor, metadata, options) for tensor in tensors}
    trained = {
        tensor.name: trained_layouts(tensor, label_of(metadata, tensor.name), entries)
        for tensor in tensors
    }
    written = judge.written if isinstance(judge, Judges) else None
    judges = LayoutJudge(partial(bits, judge), written and partial(bits, written))
    return best_layouts(tensors, inferred, stated, judges, uneven, not options.pool, trained, swaps)


def _values(tensors: Sequence[Tensor]) -> int:
    return sum(math.prod(tensor.shape) for tensor in tensors)


def _reader(tensors: Sequence[Tensor]) -> Callable[[int], np.ndarray]:
    return lambda i: tensors[i].array()


def kinds(groups: Sequence[Any]) -> list[tuple]:
    """Return what tells one way to group tensors from another."""
    return [
        (tuple(g.names), g.layout, g.stacks) if isinstance(g, Group) else (tuple(g.names),)
        for g in groups
    ]
