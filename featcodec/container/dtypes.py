"""The element types of safetensors and their codes in the format (SPEC §4.2)."""

from ..errors import Corrupt

# Name -> bits per element; the position in this table is the code in the file.
BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "U16": 16,
    "I16": 16,
    "U32": 32,
    "I32": 32,
    "U64": 64,
    "I64": 64,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F16": 16,
    "BF16": 16,
    "F32": 32,
    "F64": 64,
    "C64": 64,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F4": 4,
}
NAMES = tuple(BITS)
CODES = {name: code for code, name in enumerate(NAMES)}

# What NumPy, ml_dtypes and torch call them. Of F4, torch has pairs alone, with the suffix `_x2`.
LIBRARY_NAMES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3": "float8_e4m3fn",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F6_E2M3": "float6_e2m3fn",
    "F6_E3M2": "float6_e3m2fn",
    "F4": "float4_e2m1fn",
}

# The types whose values are features; all others come back bit for bit.
FLOATS = frozenset({"F8_E5M2", "F8_E4M3", "F16", "BF16", "F32", "F64"})


def name_of(code: int) -> str:
    if code >= len(NAMES):
        raise Corrupt(f"element type {code} is unknown")
    return NAMES[code]


def nbytes(dtype: str, values: int) -> int:
    """Return the bytes that many values take (types below a byte are packed)."""
    return values * BITS[dtype] // 8


def elements(dtype: str, values: int) -> int:
    """Return how many elements many values take (types below a byte are handled as bytes)."""
    return nbytes(dtype, values) // max(BITS[dtype] // 8, 1)
