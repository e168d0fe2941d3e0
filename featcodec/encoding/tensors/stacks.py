"""Tensors that are the layers of one stream, one each: stacked where that takes fewer bits."""

import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ... import limits
from ...align.layout import Layout, infer
from ...align.stacks import Stacks
from ...tensors import Tensor
from ..layers import UNLIKE, evened
from .alike import ALIKE, MOST_LAYERS, likeness
from .axes import CLEARLY
from .group import Group
from .labels import stem_of
from .lossless import LosslessGroup
from .places import probed
from .wholes import wholes

MOST_NUMBERS = 512  # that may be those of layers
LEAST_VALUES = 1 << 14  # of all tensors: fewer are hardly worth the time
JUDGED = 4  # of the groups that tensors are in without stacks

Judge = Callable[[Group], float]  # the bits of a group, about
Groups = Sequence[Group | LosslessGroup]


def with_stacks(
    groups: Groups,
    tensors: Sequence[Tensor],
    judge: Judge,
    pool: bool,
    can_be: Callable[[Group], bool] = lambda group: True,
) -> list[Group | LosslessGroup]:
    """Return the groups of some tensors, those stacked that are layers and then take fewer bits.

    Groups at other qualities than an SNR stay, and tensors of which none `can_be`. With `pool` one
    SNR holds for all layers.
    """
    found, place = list(groups), {tensor.name: i for i, tensor in enumerate(tensors)}
    for names in _kinds(groups):
        same = [tensors[i] for i in sorted(place[name] for name in names)]
        for some, stacks in _layers(same):
            mine = [g for g in found if isinstance(g, Group) and _names(g) & {t.name for t in some}]
            better = _better(some, stacks, mine, judge, pool)
            if better is not None and can_be(better):
                others = _names(*mine) - set(better.names)
                left = [_some(group, others) for group in mine]
                kept = [group for group in found if not any(group is one for one in mine)]
                found = [*kept, *(group for group in left if group is not None), better]
    return sorted(found, key=lambda group: min(place[name] for name in _names(group)))


def _names(*groups: Group | LosslessGroup) -> set[str]:
    """Return the names of the tensors of the dump that groups have values of."""
    found = [wholes(g) if isinstance(g, Group) else [(n, ()) for n in g.names] for g in groups]
    return {name for some in found for name, _ in some}


def _kinds(groups: Groups) -> list[list[str]]:
    """Return the names of features of one type and quality that differ in their numbers alone."""
    kinds: dict[tuple, dict[str, None]] = {}
    for group in groups:
        if isinstance(group, Group) and (group.quality is None or group.quality.snr is not None):
            for name, shape in wholes(group):
                key = stem_of(name), group.dtype, group.quality, len(shape)
                kinds.setdefault(key, {})[name] = None
    return [list(names) for names in kinds.values() if len(names) > 1]


