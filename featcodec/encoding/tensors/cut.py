"""Tensors cut into parts that are tensors of their own, and what the index says of them."""

from collections.abc import Sequence
from typing import Protocol

from ...align.layout import Layout
from ...container.cuts import Along, Cut, places
from ...container.index import TensorEntry
from ...tensors import Tensor
from .group import Group
from .lossless import LosslessGroup


def cut(tensor: Tensor, layout: Layout) -> list[Tensor]:
    """Return the parts of a tensor of a layout, itself where that does not cut it."""
    if not layout.cuts:
        return [tensor]
    found = places(layout.along(tensor.shape), tensor.shape)
    return [tensor.part(where) for where in found]


class Named(Protocol):
    """A group of any kind."""

    @property
    def names(self) -> Sequence[str]: ...


def entries_of(
    tensors: Sequence[Tensor], groups: Sequence[Named]
) -> tuple[list[TensorEntry], dict[int, Cut]]:
    """Return what the index says of the tensors of a dump whose groups these are."""
    whole = {name: i for i, group in enumerate(groups) for name in group.names}
    layouts: dict[str, Layout] = {}
    padded: dict[str, tuple[Along, ...]] = {}
    parts: dict[tuple[str, str], int] = {}
    for number, group in enumerate(groups):
        if isinstance(group, LosslessGroup):
            padded |= group.cuts
        for part in group.parts if isinstance(group, Group | LosslessGroup) else ():
            parts[part.of, str(part.where)] = number
            if isinstance(group, Group) and group.cut_as is not None:
                layouts[part.of] = group.cut_as
    entries, cuts = [], {}
    for number, tensor in enumerate(tensors):
        axes = padded.get(tensor.name)
        if axes is None and tensor.name in layouts:
            axes = layouts[tensor.name].along(tensor.shape)
        if axes is not None:  # what is left of a padded tensor may be in a group as it is
            found = [
                parts.get((tensor.name, str(where)), whole.get(tensor.name, -1))
                for where in places(axes, tensor.shape)
            ]
            cuts[number] = Cut(axes, tuple(found))
            first = found[0]
        else:
            first = whole[tensor.name]
        entries.append(TensorEntry(tensor.name, tensor.dtype, tensor.shape, first))
    return entries, cuts
