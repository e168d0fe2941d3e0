"""The bits of floating elements that truncation to multiples of a step takes (SPEC §7.17).

Within an octave, the elements that one multiple stands for differ in their lowest bits, as many for
each. So these bits are stored. Elements below one step are coded as in section 8.

In place of values, the elements themselves may be coded, as numbers with a sign; they grow about as
the logarithm of the value does.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..align.numbers import STORED, from_float, to_float, unsigned
from ..elements import BITS, PRECISION
from ..entropy import exact, varints
from ..entropy.errors import SymbolError

RAW, ZERO = 0, 1  # codings of a bit of all elements


@dataclass(frozen=True)
class Refinement:
    """Truncation of elements towards multiples of a step, and what undoes it.

    The step is a power of two: a value that is normal in the type, or, of elements as numbers, 1 or
    more.
    """

    dtype: str
    step: float
    logarithmic: bool = False  # elements are coded as numbers, not as values

    @property
    def mantissa(self) -> int:
        """The bits of an element behind its exponent."""
        return -_octave(PRECISION[self.dtype].relative)

    @property
    def exponent(self) -> int:
        """The exponent of the step as elements have it; below it, multiples are zero."""
        return _octave(self.step) - _octave(PRECISION[self.dtype].least) + 1 - self.mantissa

    def floats(self, stored: np.ndarray) -> np.ndarray:
        """Return what is coded of stored elements (any shape): truncated, float64 or float32."""
        kind = unsigned(self.dtype)
        numbers = self.truncated(np.ascontiguousarray(stored).view(kind))
        if not self.logarithmic:
            return to_float(numbers.view(STORED[self.dtype]), self.dtype)
        top = kind.type(BITS[self.dtype] - 1)
        size = (numbers & ~(kind.type(1) << top)).astype(np.float64)
        return np.where(numbers >> top != 0, -size, size)

    def elements(self, values: np.ndarray) -> np.ndarray:
        """Return stored elements of decoded multiples."""
        if not self.logarithmic:
            return from_float(values, self.dtype)
        top = BITS[self.dtype] - 1
        size = np.minimum(np.abs(values), 2.0**top - 2.0 ** max(top - 53, 0)).astype(np.uint64)
        sign = np.signbit(values).astype(np.uint64) << np.uint64(top)
        return (size | sign).astype(unsigned(self.dtype)).view(STORED[self.dtype])

    def truncated(self, numbers: np.ndarray) -> np.ndarray:
        """Return the multiples of the step, as elements, that elements are truncated to."""
        width = self.widths(numbers).astype(numbers.dtype)
        kept = numbers >> width << width
        if self.logarithmic:
            return np.where(_zero(kept), 0, kept)
        return np.where(self._exponents(numbers) < self.exponent, 0, kept)

    def widths(self, multiples: np.ndarray) -> np.ndarray:
        """Return how many low bits truncation took of multiples other than zero, uint8."""
        if self.logarithmic:
            return np.full(multiples.shape, _octave(self.step), np.uint8)
        width = self.mantissa + self.exponent - self._exponents(multiples).astype(np.int32)
        return np.clip(width, 0, self.mantissa).astype(np.uint8)

    def pack(self, multiples: np.ndarray, numbers: np.ndarray) -> bytes:
        """Return the bytes that make elements (n,) of the multiples they were truncated to."""
        zero = _zero(multiples)
        coder = exact.ExactEncoder(True, [(1, 1)])
        coded = coder.encode(np.ascontiguousarray(numbers[zero])) if zero.any() else b""
        width, rest = self.widths(multiples[~zero]), numbers[~zero]
        parts = [varints.pack(len(coded)), coded]
        for place in range(int(width.max(initial=0))):
            bits = (rest[width > place] >> rest.dtype.type(place)).astype(np.uint8) & np.uint8(1)
            packed = np.packbits(bits, bitorder="little").tobytes()
            parts += [bytes((RAW,)), packed] if bits.any() else [bytes((ZERO,))]
        return b"".join(parts)

    def unpack(self, data: bytes | memoryview, multiples: np.ndarray) -> np.ndarray:
        """Return the elements (n,) of multiples; raise SymbolError when `data` is damaged."""
        view, zero = memoryview(data), _zero(multiples)
        size, start = varints.read(view, 0)
        end = start + size
        numbers = multiples.copy()
        if zero.any():
            count, kind = int(np.count_nonzero(zero)), numbers.dtype
            numbers[zero] = exact.decode(view[start:end], count, kind.itemsize, True)
        elif size:
            raise SymbolError("a refinement has elements below a step where there are none")
        rest = numbers[~zero]
        width = self.widths(rest)
        for place in range(int(width.max(initial=0))):
            wide = np.flatnonzero(width > place)
            bits, end = _bits(view, end, len(wide))
            rest[wide] |= bits.astype(rest.dtype) << rest.dtype.type(place)
        if end != len(view):
            raise SymbolError("bytes are left over behind a refinement")
        numbers[~zero] = rest
        return numbers

    def _exponents(self, numbers: np.ndarray) -> np.ndarray:
        kind = numbers.dtype.type
        most = (1 << BITS[self.dtype] - 1 - self.mantissa) - 1
        found: np.ndarray = (numbers >> kind(self.mantissa)) & kind(most)
        return found


def _octave(value: float) -> int:
    return math.frexp(value)[1] - 1


def _zero(multiples: np.ndarray) -> np.ndarray:
    """Return which multiples are zero, of either sign."""
    found: np.ndarray = multiples << multiples.dtype.type(1) == 0
    return found


def _bits(view: memoryview, start: int, count: int) -> tuple[np.ndarray, int]:
    """Return a bit of each of so many elements, and where they end."""
    if start >= len(view) or view[start] > ZERO:
        raise SymbolError("a bit of refined elements is missing, or its coding unknown")
    if view[start] == ZERO:
        return np.zeros(count, np.uint8), start + 1
    end = start + 1 + -(-count // 8)
    if end > len(view):
        raise SymbolError("the bits of refined elements are truncated")
    packed = np.frombuffer(view[start + 1 : end], np.uint8)
    return np.unpackbits(packed, count=count, bitorder="little"), end
