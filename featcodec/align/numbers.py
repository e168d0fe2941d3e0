"""Stored elements as NumPy arrays, and floating ones as floats (SPEC §4.2, §6.1)."""

import math
from functools import cache
from typing import Any

import numpy as np

from ..elements import BITS, PRECISION

# dtype -> NumPy type of the stored bits
STORED: dict[str, np.dtype] = {
    "F8_E5M2": np.dtype("<u1"),
    "F8_E4M3": np.dtype("<u1"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}


def unsigned(dtype: str) -> np.dtype:
    """Return the unsigned type that codes elements of a type bit for bit."""
    return np.dtype(f"<u{max(BITS[dtype] // 8, 1)}")


def one_zero(numbers: np.ndarray) -> np.ndarray:
    """Return elements of a float type, unsigned integers, of whose zeros none has a sign.

    >>> one_zero(np.array([0.0, -0.0, -1.0], "f4").view("u4"))
    array([         0,          0, 3212836864], dtype=uint32)
    """
    negative = numbers == negative_zero(numbers.dtype)
    return np.where(negative, 0, numbers).astype(numbers.dtype) if negative.any() else numbers


def negative_zero(kind: np.dtype) -> int:
    """Return the bits of -0.0, as an unsigned integer of its type."""
    return 1 << (8 * kind.itemsize - 1)


def stored_dtype(dtype: str) -> np.dtype:
    """Return the NumPy type that holds elements of a type."""
    return STORED.get(dtype, unsigned(dtype))


def elements_of(array: Any, first: int, last: int) -> np.ndarray:
    """Return elements first <= e < last of an array of any shape, the last axis fastest.

    The array may be part of another, in memory or in a file: not much else of it is read.
    """
    while array.ndim > 1 and array.shape[0] == 1:
        array = array.reshape(array.shape[1:])
    if array.ndim < 2:
        return np.asarray(array.reshape(-1)[first:last])
    each = math.prod(array.shape[1:])
    low, high = (first // each, -(-last // each)) if first < last else (0, 0)
    if high - low > 2 or array.ndim == 2:
        return np.asarray(array[low:high]).reshape(-1)[first - low * each : last - low * each]
    found = [
        elements_of(array[i : i + 1], max(first - i * each, 0), min(last - i * each, each))
        for i in range(low, high)
    ]
    return np.concatenate([np.zeros(0, array.dtype), *found])


def to_float(stored: np.ndarray, dtype: str) -> np.ndarray:
    """Return the exact values as float32, or float64 for F64; may be a view."""
    if dtype in ("F32", "F64"):
        return stored
    if dtype == "F16":
        return stored.astype(np.float32)
    if dtype == "BF16":
        wide = stored.astype(np.uint32)
        wide <<= np.uint32(16)  # NumPy 1 shifts no array of one value alone by a larger type
        return wide.view(np.float32)
    return _f8_values(dtype)[stored]


def from_float(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return finite values as stored bits, to nearest, ties to even, within the finite range."""
    if dtype in ("F32", "F64", "F16"):
        kind = STORED[dtype]
        top = np.finfo(kind).max
        return np.clip(values, -top, top).astype(kind, copy=False)
    if dtype == "BF16":
        bits = values.astype(np.float32).view(np.uint32)
        odd = (bits >> 16) & 1
        rounded = (bits + (np.uint32(0x7FFF) + odd)) >> 16
        return np.where(rounded & 0x7FFF == 0x7F80, rounded - 1, rounded).astype("<u2")
    table = _f8_values(dtype)[:128]
    finite = table[np.isfinite(table)].astype(np.float64)
    size = np.abs(values).astype(np.float64)
    middles = (finite[:-1] + finite[1:]) / 2
    low, high = np.searchsorted(middles, size, "left"), np.searchsorted(middles, size, "right")
    code = np.where(low % 2 == 0, low, high)  # they differ on a tie only
    return (code | np.where(np.signbit(values), 0x80, 0)).astype("<u1")


def spacing(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return the distance of neighbouring elements at finite float64 values."""
    precision = PRECISION[dtype]
    octave = np.frexp(values)[1] - 1
    return np.maximum(np.ldexp(precision.relative, octave), precision.least)


@cache
def _f8_values(dtype: str) -> np.ndarray:
    """Return the values of the 256 codes, after "FP8 Formats for Deep Learning" (2209.05433)."""
    mantissa_bits, bias = (2, 15) if dtype == "F8_E5M2" else (3, 7)
    code = np.arange(128)
    exponent, mantissa = code >> mantissa_bits, code & ((1 << mantissa_bits) - 1)
    scale = 1 << mantissa_bits
    value = np.where(
        exponent > 0,
        (1 + mantissa / scale) * 2.0 ** (exponent - bias),
        mantissa / scale * 2.0 ** (1 - bias),
    )
    if dtype == "F8_E5M2":
        value[124] = np.inf
        value[125:] = np.nan
    else:
        value[127] = np.nan
    return np.concatenate([value, -value]).astype(np.float32)
