"""Floating tensors that stand beside features without being any: masks, scales, labels, times.

They are small, and what reads them wants them as they were, so they are kept bit for bit. A layout
given for a tensor by name says that it is features.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from ...align.layout import CHANNEL, Layout
from ...align.numbers import unsigned
from ...tensors import Tensor
from .kinds import by_width

FEW = 16  # distinct values of a mask or of codes
REPEATED = 4  # times at least that each of few values occurs on average
FIRST_CHUNK, CHUNK = 1 << 8, 1 << 16  # elements compared at once, at first and at most
NARROW, NARROW_SHARE = 16, 1 / 20  # values a row, and their share of all features
TINY_SHARE = 1 / 4096  # of the values of all features

MASK = "few distinct values"
SCALAR = "one value a sample or token"
TINY = "few values beside the features"


def side_tensors(
    tensors: Sequence[Tensor], layouts: Mapping[str, Layout], named: Collection[str]
) -> dict[str, str]:
    """Return the names of floating tensors to be kept bit for bit, and why.

    `layouts` has the layout of each by name; those `named` are features. Vectors are features
    where a dump has nothing else.
    """
    others = [tensor for tensor in tensors if tensor.name not in named]
    found = {tensor.name: MASK for tensor in others if has_few_values(tensor)}
    rest = [tensor for tensor in tensors if tensor.name not in found]
    features = [t for t in rest if t.name in named or not _is_vector(t.shape)]
    if not features:
        return found
    scalars = _Scalars(features, layouts, rest)
    found |= {t.name: SCALAR for t in rest if t not in features and scalars.has(t)}
    found |= {t.name: TINY for t in _tiny(features, layouts) if t.name not in named}
    return found


def has_few_values(tensor: Tensor) -> bool:
    """Return whether a tensor repeats a handful of values, bit for bit."""
    elements = tensor.read().reshape(-1).view(unsigned(tensor.dtype))
    seen = elements[:0]
    start, end = 0, FIRST_CHUNK  # most tensors show at once that they do not
    while start < elements.size:
        seen = np.union1d(seen, elements[start:end])
        if seen.size > FEW:
            return False
        start, end = end, min(2 * end, end + CHUNK)
    return seen.size * REPEATED <= elements.size


def _is_vector(shape: tuple[int, ...]) -> bool:
    """Return whether at most one axis is longer than 1."""
    return math.prod(shape) == max(shape)


class _Scalars:
    """Tells vectors of one value a sample or token from vectors of channels."""

    def __init__(
        self, features: Sequence[Tensor], layouts: Mapping[str, Layout], tensors: Sequence[Tensor]
    ) -> None:
        self.channels: set[int] = set()
        self.tokens: set[int] = set()
        for tensor in features:
            places = [
                n
                for letter, n in zip(layouts[tensor.name].axes, tensor.shape, strict=True)
                if letter not in CHANNEL
            ]
            self.channels.add(layouts[tensor.name].token_grid(tensor.shape)[-1])
            self.tokens |= {*places, math.prod(places)}
        self.shapes = Counter(tensor.shape for tensor in tensors)

    def has(self, vector: Tensor) -> bool:
        length = max(vector.shape)
        if length in self.tokens:
            return True
        if len(vector.shape) == 1:  # several of one length are features of their own
            return self.shapes[vector.shape] == 1
        return length not in self.channels


def _tiny(features: Sequence[Tensor], layouts: Mapping[str, Layout]) -> list[Tensor]:
    """Return the tensors of kinds that hold next to none of the values.

    They are of one kind by their layout, or by their name but for numbers.
    """
    alike: dict[tuple, list[Tensor]] = {}
    by_name: dict[tuple, list[Tensor]] = {}
    for tensor in features:
        alike.setdefault((tensor.dtype, layouts[tensor.name]), []).append(tensor)
        stem = re.sub(r"\d+", "#", tensor.name)
        by_name.setdefault((tensor.dtype, len(tensor.shape), stem), []).append(tensor)
    by_layout = [
        same for (_, layout), some in alike.items() for same in by_width(some, layout).values()
    ]
    total = sum(math.prod(tensor.shape) for tensor in features)
    rare = [
        {tensor.name for kind in kinds if _is_tiny(kind, total) for tensor in kind}
        for kinds in (by_layout, by_name.values())
    ]
    return [tensor for tensor in features if all(tensor.name in names for names in rare)]


def _is_tiny(kind: Sequence[Tensor], total: int) -> bool:
    share = sum(math.prod(tensor.shape) for tensor in kind) / total
    narrow = all(math.prod(t.shape) <= NARROW * max(t.shape) for t in kind)
    return share <= (NARROW_SHARE if narrow else TINY_SHARE)
