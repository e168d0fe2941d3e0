"""Rows far larger than all others, such as those of the tokens at the start of sentences."""

import math
from dataclasses import replace

import numpy as np

from ...align.gains import Gains
from .group import Group
from .sums import stats_of_all, typical_sums

# Rows are far larger than others where they are so many times the median of all, no more than one
# in so many, and hold so much of the energy that the others have 1 dB less than all; they are no
# fewer than those behind them within an octave: of one kind of rows, the largest are but its end.
ABOVE, FEW, LEAST_ENERGY, NEAR = 4.0, 16, 0.2, 2.0
# Where scales lie all over some octaves, as those of gradients and spectra do, the largest may be
# of the same kind: none lies within an octave behind them, and they are several, or so many
# deviations of the logarithms away from the median. By the quartiles, which few rows hardly change.
SEVERAL = 3
DEVIATIONS, QUARTILES = 4.0, 1.349  # the latter from quartile to quartile
MOST_LOG = 700.0  # whose exponential is a number
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
    median = float(np.median(scales))
    far = (scales >= ABOVE * median) & (near <= count - places) & (scales > 0)
    begins = np.flatnonzero(far & ~np.roll(far, 1))  # of far ones, each behind what is not
    begins = begins[begins >= count - count // FEW]
    surely = _surely_far(scales)
    if surely > ABOVE:
        clear = (count - begins >= SEVERAL) | (scales[begins] >= surely * median)
        begins = begins[(near[begins] == 0) & clear]
    if not begins.size:
        return None
    first = int(begins[0])
    return float(scales[first]) if energies[first:].sum() > LEAST_ENERGY * energies.sum() else None


def _surely_far(scales: np.ndarray) -> float:
    """Return how many times the median a scale is that is surely far from the others."""
    known = scales[scales > 0]
    low, high = np.quantile(known, (0.25, 0.75)) if known.size else (1.0, 1.0)
    deviation = (math.log(high) - math.log(low)) / QUARTILES
    return math.exp(min(DEVIATIONS * deviation, MOST_LOG))
