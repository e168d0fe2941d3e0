"""The one place that builds coders: from what a group header says, for both ends."""

import math
from collections.abc import Sequence

import numpy as np

from .. import limits
from ..align.curve import Curve
from ..align.grids import GroupGrid
from ..align.layout import Layout, LayoutError
from ..align.value import ValueAlignment
from ..container.group import Lossy, Part
from ..container.model import OWN, Model
from ..entropy.prediction import Predictor
from ..errors import Corrupt, damaged
from .model import GridModel, unpack_scales, unpack_tables
from .parts.base import PartCoder
from .parts.context import ContextCoder
from .parts.dependent import DependentCoder
from .parts.dependent_context import DependentContextCoder
from .parts.predicted import PredictedCoder
from .parts.split import SplitCoder
from .picture import NeuralCoder
from .profile import Profile
from .row_group import RowGroupCoder

FARTHEST = 1 << 60  # quarter octaves of a step that int64 can take from any scale


def grid_of(lossy: Lossy, shapes: Sequence[tuple[int, ...]], profile: Profile | None) -> GroupGrid:
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
        grid = GroupGrid(layout, shapes, stored[0].block)
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


def coder_of(dtype: str, lossy: Lossy, grid: GroupGrid, profile: Profile | None) -> RowGroupCoder:
    """Return the coder of the row groups of a group, whose grid is that of `grid_of`.

    Raises Corrupt when its models are damaged.
    """
    work = "float64" if lossy.double else "float32"
    parts = {
        bool(i): _part_coder(lossy, *_model(part, grid.channels, profile, lossy.dependent), work)
        for i, part in enumerate(lossy.parts)
    }
    values = ValueAlignment(lossy.lower, lossy.upper, lossy.mean, lossy.std)
    seed = profile.seed if profile else 0
    base = None
    if lossy.neural and profile:
        base = NeuralCoder(profile.neural, lossy.network_step, seed)
    curve = None if lossy.curve is None else Curve(*lossy.curve)
    return RowGroupCoder(grid, dtype, values, lossy.clamp, work, parts, seed, base, curve)


def _stored_model(part: Part, profile: Profile | None, prefix: bool) -> Model:
    """Return the model of a part as it is stored, in the file or in the profile."""
    if part.model is not None:
        return part.model
    if profile is None or part.entry >= len(profile.entries):
        raise Corrupt("a group refers to an entry that its profile does not have")
    entry = profile.entries[part.entry]
    if entry.prefix != prefix:
        raise Corrupt("a group refers to a profile entry for other tokens")
    if (part.transform == "banded") != (entry.model.transform == "banded"):
        raise Corrupt("a group states another transform than the profile entry it refers to")
    return entry.model


def _model(
    part: Part, channels: int, profile: Profile | None, dependent: bool
) -> tuple[GridModel, np.ndarray, dict]:
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
    lossy: Lossy, model: GridModel, scales: np.ndarray, tables: dict, work: str
) -> PartCoder:
    """Return what codes the grid, or the prefix tokens, with a model."""
    # No sum of scales comes near: beyond, all that counts is the sign.
    step_scale = min(max(lossy.step_scale, -FARTHEST), FARTHEST)
    common = (model.transform_in(work), scales, tables, lossy.step, step_scale, work)
    positive = lossy.lower >= lossy.mean
    if model.transform in OWN and model.transform != "restored" and lossy.dependent:
        raise Corrupt("a group has dependent quantisation in the sample domain")
    with damaged("a group header"):
        if model.transform in ("context", "restored"):
            kind = DependentContextCoder if lossy.dependent else ContextCoder
            return kind(*common, positive=positive, offsets=model.offsets)
        if model.prediction is not None:
            return PredictedCoder(*common, predictor=Predictor(model.prediction))
        if model.transform == "split":
            top = (lossy.upper - lossy.mean) / lossy.std - model.centres
            return SplitCoder(*common, positive=positive, peak=model.peak, top=top)
        return DependentCoder(*common) if lossy.dependent else PartCoder(*common)
