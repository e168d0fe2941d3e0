"""What symbols take under entries with context modelling, all from one look at their neighbours."""

from dataclasses import dataclass

import numpy as np

from ...entropy import shapes
from ...entropy.contexts import TABLES
from ...modes.context.arrays import MIDDLE
from ...modes.context.scalar import ContextCoder
from ...quantise.scalar import PLAIN, Thresholds, quantise
from .neighbours import TYPICAL, MapLatents, cells_of

LEAST = PLAIN.dead  # steps, below which latents become 0 under all tables
EVERY = np.ones((shapes.SHAPES, TABLES), bool)  # shape is told from the others


@dataclass(frozen=True)
class Told:
    """The latents of a class of blocks at a step, and which tables they have.

    Neighbours are the symbols of typical thresholds. Only latents that may become more than 0 are
    quantised under each coder.
    """

    latents: MapLatents
    numbers: np.ndarray  # of tables
    counts: np.ndarray  # of the latents of each
    some: np.ndarray  # latents that may be more than 0,
    cells: np.ndarray  # and which of the tables each has

    @classmethod
    def of(cls, latents: MapLatents, coder: ContextCoder) -> "Told":
        """Tell latents apart as coders of these scales do at this step."""
        rows = latents.rows
        known = coder.contexts(latents.sizes, latents.values.shape[-1], EVERY)
        known.learn_all(quantise(rows, coder.step, TYPICAL))
        cells, numbers, before = np.empty(rows.shape, np.uint16), list[np.ndarray](), 0
        for number, (places, _) in enumerate(known.lattice):
            found, keys = known.keyed(number)
            cells[places] = np.add(keys, before, dtype=np.uint16)
            numbers.append(found)
            before += len(found)
        counts = np.bincount(cells.reshape(-1), minlength=before)
        (some,) = (np.abs(rows.reshape(-1)) >= LEAST * coder.step).nonzero()
        return cls(latents, np.concatenate(numbers), counts, rows.take(some), cells.take(some))

    def under(self, coder: ContextCoder) -> tuple[np.ndarray, float, float]:
        """Return the symbols of some latents under a coder, all bits, and about the error."""
        dead, edge = coder.limits(self.numbers)
        at = Thresholds(dead.take(self.cells), edge.take(self.cells))
        symbols, table = quantise(self.some, coder.step, at), coder.bits(self.numbers)
        of_zeros = table[:, MIDDLE]
        bits = float(self.counts @ of_zeros) - float(of_zeros.take(self.cells).sum())
        bits += float(table.take(cells_of(self.cells, symbols)).sum())
        missed = np.minimum(symbols * self.some.dtype.type(coder.step), self.latents.top)
        missed -= self.some
        rest = self.latents.energy - float(np.vdot(self.some, self.some))
        return symbols, bits, max(rest, 0.0) + float(np.vdot(missed, missed))
