"""How many axes the KLT of a profile has, and how they do on other features."""

import numpy as np

from ..encoding.fit.spectrum import Spectrum, water_level
from .pools import Axes

# A profile is stored once, for many files: its axes are those that pay in so many times the tokens
# that it is trained on, at 30 dB.
FILES, GOAL = 4.0, 1e-3
TINY = 1e-12  # of the variance


def paying(found: Axes, variance: np.ndarray, tokens: int, most: int) -> tuple[Spectrum, int]:
    """Return the spectrum of axes in a profile, and how many of them take the fewest bits.

    `variance` (channels,) is that of the channels. Bits are those of the Gaussian rate (reverse
    water-filling) of axes and of what they leave, as much of each channel, and of their numbers.
    """
    total = float(variance.sum())
    along = np.maximum(found.elsewhere, 0) * total
    outside = np.maximum(total - along.sum(), 0)[None]
    every = np.array([tokens * FILES])
    spectrum = Spectrum.at(found.axes, along[:, None], outside, every, GOAL)
    numbers = np.concatenate([[0], np.cumsum(spectrum.bits)])
    most = min(most, len(along))
    octaves = np.arange(0, 2 * np.log2(max(most, 1)), 1)  # halves of them
    bits: dict[int, float] = {}
    for rank in {0, most, *np.rint(2 ** (octaves / 2)).astype(int).tolist()}:
        left = max(1 - float(found.elsewhere[:rank].sum()), TINY)
        bits[rank] = tokens * FILES * _rate(along[:rank], left * variance) + numbers[rank]
    return spectrum, min(bits, key=bits.__getitem__)


def _rate(axes: np.ndarray, rest: np.ndarray) -> float:
    """Return the bits of a token: of latents of some axes, and of what these leave of channels."""
    others = max(1 - len(axes) / len(rest), TINY)  # latents for each channel
    variances = np.concatenate([axes, rest / others])
    weights = np.concatenate([np.ones(len(axes)), np.full(len(rest), others)])
    level = water_level(variances, weights, np.zeros(1), GOAL)
    return float(weights @ np.log2(np.maximum(variances / level, 1)) / 2)


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
