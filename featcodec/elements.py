"""The element types of safetensors, all that is known of them in one table (SPEC §4.2)."""

from dataclasses import dataclass

from .errors import Unsupported


@dataclass(frozen=True)
class Precision:
    """How finely the numbers of a floating type lie."""

    relative: float  # distance of neighbouring numbers, relative to them,
    least: float  # and at least
    largest: float  # finite number
    exact_above: float  # SNR in dB beyond which no transform reaches it in fewer bits


@dataclass(frozen=True)
class ElementType:
    """An element type; its position in `TYPES` is its code in the format."""

    name: str  # in safetensors
    bits: int
    library: str  # in NumPy, ml_dtypes and torch; of F4, torch has pairs, with the suffix `_x2`
    precision: Precision | None = None  # of types whose values are features


TYPES = (
    ElementType("BOOL", 8, "bool"),
    ElementType("U8", 8, "uint8"),
    ElementType("I8", 8, "int8"),
    ElementType("U16", 16, "uint16"),
    ElementType("I16", 16, "int16"),
    ElementType("U32", 32, "uint32"),
    ElementType("I32", 32, "int32"),
    ElementType("U64", 64, "uint64"),
    ElementType("I64", 64, "int64"),
    ElementType("F8_E5M2", 8, "float8_e5m2", Precision(2.0**-2, 2.0**-16, 57344.0, 24)),
    ElementType("F8_E4M3", 8, "float8_e4m3fn", Precision(2.0**-3, 2.0**-9, 448.0, 30)),
    ElementType("F16", 16, "float16", Precision(2.0**-10, 2.0**-24, 65504.0, 66)),
    ElementType(
        "BF16", 16, "bfloat16", Precision(2.0**-7, 2.0**-133, (2 - 2.0**-7) * 2.0**127, 48)
    ),
    ElementType(
        "F32", 32, "float32", Precision(2.0**-23, 2.0**-149, (2 - 2.0**-23) * 2.0**127, 110)
    ),
    ElementType(
        "F64", 64, "float64", Precision(2.0**-52, 2.0**-1074, (2 - 2.0**-52) * 2.0**1023, 140)
    ),
    ElementType("C64", 64, "complex64"),
    ElementType("F8_E8M0", 8, "float8_e8m0fnu"),
    ElementType("F8_E4M3FNUZ", 8, "float8_e4m3fnuz"),
    ElementType("F8_E5M2FNUZ", 8, "float8_e5m2fnuz"),
    ElementType("F6_E2M3", 6, "float6_e2m3fn"),
    ElementType("F6_E3M2", 6, "float6_e3m2fn"),
    ElementType("F4", 4, "float4_e2m1fn"),
)
NAMES = tuple(t.name for t in TYPES)
CODES = {name: code for code, name in enumerate(NAMES)}
BITS = {t.name: t.bits for t in TYPES}
LIBRARY_NAMES = {t.name: t.library for t in TYPES}
PRECISION = {t.name: t.precision for t in TYPES if t.precision is not None}

# The types whose values are features; all others come back bit for bit.
FLOATS = frozenset(PRECISION)


def name_of(code: int) -> str:
    """Return the type with that code; Unsupported when there is none, as in a later version."""
    if code >= len(NAMES):
        raise Unsupported(f"element type {code} is unknown; a newer featcodec is needed")
    return NAMES[code]


def nbytes(dtype: str, values: int) -> int:
    """Return the bytes that many values take (types below a byte are packed)."""
    return values * BITS[dtype] // 8


def count(dtype: str, values: int) -> int:
    """Return how many elements many values take (types below a byte are handled as bytes)."""
    return nbytes(dtype, values) // max(BITS[dtype] // 8, 1)
