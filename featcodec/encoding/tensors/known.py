"""Tensors that an entry of a profile was trained on the like of: its layout is theirs, too."""

from collections.abc import Callable, Mapping, Sequence

from ...align.layout import Layout
from ...container.model import ProfileEntry
from ...tensors import Tensor
from .group import Group
from .labels import label_of, trained_layouts

Known = Callable[[Group], bool]  # whether a profile knows a group: nothing else is tried for it


def as_known(
    tensors: Sequence[Tensor],
    aligned: Mapping[str, tuple[str, Layout]],
    metadata: Mapping[str, str],
    entries: Sequence[ProfileEntry],
    known: Known | None,
    group: Callable[[Sequence[Tensor], str, Layout, Mapping[str, str]], Group],
    stated: Mapping[str, bool],
) -> dict[str, tuple[str, Layout]]:
    """Return architecture and layout of the tensors that are known in the layout of an entry.

    `group` makes a group of tensors of an architecture and a layout. A layout that is stated stays.
    """
    if known is None:
        return {}
    kinds: dict[tuple, list[Tensor]] = {}
    for tensor in tensors:
        label, (architecture, own) = label_of(metadata, tensor.name), aligned[tensor.name]
        fitting = trained_layouts(tensor, label, entries) or trained_layouts(tensor, None, entries)
        for layout in fitting if not stated[tensor.name] else {own}.intersection(fitting):
            kinds.setdefault((tensor.dtype, label, architecture, layout), []).append(tensor)
    return {
        tensor.name: (architecture, layout)
        for (_, _, architecture, layout), same in kinds.items()
        if known(group(same, architecture, layout, metadata))
        for tensor in same
    }
