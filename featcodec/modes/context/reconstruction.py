"""Reconstruction points of maps, which depend on all four neighbours (SPEC §7.13).

Behind a ReLU, a value quantised to 0 was likelier positive when its neighbours are large. So the
offset of a reconstruction point depends on the magnitudes of the four neighbours.
"""

from typing import Any

import numpy as np

from ...entropy import contexts
from ...entropy.contexts import Contexts
from ...quantise.dependent import RATIO

UNIT = 64  # offsets in a step
LARGEST = 128  # magnitude of an offset
KINDS = 3  # of symbols: magnitude 0, 1 and above
# The least sum of neighbours of each class after the first.
EDGES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 23, 32, 46, 64, 91)
CLASSES = len(EDGES) + 1
SETS = 3  # of offsets under dependent quantisation, one for each quantiser
PRIOR = 4  # values at offset 0 that a fit counts in
_KIND_OF = np.searchsorted(
    np.array(EDGES), np.arange(4 * contexts.LARGEST + 1), side="right"
).astype(np.uint8) * np.uint8(KINDS)


def kinds(known: Contexts, sets: int) -> np.ndarray:
    """Return the position (points, columns), uint8, of the offset of each symbol.

    `sets` is 1, or SETS with a set for each quantiser.
    """
    first, *others = contexts.beside(known.sizes)
    total = known.magnitudes[first].astype(np.uint16)
    for other in others:
        total += known.magnitudes[other]
    found = _KIND_OF.take(total)
    found += np.minimum(known.magnitudes[:-1], KINDS - 1)
    if sets > 1:
        found += np.uint8(CLASSES * KINDS) * known.quantisers
    return found


def from_neighbours(known: Contexts, offsets: np.ndarray, step: float, dtype: str) -> np.ndarray:
    """Return latents (points, columns).

    `offsets` (sets, CLASSES, KINDS) are in 1 / UNIT of a spacing. With several sets, all but the
    first have a spacing of RATIO steps, and the levels of the last lie half a spacing nearer to 0.
    """
    exact = offsets / UNIT
    if len(offsets) > 1:
        exact[-1, :, 1:] -= 0.5
    compiled = known.compiled
    if compiled:
        found: np.ndarray = compiled.points(
            known.magnitudes,
            contexts.beside(known.sizes),
            known.symbols,
            known.quantisers,
            _KIND_OF,
            exact.reshape(len(exact), -1).astype(dtype),
            _of_quantisers(step, dtype),
        )
        return found
    latents = exact.reshape(-1).astype(dtype).take(kinds(known, len(offsets)))
    if known.symbols.min(initial=0) < 0:
        np.negative(latents, out=latents, where=known.symbols < 0)
    latents += known.symbols
    latents *= _spacings(known, len(offsets), step, latents.dtype)
    return latents


def excess(known: Contexts, latents: np.ndarray, step: float, sets: int = 1) -> np.ndarray:
    """Return (2, sets, CLASSES, KINDS): counts of latents, and sums of latents less levels.

    `latents` are (points, columns); differences are in spacings, away from zero.
    """
    beyond = latents / _spacings(known, sets, step, latents.dtype)
    beyond -= known.symbols
    np.negative(beyond, out=beyond, where=known.symbols < 0)
    found = kinds(known, sets).reshape(-1)
    size = sets * CLASSES * KINDS
    shape = sets, CLASSES, KINDS
    counts = np.bincount(found, minlength=size).reshape(shape).astype(np.float64)
    total: np.ndarray = np.bincount(found, beyond.reshape(-1), size).reshape(shape)
    if sets > 1:
        total[-1, :, 1:] += counts[-1, :, 1:] / 2
    return np.stack([counts, total])


def _spacings(known: Contexts, sets: int, step: float, dtype: np.dtype) -> np.ndarray:
    """Return the spacing of levels; with several sets, that of each symbol."""
    found = _of_quantisers(step, dtype)
    return found[0] if sets == 1 else found.take(known.quantisers)


def _of_quantisers(step: float, dtype: Any) -> np.ndarray:
    """Return the spacing of the levels of each quantiser."""
    return np.array([step, step * RATIO, step * RATIO], dtype)


def fit_offsets(sums: np.ndarray) -> np.ndarray:
    """Return the offsets (sets, CLASSES, KINDS) of least squared error, from an `excess`."""
    offsets = np.rint(UNIT * sums[1] / (sums[0] + PRIOR))
    return np.clip(offsets, -LARGEST, LARGEST).astype(np.int64)
