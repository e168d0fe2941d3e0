"""Values that no quality with loss serves: so large or small that their squares are no numbers."""

import numpy as np

from ...align.numbers import elements_of
from .group import Group
from .sums import FAINT

LOOK, CHUNK = 1 << 22, 1 << 20  # values of a tensor that are looked at, and at once


def beyond(group: Group) -> str:
    """Return why a group comes back bit for bit, whatever is asked; nothing where it need not.

    Only F64 has such values.
    """
    if group.dtype != "F64":
        return ""
    largest = 0.0
    for i in range(len(group.names)):
        for start in range(0, LOOK, CHUNK):
            some = elements_of(group.tensor(i), start, start + CHUNK)
            finite = np.abs(some[np.isfinite(some)])
            largest = max(largest, float(finite.max(initial=0.0)))
            if some.size < CHUNK:
                break
    if largest >= 1 / FAINT:
        return f"values up to {largest:.2g}, whose squares are beyond the range of F64"
    return f"values of {largest:.2g} at most, whose squares are 0" if largest <= FAINT else ""
