"""Sequences that are as long as a grid by accident."""

from collections.abc import Mapping, Sequence

from ...align import layout as layouts
from ...align.layout import Layout
from ...request import Options
from ...tensors import Tensor
from .kinds import kinds_of_names
from .places import is_grid


def without_accidents(
    tensors: Sequence[Tensor],
    aligned: Mapping[str, tuple[str, Layout]],
    metadata: Mapping[str, str],
    options: Options,
) -> dict[str, tuple[str, Layout]]:
    """Return architecture and layout of sequences that are as long as a grid, but lie on none.

    A grid that somebody states is one. None is by chance where others of such names have none.
    """
    names = kinds_of_names(tensor.name for tensor in tensors)
    kinds = {tensor.name: (names[tensor.name], tensor.shape[-1]) for tensor in tensors}
    without = {
        (*kinds[tensor.name], aligned[tensor.name][1].axes)
        for tensor in tensors
        if not aligned[tensor.name][1].grid
    }
    alike: dict[tuple, list[Tensor]] = {}
    for tensor in tensors:
        asked = options.layouts.get(tensor.name, options.layouts.get("")) or ""
        text = asked or layouts.stated(tensor.shape, metadata)
        by_length = ":" not in text and "grid" not in metadata
        if aligned[tensor.name][1].grid and by_length:
            alike.setdefault((*aligned[tensor.name], tensor.shape[-1]), []).append(tensor)
    return {
        tensor.name: (architecture, Layout(layout.axes))
        for (architecture, layout, _), same in alike.items()
        for tensor in same
        if (*kinds[tensor.name], layout.axes) in without or not is_grid(layout, same)
    }
