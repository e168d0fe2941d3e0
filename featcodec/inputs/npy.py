"""NumPy's arrays in files: their headers, and how they are read without being loaded."""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .. import limits
from ..align.numbers import stored_dtype
from ..arrays import name_of
from ..container.source import File
from ..errors import InvalidInput, first_line
from ..file_array import FileArray
from ..tensors import Tensor
from .contents import Contents
from .spool import Spool, in_order

MAGIC = b"\x93NUMPY"
NAME = "features"  # of an array that has none
HEADER_BYTES = 1 << 16  # of a header: NumPy itself reads no more than 10,000
UNNAMED = ("<f1", "<V1", "<V2")  # how the types of ml_dtypes are stored
OTHERS = {"U": "text", "S": "text", "M": "dates", "m": "times"}  # kinds of elements
READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True)
class Header:
    """What the head of an array in a file says of it."""

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool
    start: int  # bytes before the elements

    @property
    def nbytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.shape)

    @property
    def plain(self) -> bool:
        """Whether the elements lie in C order, little-endian."""
        one_axis = sum(n > 1 for n in self.shape) < 2
        return self.dtype == self.little and (one_axis or not self.fortran)

    @property
    def little(self) -> np.dtype:
        return self.dtype.newbyteorder("<")

    def ordered(self, elements: FileArray) -> FileArray:
        """Return the elements as they lie in the file in the shape of the array."""
        flat = elements.view(self.dtype)
        if not self.fortran:
            return flat.reshape(self.shape)
        return flat.reshape(self.shape[::-1]).transpose(tuple(range(len(self.shape)))[::-1])


def header_of(head: bytes, what: str) -> Header:
    """Return the header of an array from the first bytes of its file.

    Raises InvalidInput, which names the array as `what`, for a header that is not sound and for
    elements that are no numbers of a known type.
    """
    stream: Any = io.BytesIO(head)
    try:
        version = np.lib.format.read_magic(stream)
        if version not in READ_HEADER:  # which none but structured elements needs
            raise InvalidInput(f"{what} is structured: save each field as an array of its own")
        shape, fortran, dtype = READ_HEADER[version](stream)
    except InvalidInput:
        raise
    except Exception as error:  # NumPy raises whatever a literal of Python may
        if "valid dtype" in str(error) and any(repr(name) in str(error) for name in UNNAMED):
            raise InvalidInput(_unnamed(what)) from None
        raise InvalidInput(f"{what} has no sound header of NumPy: {first_line(error)}") from None
    _check_type(dtype, what)
    limits.check_rank(shape, what)
    if min(shape, default=0) < 0 or math.prod(shape) > limits.TENSOR_VALUES:
        raise InvalidInput(f"{what} has a shape that no array has: {list(shape)}")
    return Header(dtype, shape, fortran, stream.tell())


def _check_type(dtype: np.dtype, what: str) -> None:
    """Raise InvalidInput for elements that are no numbers of a known type."""
    if dtype.hasobject:
        raise InvalidInput(f"{what} holds Python objects, which are not read: save numbers")
    if dtype.names:
        fields = ", ".join(dtype.names)
        raise InvalidInput(
            f"{what} is structured (fields {fields}): save each field as an array of its own"
        )
    if dtype.kind == "V":
        raise InvalidInput(_unnamed(what))
    if dtype.kind in OTHERS:
        raise InvalidInput(f"{what} holds {OTHERS[dtype.kind]}: save numbers")
    name_of(dtype, what)


def _unnamed(what: str) -> str:
    return (
        f"{what} has elements without a type, as NumPy stores bfloat16 and float8 of ml_dtypes:"
        " save it as float32, or with safetensors.numpy"
    )


def tensor_of(
    name: str,
    header: Header,
    elements: Callable[[], FileArray],
    spool: Callable[[], Spool],
    what: str,
) -> Tensor:
    """Return an array in a file as a tensor; `elements` gives its bytes there."""
    dtype = name_of(header.dtype, what)
    kind = stored_dtype(dtype)
    if header.plain:
        return Tensor(name, dtype, header.shape, lambda: elements().view(kind))

    @cache
    def read() -> FileArray:
        pieces = in_order(header.ordered(elements()), header.little)
        return spool().add(pieces, header.nbytes, what).view(kind)

    return Tensor(name, dtype, header.shape, read)


def read(file: File) -> Contents:
    """Return the one array of a .npy file; InvalidInput when it is not sound."""
    header = header_of(file.read(0, HEADER_BYTES), file.name)
    end = header.start + header.nbytes
    if file.size != end:
        raise InvalidInput(f"{file.name} has {file.size:,} bytes where its header states {end:,}")
    elements = FileArray.of(file)[header.start :]
    return Contents([tensor_of(NAME, header, lambda: elements, cache(Spool), file.name)])
