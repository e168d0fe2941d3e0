"""Floating elements as those of another type, and what of them lies beyond it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from .align.numbers import STORED, from_float, to_float
from .container.index import TensorEntry
from .elements import FLOATS, PRECISION

CHUNK = 1 << 18  # values converted at once


class Conversion:
    """Turns elements into those of a type, the nearest; `clipped` says whether any lay beyond."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self.clipped = False

    def __call__(self, stored: np.ndarray, dtype: str) -> np.ndarray:
        """Return floating elements as another type; others stay as they are."""
        if dtype not in FLOATS or dtype == self.wanted:
            return stored
        flat = stored.view(STORED[dtype]).reshape(-1)
        found = np.empty(flat.shape, STORED[self.wanted])
        largest = PRECISION[self.wanted].largest
        for start in range(0, flat.size, CHUNK):
            values = to_float(flat[start : start + CHUNK], dtype)
            finite = np.isfinite(values)
            kept = np.where(finite, values, 0)
            if largest < PRECISION[dtype].largest and not self.clipped:
                self.clipped = bool((np.abs(kept) > largest).any())
            converted = from_float(kept, self.wanted)
            if not finite.all():
                converted[~finite] = from_nonfinite(values[~finite], self.wanted)
            found[start : start + CHUNK] = converted
        return found.reshape(stored.shape)


def from_nonfinite(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return NaN and infinities as stored elements; F8_E4M3 has no infinity and takes NaN."""
    if dtype in ("F16", "F32", "F64"):
        return values.astype(STORED[dtype])
    nan, infinite = {"BF16": (0x7FC0, 0x7F80), "F8_E5M2": (0x7F, 0x7C)}.get(dtype, (0x7F, 0x7F))
    sign = 0x8000 if dtype == "BF16" else 0x80
    code = np.where(np.isnan(values), nan, infinite)
    return (code | np.where(np.signbit(values), sign, 0)).astype(STORED[dtype])


class Written(Protocol):
    """Tensors as they were written."""

    def tensor(self, number: int) -> np.ndarray:
        """Return the stored elements of one, flat."""


def clipped(entries: Sequence[TensorEntry], written: Written, dtype: str | None) -> tuple[str, ...]:
    """Return a line on each tensor with values at the ends of a type; none where it is None."""
    if dtype is None:
        return ()
    largest = PRECISION[dtype].largest
    found = []
    for number, entry in enumerate(entries):
        if entry.dtype not in FLOATS or PRECISION[entry.dtype].largest <= largest:
            continue
        count, elements = 0, written.tensor(number)
        for start in range(0, elements.size, CHUNK):
            values = np.abs(to_float(elements[start : start + CHUNK], dtype))
            count += int(np.count_nonzero(values == largest))
        if count:
            are = f"{count:,} value{'s are' if count > 1 else ' is'}"
            ends = f"{largest:g} or {-largest:g}, the ends of {dtype}"
            found.append(f"{entry.name}: {are} {ends}: what lay beyond was clipped")
    return tuple(found)
