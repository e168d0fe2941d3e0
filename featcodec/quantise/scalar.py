"""The scalar quantiser: latents to integer symbols and back (SPEC §6.5).

The reconstruction point of a magnitude m is m + offset steps. The table stores two offsets, one for
m = 1 and one for all above. The format does not prescribe thresholds. The encoder gives each latent
the symbol with the least D + lambda R under its table (entropy-constrained scalar quantisation:
Chou, Lookabaugh and Gray, IEEE Trans. ASSP 1989), which two thresholds approximate.
"""

from dataclasses import dataclass

import numpy as np

# Lambda in squared steps a bit. At high rate -dD/dR of a uniform quantiser is ln 2 / 6 = 0.1155
# squared steps a bit; the rate at equal SNR is least a little below.
LAMBDA = 0.09


@dataclass(frozen=True)
class Thresholds:
    """In steps: |y| < dead becomes 0, and m + edge <= |y| < m + 1 + edge, m > 0, becomes m + 1."""

    dead: float
    edge: float


PLAIN = Thresholds(0.5, 0.5)
LARGEST = 1 << 29  # magnitude of a symbol


def thresholds(
    rates: np.ndarray, offsets: tuple[float, float], lmbda: float = LAMBDA, zero: float = 0.0
) -> Thresholds:
    """Return the best thresholds under a table with these rates (bits of the symbols -M..M).

    `lmbda` is lambda in squared steps a bit; `zero` is the reconstruction point of symbol 0 in
    steps.
    """
    limit = len(rates) // 2
    cost = of_magnitudes(rates)
    first, second = 1 + offsets[0], 2 + offsets[1]
    dead = (first + zero) / 2 + lmbda * (cost[1] - cost[0]) / (2 * (first - zero))
    dead = max(dead, 0.5)
    if limit < 3:
        return Thresholds(float(dead), 0.6)
    slope = np.diff(cost[1 : min(limit, 6)])
    weights = 0.5 ** np.arange(len(slope))
    gap = second - first
    edge = (first + second) / 2 - 1 + lmbda * float(slope @ weights / weights.sum()) / (2 * gap)
    return Thresholds(float(dead), min(max(edge, 0.5), 0.9))


def of_magnitudes(rates: np.ndarray) -> np.ndarray:
    """Return the bits of magnitudes 0..M, the mean over signs of those of symbols -M..M."""
    limit = len(rates) // 2
    above = 1 / (1 + 2.0 ** (rates[limit + 1] - rates[limit - 1]))  # the chance, off zero
    mean: np.ndarray = above * rates[limit:] + (1 - above) * rates[limit::-1]
    return mean


def quantise(latents: np.ndarray, step: float, at: Thresholds) -> np.ndarray:
    """Return int32 symbols of latents of any shape."""
    kind = latents.dtype.type
    size = np.abs(latents)
    size *= kind(1 / step)
    np.minimum(size, kind(LARGEST), out=size)
    nonzero = size >= kind(at.dead)
    size -= kind(at.edge)
    np.maximum(size, kind(0), out=size)
    symbols = size.astype(np.int32)
    symbols += nonzero
    # Two's complement: flip and add one where the latent is negative.
    sign = np.signbit(latents) if latents.itemsize != 4 else latents.view(np.int32) >> 31
    if latents.itemsize != 4:
        sign = -sign.astype(np.int32)
    symbols ^= sign
    symbols -= sign
    return symbols


def dequantise(
    symbols: np.ndarray, step: float, offsets: tuple[float, float], dtype: str
) -> np.ndarray:
    """Return the reconstruction points of symbols, in `dtype`; symbol 0 becomes 0."""
    one, further = offsets
    latents = symbols.astype(dtype)
    if one or further:
        kind = latents.dtype.type
        shift = np.clip(latents, -1, 1)
        if one == further:
            shift *= kind(one)
        else:
            beyond = np.clip(latents, -2, 2) - shift
            shift *= kind(one)
            beyond *= kind(further - one)
            shift += beyond
        latents += shift
    latents *= latents.dtype.type(step)
    return latents
