"""Maps of attention: for each token how much it attends to each other, of every head."""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from ...align.layout import Layout
from ...align.numbers import to_float
from ...elements import FLOATS
from ...tensors import Tensor
from .stacked import MOST_INDICES, with_independent

LAYOUTS = {3: Layout("NHW"), 4: Layout("NNHW"), 5: Layout("NNNHW")}  # heads are samples
BATCHED = 4  # axes of maps whose first is that of a batch
PROBED_TENSORS, PROBED_MAPS, PROBED_ROWS = 4, 16, 64
SUM = 0.02  # by which the sum of a row may differ from 1, in half precision


def of_attention(tensors: Sequence[Tensor], each: bool) -> list[Layout]:
    """Return the layout of maps of attention, none where tensors are something else.

    Heads are samples with gains, so that each has the quality. They share what tells of a value,
    its neighbours: as tensors of their own they took up to 1.6 times the bytes. The first axis has
    no gains: layers along it, or heads of one sample, are tensors of their own where quality is to
    hold for `each`.
    """
    shape = tensors[0].shape
    layout = LAYOUTS.get(len(shape))
    some = tensors[:: -(-len(tensors) // PROBED_TENSORS)]
    if layout is None or not all(map(is_attention, some)):
        return []
    few = all(tensor.shape[0] <= MOST_INDICES for tensor in tensors)
    apart = each and few and len(shape) != BATCHED
    return with_independent([layout], [0]) if apart else [layout]


def is_attention(tensor: Tensor) -> bool:
    """Return whether values are probabilities of as many tokens as there are rows."""
    shape = tensor.shape
    if tensor.dtype not in FLOATS or len(shape) < 3 or not 2 <= shape[-2] == shape[-1]:
        return False
    elements, count = tensor.array(), math.prod(shape[:-2])
    rows = slice(None, None, -(-shape[-2] // PROBED_ROWS))
    places = itertools.product(*map(range, shape[:-2]))
    for place in itertools.islice(places, 0, count, max(-(-count // PROBED_MAPS), 1)):
        some = np.asarray(elements[(*(slice(at, at + 1) for at in place), rows)])
        values = to_float(some.reshape(-1, shape[-1]), tensor.dtype).astype(np.float64)
        sums = values.sum(axis=1)
        masked = ~values.any(axis=1)  # rows of padding
        if not (values.min() >= 0 and (masked | (np.abs(sums - 1) < SUM)).all()):
            return False
    return True
