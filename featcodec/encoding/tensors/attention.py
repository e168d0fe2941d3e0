"""Maps of attention: for each token how much it attends to each other, of every head."""

import itertools
from collections.abc import Sequence

import numpy as np

from ...align.layout import Layout
from ...align.numbers import to_float
from ...tensors import Tensor
from .stacked import unlike_along

LAYOUTS = {4: ("NNHW", "NCHW"), 5: ("NNNHW", "NNCHW")}  # heads as samples, or as channels
PROBED_TENSORS, PROBED_MAPS = 4, 16
SUM = 0.02  # by which the sum of a row may differ from 1, in half precision


def of_attention(tensors: Sequence[Tensor]) -> list[Layout]:
    """Return the layouts of maps of attention, none where tensors are something else.

    Heads unlike in scale are samples with gains, so that each has the quality: most of them share
    what tells of a value, its neighbours, and models of each took up to 1.7 times the bits.
    """
    layouts = [Layout(axes) for axes in LAYOUTS.get(len(tensors[0].shape), ())]
    if not layouts or not all(map(_is_attention, tensors[:: -(-len(tensors) // PROBED_TENSORS)])):
        return []
    return layouts[:1] if unlike_along(tensors, len(tensors[0].shape) - 3) else layouts


def _is_attention(tensor: Tensor) -> bool:
    """Return whether values are probabilities of as many tokens as there are rows."""
    *outer, rows, columns = tensor.shape
    if rows != columns or rows < 2:
        return False
    elements = tensor.array()
    places = itertools.product(*map(range, outer))
    count = int(np.prod(outer))
    for place in itertools.islice(places, 0, count, -(-count // PROBED_MAPS)):
        values = to_float(np.asarray(elements[place]), tensor.dtype).astype(np.float64)
        sums = values.sum(axis=1)
        masked = ~values.any(axis=1)  # rows of padding
        if not (values.min() >= 0 and (masked | (np.abs(sums - 1) < SUM)).all()):
            return False
    return True
