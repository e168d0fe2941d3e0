"""Which layouts the shapes of tensors suggest."""

import math
from collections.abc import Sequence

from ... import limits
from ...align.layout import CHANNEL, MAX_CHANNELS, SAMPLE, Layout, LayoutError
from ...tensors import Tensor
from .alike import MOST_LAYERS, alike_along
from .places import are_places
from .stacked import layers_axis

# What axes may be, by rank; the inferred layout comes before them.
LIKELY = {
    1: ("L",),
    2: ("LD", "DL", "ND", "DN", "NL", "HW"),
    3: ("NLD", "NCL", "LND", "CHW", "HWC", "NHW", "LCD", "CLD"),
    4: (
        "NCHW",
        "NHWC",
        "NNLD",
        "NNHW",
        "NCLD",
        "NLCD",
        "CNLD",
        "CNHW",
        "CTHW",
        "THWC",
        "TCHW",
        "NTCL",
        "LCCD",
        "LNCD",
    ),
    5: ("NCTHW", "NNCHW", "NNHWC", "NNCLD", "NNLCD", "NNNLD", "NTHWC", "NTCHW", "LNNCD"),
    6: ("NNNCLD", "NNNLCD", "NNNNLD"),
}
OF_PAIRS = ("LCCD", "LNCD", "LNNCD")  # tokens with an axis of keys and values
PAIR, LEAST_FRAMES = 2, 4  # keys and values; of a film
MOST_WIDTHS = 8  # of tensors of one kind of names: more are lengths


def likely_layouts(tensors: Sequence[Tensor]) -> list[Layout]:
    """Return layouts of tensors of one rank, channels on an axis of one length in all."""
    shapes = [tensor.shape for tensor in tensors]
    rank = len(shapes[0])
    usual = [Layout(axes) for axes in LIKELY.get(rank, ())]
    for axis in range(1, rank):  # a first axis of one is a batch, and among the usual ones
        if rank > 3 and all(shape[axis] == 1 for shape in shapes):
            usual += [_with_one(axes, axis) for axes in LIKELY.get(rank - 1, ())]
    usual = list(dict.fromkeys(usual))
    usual = [layout for layout in usual if channels_of(layout, shapes) <= _most(layout, tensors)]
    return _which_may_be(usual, tensors)


def _which_may_be(layouts: Sequence[Layout], tensors: Sequence[Tensor]) -> list[Layout]:
    """Return layouts without those that few tensors have and that a look rules out.

    Frames of a film are alike, pictures of a batch are not. Of tokens with two axes of heads, one
    is that of keys and values.
    """
    film = [layout for layout in layouts if layout.axes.startswith("T")]
    few = min(tensor.shape[0] for tensor in tensors) < LEAST_FRAMES
    if film and (few or not are_places(tensors, 0)):
        layouts = [layout for layout in layouts if layout not in film]
    pairs = all(PAIR in tensor.shape[1:3] for tensor in tensors)
    return [layout for layout in layouts if pairs or layout.axes not in OF_PAIRS]


def _most(layout: Layout, tensors: Sequence[Tensor]) -> int:
    """Return how many channels a token may have: more where they are those of layers much alike."""
    layers = layers_axis(layout)
    if layers is None or max(tensor.shape[layers] for tensor in tensors) > MOST_LAYERS:
        return MAX_CHANNELS
    return limits.CHANNELS if alike_along(tensors, layers) else MAX_CHANNELS


def _with_one(axes: str, axis: int) -> Layout:
    """Return a layout with an axis of one index more, which tells nothing."""
    try:
        return Layout(axes[:axis] + SAMPLE + axes[axis:])
    except LayoutError:  # sample axes that are not side by side
        return Layout(axes[:axis] + CHANNEL[0] + axes[axis:])


def channels_in(layout: Layout) -> list[int]:
    """Return the axes of channels.

    >>> channels_in(Layout("NCLD"))
    [1, 3]
    """
    return [axis for axis, letter in enumerate(layout.axes) if letter in CHANNEL]


def channels_of(layout: Layout, shapes: Sequence[tuple[int, ...]]) -> float:
    """Return the channels of all shapes, infinity when they differ."""
    found = {layout.token_grid(shape)[-1] for shape in shapes}
    return found.pop() if len(found) == 1 else math.inf


def of_widths(tensors: list[Tensor], layout: Layout) -> list[list[Tensor]]:
    """Return tensors by their number of channels, where no layout has one for all of them.

    Else the few of another width would leave all without channels.
    """
    shapes = [tensor.shape for tensor in tensors]
    usual = [layout, *map(Layout, LIKELY.get(len(shapes[0]), ()))]
    if any(one.channel_axes and channels_of(one, shapes) < math.inf for one in usual):
        return [tensors]
    widths: dict[float, list[Tensor]] = {}
    for tensor in tensors:
        widths.setdefault(channels_of(layout, [tensor.shape]), []).append(tensor)
    return list(widths.values()) if len(widths) <= MOST_WIDTHS else [tensors]
