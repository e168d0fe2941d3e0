"""Groups of tensors whose samples are padded, in parts without padding or with all of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...align.layout import SAMPLE, Layout, LayoutError
from ...align.stacks import Stacks
from ...container.cuts import Along
from ...tensors import Tensor
from .group import Group
from .ragged import Ragged
from .stacked import usual

# Parts of a group at most, and values that they have on average at least: each takes time.
MOST_PARTS, LEAST_PART = 1 << 16, 1 << 7


def of_tensors(group: Group, tensors: Sequence[Tensor]) -> Group:
    """Return a group with other tensors."""
    names, shapes = [tensor.name for tensor in tensors], [tensor.shape for tensor in tensors]
    return replace(group, names=names, shapes=shapes, tensor=lambda i: tensors[i].array())


def as_samples(group: Group, ragged: Ragged) -> Group:
    """Return a group whose axis of samples, which was of one index when it was read, is such."""
    at, cut_as = ragged.samples, group.cut_as or group.layout
    axes = cut_as.axes[:at] + SAMPLE + cut_as.axes[at + 1 :]
    try:
        cut_as = replace(usual(axes), parts=cut_as.parts)
    except LayoutError:  # sample axes that are not side by side
        cut_as = Layout(cut_as.axes, parts=cut_as.parts)
    return replace(group, layout=cut_as.of_parts, cut_as=cut_as if group.cut_as else None)


def in_parts(
    group: Group, tensors: Mapping[str, Tensor], ragged: Mapping[str, Ragged | None]
) -> tuple[Group, dict[str, tuple[Along, ...]]] | None:
    """Return the parts of tensors that are no padding as a group, and how tensors are cut.

    None where a group cannot be so.
    """
    each = {name: one.parts(tensors[name]) for name, one in ragged.items() if one is not None}
    layout, one = group.layout, next(filter(None, ragged.values()))
    samples = [at for at, a in enumerate(layout.axes) if a == SAMPLE and at != one.samples]
    between = samples[:1] < [one.samples] < samples[-1:] or one.tokens in samples[1:]
    parts = [part for name in group.names for part in each.get(name, ())]
    values = sum(math.prod(part.shape) for part in parts)
    many = len(parts) > min(MOST_PARTS, values // LEAST_PART)
    if len(each) < len(ragged) or group.parts or between or many:
        return None
    stacks = group.stacks and _stacks(group.stacks, [each[name] for name in group.names])
    if group.stacks and stacks is None:
        return None
    found = replace(
        of_tensors(group, parts),
        layout=_without(layout, one.samples),
        layered=group.layered and _without(group.layered, one.samples),
        stacks=stacks,
        parts=parts,
        cut_as=as_samples(group, one).layout,
    )
    return found, {name: x.axes(tensors[name].shape) for name, x in ragged.items() if x}


def _without(layout: Layout, axis: int) -> Layout:
    return usual(layout.axes[:axis] + layout.axes[axis + 1 :])


def _stacks(stacks: Stacks, parts: Sequence[Sequence[Tensor]]) -> Stacks | None:
    """Return how the parts of tensors in stacks are in stacks, if they are."""
    run = stacks.count * stacks.distance
    shapes = [[part.shape for part in some] for some in parts]
    for i, mine in enumerate(shapes):
        if mine != shapes[stacks.member(stacks.place(i)[0], 0)]:
            return None
    distances = {
        sum(map(len, parts[first : first + stacks.distance])) for first in range(0, len(parts), run)
    }
    return Stacks(stacks.count, distances.pop()) if len(distances) == 1 else None
