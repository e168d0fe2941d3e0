"""NumPy arrays as the stored elements of safetensors types, and back.

NumPy itself has no bfloat16 and no float8 or float4: the package ml_dtypes adds them (JAX uses it).
Arrays of its types are recognised by name; it is imported only to make some.
"""

import math
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from .align.numbers import STORED, to_float
from .arguments import a_kind
from .elements import FLOATS, LIBRARY_NAMES
from .errors import InvalidInput

_TYPES = {name: dtype for dtype, name in LIBRARY_NAMES.items()}


def by_name(tensors: Any) -> Mapping[str, Any]:
    """Return a dictionary of arrays; raise InvalidInput for anything else, and for other names."""
    if not isinstance(tensors, Mapping):
        raise InvalidInput(
            f"arrays are given by name, as in {{'features': x}}, and not as"
            f" {type(tensors).__name__}"
        )
    for name, array in tensors.items():
        if not isinstance(name, str):
            raise InvalidInput(f"the name {name!r} is no text; give arrays by name")
        if isinstance(array, Mapping):
            joined = f"{name}.{next(iter(array), 'x')}"
            raise InvalidInput(f"{name!r} is a dictionary: flatten it, to names such as {joined!r}")
    return tensors


def to_stored(array: Any, what: str = "the array") -> tuple[np.ndarray, str]:
    """Return the stored elements of an array, little-endian, and their safetensors type.

    They have the shape of the array. Only of float4_e2m1fn, which takes a byte an element in
    ml_dtypes, two become one byte, the first in the low bits, as in torch and ONNX.

    Raises InvalidInput, which names the array as `what`, for types that safetensors lacks.

    >>> to_stored(np.ones((2, 3), np.float16))[1]
    'F16'
    """
    if not isinstance(getattr(array, "dtype", None), np.dtype):  # arrays of JAX have one, too
        raise InvalidInput(f"{what} is {a_kind(array)}; give a NumPy array")
    dtype = name_of(array.dtype, what)
    if dtype.startswith("F6_"):
        raise InvalidInput(
            f"{what} has type {array.dtype}, for which there is no common packing;"
            " float8_e4m3fn holds all its values"
        )
    array = np.asarray(array)
    little = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
    if dtype == "F4":
        return _pairs(little.view(np.uint8), what), dtype
    return little.view(STORED.get(dtype, np.dtype(f"<u{little.itemsize}"))), dtype


def stored_of(array: Any, what: str = "the array") -> tuple[np.ndarray, str]:
    """Return what `to_stored` does, of a NumPy array or of a torch tensor on any device.

    Raises InvalidInput as `to_stored` does.
    """
    torch = sys.modules.get("torch")  # whoever has a tensor has imported it
    if torch is not None and isinstance(array, torch.Tensor):
        from .torch.tensors import to_stored as of_torch

        return of_torch(array, what)
    if isinstance(array, (list, tuple)) and any(hasattr(one, "dtype") for one in array):
        raise InvalidInput(
            f"{what} is {a_kind(array)} of arrays; give each a name of its own, or stack them"
        )
    found = np.asarray(array)
    if found.dtype.kind in "OSU":
        raise InvalidInput(f"{what} is {a_kind(array)}; give a NumPy array or a tensor")
    return to_stored(found, what)


class Exporter:
    """Makes arrays of stored elements, those of one framework on one device."""

    def __init__(self, framework: str, device: str) -> None:
        """Raise InvalidInput for an unknown framework, and for a device that it lacks here."""
        if framework not in ("np", "numpy", "pt", "torch"):
            raise InvalidInput(f"framework {framework!r}: use numpy or torch")
        self.framework = framework
        self.device = device
        if framework not in ("np", "numpy"):
            from .torch.tensors import check_device  # says so where torch is missing

            check_device(device)
        elif str(device) != "cpu":
            raise InvalidInput(f"device {str(device)!r} is for framework='torch'; NumPy has cpu")

    def __call__(self, stored: np.ndarray, dtype: str, shape: tuple[int, ...]) -> Any:
        if self.framework in ("np", "numpy"):
            return from_stored(stored, dtype, shape)
        from .torch.tensors import from_stored as of_torch

        return of_torch(stored, dtype, shape).to(self.device)


def name_of(dtype: np.dtype, what: str = "the array") -> str:
    """Return the safetensors type of a type of NumPy or ml_dtypes.

    Raises InvalidInput, which names the array as `what`, for types that safetensors lacks.
    """
    if dtype.name not in _TYPES:
        raise InvalidInput(
            f"{what} has type {dtype}, which safetensors lacks; convert it with astype"
        )
    return _TYPES[dtype.name]


def from_stored(stored: np.ndarray, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the array of a shape that `to_stored` takes apart.

    Types that NumPy lacks are those of ml_dtypes where it is installed. Without it, BF16, F8_E4M3
    and F8_E5M2 become float32, which holds all their values.

    Raises InvalidInput for types that neither has.
    """
    check(dtype)
    kind = numpy_type(dtype)
    if kind is None:
        return to_float(stored, dtype).reshape(shape)
    if dtype == "F4":
        if 2 * stored.size != math.prod(shape):
            raise InvalidInput("rows of F4 that do not fill whole bytes: read the whole tensor")
        return np.stack([stored & 15, stored >> 4], axis=-1).view(kind).reshape(shape)
    return stored.view(kind).reshape(shape)


def check(dtype: str, what: str = "the tensor") -> None:
    """Raise InvalidInput, which names the tensor as `what`, for a type that arrays cannot have."""
    if numpy_type(dtype) is None and dtype not in FLOATS:
        library = "" if dtype.startswith("F6_") else "install ml_dtypes, use torch, or "
        raise InvalidInput(
            f"{what} has type {dtype}, which NumPy lacks: {library}decode it to a safetensors file"
        )


@cache
def numpy_type(dtype: str) -> np.dtype | None:
    """Return the type of NumPy or ml_dtypes for a safetensors type, None when there is none."""
    name = LIBRARY_NAMES[dtype]
    if is_of_numpy(dtype):
        return np.dtype(name).newbyteorder("<")
    if dtype.startswith("F6_"):
        return None
    try:
        import ml_dtypes
    except ImportError:
        return None
    return np.dtype(getattr(ml_dtypes, name)) if hasattr(ml_dtypes, name) else None


def is_of_numpy(dtype: str) -> bool:
    """Return whether NumPy has a type itself, so that its files may hold it."""
    # NumPy 1 knows bool by name alone, and warns.
    return dtype == "BOOL" or hasattr(np, LIBRARY_NAMES[dtype])


def shape_of(stored: np.ndarray, dtype: str) -> tuple[int, ...]:
    """Return the shape of the tensor with these stored elements."""
    shape = stored.shape
    return (*shape[:-1], 2 * shape[-1]) if dtype == "F4" else shape


def _pairs(codes: np.ndarray, what: str) -> np.ndarray:
    """Return 4-bit codes (..., n) packed two a byte (..., n / 2)."""
    if not codes.ndim or codes.shape[-1] % 2:
        raise InvalidInput(
            f"{what} has 4-bit values of shape {list(codes.shape)}: its last axis must be even,"
            " for they are stored in pairs"
        )
    packed: np.ndarray = (codes[..., ::2] & 15) | codes[..., 1::2] << 4
    return packed
