"""A range of slabs of a tensor group to a payload and back (SPEC §7.7, §7.8)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from .. import limits
from ..align.curve import Curve
from ..align.grids import GroupGrid
from ..align.numbers import STORED, from_float, to_float
from ..align.value import ValueAlignment
from ..container.group import Lossy
from ..container.wire import Builder, Cursor, Unpacker, deflate
from ..entropy import symbols as coded_symbols
from ..entropy import varints
from ..errors import Corrupt, Damage, damaged
from .parts.base import PartCoder, Sizes, Take, taking
from .picture import NeuralCoder
from .pieces import Blocks

# The step of a row group is the group's times 2 ** ((fine - FINE_ONE) / FINE_PER_OCTAVE).
FINE_ONE = 128
FINE_PER_OCTAVE = 256
LONGEST_NUMBER = 4  # bytes, of exceptions of a row group or places between them

Tensors = Callable[[int], np.ndarray]


@dataclass
class Distortion:
    """What coding a range of slabs changed, exceptions left out."""

    squared: float = 0.0
    largest: float = 0.0
    exceptions: int = 0

    def add(self, other: "Distortion") -> None:
        self.squared += other.squared
        self.largest = max(self.largest, other.largest)
        self.exceptions += other.exceptions


@dataclass
class RowGroupCoder:
    """Codes row groups of a tensor group; `coder_of` builds it from a header, for both ends."""

    grid: GroupGrid
    dtype: str
    values: ValueAlignment
    clamp: bool
    work: str  # float32 or float64
    parts: Mapping[bool, PartCoder]  # by "prefix tokens?"
    seed: int = 0  # of the checksum
    base: NeuralCoder | None = None  # what it decodes to is subtracted before the parts see it
    curve: Curve | None = None  # of the correction

    def encode(
        self,
        first: int,
        last: int,
        tensor: Tensors,
        exceptions: bool,
        decoded: bool,
        bound: float = np.inf,
    ) -> tuple[bytes, Distortion]:
        """Return the payload of slabs first <= s < last, and what it changed.

        With `exceptions`, values beyond the bounds, non-finite ones and those that would err by
        more than `bound` are kept as they are; without, the caller knows that there are none.
        With `decoded`, the distortion is that of the decoded values in their own type; without,
        that of the latents, which is the same up to correction and rounding to the type.
        """
        arrays = []
        pictures = b""
        distortion = Distortion()
        kept = Exceptions()
        for (prefix, sizes), boxes in self.grid.boxes(first, last).items():
            part = self.parts[prefix]
            stored = self.grid.collect(boxes, tensor, lambda stored: stored)
            values = to_float(stored, self.dtype)
            if values is stored and (exceptions or decoded):
                values = stored.copy()
            values = values.astype(self.work, copy=False)
            outside = self.values.outside(values) if exceptions else np.zeros(0, np.int64)
            if outside.size:
                flat = values.reshape(-1)
                flat[outside] = self._inside(flat[outside])
            blocks = values.shape[-1]
            original = values.copy() if decoded else None
            aligned = self.values.forward(values)
            known = None
            if self.base is not None:
                packed, known = self._encode_base(aligned)
                pictures += packed
                aligned -= known
            found, error = part.encode(aligned, sizes)
            arrays += [(symbols, part.table(number)) for number, symbols in found]
            if original is None:
                distortion.squared += error * self.values.std**2
                continue
            back = self._reconstruct(part, taking(found), sizes, blocks, known)
            change = np.abs(to_float(back, self.dtype) - original)
            if exceptions:
                outside = np.union1d(outside, np.flatnonzero(~(change <= bound)))
                change.reshape(-1)[outside] = 0
            kept.add(outside, stored)
            distortion.squared += float(np.vdot(change, change))
            distortion.largest = max(distortion.largest, float(change.max(initial=0)))
        distortion.exceptions = kept.count
        return kept.pack() + pictures + coded_symbols.encode(arrays, self.seed), distortion

    def decode(self, payload: bytes | memoryview, first: int, last: int) -> list[Blocks]:
        """Return the stored elements of slabs first <= s < last, and their places."""
        cursor = Cursor(payload, "row group")
        classes = self.grid.boxes(first, last)
        counts = {key: sum(box.count for box in boxes) for key, boxes in classes.items()}
        points = sum(math.prod(sizes) * blocks for (_, sizes), blocks in counts.items())
        size, most = points * self.grid.channels, limits.ROW_GROUP_VALUES
        limits.check(size, most, "the number of values of a row group")
        exceptions = Exceptions.unpack(cursor, STORED[self.dtype], size)
        if not size:  # there are slabs, but nothing in them
            counts = {}
        known = {key: self._decode_base(cursor, blocks) for key, blocks in counts.items()}
        pieces = []
        with damaged("a row group"):
            symbols = coded_symbols.Decoder(cursor.rest(), self.seed)
            for (prefix, sizes), blocks in counts.items():
                key = (prefix, sizes)
                part, boxes = self.parts[prefix], classes[key]
                stored = self._reconstruct(part, symbols.take, sizes, blocks, known[key])
                exceptions.restore(stored)
                pieces.append(Blocks(stored, self.grid, boxes))
            symbols.end()
        exceptions.end()
        return pieces

    def finer(self, code: int) -> "RowGroupCoder":
        """Return the coder at a step of 2 ** ((code - 128) / 256) times the group's."""
        if code == FINE_ONE:
            return self
        factor = 2.0 ** ((code - FINE_ONE) / FINE_PER_OCTAVE)
        parts = {
            prefix: replace(part, step=part.step * factor) for prefix, part in self.parts.items()
        }
        base = None if self.base is None else replace(self.base, step=self.base.step * factor)
        return replace(self, parts=parts, base=base)

    def at(self, lossy: Lossy) -> "RowGroupCoder":
        """Return the coder of a header that differs from this one's in its step alone."""
        parts = {prefix: replace(part, step=lossy.step) for prefix, part in self.parts.items()}
        base = None if self.base is None else replace(self.base, step=lossy.network_step)
        return replace(self, parts=parts, base=base)

    def stricter(self, factor: float) -> "RowGroupCoder":
        """Return the coder whose quantiser weighs bits so many times as much."""
        parts = {p: replace(part, trade=part.trade * factor) for p, part in self.parts.items()}
        return replace(self, parts=parts)

    def _inside(self, values: np.ndarray) -> np.ndarray:
        """Return what stands for values outside: the nearest bound, or the mean for NaN."""
        nearest = np.clip(values, self.values.lower, self.values.upper)
        return np.where(np.isfinite(values), nearest, self.values.mean)

    def _reconstruct(
        self,
        part: PartCoder,
        take: Take,
        sizes: Sizes,
        blocks: int,
        known: np.ndarray | None,
    ) -> np.ndarray:
        aligned = part.decode(take, sizes, blocks)
        if known is not None:
            aligned += known
        return from_float(self.values.inverse(aligned, self.clamp, self.curve), self.dtype)

    def _encode_base(self, aligned: np.ndarray) -> tuple[bytes, np.ndarray]:
        """Return the bytes of values (channels, 1, tokens), and what they decode to."""
        assert self.base is not None
        picture = np.ascontiguousarray(aligned[:, 0].T, np.float32)
        packed, decoded = self.base.encode(picture)
        return packed, decoded.T[:, None].astype(self.work)

    def _decode_base(self, cursor: Cursor, tokens: int) -> np.ndarray | None:
        """Return what the network says about values (channels, 1, tokens), if there is one."""
        if self.base is None:
            return None
        decoded = self.base.decode(cursor, (tokens, self.grid.channels))
        return decoded.T[:, None].astype(self.work)


