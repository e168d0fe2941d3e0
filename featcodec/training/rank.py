"""How many axes the KLT of a profile has, and how they do on other features."""

import numpy as np

from ..encoding.fit.spectrum import Spectrum, ranks_of
from .pools import Axes

# A profile is stored once, for many files: its axes are those that pay in so many times the tokens
# that it is trained on, at 30 dB.
FILES, GOAL = 4.0, 1e-3
TINY = 1e-12  # of the variance


def paying(found: Axes, variance: float, tokens: int, most: int) -> tuple[Spectrum, int]:
    """Return the spectrum of axes in a profile, and how many of them pay elsewhere.

    `variance` is the sum of that of all channels.
    """
    along = np.maximum(found.elsewhere, 0) * variance
    outside = np.maximum(variance - along.sum(), 0)[None]
    every = np.array([tokens * FILES])
    spectrum = Spectrum.at(found.axes, along[:, None], outside, every, GOAL)
    return spectrum, max(ranks_of([spectrum], min(most, len(along))), default=0)


def flattery(found: Axes, rank: int) -> np.ndarray:
    """Return what the deviations (channels,) of other latents are of those of the sample.

    Axes of all of the sample err half as much as those of a half of it.
    """
    parts = []
    for shares in (found.elsewhere, found.seen):
        along = np.maximum(shares[:rank], TINY)
        parts.append(np.concatenate([along, np.full(len(found.axes) - rank, 1 - along.sum())]))
    elsewhere, seen = np.maximum(parts, TINY)
    return (elsewhere / seen) ** 0.25
