"""The coder of row groups: payloads to the values of slabs (SPEC §7.7, §7.8)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .. import limits
from ..align.curve import Curve
from ..align.gains import MOST_EXPONENT, PER_OCTAVE, factors
from ..align.grids import Box, GroupGrid
from ..align.numbers import STORED, from_float, to_float, unsigned
from ..align.slices import SliceGains, scale
from ..align.value import ValueAlignment
from ..container.lossy import Lossy
from ..container.wire import Cursor
from ..entropy import integers
from ..entropy import symbols as coded_symbols
from ..errors import Corrupt, damaged
from ..transform.weighted import Weighted
from .exceptions import Exceptions
from .parts.base import NextSymbols, PartCoder, Sizes
from .picture import NeuralCoder
from .pieces import Blocks
from .refinement import Refinement

# The step of a row group is the group's times 2 ** ((fine - FINE_ONE) / FINE_PER_OCTAVE).
FINE_ONE = 128
FINE_PER_OCTAVE = 256

Tensors = Callable[[int], np.ndarray]


@dataclass
class RowGroupCoder:
    """Codes row groups of a tensor group; `from_header` builds it, for both ends."""

    grid: GroupGrid
    dtype: str
    values: ValueAlignment
    clamp: bool
    compute_dtype: str  # float32 or float64
    parts: Mapping[bool, PartCoder]  # by "prefix tokens?"
    seed: int = 0  # of the checksum
    base: NeuralCoder | None = None  # of the picture; the parts code its residual
    curve: Curve | None = None  # the correction curve
    constants: Mapping[int, int] = field(default_factory=dict)  # channels to stored elements
    gains: bool = False  # of tokens, in the payload
    refinement: Refinement | None = None  # what makes elements of truncated ones
    slices: SliceGains | None = None  # of tensors or samples, and of channels

    @property
    def of_task(self) -> bool:
        """Whether latents are in the metric of a task."""
        return isinstance(self.parts[False].transform, Weighted)

    def decode(self, payload: bytes | memoryview, first: int, last: int) -> list[Blocks]:
        """Return the stored elements of slabs first <= s < last, and their places."""
        cursor = Cursor(payload, "row group")
        classes = self.grid.boxes(first, last)
        counts = {key: sum(box.count for box in boxes) for key, boxes in classes.items()}
        points = sum(math.prod(sizes) * blocks for (_, sizes), blocks in counts.items())
        size, most = points * self.grid.channels, limits.ROW_GROUP_VALUES
        limits.check(size, most, "the number of values of a row group")
        exceptions = Exceptions.unpack(cursor, STORED[self.dtype], size)
        if not size:  # all slabs are empty
            counts = {}
        tokens = {key: (math.prod(key[1]), blocks) for key, blocks in counts.items()}
        gains = self._gains(cursor, tokens)
        known = {key: self._decode_base(cursor, blocks) for key, blocks in counts.items()}
        refined = cursor.blob() if self.refinement is not None else b""
        pieces = []
        with damaged("a row group"):
            symbols = coded_symbols.decoder(cursor.rest(), size, self.seed)
            for (prefix, sizes), blocks in counts.items():
                key = (prefix, sizes)
                part, boxes = self.parts[prefix], classes[key]
                base, gain = known[key], gains.get(key)
                fine = self.of_slices(boxes)
                stored = self.reconstruct(part, symbols, sizes, blocks, base, gain, fine)
                pieces.append(Blocks(stored, self.grid, boxes))
            symbols.end()
            if self.refinement is not None:
                _refine(self.refinement, refined, [piece.values for piece in pieces])
            for piece in pieces:
                exceptions.put_back(piece.values)
        exceptions.end()
        return pieces

    def at_fine_step(self, code: int) -> "RowGroupCoder":
        """Return the coder at a step of 2 ** ((code - 128) / 256) times the group's."""
        if code == FINE_ONE:
            return self
        if self.refinement is not None:
            raise Corrupt(f"a row group of a refined group has fine step {code}, not {FINE_ONE}")
        factor = 2.0 ** ((code - FINE_ONE) / FINE_PER_OCTAVE)
        parts = {
            prefix: replace(part, step=part.step * factor) for prefix, part in self.parts.items()
        }
        base = None if self.base is None else replace(self.base, step=self.base.step * factor)
        return replace(self, parts=parts, base=base)

    def at(self, lossy: Lossy) -> "RowGroupCoder":
        """Return the coder at the step of a header that is otherwise the same."""
        parts = {prefix: replace(part, step=lossy.step) for prefix, part in self.parts.items()}
        base = None if self.base is None else replace(self.base, step=lossy.network_step)
        return replace(self, parts=parts, base=base)

    def at_lambda_scale(self, factor: float) -> "RowGroupCoder":
        """Return the coder with the lambda of its quantisers times `factor`."""
        parts = {p: replace(part, lmbda=part.lmbda * factor) for p, part in self.parts.items()}
        return replace(self, parts=parts)

    def reconstruct(
        self,
        part: PartCoder,
        next_symbols: NextSymbols,
        sizes: Sizes,
        blocks: int,
        known: np.ndarray | None,
        gains: np.ndarray | None = None,
        of_slices: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return stored elements (channels, points, blocks).

        `known` is the picture, if any, `gains` are the exponents of tokens (points, blocks), and
        `of_slices` the factors
        of slices.
        """
        aligned = part.decode(next_symbols, sizes, blocks)
        if of_slices is not None:
            scale(aligned, of_slices, part.transform.centre)
        if known is not None:
            aligned += known
        values = self.values.inverse(aligned, self.clamp, self.curve)
        if gains is not None:
            values *= factors(gains, values.dtype)
        if self.refinement is not None:
            return self.refinement.elements(values)
        stored = from_float(values, self.dtype)
        for channel, element in self.constants.items():
            stored[channel].view(unsigned(self.dtype))[...] = element
        return stored

    def floats(self, stored: np.ndarray) -> np.ndarray:
        """Return what is coded of stored elements: their values, or what a refinement has."""
        if self.refinement is not None:
            return self.refinement.floats(stored)
        return to_float(stored, self.dtype)

    def of_slices(self, boxes: Sequence[Box]) -> np.ndarray | None:
        """Return the gains of the slices that boxes are of (channels, 1, blocks), if any."""
        return None if self.slices is None else self.slices.of_boxes(self.grid, boxes)

    def _gains(
        self, cursor: Cursor, tokens: Mapping[tuple[bool, Sizes], tuple[int, int]]
    ) -> dict[tuple[bool, Sizes], np.ndarray]:
        """Return the exponents of the gains of classes of tokens (points, blocks)."""
        if not self.gains:
            return {}
        counts = [math.prod(shape) for shape in tokens.values()]
        with damaged("the gains of a row group"):
            found = integers.unpack(cursor.blob(), sum(counts))
        if np.abs(found).max(initial=0) > MOST_EXPONENT:
            most = MOST_EXPONENT // PER_OCTAVE
            raise Corrupt(f"a gain of a row group is beyond 2 to the power of {most}")
        parts = np.split(found, np.cumsum(counts)[:-1])
        return {
            key: part.reshape(shape)
            for (key, shape), part in zip(tokens.items(), parts, strict=True)
        }

    def _decode_base(self, cursor: Cursor, tokens: int) -> np.ndarray | None:
        """Return the picture as (channels, 1, tokens), if there is a network."""
        if self.base is None:
            return None
        decoded = self.base.decode(cursor, (tokens, self.grid.channels))
        return decoded.T[:, None].astype(self.compute_dtype)


def _refine(refinement: Refinement, data: bytes, truncated: list[np.ndarray]) -> None:
    """Make elements of truncated ones, in place; raise SymbolError when `data` is damaged."""
    kind = np.dtype(f"<u{truncated[0].itemsize}") if truncated else np.dtype("u1")
    multiples = [stored.reshape(-1).view(kind) for stored in truncated]
    elements = refinement.unpack(data, np.concatenate([np.zeros(0, kind), *multiples]))
    start = 0
    for stored in multiples:
        stored[:] = elements[start : start + stored.size]
        start += stored.size
