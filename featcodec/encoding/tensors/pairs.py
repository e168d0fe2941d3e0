"""Pairs of numbers along the last axis, as complex numbers are stored: real and imaginary parts."""

import contextlib
from collections.abc import Sequence

from ...align.layout import (
    CHANNEL,
    INDEPENDENT,
    MAX_CHANNELS,
    SAMPLE,
    Layout,
    LayoutError,
)
from ...tensors import Tensor
from .likely import LIKELY, PAIR, channels_of
from .stacked import unlike_along

BATCHED = 3  # axes of elements; where there are more, samples come first


def of_pairs(tensors: Sequence[Tensor]) -> list[Layout]:
    """Return the layouts of pairs, none where tensors are something else.

    The parts of what an element holds are two more channels, or tensors of their own. Of parts
    unlike in scale, one SNR for both would leave the weak one with none. Frequencies fall off like
    layers unlike in scale, and are neither layers nor frames.
    """
    shapes = [tensor.shape for tensor in tensors]
    rank = len(shapes[0]) - 1
    if rank < 2 or any(shape[-1] != PAIR for shape in shapes):
        return []
    letters = INDEPENDENT if unlike_along(tensors, rank) else CHANNEL[0] + INDEPENDENT
    found = []
    for letter in letters:
        for axes in LIKELY.get(rank, ()):
            if rank <= BATCHED or axes[0] == SAMPLE:
                with contextlib.suppress(LayoutError):
                    found.append(Layout(axes + letter))
    return [one for one in found if channels_of(one, shapes) <= MAX_CHANNELS]
