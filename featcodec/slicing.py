"""A tensor of an open file, which decodes when it is indexed."""

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from .container.index import TensorEntry
from .elements import nbytes
from .errors import Corrupt

if TYPE_CHECKING:
    from .access import safe_open


class Slice:
    """A tensor of an open file, which takes the indices that arrays take.

    An integer or a slice along the first axis decodes the row groups that it touches, and no
    others; any other index decodes the tensor. What comes back has the type of `get_tensor`, and is
    a copy. Raises IndexError beyond the ends, and Corrupt when what
    is read does not decode.

    >>> from featcodec import encode_file, safe_open
    >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
    >>> with safe_open("feats.fcz") as f:
    ...     features = f.get_slice("features")
    ...     print(features.get_shape(), features.get_dtype())
    ...     print(features[5].shape, features[-10:, 0].shape)
    [360, 17, 64] F16
    (17, 64) (10, 64)
    """

    def __init__(self, file: "safe_open", entry: TensorEntry) -> None:
        """`entry` is that of a tensor of the open `file`; `get_slice` makes one by name."""
        self._file = file
        self._entry = entry

    def __repr__(self) -> str:
        return f"<Slice {self._entry.name!r}: {self.get_dtype()} {self.get_shape()}>"

    def get_shape(self) -> list[int]:
        """Return the shape of the tensor."""
        return list(self._entry.shape)

    def get_dtype(self) -> str:
        """Return the safetensors type of the elements, such as F16."""
        return self._entry.dtype

    @property
    def nbytes(self) -> int:
        """The bytes of the tensor's values."""
        return nbytes(self._entry.dtype, self._entry.values)

    def row_groups(self) -> list[range]:
        """Return the rows of the first axis that are decoded together, in order."""
        edges = [*self._file._decoder.edges(self._entry), self._entry.shape[0]]
        return [range(*pair) for pair in itertools.pairwise(edges)]

    def damaged(self) -> list[range]:
        """Return the rows of the first axis that hold damaged values, in order.

        The tensor is decoded for that. None are found where damage is an error.
        """
        return self._file._damaged_rows(self._entry)

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        shape = self._entry.shape
        if not shape or not parts or not isinstance(parts[0], (int, slice, np.integer)):
            return self._file.get_tensor(self._entry.name)[index]
        lead, rest = parts[0], parts[1:]
        if isinstance(lead, slice):
            wanted = range(*lead.indices(shape[0]))
            first = min(wanted, default=0)
            last = max(wanted, default=-1) + 1
            rows = self._file._rows(self._entry, first, last)
            if skipped := self._file._skipped(self._entry):
                left = without(wanted, skipped)
                return rows[[row - first for row in left]][(slice(None), *rest)]
            stop = wanted.stop - first if wanted.step > 0 or wanted.stop >= first else None
            inside = slice(wanted.start - first, stop, wanted.step) if wanted else slice(0, 0)
            return rows[(inside, *rest)]
        row = int(lead) + (shape[0] if lead < 0 else 0)
        if not 0 <= row < shape[0]:
            raise IndexError(
                f"index {lead} is out of range for {shape[0]} row{'s' * (shape[0] != 1)}"
            )
        found = self._file._rows(self._entry, row, row + 1)
        if any(row in some for some in self._file._skipped(self._entry)):
            raise Corrupt(f"{self._file._file.name}: row {row} of {self._entry.name!r} is damaged")
        return found[(0, *rest)]


def without(rows: range, skipped: list[range]) -> list[int]:
    """Return rows but for those that are skipped."""
    return [row for row in rows if not any(row in some for some in skipped)]
