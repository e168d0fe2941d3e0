"""Samples that are padded to one length: where each begins and ends, and its true tokens alone.

Padded samples are read as what they hold, one behind the other. Where rows cannot be left out, they
are cut out: each sample is an index of its axis, and tokens are cut wherever some sample begins or
ends (SPEC §4.3).
"""

import itertools
import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ...align.numbers import one_zero, unsigned
from ...container.cuts import Along, Where, places
from ...elements import BITS, FLOATS
from ...tensors import Tensor
from .margins import Box

LEAST_ROW = 16  # values of a token in all channels: fewer are constant by chance
LEAST_TOKENS = 8  # of a sample with its padding
LEAST_PADDING = 1 / 32  # of the tokens: less may be places of one value by chance, as in maps
LEAST_VALUES = 1 << 8  # are left
# Samples, and places of other axes, that are looked at first; of those found so many once more.
PROBED, SHOWN, SURE = 1 << 10, 4, 8


@dataclass(frozen=True)
class Ragged:
    """The axes of samples and tokens of a tensor, and which tokens of each sample are true."""

    samples: int
    tokens: int
    first: tuple[int, ...]
    last: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor) -> "Ragged | None":
        """Return that of a tensor whose samples are padded to one length; None of any other."""
        rank, size = len(tensor.shape), math.prod(tensor.shape)
        if tensor.dtype not in FLOATS or BITS[tensor.dtype] < 8 or rank < 3 or not size:
            return None
        found = list[Ragged]()
        for samples, tokens in itertools.permutations(range(rank), 2):
            lengths = tensor.shape[samples], tensor.shape[tokens]
            enough = lengths[0] > 1 and lengths[1] >= LEAST_TOKENS
            if enough and size >= LEAST_ROW * math.prod(lengths):
                one = cls._along(tensor, samples, tokens)
                found += [one] if one is not None else []
        return min(found, key=lambda one: one.true, default=None)

    @classmethod
    def _along(cls, tensor: Tensor, samples: int, tokens: int) -> "Ragged | None":
        """Return that of two axes, if rows are constant at the ends of samples alone."""
        count, length = tensor.shape[samples], tensor.shape[tokens]
        rows, some = _Rows(tensor, samples, tokens), slice(0, count, -(-count // PROBED))
        shown = rows.constant(some, length - 1, SHOWN).any(axis=1)
        perhaps = np.flatnonzero(shown)[:: -(-int(shown.sum()) // SURE) or 1] * some.step
        ends = (rows.constant(slice(i, i + 1), length - 1) for i in perhaps.tolist())
        if shown.mean() < LEAST_PADDING or not any(each.any() for each in ends):
            return None
        first, last = list[int](), list[int]()
        for i in range(count):
            true = np.flatnonzero(~rows.constant(slice(i, i + 1))[0])
            first.append(int(true[0]) if true.size else 0)
            last.append(int(true[-1]) + 1 if true.size else 0)
            if last[-1] - first[-1] != true.size:
                return None
        found = cls(samples, tokens, tuple(first), tuple(last))
        # Samples that are padding alone say nothing: channels may be of one value.
        spans = [span for span in zip(first, last, strict=True) if span[0] < span[1]]
        little = found.true > (1 - LEAST_PADDING) * len(spans) * length
        alike = len({*spans}) < 2  # which is a box
        return None if little or alike or found.true * rows.length < LEAST_VALUES else found

    @property
    def true(self) -> int:
        """How many tokens are true."""
        return sum(self.last) - sum(self.first)

    def shown(self, tensor: Tensor, most: int) -> Tensor:
        """Return the true tokens of about so many values, of samples evenly spread, as one sample.

        >>> x = np.arange(24, dtype="f4").reshape(2, 3, 4)
        >>> whole = Tensor("x", "F32", x.shape, lambda: x.reshape(-1))
        >>> Ragged(0, 1, (0, 0), (3, 1)).shown(whole, 100).array()[0, :, 0]
        array([ 0.,  4.,  8., 12.], dtype=float32)
        """
        row = _Rows(tensor, self.samples, self.tokens).length
        some = range(0, len(self.first), -(-self.true * row // most))
        shape = list(tensor.shape)
        shape[self.samples] = 1
        shape[self.tokens] = sum(self.last[i] - self.first[i] for i in some)

        @cache
        def read() -> np.ndarray:
            array, found = tensor.array(), []
            for i in some:
                at = [slice(None)] * array.ndim
                at[self.samples] = slice(i, i + 1)
                at[self.tokens] = slice(self.first[i], self.last[i])
                found.append(array[tuple(at)])
            return np.concatenate(found, axis=self.tokens).reshape(-1)

        return Tensor(tensor.name, tensor.dtype, tuple(shape), read, ragged=self.tokens)

    def axes(self, shape: tuple[int, ...]) -> tuple[Along, ...]:
        """Return how the axes are cut, that each part be true or padding."""
        edges = sorted({0, shape[self.tokens], *self.first, *self.last})
        found: list[Along] = [()] * len(shape)
        found[self.samples] = None
        lengths = tuple(b - a for a, b in itertools.pairwise(edges))
        found[self.tokens] = lengths if len(lengths) > 1 else ()
        return tuple(found)

    def is_true(self, where: Where) -> bool:
        """Return whether a part has true tokens."""
        sample, tokens = where[self.samples], where[self.tokens]
        assert isinstance(sample, int)
        assert isinstance(tokens, slice)
        return self.first[sample] <= tokens.start and tokens.stop <= self.last[sample]

    def parts(self, tensor: Tensor) -> list[Tensor]:
        """Return the parts of a tensor that are true."""
        found = places(self.axes(tensor.shape), tensor.shape)
        return [tensor.part(where) for where in found if self.is_true(where)]

    def whole(self, where: Where, shape: tuple[int, ...]) -> Where:
        """Return where in the tensor lies, with all tokens, what lies there of those shown."""
        mine = (self.samples, self.tokens)
        both = enumerate(zip(where, shape, strict=True))
        return tuple(slice(0, n) if axis in mine else at for axis, (at, n) in both)

    def same(self, tensor: Tensor, held: "Box | Ragged | None") -> "Ragged | None":
        """Return that of another tensor along the same axes; None where it is padded otherwise.

        What it holds is known, None for all.
        """
        if isinstance(held, Ragged):
            return held if (held.samples, held.tokens) == (self.samples, self.tokens) else None
        if held is not None and held.cut(tensor.shape) != [self.tokens]:
            return None
        at = held.where[self.tokens] if held else slice(0, tensor.shape[self.tokens])
        count = tensor.shape[self.samples]
        return replace(self, first=(at.start,) * count, last=(at.stop,) * count)


@dataclass(frozen=True)
class _Rows:
    """The rows of a tensor, all that a token of a sample has."""

    tensor: Tensor
    samples: int
    tokens: int

    @property
    def length(self) -> int:
        shape = self.tensor.shape
        return math.prod(shape) // (shape[self.samples] * shape[self.tokens])

    def constant(self, some: slice, step: int = 1, shown: int = 0) -> np.ndarray:
        """Return which rows (samples, tokens) are of one element, as far as they are shown.

        Zeros of both signs are one.
        """
        at = [slice(None, None, max(n // shown, 1) if shown else 1) for n in self.tensor.shape]
        at[self.samples], at[self.tokens] = some, slice(None, None, step)
        found = np.asarray(self.tensor.array()[tuple(at)]).view(unsigned(self.tensor.dtype))
        found = one_zero(found)
        found = np.moveaxis(found, (self.samples, self.tokens), (0, 1))
        rows = tuple(range(2, found.ndim))
        alike: np.ndarray = found.min(axis=rows) == found.max(axis=rows)
        return alike
