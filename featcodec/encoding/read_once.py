"""Small dumps, of which each tensor is read once: the search for a choice takes many samples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from ..tensors import Source, Tensor
from . import workers


@dataclass(frozen=True)
class ReadOnce:
    """A dump whose tensors stay in memory from when they are first read."""

    source: Source

    @classmethod
    def small(cls, source: Source) -> Source:
        """Return a dump, its tensors read once where it is small.

        No group of so few bytes is large enough for processes, which read a file for themselves.
        """
        return cls(source) if source.data_bytes < workers.LEAST_VALUES else source

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
