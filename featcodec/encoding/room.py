"""Whether the format has room for features, before anything is coded (SPEC §10)."""

import math
from collections.abc import Sequence

from .. import limits
from ..container.dump import quoted
from .tensors.group import Group

AS_GRID = "name that axis L, H, W or T in its layout, not C or D"
AS_SAMPLES = "name more of its axes N in its layout, or fewer of them C or D"


def check_features(groups: Sequence[object]) -> None:
    """Raise InputTooLarge for a tensor of more channels, or of larger slabs, than a group holds.

    Groups that are kept bit for bit have neither.
    """
    for group in groups:
        if not isinstance(group, Group):
            continue
        for name, shape in zip(group.names, group.shapes, strict=True):
            samples, *grid, channels = group.layout.token_grid(shape)
            tensor = f"tensor {quoted(name)} with layout {group.layout}"
            what = f"the number of channels of {tensor}"
            limits.check_input(channels, limits.CHANNELS, what, AS_GRID)
            # A slab is a sample, or at least one row of its tokens.
            tokens = grid if group.layout.slabs_are_samples else grid[1:]
            what = f"the number of values of a sample, or row of tokens, of {tensor}"
            values = math.prod(tokens) * channels
            limits.check_input(values, limits.SLAB_VALUES, what, AS_SAMPLES)
