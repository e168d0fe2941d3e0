"""Rows far larger than all others, such as those of the tokens at the start of sentences."""

from dataclasses import replace

import numpy as np

from ...align.gains import Gains
from .group import Group
from .sums import typical_sums

# Rows are far larger than others where so many times lie between theirs and the next smaller scale,
# and the median of all; they are no more than one in so many, and hold that part of the energy.
GAP, ABOVE, FEW, MOST_ENERGY = 4.0, 8.0, 16, 0.5
LEAST_CHANNELS = 8  # of fewer a row shows no scale of its own
SAMPLE = 1 << 17  # values that show the typical range


def with_gains(group: Group) -> Group:
    """Return the group with gains where a few rows, far larger than others, hold most variance.

    Massive activations that are kept beside the rest make no row large. Where they do not lie
    apart, so that they cannot be, rows are as large as their norms.
    """
    ones = tuple(1 for _ in group.grids[0])
    if group.layout.grid_axes > 1 or group.grid(ones).channels < LEAST_CHANNELS:
        return group
    norms = group.scales(relative=True)
    energies = norms**2
    of_norms = far_larger(norms, energies)
    if of_norms is None:
        return group
    medians = group.scales(relative=False)  # to which massive activations are nothing
    of_medians = far_larger(medians, energies)
    if of_medians is not None:
        return replace(group, gains=Gains(_typical(medians, of_medians), of_medians))
    found, _ = group.sample(ones, SAMPLE)
    sums = typical_sums(group, np.concatenate([some.ravel() for some in found.values()]))
    if sums.massive or not sums.few_beyond:
        return group
    return replace(group, gains=Gains(_typical(norms, of_norms), of_norms, norms=True))


def _typical(scales: np.ndarray, least: float) -> float:
    return float(np.median(scales[scales < least]))


def far_larger(scales: np.ndarray, energies: np.ndarray) -> float | None:
    """Return the least scale of the few rows that are far larger than all others, if there are."""
    order = np.argsort(scales)
    scales, energies = scales[order], energies[order]
    first = len(scales) - len(scales) // FEW
    if first >= len(scales):
        return None
    below = scales[first - 1 : -1]
    above = scales[first:] >= np.maximum(GAP * below, ABOVE * np.median(scales))
    gaps = np.flatnonzero(above & (below > 0))
    if not gaps.size:
        return None
    at = first + int(gaps[0])
    return float(scales[at]) if energies[at:].sum() > MOST_ENERGY * energies.sum() else None
