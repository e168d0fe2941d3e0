"""Layouts of tensors in which layers or heads of unlike scale are stacked."""

from collections.abc import Sequence

from ...align.layout import INDEPENDENT, Layout
from ...tensors import Tensor
from .alike import alike_along
from .likely import channels_in
from .places import NO_PLACES, are_places, likeness_along
from .stacked import FAINT_VALUES, layers_axis, stacked_axes, with_independent


def apart_along(
    layouts: Sequence[Layout], stacked: Sequence[int], tensors: Sequence[Tensor]
) -> list[Layout]:
    """Return layouts with stacked axes independent; places are no channels of them.

    Of maps channels are unlike in scale and look stacked too: as long as one axis is channels.
    """
    last = len(tensors[0].shape) - 1
    if not are_places(tensors, last):
        return with_independent(layouts, stacked)
    found = []
    for layout in layouts:
        channels = channels_in(layout)
        if last not in channels:
            found += with_independent([layout], [axis for axis in stacked if axis not in channels])
    return [one for one in dict.fromkeys(found) if INDEPENDENT in one.axes]


def across_alike(
    layouts: Sequence[Layout], stacked: Sequence[int], tensors: Sequence[Tensor]
) -> list[Layout]:
    """Return layouts with what is stacked side by side where its indices are alike.

    Of others a basis of all serves none: hidden and cell states of a recurrent network, whose rows
    correlate by .2, took 8 times the bits of both apart when each was to have 10 dB.
    """
    axes = {axis for one in layouts if (axis := layers_axis(one)) in stacked and axis is not None}
    alike = {axis for axis in axes if alike_along(tensors, axis)}
    return [one for one in layouts if layers_axis(one) in alike]


def of_faint_heads(layouts: Sequence[Layout], tensors: Sequence[Tensor]) -> list[Layout]:
    """Return layouts with heads of unlike scale side by side, of too few values to be cut apart.

    Of others one SNR would leave the weak ones with none. Tokens tell that they are no channels of
    maps or lines: neighbours along an axis are alike, those along the last one are not.
    """
    heads = stacked_axes(tensors, FAINT_VALUES)
    *rest, last = range(len(tensors[0].shape))
    tokens = [axis for axis in rest if axis not in heads]
    alike = max((likeness_along(tensors, axis) for axis in tokens if heads), default=0.0)
    if alike < NO_PLACES or likeness_along(tensors, last) >= NO_PLACES:
        return []
    return [one for one in layouts if layers_axis(one) in heads]
