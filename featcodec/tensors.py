"""What an encoder is given: tensors by name, read when they are touched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Tensor:
    """A tensor of a dump.

    `read` gives its stored elements, flat: a NumPy array, or what `np.asarray` makes one of, once
    it is cut to what is wanted.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], Any]


class Source(Protocol):
    """A dump: tensors in order, and metadata."""

    @property
    def tensors(self) -> Sequence[Tensor]:
        """The tensors, in the dump's order."""

    @property
    def metadata(self) -> dict[str, str] | None:
        """The dump's metadata, if it has any."""

    @property
    def data_bytes(self) -> int:
        """How large the dump is."""
