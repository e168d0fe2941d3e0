"""Where a symbol of a map is reconstructed, from the symbols on all sides of it (SPEC §7.13).

What a rectifier left and became symbol 0 was more than that beside large values, and nothing among
zeros. So the offset of a reconstructed value depends on the magnitudes of its four neighbours.
"""

import numpy as np

from . import contexts
from .contexts import Contexts

UNIT = 64  # of offsets, in a step
LARGEST = 128  # offset
KINDS = 3  # of symbols: magnitude 0, 1 and above
# From which sums of neighbours on the classes after the first are.
EDGES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 23, 32, 46, 64, 91)
CLASSES = len(EDGES) + 1
PRIOR = 4  # values in the middle that an offset is drawn to
_KIND_OF = np.searchsorted(
    np.array(EDGES), np.arange(4 * contexts.LARGEST + 1), side="right"
).astype(np.uint8) * np.uint8(KINDS)


def kinds(known: Contexts) -> np.ndarray:
    """Return (points, columns) uint8: KINDS times the class of the neighbours + the kind."""
    first, *others = contexts.beside(known.sizes)
    total = known.magnitudes[first].astype(np.uint16)
    for other in others:
        total += known.magnitudes[other]
    found = _KIND_OF.take(total)
    found += np.minimum(known.magnitudes[:-1], KINDS - 1)
    return found


def restored(known: Contexts, offsets: np.ndarray, step: float, dtype: str) -> np.ndarray:
    """Return latents (points, columns); `offsets` (CLASSES, KINDS) are in 1 / UNIT of a step."""
    latents = (offsets.reshape(-1) / UNIT).astype(dtype).take(kinds(known))
    if known.symbols.min(initial=0) < 0:
        np.negative(latents, out=latents, where=known.symbols < 0)
    latents += known.symbols
    latents *= latents.dtype.type(step)
    return latents


def excess(known: Contexts, latents: np.ndarray, step: float) -> np.ndarray:
    """Return (2, CLASSES, KINDS): how many latents, and by what they exceed their symbols.

    `latents` are (points, columns); the excess is in steps away from zero, summed.
    """
    beyond = latents * latents.dtype.type(1 / step) - known.symbols
    np.negative(beyond, out=beyond, where=known.symbols < 0)
    found = kinds(known).reshape(-1)
    size = CLASSES * KINDS
    counts = np.bincount(found, minlength=size), np.bincount(found, beyond.reshape(-1), size)
    return np.stack(counts).reshape(2, CLASSES, KINDS)


def fit(sums: np.ndarray) -> np.ndarray:
    """Return the offsets (CLASSES, KINDS) with the least squared error, from an `excess`."""
    offsets = np.rint(UNIT * sums[1] / (sums[0] + PRIOR))
    return np.clip(offsets, -LARGEST, LARGEST).astype(np.int64)
