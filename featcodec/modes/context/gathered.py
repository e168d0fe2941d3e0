"""What latents become under coders with context modelling, and what is best for them."""

from dataclasses import replace

import numpy as np

from ...coding.parts.base import Sizes
from ...encoding.fit import counting
from ...entropy import fit
from ...entropy.contexts import Contexts
from . import reconstruction
from .fit import ShapeCounts
from .scalar import ContextCoder, by_place

Coded = tuple[np.ndarray, Contexts]  # latents (points, columns) of a class, and their symbols


class Gathered:
    """The symbols of each table, and where latents lie beyond their levels."""

    def __init__(self, dependent: bool, shaped: ShapeCounts | None = None) -> None:
        """`shaped` counts symbols by shapes, too."""
        self._sets = reconstruction.SETS if dependent else 1
        self._shaped = shaped
        self._symbols: dict[int, list[np.ndarray]] = {}
        self._excess: dict[int, np.ndarray] = {}
        self._around = np.zeros((2, self._sets, reconstruction.CLASSES, reconstruction.KINDS))

    def add(self, coder: ContextCoder, sizes: Sizes, latents: np.ndarray) -> Coded:
        """Take in what latents (channels, points, blocks) become under a coder; return it."""
        rows, known = by_place(latents), coder.contexts(sizes, latents.shape[-1])
        for number, chosen, symbols in coder.decided(rows, known):
            self._symbols.setdefault(number, []).append(symbols)
            excess = excess_of(chosen, symbols, *coder.lattice(number))
            self._excess[number] = self._excess.get(number, 0) + excess
        if self._shaped:
            self._shaped.add(known)
        self._around += reconstruction.excess(known, rows, coder.step, self._sets)
        return rows, known

    def counts(self, total: int) -> counting.Counts:
        """Return the counts of `total` latents, their errors left out."""
        every = self._symbols.items()
        histograms = {number: fit.Histogram.of(np.concatenate(some)) for number, some in every}
        none = dict.fromkeys(histograms, (0.0, 0.0))  # offsets of tables are not used
        return counting.Counts(histograms, none, 0.0, total)

    def told(self, coder: ContextCoder) -> ContextCoder:
        """Return a coder that expects latents where they were, and has the best offsets."""
        sums = self._excess.items()
        expected = {number: tuple(s[1] / np.maximum(s[0], 1)) for number, s in sums}
        offsets = reconstruction.fit_offsets(self._around)
        return replace(coder, expected=expected, offsets=offsets, means=None)


def excess_of(
    latents: np.ndarray, symbols: np.ndarray, spacing: float, lowered: float
) -> np.ndarray:
    """Return (2, 3): the counts of symbols 0, 1 and above, and the sums of latents less levels.

    Levels of symbols other than 0 are lowered by `lowered` spacings.
    """
    beyond = latents * latents.dtype.type(1 / spacing)
    beyond -= symbols
    np.negative(beyond, out=beyond, where=symbols < 0)
    kind = np.minimum(np.abs(symbols), 2)
    counts = np.bincount(kind, minlength=3)
    total: np.ndarray = np.bincount(kind, beyond, 3)
    total[1:] += lowered * counts[1:]
    return np.stack([counts, total])
