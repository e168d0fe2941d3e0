"""Gains of tokens: what each is divided by before anything else (SPEC §6.8).

A row of a hundred times the norm of the others would hide their error, or they its. With gains,
every token counts by its own scale.
"""

from dataclasses import dataclass

import numpy as np

PER_OCTAVE = 4
MOST_EXPONENT = 256  # quarter octaves either way


def factors(exponents: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return the gains of exponents, in quarter octaves."""
    return np.exp2(exponents.astype(np.float64) / PER_OCTAVE).astype(dtype)


@dataclass(frozen=True)
class Gains:
    """How the encoder finds gains: the scale of tokens that need none, and which do.

    With `relative`, all tokens have one, from their root mean square. Else those have one whose
    scale is `least` or more: with `norms` that is their root mean square, else their median
    magnitude, in which massive activations of a few channels do not count.
    """

    typical: float
    least: float = 0.0
    relative: bool = False
    norms: bool = False

    def exponents(self, values: np.ndarray) -> np.ndarray:
        """Return the exponents of tokens (channels, ...), 0 for those that need no gain.

        >>> Gains(1.0, 8.0).exponents(np.array([[1.0, 64.0], [-1.0, 64.0]]))
        array([ 0, 24])
        """
        scales = scales_of(values, self.relative or self.norms)
        wanted = scales > 0 if self.relative else scales >= self.least
        exponents = np.zeros(scales.shape, np.int32)
        octaves = np.log2(scales[wanted] / self.typical)
        found = np.clip(np.rint(PER_OCTAVE * octaves), -MOST_EXPONENT, MOST_EXPONENT)
        exponents[wanted] = found
        if self.relative and found.size:  # what is all zeros is to stay small
            exponents[~wanted] = found.min()
        return exponents

    def divided(self, values: np.ndarray) -> np.ndarray:
        """Return tokens (channels, ...) divided by their gains."""
        return values / factors(self.exponents(values), values.dtype)


def scales_of(values: np.ndarray, relative: bool) -> np.ndarray:
    """Return the root mean square of tokens (channels, ...), or their median magnitude."""
    if relative:
        squares = np.einsum("c...,c...->...", values, values, dtype=np.float64)
        if np.isfinite(squares).all():
            return np.sqrt(squares / len(values))
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if relative:
        found: np.ndarray = np.sqrt(np.mean(np.square(finite, dtype=np.float64), axis=0))
    else:
        found = np.median(np.abs(finite), axis=0).astype(np.float64)
    return found