def _layers(tensors: list[Tensor]) -> Iterator[tuple[list[Tensor], Stacks]]:
    """Yield tensors that are stacks of layers, and how; as many stacks as there is room for."""
    if sum(math.prod(tensor.shape) for tensor in tensors) < LEAST_VALUES:
        return
    fields = [[int(n) for n in re.findall(r"\d+", tensor.name)] for tensor in tensors]
    best: tuple[float, int] = (ALIKE, -1)
    for column in range(len(fields[0])):
        first = _first_stack(tensors, fields, column)
        if first:
            best = max(best, (likeness(probed(first, len(first))), column))
    column = best[1]
    if column < 0:
        return
    numbers = sorted({each[column] for each in fields})
    most = min(limits.CHANNELS // tensors[0].shape[-1], MOST_LAYERS)
    runs = -(-len(numbers) // max(most, 1))
    for some in np.array_split(numbers, runs):
        wanted = set(some.tolist())
        mine = [i for i, each in enumerate(fields) if each[column] in wanted]
        keys = [(fields[i][column], _rest(fields[i], column)) for i in mine]
        stacks = _stacks(keys, [tensors[i].shape for i in mine])
        if stacks is not None:
            yield [tensors[i] for i in mine], stacks


def _rest(numbers: list[int], column: int) -> tuple[int, ...]:
    """Return the numbers in a name but for that of the layer."""
    return (*numbers[:column], *numbers[column + 1 :])


def _first_stack(
    tensors: Sequence[Tensor], fields: Sequence[list[int]], column: int
) -> list[Tensor]:
    """Return the tensors that differ from the first in one number, in its order.

    None where they are no stack: there are as many of each.
    """
    rest = _rest(fields[0], column)
    found = [
        (numbers[column], tensor)
        for numbers, tensor in zip(fields, tensors, strict=True)
        if _rest(numbers, column) == rest and tensor.shape == tensors[0].shape
    ]
    values = {numbers[column] for numbers in fields}
    whole = len(found) == len(values) and len(tensors) % len(values) == 0
    few = 2 <= len(values) <= MOST_NUMBERS
    return [tensor for _, tensor in sorted(found, key=lambda one: one[0])] if whole and few else []


def _stacks(keys: Sequence[tuple[int, tuple]], shapes: Sequence[tuple[int, ...]]) -> Stacks | None:
    """Return how tensors of a layer and a rest of their names are stacks, all in one order."""
    places = [i for i, (_, rest) in enumerate(keys) if rest == keys[0][1]]
    if len(places) < 2:
        return None
    stacks, order = Stacks(len(places), places[1] - places[0]), [keys[i][0] for i in places]
    if len(keys) % (stacks.count * stacks.distance):
        return None
    for i, (layer, rest) in enumerate(keys):
        stack, number = stacks.place(i)
        first = stacks.member(stack, 0)
        if (layer, rest, shapes[i]) != (order[number], keys[first][1], shapes[first]):
            return None
    return stacks


def _better(
    tensors: Sequence[Tensor], stacks: Stacks, groups: Sequence[Group], judge: Judge, pool: bool
) -> Group | None:
    """Return tensors as a group of stacks, where that takes clearly fewer bits than some groups.

    Repeated rows are left out of tensors and not of stacks. Padding is to come back as it is.
    """
    model = groups[0]
    names = {tensor.name for tensor in tensors}
    likely = [g.layout for g in groups if g.cut_as is None]
    if not any(group.reading for group in groups):  # nobody states one
        likely.append(infer(tensors[0].shape, model.architecture))
    candidates = [
        _stacked(tensors, stacks, layout, model)
        for layout in dict.fromkeys(likely)
        if layout.channel_axes
    ]
    candidates = [one for one in candidates if one.channels <= limits.CHANNELS]
    if not candidates or any(map(_is_padded, candidates)):
        return None
    bits = [judge(one if pool else evened(one, UNLIKE)) for one in candidates]
    apart = [one for group in groups if (one := _some(group, names)) is not None]
    judged = apart[:: -(-len(apart) // JUDGED)]
    total = sum(judge(group.without_repeats or group) for group in judged)
    total *= sum(group.present for group in apart) / sum(group.present for group in judged)
    best = min(range(len(bits)), key=bits.__getitem__)
    less = bits[best] < CLEARLY * total
    return candidates[best] if less else None


def _stacked(tensors: Sequence[Tensor], stacks: Stacks, layout: Layout, like: Group) -> Group:
    """Return the group of stacks of tensors of a layout."""
    return Group(
        like.dtype,
        like.architecture,
        layout,
        [tensor.name for tensor in tensors],
        [tensor.shape for tensor in tensors],
        lambda i: tensors[i].array(),
        like.label,
        quality=like.quality,
        stacks=stacks,
        reading=like.reading if layout == like.layout else 0,
    )


def _is_padded(group: Group) -> bool:
    """Return whether a tensor in the middle of a stack has constant rows."""
    assert group.stacks is not None
    i = group.stacks.member(0, group.stacks.count // 2)
    one = replace(
        group,
        names=group.names[i : i + 1],
        shapes=group.shapes[i : i + 1],
        tensor=lambda _: group.tensor(i),
        stacks=None,
    )
    found = one.without_repeats
    return found is not None and found.rows is not None and bool(found.rows.runs.constants)


def _some(group: Group, names: Collection[str]) -> Group | None:
    """Return the group of some of the tensors of another, by name; None without any."""
    kept = [i for i, (name, _) in enumerate(wholes(group)) if name in names]
    if len(kept) in (0, len(group.names)):
        return group if kept else None
    return replace(
        group,
        names=[group.names[i] for i in kept],
        shapes=[group.shapes[i] for i in kept],
        tensor=lambda i: group.tensor(kept[i]),
        parts=[group.parts[i] for i in kept] if group.parts else (),
    )
