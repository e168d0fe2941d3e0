"""The built-in tables: one for each half octave of the deviation of a latent in steps (SPEC §7.3).

Number t serves deviations near 2 ** ((t - 6) / 2) steps. Numbers 0 and 1 code nothing. Numbers
beyond the last take one of the last two tables, with one more low bit per octave. The tables are
fitted to latents of the bottlenecks, residual streams and maps of four networks, at nine steps from
coarse to fine.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from .tables import EMPTY, Table

UNIT = 6  # the number of the table for a deviation of one step
TABLES = 256

BUILT_IN = (
    EMPTY,
    EMPTY,
    Table(2, 0, 207, 128, (226,), 120, 128),
    Table(2, 0, 167, 128, (205,), 96, 100),
    Table(3, 0, 144, 128, (182, 207), 81, 72),
    Table(4, 0, 132, 128, (159, 169, 181), 93, 78),
    Table(6, 0, 125, 128, (145, 152, 157, 164), 109, 99),
    Table(8, 0, 119, 128, (135, 140, 144, 147, 149), 118, 110),
    Table(11, 0, 114, 128, (127, 131, 134, 136, 138, 142), 122, 115),
    Table(16, 0, 109, 128, (120, 123, 125, 127, 129, 132, 134), 125, 118),
    Table(22, 0, 104, 128, (114, 117, 118, 120, 121, 124, 126, 128), 127, 122),
    Table(31, 0, 100, 128, (109, 111, 112, 113, 115, 117, 118, 121, 123), 127, 124),
    Table(44, 0, 95, 128, (104, 106, 107, 107, 109, 110, 112, 113, 115, 118), 127, 125),
    Table(63, 0, 91, 128, (100, 101, 101, 102, 103, 104, 106, 107, 109, 111, 113), 129, 127),
    Table(87, 0, 87, 128, (95, 96, 96, 97, 98, 99, 100, 101, 103, 105, 106, 108), 129, 126),
    Table(126, 0, 83, 128, (90, 92, 92, 92, 93, 94, 94, 96, 97, 99, 101, 102), 129, 128),
)
LAST = len(BUILT_IN) - 1


@cache
def table(number: int) -> Table:
    """Return the built-in table of that number, 0 to 255."""
    return with_low_bits(BUILT_IN, number)


def with_low_bits(tables: Sequence[Table], number: int) -> Table:
    """Return the table of a number; beyond the last, one more low bit per octave."""
    if number <= LAST:
        return tables[number]
    octaves = (number - LAST + 1) // 2
    near = tables[number - 2 * octaves]
    return Table(near.magnitude, min(octaves, 24), near.zero, near.positive, near.hazards)


def numbers(scales: np.ndarray, step_scale: int) -> np.ndarray:
    """Return the table numbers of latents of these scales, all in quarter octaves."""
    found: np.ndarray = scales + (1 - step_scale)
    found >>= 1
    found += UNIT
    np.maximum(found, 0, out=found)
    return np.minimum(found, TABLES - 1, out=found)
