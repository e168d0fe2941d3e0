"""Rows far larger than all others, such as those of the tokens at the start of sentences."""

import numpy as np

# Rows are far larger than others where so many times lie between theirs and the next smaller scale,
# and the median of all; they are no more than one in so many, and hold that part of the energy.
GAP, ABOVE, FEW, MOST_ENERGY = 4.0, 8.0, 16, 0.5


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
