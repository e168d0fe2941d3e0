"""Which axes are samples, places and channels, where the fewest bits decide it.

A stated layout says what the axes are. Without one a shape tells little, `(64, 512, 40)` may hold
channels in either place, so that the likely layouts are compared on a sample. A basis over more
channels than there are tokens costs more than it saves: there the tokens serve as channels, stated
or not.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...align.layout import (
    CHANNEL,
    GRID,
    SAMPLE,
    Layout,
)
from ...tensors import Tensor
from .alike import MOST_LAYERS, alike_along
from .attention import of_attention
from .grids import on_grids
from .kinds import kinds_of_tensors
from .likely import channels_in, channels_of, likely_layouts
from .pairs import of_pairs
from .places import are_places, doubts
from .stacked import (
    joined_parts,
    joined_tokens,
    layers_axis,
    perhaps_independent,
    stacked_axes,
)
from .stacked_layouts import across_alike, apart_along, of_faint_heads
from .turned import swapped, with_few_tokens

LEAST_VALUES = 1 << 14  # fewer are hardly worth the time,
FEW_VALUES, FEW_TOKENS = 1 << 8, 16  # but where so few tokens leave all to the channels' centres
JUDGED_VALUES = 1 << 22
SURE_PARTS = 128  # of unlike scale: no more than that surely are layers or heads
# Of tensors of so many values at most, layouts within so much of the fewest bits are written, two
# of them: estimates of few symbols, and doubts about places, are off by as much.
WRITTEN_VALUES, WRITTEN_NEAR = 1 << 17, 1.3
# Of the bits of the best: layers side by side take so much more at most, where tokens are few, than
# where they are places or channels, of which none has an SNR of its own.
LAYERED_NEAR = 1.25
# Times its bits: models of parts, fitted to samples of few values each, look better than they are.
# Eight pictures (8, 32, 28, 28) seemed to take as much apart as together, and took 1.07 of it.
FLATTERED = 1.08
CLEARLY = 0.98  # of the bits of the likelier layout: estimates are no better than that
SAME = 1e-6  # of the bits: sums in another order, of a layout that is another name for the same

Bits = Callable[[Layout, Sequence[Tensor]], float]  # of tensors of one group
Uneven = Callable[[Layout, Sequence[Tensor]], bool]  # whether some rows are far larger than others


class Chosen(NamedTuple):
    """The layout of the fewest bits."""

    layout: Layout
    layered: Layout | None = None  # of hardly more, with layers side by side that are not in it


class Judge(NamedTuple):
    """What tells the bits of layouts."""

    about: Bits
    written: Bits | None = None  # as they are, which takes its time: of few values


def best_layouts(
    tensors: Iterable[Tensor],
    aligned: Mapping[str, Layout],
    stated: Mapping[str, bool],
    judge: Judge,
    uneven: Uneven,
    each: bool,
    trained: Mapping[str, Sequence[Layout]],
    swaps: bool,
) -> dict[str, Chosen]:
    """Return the layouts of tensors by name, alike for those of one kind.

    Layouts that a profile was `trained` in are tried where nobody states one. Unless it `swaps`,
    tokens are never channels because they are few.

    What is a row where some are far larger than others stays one: of other layouts, such rows as
    channels or places, one SNR would leave all else with none.
    Where quality is to hold for `each` layer or head, those of unlike scale are cut apart.
    """
    found: dict[str, Chosen] = {}
    for layout, is_stated, same in kinds_of_tensors(tensors, aligned, stated):
        told = [] if is_stated else of_pairs(same) or of_attention(same, each)
        likely = [layout] if is_stated else told or likely_layouts(same)
        is_open = not (is_stated or told)
        if is_open and (layout.channel_axes or not likely):
            likely.insert(0, layout)  # without channels it says only that nothing is known
        if layout.grid and is_open:
            likely.insert(1, Layout(layout.axes))
        if is_open:
            likely += on_grids(likely, same)
        if swaps and not (layout.grid or told):
            likely += swapped(layout, same)
        shapes = [tensor.shape for tensor in same]
        alike = [one for one in dict.fromkeys(likely) if channels_of(one, shapes) < math.inf]
        if is_open and each:
            stacked = stacked_axes(same)
            apart = apart_along(alike, stacked, same) if stacked else []
            across = across_alike(alike, stacked, same) if apart else []
            parts = math.prod(same[0].shape[axis] for axis in stacked)
            # So many may be channels, and channels of maps look the same: bits must tell.
            sure = parts <= SURE_PARTS and not are_places(same, len(same[0].shape) - 1)
            alike = [*apart, *across] or alike if sure else [*alike, *apart]
            alike = joined_tokens(same) or ([] if stacked else of_faint_heads(alike, same)) or alike
        turned, flattered = dict[Layout, Layout](), list[Layout]()
        known = [] if is_stated else [one for one in trained[same[0].name] if one not in alike]
        if not is_stated:
            flattered = perhaps_independent(alike, same)
            alike += flattered
            flattered += [one for one in told if one.cuts]
            turned = with_few_tokens(alike, same) if swaps else {}
            alike = [one for one in [*alike, *turned, *known] if _side_by_side(one, same)]
            alike = _keeping_rows(alike, same, uneven)
        best, layered = _best(alike or [layout], same, judge, turned, flattered)
        if not is_stated and each and best not in known:
            best = best if best.parts else joined_parts(same, best)
        layered = None if is_stated or best.cuts else layered
        found |= {tensor.name: Chosen(best, layered) for tensor in same}
    return found


def _side_by_side(layout: Layout, tensors: Sequence[Tensor]) -> bool:
    """Return whether samples lie evenly apart, of which padding was cut off.

    Tokens of samples of unlike lengths are channels of none.
    """
    if any(one.ragged is not None and layout.axes[one.ragged] in CHANNEL for one in tensors):
        return False
    inner = [axis for axis, letter in enumerate(layout.axes) if letter == SAMPLE][1:]
    for tensor in tensors if inner else ():
        along = [(at, n) for at, n in zip(tensor.where, tensor.whole) if isinstance(at, slice)]
        if any(along[axis][0] != slice(0, along[axis][1]) for axis in inner if along):
            return False
    return True


def _keeping_rows(
    layouts: Sequence[Layout], tensors: Sequence[Tensor], uneven: Uneven
) -> list[Layout]:
    """Return layouts that keep the rows of the first if some are far larger than others.

    Maps have no such rows, so that the first reading as lines tells. Nor are rows of places any: a
    channel far from the others is far from them everywhere.
    """
    lines = [one for one in layouts if one.grid_axes < 2]
    if len(layouts) < 2 or not lines or lines[0].cuts or not uneven(lines[0], tensors):
        return list(layouts)
    rows = set(channels_in(lines[0]))
    if any(are_places(tensors, axis) for axis in rows):
        return list(layouts)
    return [
        one
        for one in lines
        if rows == set(channels_in(one)) or (rows < set(channels_in(one)) and uneven(one, tensors))
    ]


def _best(
    likely: Sequence[Layout],
    tensors: Sequence[Tensor],
    judge: Judge,
    turned: Mapping[Layout, Layout],
    flattered: Sequence[Layout],
) -> Chosen:
    """Return the layout of the fewest bits, the first of them unless it takes clearly more.

    Those that are `turned`, so that tokens are channels, are as doubtful as what they are made of.
    """
    first, *others = likely
    if not others:
        return Chosen(first)
    values = sum(math.prod(tensor.shape) for tensor in tensors)
    tokens = values / channels_of(first, [tensor.shape for tensor in tensors])
    if values < (FEW_VALUES if tokens < FEW_TOKENS else LEAST_VALUES):
        return Chosen(first)
    some = _some(tensors)
    weights = doubts(likely, some)
    weights |= {one: FLATTERED * weights[one] for one in flattered if one in weights}
    weights |= {one: weights[of] for one, of in turned.items() if of in weights}
    judged = {layout: judge.about(layout, some) for layout in likely}
    bits = {layout: weights[layout] * judged[layout] for layout in likely}
    bits[first] *= CLEARLY
    least = min(bits.values())
    best = next((one for one in likely if bits[one] <= (1 + SAME) * least), first)
    small = LEAST_VALUES <= values <= WRITTEN_VALUES
    if judge.written is not None and small and best not in turned:
        # Of those and others not all heads have as much of an SNR: they are no rivals.
        rivals = {one: judged[one] for one in likely if one not in turned}
        best = _smaller(best, rivals, some, judge.written)
    return Chosen(best, _layered(best, judged, some))


def _smaller(
    best: Layout, judged: Mapping[Layout, float], tensors: Sequence[Tensor], written: Bits
) -> Layout:
    """Return the smaller of a layout and its rival, both written."""
    rivals = [one for one in judged if not math.isclose(judged[one], judged[best], rel_tol=SAME)]
    rival = min(rivals, key=judged.__getitem__, default=best)
    if rival == best or judged[rival] > WRITTEN_NEAR * judged[best]:
        return best
    least = written(best, tensors)
    return rival if written(rival, tensors) < least else best


def _layered(
    best: Layout, judged: Mapping[Layout, float], tensors: Sequence[Tensor]
) -> Layout | None:
    """Return the layout of layers side by side that are something else in the best."""
    near = [each for each in judged if judged[each] <= LAYERED_NEAR * judged[best]]
    for layout in sorted(near, key=judged.__getitem__):
        axis = layers_axis(layout)
        if axis is None or layout.cuts or axis == layers_axis(best):
            continue
        if _of_squares(best, tensors, axis):
            continue
        few = all(tensor.shape[axis] <= MOST_LAYERS for tensor in tensors)
        if few and alike_along(tensors, axis):
            return layout
    return None


def _of_squares(layout: Layout, tensors: Sequence[Tensor], axis: int) -> bool:
    """Return whether an axis is one of two equally long ones of maps: rows of such are no layers.

    They are as much alike, and those at a border have less of an SNR.
    """
    grid = [at for at, letter in enumerate(layout.axes) if letter in GRID]
    lengths = ({tensor.shape[at] for at in grid} for tensor in tensors)
    square = len(grid) == 2 and axis in grid and all(len(each) == 1 for each in lengths)
    return square and all(are_places(tensors, at) for at in grid)


def _some(tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return tensors, evenly spread, of about so many values that judging them is quick.

    They are read once, unless one alone is large: each layout looks at pieces of its own.
    """
    every = -(-sum(math.prod(tensor.shape) for tensor in tensors) // JUDGED_VALUES)
    some = tensors[::every]
    if sum(math.prod(tensor.shape) for tensor in some) > 2 * JUDGED_VALUES:
        return some
    return [_read(tensor) for tensor in some]


def _read(tensor: Tensor) -> Tensor:
    elements = np.asarray(tensor.read())
    return replace(tensor, read=lambda: elements)
