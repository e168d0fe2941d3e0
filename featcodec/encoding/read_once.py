"""Small dumps, of which each tensor is read once: the search for a choice takes many samples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from ..tensors import Source, Tensor
from .workers import LEAST_VALUES

# Bytes of a dump. Of more, pieces are read as they are needed; no group of fewer is large enough
# for other processes, which read a file for themselves.
MOST = LEAST_VALUES - 1


@dataclass(frozen=True)
class ReadOnce:
    """A dump whose tensors stay in memory from when they are first read."""

    source: Source

    @classmethod
    def small(cls, source: Source) -> Source:
        """Return a dump, its tensors read once where it is small."""
        return cls(source) if source.data_bytes <= MOST else source

    @cached_property
    def tensors(self) -> Sequence[Tensor]:
        return [_once(tensor) for tensor in self.source.tensors]

    @property
    def metadata(self) -> dict[str, str] | None:
        return self.source.metadata

    @property
    def data_bytes(self) -> int:
        return self.source.data_bytes


def _once(tensor: Tensor) -> Tensor:
    return replace(tensor, read=cache(lambda: np.asarray(tensor.read())))
