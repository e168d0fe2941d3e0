"""rANS with integer tables (SPEC §7.4); the only module that imports constriction.

The coder is a stack of 32-bit words with a 64-bit head. Frequencies that sum to 2**24 and are
given as `(frequencies - 1).astype(float64)` pass through the rounding of constriction unchanged. So
the coder has exactly the tables of the format.
"""

from functools import lru_cache
from typing import Any

import constriction
import numpy as np


@lru_cache(maxsize=2048)
def _model(frequencies: bytes) -> Any:
    counts = np.frombuffer(frequencies, np.int64)
    return constriction.stream.model.Categorical((counts - 1).astype(np.float64), perfect=False)


class RansEncoder:
    """Collects symbol arrays in the order in which the decoder asks for them."""

    def __init__(self) -> None:
        self._arrays: list[tuple[np.ndarray, np.ndarray]] = []

    def put(self, symbols: np.ndarray, frequencies: np.ndarray) -> None:
        """Add symbols (int32, any shape, C order), indices into `frequencies`."""
        self._arrays.append((symbols.ravel(), frequencies))

    def finish(self) -> bytes:
        """Return the words, little-endian; no bytes when no symbol carries information."""
        coder = constriction.stream.stack.AnsCoder()
        for symbols, frequencies in reversed(self._arrays):
            coder.encode_reverse(symbols, _model(frequencies.tobytes()))
        return bytes(coder.get_compressed().astype("<u4").tobytes())


class RansDecoder:
    """Returns the symbol arrays, first in, first out."""

    def __init__(self, data: bytes | memoryview) -> None:
        """Raise ValueError when the last word is 0."""
        self._coder = constriction.stream.stack.AnsCoder(
            np.frombuffer(data, "<u4").astype(np.uint32)
        )

    def get(self, count: int, frequencies: np.ndarray) -> np.ndarray:
        """Return the next `count` symbols, int32."""
        return np.asarray(self._coder.decode(_model(frequencies.tobytes()), count))

    @property
    def exhausted(self) -> bool:
        return bool(self._coder.is_empty())