class Exceptions:
    """Values kept as they are: positions in coding order, and stored elements (SPEC §7.6)."""

    def __init__(self) -> None:
        self.count = 0
        self.base = 0
        self.last = -1
        self.gaps: list[np.ndarray] = []
        self.elements: list[np.ndarray] = []

    def add(self, positions: np.ndarray, stored: np.ndarray) -> None:
        """Keep some positions of the next array."""
        if positions.size:
            where = positions + self.base
            self.gaps.append(np.diff(where, prepend=self.last) - 1)
            self.elements.append(stored.reshape(-1)[positions])
            self.last = int(where[-1])
            self.count += len(positions)
        self.base += stored.size

    def pack(self) -> bytes:
        out = Builder()
        if not self.count:
            out.varint(0)
            return bytes(out)
        body = Builder()
        body.varint(self.count)
        body.varints([int(gap) for gap in np.concatenate(self.gaps)])
        body += np.concatenate(self.elements).tobytes()
        out.blob(deflate(bytes(body)))
        return bytes(out)

    @classmethod
    def unpack(cls, cursor: Cursor, dtype: np.dtype, size: int) -> "Exceptions":
        """Read the list of a row group of so many values, which has no more of them."""
        kept = cls()
        blob = cursor.blob()
        if not blob:
            return kept
        most = LONGEST_NUMBER + size * (LONGEST_NUMBER + dtype.itemsize)
        inner = Unpacker(blob, "exception list", most)
        kept.count = limits.check(inner.varint(), size, "the number of exceptions")
        body = inner.rest()
        inner.end()
        with damaged("an exception list"):
            gaps, end = varints.read_all(body, kept.count)
            if len(body) - end != kept.count * dtype.itemsize:
                raise Damage("it has not an element for each position")
            kept.gaps = [np.cumsum(gaps + 1) - 1]
            kept.elements = [np.frombuffer(body[end:], dtype)]
        return kept

    def restore(self, stored: np.ndarray) -> None:
        """Put back the elements that belong into the next array, in place."""
        if self.count:
            places, elements = self.gaps[0], self.elements[0]
            mine = (places >= self.base) & (places < self.base + stored.size)
            stored.reshape(-1)[places[mine] - self.base] = elements[mine]
        self.base += stored.size

    def end(self) -> None:
        if self.count and self.gaps[0][-1] >= self.base:
            raise Corrupt("the exception list reaches beyond its row group")
