"""The one place that builds coders: from what a group header says, for both ends."""

import math
from collections.abc import Sequence

import numpy as np

from .. import limits, modes
from ..align.curve import Curve
from ..align.grids import GroupGrid
from ..align.layout import Layout, LayoutError
from ..align.reduced import ReducedElements, ReducedGrid
from ..align.repeats import Rows, Runs
from ..align.value import ValueAlignment
from ..container.group import Lossy, Part
from ..container.model import Model
from ..container.repeats import RepeatedRows
from ..entropy.tables import Table
from ..errors import Corrupt, damaged
from ..modes.coder import Quantiser
from .model import GridModel, unpack_scales, unpack_tables
from .parts.base import PartCoder
from .picture import NeuralCoder
from .profile import Profile
from .row_group import RowGroupCoder

FARTHEST = 1 << 60  # quarter octaves of a step that int64 can take from any scale


def grid_of(
    lossy: Lossy,
    shapes: Sequence[tuple[int, ...]],
    profile: Profile | None,
    repeats: RepeatedRows | None = None,
) -> GroupGrid:
    """Return how tensors are cut into blocks; Corrupt unless all that states sizes agrees.

    Models are not unpacked for that.
    """
    if not shapes:
        raise Corrupt("a group without tensors")
    stored = [_stored_model(part, profile, bool(i)) for i, part in enumerate(lossy.parts)]
    try:
        layout = Layout(lossy.layout, lossy.prefix, lossy.grid)
        if len(stored[0].block) != (len(layout.grid) or layout.grid_axes):
            raise Corrupt("a model has blocks of another rank than the grid")
        if repeats is None:
            grid = GroupGrid(layout, shapes, stored[0].block)
        else:
            grid = ReducedGrid(_rows(layout, shapes, repeats), stored[0].block)
    except LayoutError as error:
        raise Corrupt(f"a group header does not fit its tensors: {error}") from None
    if any(shape[-1] != grid.channels for shape in grid.shapes):
        raise Corrupt("a group mixes numbers of channels")
    if len(stored) > 1 and stored[1].block != (1,):
        raise Corrupt("a model of prefix tokens has blocks of more than one")
    if lossy.neural and math.prod(stored[0].block) > 1:
        raise Corrupt("a neural group has blocks of more than one token")
    if lossy.neural and (profile is None or profile.network is None):
        raise Corrupt("a neural group refers to a profile without a network")
    limits.check(grid.largest_slab(), limits.SLAB_VALUES, "the number of values of a slab")
    return grid


def elements_of(repeats: RepeatedRows, shapes: Sequence[tuple[int, ...]]) -> ReducedElements:
    """Return what is left of tensors that are kept bit for bit; Corrupt unless all agrees."""
    try:
        return ReducedElements(_rows(Layout(repeats.layout), shapes, repeats))
    except LayoutError as error:
        raise Corrupt(f"a group header does not fit its tensors: {error}") from None


def _rows(layout: Layout, shapes: Sequence[tuple[int, ...]], repeats: RepeatedRows) -> Rows:
    runs = Runs(repeats.new, repeats.repeated, repeats.distances)
    with damaged("a list of repeated rows"):
        return Rows(layout, shapes, repeats.whole, runs)


def coder_of(dtype: str, lossy: Lossy, grid: GroupGrid, profile: Profile | None) -> RowGroupCoder:
    """Return the coder of the row groups of a group, whose grid is that of `grid_of`.

    Raises Corrupt when its models are damaged.
    """
    compute_dtype = "float64" if lossy.double else "float32"
    parts = {
        bool(i): _part_coder(
            lossy, *_model(part, grid.channels, profile, lossy.dependent), compute_dtype
        )
        for i, part in enumerate(lossy.parts)
    }
    values = ValueAlignment(lossy.lower, lossy.upper, lossy.mean, lossy.std)
    seed = profile.seed if profile else 0
    base = None
    if lossy.neural and profile:
        base = NeuralCoder(profile.neural, lossy.network_step, seed)
    curve = None if lossy.curve is None else Curve(*lossy.curve)
    return RowGroupCoder(grid, dtype, values, lossy.clamp, compute_dtype, parts, seed, base, curve)


def _stored_model(part: Part, profile: Profile | None, prefix: bool) -> Model:
    """Return the model of a part as it is stored, in the file or in the profile."""
    if part.model is not None:
        return part.model
    if profile is None or part.entry >= len(profile.entries):
        raise Corrupt("a group refers to an entry that its profile does not have")
    entry = profile.entries[part.entry]
    if entry.prefix != prefix:
        raise Corrupt("a group refers to a profile entry for other tokens")
    if modes.MODES[part.transform].since != modes.MODES[entry.model.transform].since:
        raise Corrupt("a group states another transform than the profile entry it refers to")
    return entry.model


def _model(
    part: Part, channels: int, profile: Profile | None, dependent: bool
) -> tuple[GridModel, np.ndarray, dict[int, Table]]:
    """Return the model of a part, its scales and its tables."""
    if part.model is not None:
        model = GridModel.unpack(part.model, channels, dependent)
        return model, model.scales, dict(model.tables)
    assert profile is not None
    if profile.entries[part.entry].channels != channels:
        raise Corrupt("a group refers to a profile entry for other features")
    model = profile.model(part.entry)
    with damaged("a group header"):
        scales = model.scales + unpack_scales(part.scales, channels, model.block)
        tables = {**model.tables, **unpack_tables(part.tables)}
    return model, scales, tables


def _part_coder(
    lossy: Lossy, model: GridModel, scales: np.ndarray, tables: dict[int, Table], dtype: str
) -> PartCoder:
    """Return what codes the grid, or the prefix tokens, with a model."""
    if lossy.dependent and not modes.MODES[model.transform].trellis:
        raise Corrupt(f"a group has dependent quantisation with transform {model.transform}")
    # No sum of scales comes near: beyond, all that counts is the sign.
    step_scale = min(max(lossy.step_scale, -FARTHEST), FARTHEST)
    transform = model.transform_in(dtype)
    quantiser = Quantiser(transform, scales, tables, lossy.step, step_scale, dtype)
    with damaged("a group header"):
        return modes.coder_of(model.transform).coder(model, lossy, quantiser)
