"""Builds the coders of a group from its header, for both ends; nothing else does."""

import math
from collections.abc import Sequence

import numpy as np

from .. import limits, modes
from ..align.curve import Curve
from ..align.grids import GroupGrid
from ..align.layout import Layout, LayoutError
from ..align.reduced import ReducedElements, ReducedGrid
from ..align.repeats import Rows, Runs
from ..align.slices import MOST_EXPONENT, SliceGains
from ..align.stacks import StackedGrid, Stacks
from ..align.value import ValueAlignment
from ..container.lossy import Lossy
from ..container.model import Model
from ..container.part import Part
from ..container.repeats import RepeatedRows
from ..container.slices import PackedGains
from ..entropy import integers
from ..entropy.tables import Table
from ..errors import Corrupt, damaged
from ..modes.coder import CoderArguments
from .model import GridModel, unpack_scales, unpack_tables
from .parts.base import PartCoder
from .picture import NeuralCoder
from .profile import Profile
from .refinement import Refinement
from .row_group import RowGroupCoder

FARTHEST = 1 << 60  # quarter octaves of a step scale; beyond, int64 differences may overflow


def grid_of(
    lossy: Lossy,
    shapes: Sequence[tuple[int, ...]],
    profile: Profile | None,
    repeats: RepeatedRows | None = None,
) -> GroupGrid:
    """Return how tensors are cut into blocks; raise Corrupt unless all stated sizes agree.

    Models are not unpacked.
    """
    if not shapes:
        raise Corrupt("a group has no tensors")
    stored = [_stored_model(part, profile, bool(i)) for i, part in enumerate(lossy.parts)]
    try:
        layout = _layout(lossy.layout, lossy.prefix, lossy.grid)
        rank = len(layout.grid) or layout.grid_axes
        if len(stored[0].block) != rank:
            raise Corrupt(f"a model has blocks of {len(stored[0].block)} axes; the grid has {rank}")
        grid: GroupGrid
        if lossy.stacks is not None:
            stacks = Stacks(lossy.stacks.count, lossy.stacks.distance)
            grid = StackedGrid(layout, shapes, stored[0].block, stacks)
        elif repeats is None:
            grid = GroupGrid(layout, shapes, stored[0].block)
        else:
            grid = ReducedGrid(_rows(layout, shapes, repeats), stored[0].block)
    except LayoutError as error:
        raise Corrupt(f"a group header does not fit its tensors: {error}") from None
    channels = sorted({shape[-1] for shape in grid.shapes})
    if len(channels) > 1:
        raise Corrupt(f"the tensors of a group have {channels[0]} to {channels[-1]} channels")
    if len(stored) > 1 and stored[1].block != (1,):
        raise Corrupt(f"a model of prefix tokens has blocks {stored[1].block}; they must be (1,)")
    if lossy.neural and math.prod(stored[0].block) > 1:
        raise Corrupt("a group behind a network has blocks of more than one token")
    if lossy.neural and (profile is None or profile.network is None):
        raise Corrupt("a group behind a network refers to a profile without one")
    limits.check(grid.largest_slab(), limits.SLAB_VALUES, "the number of values of a slab")
    return grid


def elements_of(repeats: RepeatedRows, shapes: Sequence[tuple[int, ...]]) -> ReducedElements:
    """Return what is left of tensors that are kept bit for bit; Corrupt unless all agrees."""
    try:
        return ReducedElements(_rows(_layout(repeats.layout), shapes, repeats))
    except LayoutError as error:
        raise Corrupt(f"a group header does not fit its tensors: {error}") from None


def _layout(axes: str, prefix: int = 0, grid: tuple[int, ...] = ()) -> Layout:
    layout = Layout(axes, prefix, grid)
    if layout.cuts:
        raise LayoutError(f"no group has layout {layout}")
    return layout


def _rows(layout: Layout, shapes: Sequence[tuple[int, ...]], repeats: RepeatedRows) -> Rows:
    if layout.channel_axes > 1:
        raise LayoutError(f"rows of layout {layout} are not repeated")
    runs = Runs(repeats.new, repeats.repeated, repeats.distances, repeats.constants)
    with damaged("a list of repeated rows"):
        return Rows(layout, shapes, repeats.whole, runs)


