"""Rows far larger than all others, such as those of the tokens at the start of sentences."""

from dataclasses import replace

import numpy as np

from ...align.gains import Gains
from .group import Group
from .sums import stats_of_all, typical_sums

# Rows are far larger than others where they are so many times the median of all, no more than one
# in so many, and hold so much of the energy that the others have 1 dB less than all; they are no
# fewer than those behind them within an octave: of one kind of rows, the largest are but its end.
ABOVE, FEW, LEAST_ENERGY, NEAR = 4.0, 16, 0.2, 2.0
# And so many deviations of the logarithms of the others away from their median, about: where scales
# lie all over some octaves, as those of gradients do, the largest are no others.
DEVIATIONS, QUARTILES = 4.0, 1.349
LEAST_CHANNELS = 8  # of fewer a row shows no scale of its own
SAMPLE = 1 << 17  # values that show the typical range


def with_gains(group: Group) -> Group:
    """Return the group with gains where a few rows, far larger than others, hold most variance.

    Massive activations that are kept beside the rest make no row large: gains are by medians, to
    which these are nothing. Others count in the SNR, so that rows are as large as their norms.
    Of probabilities the large ones are all that counts: the class that is likely has no gain.
    """
    ones = tuple(1 for _ in group.grids[0])
    if group.layout.grid_axes > 1 or group.grid(ones).channels < LEAST_CHANNELS:
        return group
    by_norms = _divided(group, norms=True)
    if by_norms is None or _of_probabilities(group):
        return group
    by_medians = _divided(group, norms=False)
    rest = by_medians or group
    found, _ = rest.sample(ones, SAMPLE)
    sums = typical_sums(rest, np.concatenate([some.ravel() for some in found.values()]))
    if sums.massive:
        return rest
    return by_norms if by_medians or sums.few_beyond else group


def _of_probabilities(group: Group) -> bool:
    known = stats_of_all(group)
    return known.lower >= 0 and known.upper <= 1


def _divided(group: Group, norms: bool) -> Group | None:
    """Return a group with gains of rows that are far larger than others, if there are."""
    scales = group.scales(norms)
    least = far_larger(scales, group.scales(relative=True) ** 2)
    if least is None:
        return None
    typical = float(np.median(scales[scales < least]))
    return replace(group, gains=Gains(typical, least, norms=norms))


def far_larger(scales: np.ndarray, energies: np.ndarray) -> float | None:
    """Return the least scale of the few rows that are far larger than all others, if there are."""
    order = np.argsort(scales)
    scales, energies = scales[order], energies[order]
    count, places = len(scales), np.arange(len(scales))
    near = places - np.searchsorted(scales, scales / NEAR)
    far = (scales >= ABOVE * np.median(scales)) & (near <= count - places) & (scales > 0)
    begins = np.flatnonzero(far & ~np.roll(far, 1))  # of far ones, each behind what is not
    begins = begins[begins >= count - count // FEW]
    if not begins.size:
        return None
    first = int(begins[0])
    if energies[first:].sum() <= LEAST_ENERGY * energies.sum() or _spread(scales, first):
        return None
    return float(scales[first])


def _spread(scales: np.ndarray, first: int) -> bool:
    """Return whether scales below a first one, in order, lie so far apart that it is near them."""
    logs = np.log(scales[:first][scales[:first] > 0])
    if not logs.size:
        return False
    low, middle, high = np.quantile(logs, (0.25, 0.5, 0.75))
    return bool(np.log(scales[first]) - middle < DEVIATIONS * (high - low) / QUARTILES)
