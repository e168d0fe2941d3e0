"""The built-in tables: one for every half octave of a latent's deviation over the step (SPEC §7.3).

Number t serves deviations near 2 ** ((t - 6) / 2) steps; number 0 codes nothing; numbers beyond the
last take its table with one more low bit per octave.
"""

from functools import cache

import numpy as np

from .fit import fit
from .tables import EMPTY, Table

UNIT = 6  # the table for a deviation of one step
LAST = 16
TABLES = 256


def _laplace(deviation):
    k = np.arange(-400, 401)
    b = deviation / np.sqrt(2)
    edge = np.abs(k) - 0.35
    p = np.where(k == 0, 1 - np.exp(-0.65 / b), 0.5 * (np.exp(-edge / b) - np.exp(-(edge + 1) / b)))
    return (p * 1e7).astype(np.int64)


BUILT_IN = (EMPTY,) + tuple(fit(_laplace(2 ** ((t - UNIT) / 2))) for t in range(1, LAST + 1))


@cache
def table(number: int) -> Table:
    """Return the built-in table of that number, 0 to 255."""
    if number <= LAST:
        return BUILT_IN[number]
    last = BUILT_IN[LAST]
    shift = min(last.shift + (number - LAST + 1) // 2, 24)
    return Table(last.magnitude, shift, last.zero, last.positive, last.hazards)


def numbers(scales: np.ndarray, step_scale: int) -> np.ndarray:
    """Return the number of the table for latents with these scales, all in quarter octaves."""
    return np.clip(((scales - step_scale + 1) >> 1) + UNIT, 0, TABLES - 1)
