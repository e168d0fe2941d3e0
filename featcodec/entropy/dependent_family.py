"""The built-in tables of the two quantisers of dependent quantisation (SPEC §7.10).

They replace the tables of `family` from number LEAST on. Symbols of lower numbers are nearly all
zero, and stay with the scalar quantiser.
"""

from functools import cache

from .family import BUILT_IN, with_low_bits
from .tables import Table

LEAST = 4
FIRST = 128  # number of the first table of quantiser 0; those of quantiser 1 follow
TABLES = 64  # of each quantiser

OF_QUANTISERS = (
    (
        *BUILT_IN[:LEAST],
        Table(3, 0, 137, 128, (188, 245), 46, 36),
        Table(4, 0, 137, 128, (166, 169, 225), 104, 85),
        Table(6, 0, 127, 128, (148, 156), 110, 94),
        Table(8, 0, 121, 128, (137, 144, 147, 148), 114, 104),
        Table(11, 0, 115, 128, (129, 134, 136, 138, 140), 117, 111),
        Table(14, 0, 109, 128, (122, 125, 128, 130, 131, 133, 134, 157), 121, 115),
        Table(21, 0, 105, 128, (116, 119, 120, 122, 124, 126, 127), 122, 120),
        Table(29, 0, 101, 128, (111, 113, 114, 115, 117, 119, 120, 122), 123, 122),
        Table(42, 0, 96, 128, (106, 107, 109, 109, 111, 112, 114, 115, 117), 123, 124),
        Table(61, 0, 92, 128, (101, 103, 103, 104, 105, 106, 108, 109, 110, 112), 128, 127),
        Table(84, 0, 89, 128, (97, 98, 98, 99, 100, 101, 102, 103, 105, 106, 107), 127, 126),
        Table(126, 0, 85, 128, (92, 93, 94, 94, 94, 95, 96, 98, 99, 101, 102), 133, 128),
    ),
    (
        *BUILT_IN[:LEAST],
        Table(3, 0, 158, 128, (160, 253), 188, 117),
        Table(4, 0, 119, 128, (159, 168, 206), 139, 124),
        Table(6, 0, 110, 128, (144, 154, 159), 137, 111),
        Table(8, 0, 105, 128, (133, 142, 146, 148, 148, 184), 140, 111),
        Table(11, 0, 102, 128, (125, 132, 136, 138, 140), 144, 115),
        Table(16, 0, 98, 128, (119, 124, 127, 129, 131, 133, 132), 146, 117),
        Table(22, 0, 93, 128, (113, 118, 120, 122, 123, 126, 127), 147, 121),
        Table(29, 0, 90, 128, (108, 112, 114, 115, 117, 119, 120, 122), 149, 123),
        Table(43, 0, 86, 128, (103, 107, 108, 109, 111, 112, 114, 115, 116), 150, 125),
        Table(62, 0, 81, 128, (99, 102, 103, 104, 105, 106, 108, 109, 110, 112), 151, 127),
        Table(88, 0, 72, 128, (95, 97, 98, 99, 99, 101, 102, 103, 105, 106, 107), 144, 126),
        Table(122, 0, 63, 128, (92, 93, 93, 94, 95, 95, 96, 98, 99, 101, 102, 103), 143, 128),
    ),
)


def number(scalar: int, quantiser: int) -> int:
    """Return the table number of a quantiser from that of the scalar quantiser."""
    return FIRST + TABLES * quantiser + min(scalar, TABLES - 1)


def quantiser(number: int) -> int:
    """Return the quantiser of a table number."""
    return (number - FIRST) // TABLES


@cache
def table(number: int) -> Table:
    """Return the built-in table of that number, 128 to 255."""
    return with_low_bits(OF_QUANTISERS[quantiser(number)], (number - FIRST) % TABLES)
