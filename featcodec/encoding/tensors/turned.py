"""Layouts in which tokens serve as channels, being fewer: a basis over them takes less."""

import contextlib
import itertools
import math
from collections.abc import Sequence

import numpy as np

from ...align.layout import CHANNEL, INDEPENDENT, SAMPLE, Layout, LayoutError
from ...tensors import Tensor
from .likely import channels_in, channels_of
from .places import MINUTE, NO_PLACES, likeness_along, probed

# Of a head: fewer are not cut apart to have their tokens as channels. 64 heads of 2,144 values
# took a seventh more so, 48 of 8,000 a tenth less.
HEAD_VALUES = 1 << 12
# Correlation of what tokens of heads have in common: of 12 layers' keys and values .37 to .88, of
# pictures, sentences and sounds side by side at most .17; of keys turned by their places .14.
SHARED = 0.3
MOST_TOKENS, MOST_HEADS, PROBED_TENSORS = 256, 8, 4


def swapped(layout: Layout, tensors: Sequence[Tensor]) -> list[Layout]:
    """Return layouts in which the longest axis of all is not the channels but a place."""
    shapes = [tensor.shape for tensor in tensors]
    channels = channels_in(layout)
    tokens = sum(math.prod(shape) for shape in shapes) / max(channels_of(layout, shapes), 1)
    if len(channels) != 1 or tokens >= min(channels_of(layout, shapes), math.inf):
        return []
    found: list[Layout] = []
    for other in range(len(layout.axes)):
        axes = list(layout.axes)
        axes[channels[0]], axes[other] = axes[other], axes[channels[0]]
        for text in ("".join(axes), "".join(axes).replace("L", SAMPLE)):
            with contextlib.suppress(LayoutError):  # sample axes that are not side by side
                found.append(Layout(text))
    return [each for each in found if channels_of(each, shapes) < math.inf]


def with_few_tokens(layouts: Sequence[Layout], tensors: Sequence[Tensor]) -> dict[Layout, Layout]:
    """Return layouts of heads whose tokens are the channels, being fewer than those of all heads.

    Each with the layout that it is made of. Heads have an SNR of their own: they are samples behind
    those of a batch, or cut apart, as is what they are heads of.
    """
    shapes, found = [tensor.shape for tensor in tensors], dict[Layout, Layout]()
    share: dict[tuple[int, ...], bool] = {}
    for layout in layouts:
        (*heads, width), letters = channels_in(layout) or [0], list(layout.axes)
        tokens = letters.index("L") if "L" in letters else width
        few = max(shape[tokens] for shape in shapes) < channels_of(layout, shapes)
        if not heads or layout.grid_axes != 1 or not few:
            continue
        axes = heads[-1], tokens, width
        if axes not in share:
            share[axes] = shared(tensors, heads[-1], tokens) >= SHARED
            # Neighbours are alike among tokens; heads and what they hold have no order.
            most = max(likeness_along(tensors, axis) for axis in (heads[-1], width))
            share[axes] = share[axes] and most < NO_PLACES
        if not share[axes]:
            continue
        letters[tokens], letters[width] = CHANNEL[-1], "L"
        # Of [L, 2, B, heads, T, d] and [B, heads, T, d], but [L, 2, heads, T, d] has no batch.
        behind = heads[0] > 0 and letters[heads[0] - 1] == SAMPLE and len(letters) in (4, 6)
        batch = (heads[0] - 1, heads[0]) if behind and len(heads) == 1 else ()
        least = min(math.prod(shape[axis] for axis in (tokens, width)) for shape in shapes)
        if not batch and least < HEAD_VALUES:
            continue
        apart = len(letters) > 3 + len(heads)  # samples are no batch
        for axis, letter in enumerate(layout.axes):
            if axis in batch:
                letters[axis] = SAMPLE
            elif axis in heads or (apart and letter == SAMPLE):
                letters[axis] = INDEPENDENT
        found.setdefault(Layout("".join(letters)), layout)
    return {one: of for one, of in found.items() if channels_of(one, shapes) < math.inf}


def shared(tensors: Sequence[Tensor], heads: int, tokens: int) -> float:
    """Return how much heads have in common in which of their tokens are alike.

    What depends on the distance of tokens alone tells nothing: so it is of pictures side by side.
    """
    found = []
    for values in probed(tensors, PROBED_TENSORS, whole=tokens):
        some = np.moveaxis(values, (heads, tokens), (0, 1))[:MOST_HEADS]
        some = some[:, :: -(-some.shape[1] // MOST_TOKENS)]
        likeness = [_likeness(each.reshape(len(each), -1)) for each in some]
        found += [float(np.vdot(*pair)) for pair in itertools.pairwise(likeness)]
    return float(np.mean(found)) if found else 0.0


def _likeness(tokens: np.ndarray) -> np.ndarray:
    """Return the correlations of tokens (tokens, width) but for their means at each distance."""
    rows = tokens - tokens.mean(axis=0)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), MINUTE)
    alike = rows @ rows.T
    places = np.arange(len(rows))
    distance = np.abs(places[:, None] - places)
    alike -= (np.bincount(distance.ravel(), alike.ravel()) / np.bincount(distance.ravel()))[
        distance
    ]
    return alike / max(float(np.linalg.norm(alike)), MINUTE)
