"""What a coder takes from its tables, as arrays: for symbols of many tables at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...entropy.tables import MAX_MAGNITUDE, Table, bits
from ...quantise.dependent import Offsets
from ...quantise.scalar import Thresholds

SYMBOLS = np.arange(-MAX_MAGNITUDE - 1, MAX_MAGNITUDE + 1)
MIDDLE = MAX_MAGNITUDE + 1  # where 0 is
ESCAPE_BITS = 12


@dataclass(frozen=True)
class TableArrays:
    """Arrays made of tables and of where their latents are expected, neither of which is changed.

    Coders of any step share them.
    """

    tables: Mapping[int, Table]
    expected: Mapping[int, Offsets]
    _made: dict[tuple, Any] = field(default_factory=dict)

    def are_of(self, tables: Mapping[int, Table], expected: Mapping[int, Offsets]) -> bool:
        """Return whether they are made of these very objects."""
        return self.tables is tables and self.expected is expected

    def get(self, key: tuple, make: Callable[[], Any]) -> Any:
        """Return what has a key; make it when it is missing."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def limits_of(found: Sequence[Thresholds], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return both thresholds of each table."""
    return np.array([at.dead for at in found], dtype), np.array([at.edge for at in found], dtype)


def bits_of(table: Table) -> np.ndarray:
    """Return the bits of all SYMBOLS."""
    limit = table.magnitude
    found: np.ndarray = bits(table)[np.clip(SYMBOLS >> table.shift, -limit, limit) + limit]
    return found + ESCAPE_BITS * (np.abs(SYMBOLS >> table.shift) >= limit)