def row_group_coder(
    dtype: str, lossy: Lossy, grid: GroupGrid, profile: Profile | None
) -> RowGroupCoder:
    """Return the coder of the row groups of a group; `grid` is that of `grid_of`.

    Raises Corrupt when a model is damaged.
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
    constants = dict(lossy.constants)
    if max(constants, default=0) >= grid.channels:
        raise Corrupt(f"channel {max(constants)} is constant; a group has {grid.channels} channels")
    refinement = None
    if lossy.refined:
        refinement = Refinement(dtype, lossy.step, lossy.logarithmic)
    slices = None if lossy.slices is None else _slice_gains(lossy.slices, grid)
    return RowGroupCoder(
        grid,
        dtype,
        values,
        lossy.clamp,
        compute_dtype,
        parts,
        seed,
        base,
        curve,
        constants,
        lossy.gains,
        refinement,
        slices,
    )


def _slice_gains(packed: PackedGains, grid: GroupGrid) -> SliceGains:
    runs, count = packed.runs, grid.sample_count if packed.per_sample else grid.tensor_count
    if grid.channels % runs:
        raise Corrupt(f"{runs} runs of channels have gains; a group has {grid.channels} channels")
    with damaged("the gains of a group"):
        exponents = integers.unpack(packed.exponents, count * runs)
    if np.abs(exponents).max(initial=0) > MOST_EXPONENT:
        raise Corrupt(f"a gain of a group is beyond {MOST_EXPONENT} sixteenths of an octave")
    return SliceGains(packed.per_sample, exponents.astype(np.int64).reshape(count, runs))


def _stored_model(part: Part, profile: Profile | None, prefix: bool) -> Model:
    """Return the stored model of a part, from the header or from the profile."""
    if part.model is not None:
        return part.model
    entries = profile.entries if profile else ()
    if part.entry >= len(entries):
        raise Corrupt(f"a group refers to entry {part.entry}; its profile has {len(entries)}")
    entry = entries[part.entry]
    if entry.prefix != prefix:
        kinds = ("the grid", "prefix tokens")
        raise Corrupt(f"entry {part.entry} is for {kinds[entry.prefix]}, not for {kinds[prefix]}")
    stated = {part.transform, entry.model.transform}
    if len(stated) > 1 and stated != {"none", "linear"}:
        of_entry = f"entry {part.entry} has {entry.model.transform}"
        raise Corrupt(f"a part states transform {part.transform}; {of_entry}")
    return entry.model


def _model(
    part: Part, channels: int, profile: Profile | None, dependent: bool
) -> tuple[GridModel, np.ndarray, dict[int, Table]]:
    """Return the model of a part, its scales and its tables."""
    if part.model is not None:
        model = GridModel.unpack(part.model, channels, dependent)
        return model, model.scales, dict(model.tables)
    assert profile is not None
    wanted = profile.entries[part.entry].channels
    if wanted != channels:
        raise Corrupt(f"a group has {channels} channels; entry {part.entry} is for {wanted}")
    model = profile.model(part.entry)
    with damaged("a group header"):
        scales = model.scales + unpack_scales(part.scales, channels, model.block)
        tables = {**model.tables, **unpack_tables(part.tables)}
    return model, scales, tables


def _part_coder(
    lossy: Lossy, model: GridModel, scales: np.ndarray, tables: dict[int, Table], dtype: str
) -> PartCoder:
    """Return the coder of the grid, or of the prefix tokens."""
    if lossy.dependent and not modes.MODES[model.transform].trellis:
        raise Corrupt(f"transform {model.transform} allows no dependent quantisation")
    # Scales are far smaller: beyond the limit, only the sign of a step scale matters.
    step_scale = min(max(lossy.step_scale, -FARTHEST), FARTHEST)
    transform = model.transform_in(dtype)
    arguments = CoderArguments(transform, scales, tables, lossy.step, step_scale, dtype)
    with damaged("a group header"):
        return modes.coder_of(model.transform).coder(model, lossy, arguments)
