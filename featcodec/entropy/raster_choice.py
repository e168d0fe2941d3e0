"""The encoder's choice of a raster: in which places and channels neighbours tell the most."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from .raster import GRADES, SUMS, Kinds, Raster

STRETCH = 1 << 16  # consecutive numbers that rasters are compared on,
ROWS, MOST = 16, 1 << 18  # or so many rows, but no more numbers
QUARTERS = 4  # of channels, by mean and by spread
PARAMETER_BITS = 8  # of a chance: to state it, and what a stretch seems to save by it


def choose_raster(rasters: Iterable[Raster], grades: np.ndarray, of_number: np.ndarray) -> Raster:
    """Return the raster in which the grades of numbers take the fewest bits.

    `grades` are of bins, `of_number` (n,) is the bin of each number.
    """
    graded = grades.take(of_number)
    return min(rasters, key=lambda raster: _cost(raster, graded))


def _cost(raster: Raster, graded: np.ndarray) -> float:
    """Return the bits of a grade, given its neighbours and, where that pays, its channel."""
    row = raster.width * raster.channels
    count = min(len(graded), max(STRETCH, min(ROWS * row, MOST)))
    part = replace(raster, count=count)
    bordered, inside = part.bordered()
    whole = part.filled(graded[:count], 0)
    inside[:] = whole
    found = [_entropy(part, bordered.copy(), whole, kinds) for kinds in _kinds(raster, graded)]
    return min(bits / count + more / raster.count for bits, more in found)


def _entropy(
    part: Raster, bordered: np.ndarray, whole: np.ndarray, kinds: Kinds
) -> tuple[float, float]:
    """Return the bits of the grades of a part, and about what stating their chances takes."""
    counts = np.zeros(2 * kinds.count * SUMS * GRADES, np.int64)
    places = replace(kinds, places=kinds.places[: part.places])
    for one, cells in part.passes(bordered, places):
        counts += np.bincount(cells * np.int32(GRADES) + one.take(whole), minlength=len(counts))
    cells_of = counts.reshape(-1, GRADES)
    few = np.add.reduceat(cells_of, np.arange(0, len(cells_of), 4), axis=0)
    sums = few.sum(1)
    bits = float((sums * np.log2(np.maximum(sums, 1))).sum())
    bits -= float((few * np.log2(np.maximum(few, 1))).sum())
    return bits, PARAMETER_BITS * float(np.count_nonzero(few))


def _kinds(raster: Raster, graded: np.ndarray) -> list[Kinds]:
    """Return kinds to try: all alike, and channels by their mean and spread."""
    of_places = np.zeros(raster.places, np.uint8)
    channels, places = raster.channels, raster.count // raster.channels
    alike = Kinds(of_places, np.zeros(channels, np.uint8), (1, 1))
    if channels < QUARTERS**2 or places < 64:
        return [alike]
    rows = graded[: places * channels].reshape(places, channels)
    mean = rows.mean(axis=0)
    spread = np.abs(rows - np.float32((GRADES - 1) / 2)).mean(axis=0)
    quarters = [
        np.argsort(np.argsort(values, kind="stable")) * QUARTERS // channels
        for values in (mean, spread)
    ]
    of_channels = (QUARTERS * quarters[0] + quarters[1]).astype(np.uint8)
    return [alike, Kinds(of_places, of_channels, (1, QUARTERS**2))]
