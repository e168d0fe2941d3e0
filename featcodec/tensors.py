"""What an encoder is given: tensors by name, read when they are touched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .align.numbers import stored_dtype
from .container.cuts import Where, part_shape


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
    where: Where = ()  # of a part: its place in the tensor that `read` gives,
    of: str = ""  # the name of that
    whole: tuple[int, ...] = ()  # and its shape
    ragged: int | None = None  # the axis along which samples of unlike lengths lie, without padding

    def part(self, where: Where) -> "Tensor":
        """Return what lies there as a tensor of its own, named as NumPy indexes it.

        >>> import numpy as np
        >>> x = Tensor("kv", "F32", (2, 3, 4), lambda: np.arange(24, dtype="f4"))
        >>> x.part((1, slice(0, 3), slice(2, 4))).name
        'kv[1, :, 2:4]'
        """
        name = f"{self.name}[{', '.join(map(_index, where, self.shape))}]"
        shape, whole = part_shape(where), self.whole or self.shape
        if self.where:
            where = _moved(where, self.where)
        return Tensor(name, self.dtype, shape, self.read, where, self.name, whole)

    def array(self) -> Any:
        """Return the stored elements in the shape of the tensor."""
        flat = self.read().view(stored_dtype(self.dtype))
        return flat.reshape(self.whole)[self.where] if self.where else flat.reshape(self.shape)


def _index(at: int | slice, length: int) -> str:
    if isinstance(at, int):
        return str(at)
    return ":" if (at.start, at.stop) == (0, length) else f"{at.start}:{at.stop}"


def _moved(where: Where, box: Where) -> Where:
    """Return where in a tensor that lies which lies there in a box of it, which is of slices."""
    firsts = [at.start for at in box if isinstance(at, slice)]
    return tuple(
        at + first if isinstance(at, int) else slice(at.start + first, at.stop + first)
        for at, first in zip(where, firsts, strict=True)
    )


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
