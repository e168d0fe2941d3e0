"""Rows, columns and channels in seven passes, with the grades of decoded neighbours (SPEC §8.1)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

GRADES = 16
MIDDLE = GRADES // 2  # the grade of what lies outside
SUMS = 4 * (GRADES - 1) + 2  # sums of four grades; the last stands for no neighbours

_DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
_DIRECT = ((-1, 0), (1, 0), (0, -1), (0, 1))
# First row, first column, distance of rows and of columns, neighbours and their distance.
_PASSES = (
    (0, 0, 4, (), 0),
    (2, 2, 4, _DIAGONAL, 2),
    (2, 0, 4, _DIRECT, 2),
    (0, 2, 4, _DIRECT, 2),
    (1, 1, 2, _DIAGONAL, 1),
    (1, 0, 2, _DIRECT, 1),
    (0, 1, 2, _DIRECT, 1),
)

# The cells of the elements of each pass, and their bins.
Cells = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Raster:
    """Element i is in channel `i % channels` of place `i // channels`, in rows of `width`."""

    count: int  # elements; the last row may be cut off
    width: int
    channels: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, channels."""
        return -(-self.count // (self.width * self.channels)), self.width, self.channels

    @property
    def places(self) -> int:
        return -(-self.count // self.channels)

    def filled(self, values: np.ndarray, rest: int) -> np.ndarray:
        """Return the values (count,) of the elements by row, column, channel."""
        whole = np.full(self.shape, rest, values.dtype)
        whole.reshape(-1)[: self.count] = values
        return whole

    def bordered(self) -> tuple[np.ndarray, np.ndarray]:
        """Return grades with a border, all unknown, and the view inside the border."""
        rows, columns, channels = self.shape
        side = 2 * (columns > 1)  # a single column has no neighbours beside it
        grades = np.full((rows + 4, columns + 2 * side, channels), MIDDLE, np.uint8)
        return grades, grades[2 : rows + 2, side : columns + side]

    def passes(
        self, grades: np.ndarray, kinds: "Kinds"
    ) -> Iterator[tuple["RasterPass", np.ndarray]]:
        """Yield the passes, each with the cells (n,) int32 of its elements.

        `grades`, with the border, must hold one pass when the next is asked for. A cell is
        (2 kind + near) SUMS + sum of the neighbours' grades.
        """
        of_elements = np.broadcast_to(kinds.among(self), self.shape)
        side = (grades.shape[1] - self.width) // 2
        for top, left, step, neighbours, far in _PASSES:
            one = RasterPass(self, slice(top, None, step), slice(left, None, step))
            if one.count == 0:
                continue
            rows, columns, _ = one.shape
            sums = np.full(one.shape, 0 if neighbours else SUMS - 1, np.uint8)
            for y, x in neighbours:
                if x and not side:
                    sums += np.uint8(MIDDLE)
                    continue
                first, begin = top + 2 + far * y, left + side + far * x
                sums += grades[first::step, begin::step][:rows, :columns]
            near = neighbours is _DIRECT and far == 1
            cells = 2 * of_elements[one.rows, one.columns] + np.int32(near)
            cells *= np.int32(SUMS)
            cells += sums
            yield one, cells.reshape(-1)[: one.count]

    def cells(self, grades: np.ndarray, kinds: "Kinds", bins: np.ndarray) -> Cells:
        """Return the cells of elements whose bins (count,) are known; `grades` are of bins."""
        bordered, inside = self.bordered()
        inside[:] = self.filled(grades[bins], MIDDLE)
        whole = self.filled(bins, 0)
        return [(cells, one.take(whole)) for one, cells in self.passes(bordered, kinds)]


@dataclass(frozen=True)
class Kinds:
    """Kinds of places and of channels, which choose tables beside the neighbours."""

    places: np.ndarray  # uint8, below different[0]
    channels: np.ndarray  # uint8, below different[1]
    different: tuple[int, int]

    @property
    def count(self) -> int:
        return self.different[0] * self.different[1]

    def among(self, raster: Raster) -> np.ndarray:
        """Return the kinds of elements, int32, which broadcast to row, column, channel."""
        of_channels = self.channels.astype(np.int32)
        if self.different[0] == 1:
            return of_channels
        rows, columns, _ = raster.shape
        of_places = np.zeros((rows, columns, 1), np.int32)
        of_places.reshape(-1)[: len(self.places)] = self.places
        return of_places * self.different[1] + of_channels


@dataclass(frozen=True)
class RasterPass:
    """The elements in some rows and columns of a raster, in raster order."""

    raster: Raster
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int, int]:
        rows, columns, channels = self.raster.shape
        return len(range(rows)[self.rows]), len(range(columns)[self.columns]), channels

    @property
    def count(self) -> int:
        """The number of elements; the last row may be cut off."""
        channels = self.raster.channels
        whole, left = divmod(self.raster.count, self.raster.width * channels)
        count = len(range(whole)[self.rows]) * self.shape[1] * channels
        if left and whole in range(whole + 1)[self.rows]:
            places, rest = divmod(left, channels)
            count += len(range(places)[self.columns]) * channels
            count += rest * (places in range(places + 1)[self.columns])
        return count

    def take(self, whole: np.ndarray) -> np.ndarray:
        """Return the values (count,) of this pass, of an array of rows, columns, channels."""
        taken: np.ndarray = whole[self.rows, self.columns].reshape(-1)[: self.count]
        return taken

    def put(self, whole: np.ndarray, values: np.ndarray, rest: int) -> None:
        """Write the values (count,) of this pass; `rest` where the last row is cut off."""
        padded = np.full(self.shape, rest, whole.dtype)
        padded.reshape(-1)[: self.count] = values
        whole[self.rows, self.columns] = padded
