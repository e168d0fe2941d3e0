"""A decoder of the featcodec format, in the order of SPEC.md, with the standard library only.

It is written from the specification alone, to be read beside it: comments give the section. It is
slow, it holds the whole file in memory, and it computes in double precision throughout.

    python reference_decoder.py FILE.fcz OUT.safetensors [--profile P]...
    python reference_decoder.py --check FILE [--profile P]...
"""

import argparse
import hashlib
import itertools
import json
import math
import struct
import sys
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import mul
from pathlib import Path


class FormatError(ValueError):
    """The file breaks a rule of the format."""


def must(condition: object, reason: str) -> None:
    """State a rule whose breach makes the file invalid."""
    if not condition:
        raise FormatError(reason)


# ---- 1. Primitives -------------------------------------------------------------------------------


class Reader:
    """Reads the primitives of section 1 from a field, never beyond its end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, n: int) -> bytes:
        must(n <= len(self.data) - self.at, "a field runs beyond its end")
        self.at += n
        return self.data[self.at - n : self.at]

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def end(self) -> None:
        must(self.at == len(self.data), "bytes are left over at the end of a field")

    def uint(self, n: int) -> int:
        return int.from_bytes(self.take(n), "little")

    def u8(self) -> int:
        return self.take(1)[0]

    def f64(self) -> float:
        return float(struct.unpack("<d", self.take(8))[0])

    def varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.u8()
            value |= (byte & 127) << shift
            if byte < 128:
                must(byte or not shift, "a varint ends in a zero byte")
                must(value < 2**64, "a varint is too large")
                return value
        raise FormatError("a varint is too long")

    def varints(self, n: int) -> list[int]:
        # each takes a byte at least: a false count fails here, not for want of memory
        must(n <= len(self.data) - self.at, "a field runs beyond its end")
        return [self.varint() for _ in range(n)]

    def svarint(self) -> int:
        u = self.varint()
        return -(u + 1) // 2 if u & 1 else u // 2

    def blob(self) -> bytes:
        return self.take(self.varint())

    def string(self) -> str:
        return utf8(self.blob())

    def deflated(self, limit: int) -> "Reader":
        n = self.varint()
        must(n <= limit, "a packed field is too large")
        return Reader(inflate(self.rest(), n))


def utf8(data: bytes) -> str:
    must(len(data) <= 65536, "a string is too long")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("a string is not UTF-8") from None


def inflate(data: bytes, n: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        out = stream.decompress(data, n + 1)
    except zlib.error:
        raise FormatError("a zlib stream is damaged") from None
    sound = len(out) == n and stream.eof and not stream.unused_data
    must(sound, "a zlib stream has not the length stated")
    return out


# ---- 2. File, 3. Sections ------------------------------------------------------------------------

MAGIC = b"\x89FCZ\r\n\x1a\n"
FEATURES, PROFILE = 0, 1


@dataclass
class Section:
    """A section with its place in the file."""

    type: bytes
    payload: bytes
    offset: int
    end: int


def read_section(data: bytes, offset: int) -> Section:
    """Section 3: the section at an offset, its CRC-32 checked."""
    must(offset + 20 <= len(data), "a section runs beyond the end of the file")
    kind, flags, length = struct.unpack_from("<4sIQ", data, offset)
    must(length <= 2**40, "a section is too large")
    end = offset + 20 + length
    must(end <= len(data), "a section runs beyond the end of the file")
    (crc,) = struct.unpack_from("<I", data, end - 4)
    must(crc == zlib.crc32(data[offset : end - 4]), "the CRC-32 of a section does not match")
    must(flags <= 1, "unknown flags of a section")
    known = kind in (b"ROWS", b"GRUP", b"ENTR", b"INDX", b"END ")
    must(known or not flags, f"unknown critical section {kind!r}")
    must(flags or not known, f"section {kind!r} is not critical")
    return Section(kind, data[offset + 16 : end - 4], offset, end)


def read_file(data: bytes, kind: int) -> tuple[list[Section], "Index"]:
    """Section 2: all sections before INDX, and INDX."""
    must(len(data) >= 56, "the file is truncated")
    must(data[:8] == MAGIC, "not a featcodec file")
    major, _, found, crc = struct.unpack_from("<BBHI", data, 8)
    must(crc == zlib.crc32(data[:12]), "the CRC-32 of the signature does not match")
    must(major == 1, f"unknown major version {major}")
    must(found in (FEATURES, PROFILE), f"unknown kind {found}")
    must(found == kind, "the file is a profile" if found else "the file is not a profile")
    last = len(data) - 36
    must(data[last : last + 4] == b"END ", "the file is truncated")
    end = read_section(data, last)
    must(len(end.payload) == 16, "END has a wrong length")
    at, length = struct.unpack("<QQ", end.payload)
    must(length == len(data), "END states another length of the file")
    indx = read_section(data, at)
    must(indx.type == b"INDX" and indx.end == last, "INDX does not end where END begins")
    index = read_index(indx.payload)
    sections, offset = [], 20
    for type_, size in zip(index.types, index.lengths, strict=True):
        section = read_section(data, offset)
        sound = section.type == type_ and section.end - offset == size
        must(sound, "a section is not the one that INDX lists")
        must(type_ not in (b"INDX", b"END "), "INDX lists itself or END")
        sections.append(section)
        offset = section.end
    must(offset == at, "INDX does not follow the last section")
    must(kind == FEATURES or not index.names, "a profile with tensors")
    return sections, index


# ---- 4. INDX -------------------------------------------------------------------------------------

TYPES = (
    "BOOL U8 I8 U16 I16 U32 I32 U64 I64 F8_E5M2 F8_E4M3 F16 BF16 F32 F64 C64 F8_E8M0 F8_E4M3FNUZ "
    "F8_E5M2FNUZ F6_E2M3 F6_E3M2 F4"
).split()
BITS = (8, 8, 8, 16, 16, 32, 32, 64, 64, 8, 8, 16, 16, 32, 64, 64, 8, 8, 8, 6, 6, 4)
WORDS = {1: "B", 2: "H", 4: "I", 8: "Q"}  # array codes of unsigned integers, by width


def is_floating(dtype: int) -> bool:
    return 9 <= dtype <= 14


def width(dtype: int) -> int:
    """Bytes of an element; of a type below 8 bits the element is a byte."""
    return max(BITS[dtype] // 8, 1)


def stored(dtype: int, shape: Sequence[int]) -> int:
    """Bytes of a tensor."""
    bits = math.prod(shape) * BITS[dtype]
    must(bits % 8 == 0, "a packed tensor does not fill its last byte")
    return bits // 8


@dataclass
class Index:
    """What INDX holds."""

    metadata: dict[str, str] | None = None
    profiles: list[bytes] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    dtypes: list[int] = field(default_factory=list)
    shapes: list[list[int]] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    types: list[bytes] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)


def read_index(payload: bytes) -> Index:
    """Section 4.1."""
    r, index = Reader(Reader(payload).deflated(2**30).data), Index()
    present = r.u8()
    must(present <= 1, "the byte before the metadata is neither 0 nor 1")
    if present:
        index.metadata = {}
        for _ in range(r.varint()):
            key = r.string()
            must(key not in index.metadata, "a metadata key stands twice")
            try:
                index.metadata[key] = r.blob().decode("utf-8")
            except UnicodeDecodeError:
                raise FormatError("metadata are not UTF-8") from None
    count = r.varint()
    must(count <= 2**20, "too many profiles")
    index.profiles = [r.take(32) for _ in range(count)]
    n = r.varint()
    must(n <= 2**24, "too many tensors")
    name = b""
    shared, rests = r.varints(n), r.varints(n)
    for same, more in zip(shared, rests, strict=True):
        must(same <= len(name), "a name shares more than the one before it has")
        name = name[:same] + r.take(more)
        index.names.append(utf8(name))
    must(len(set(index.names)) == n, "two tensors of one name")
    index.dtypes = list(r.take(n))
    must(all(d < len(TYPES) for d in index.dtypes), "unknown element type")
    ranks = r.take(n)
    must(max(ranks, default=0) <= 16, "a rank is too large")
    index.shapes = [[] for _ in range(n)]
    for axis in range(16):
        for rank, shape in zip(ranks, index.shapes, strict=True):
            if rank > axis:
                shape.append(r.varint())
    must(all(math.prod(s) <= 2**62 for s in index.shapes), "a tensor is too large")
    index.groups = r.varints(n)
    m = r.varint()
    must(4 * m <= len(r.data), "a field runs beyond its end")
    index.types = [r.take(4) for _ in range(m)]
    index.lengths = r.varints(m)
    r.end()
    return index


# ---- 5. GRUP -------------------------------------------------------------------------------------


@dataclass
class Lossy:
    """What it takes to decode a row group with loss; a message (9.1) gives the same."""

    dtype: int
    layout: str
    prefix: int
    grid: list[int]
    lower: float = 0.0
    upper: float = 0.0
    mean: float = 0.0
    deviation: float = 1.0
    step: float = 1.0
    step_scale: int = 0
    clamp: bool = False
    seed: int = 0
    shift: int = 0  # of a message: added to all scales
    models: list["Model"] = field(default_factory=list)
    views: list["View"] = field(default_factory=list)


@dataclass
class Group:
    """A tensor group; ``lossy`` is None when it is coded bit for bit."""

    dtype: int
    slabs: int
    per: int
    first: int
    lossy: Lossy | None = None

    def rows(self) -> int:
        return -(-self.slabs // self.per)


def read_group(payload: bytes, shapes: list[list[int]], profiles: list["Profile"]) -> Group:
    """Section 5, for tensors of the given shapes."""
    r = Reader(payload)
    coding, dtype = r.u8(), r.u8()
    must(coding <= 1 and dtype < len(TYPES), "unknown coding or element type")
    group = Group(dtype, r.varint(), r.varint(), r.varint())
    must(group.per, "no slabs in a row group")
    r.take(16)  # SNR and largest error: what the encoder measured
    if not coding:
        total = sum(stored(dtype, s) // width(dtype) for s in shapes)
        must(group.slabs == total, "the number of slabs is wrong")
        must(min(group.per, group.slabs) <= 2**27, "a row group is too large")
        r.end()
        return group
    must(is_floating(dtype), "an element type that cannot be coded with loss")
    must(r.u8() <= 2, "unknown architecture")
    layout, prefix, grid = r.string(), r.varint(), r.varints(r.u8())
    z = group.lossy = Lossy(dtype, layout, prefix, grid)
    z.lower, z.upper = r.f64(), r.f64()
    r.varint()
    z.mean, z.deviation, z.step = r.f64(), r.f64(), r.f64()
    must(all(map(math.isfinite, (z.lower, z.upper, z.mean, z.deviation, z.step))), "not finite")
    must(z.lower <= z.upper and z.deviation > 0 and z.step > 0, "bounds, deviation or step")
    z.step_scale = r.svarint()
    flags = r.u8()
    must(flags < 4, "unknown flags of a group")
    z.clamp = bool(flags & 1)  # bit 1 asks for double precision, which this decoder always uses
    at = r.varint()
    must(at <= len(profiles), "no such profile")
    profile = profiles[at - 1] if at else None
    z.seed = profile.seed if profile else 0
    z.views = [view(s, layout, prefix, grid) for s in shapes]
    must(len({v.channels for v in z.views}) == 1, "tensors differ in the number of channels")
    channels = z.views[0].channels
    z.models = [read_part(r, channels, profile, bool(i)) for i in range(2 if prefix else 1)]
    r.end()
    check_slabs(z)
    must(group.slabs == sum(v.samples * z.rows_of(v) for v in z.views), "number of slabs")
    return group


def read_part(r: Reader, channels: int, profile: "Profile | None", of_prefix: bool) -> "Model":
    kind = r.u8()
    must(kind <= 1, "unknown part")
    if not kind:
        return read_model(r.blob(), channels)
    r.u8()
    e = r.varint()
    must(profile and e < len(profile.entries), "no such entry of the profile")
    assert profile
    entry = profile.entries[e]
    must(entry.channels == channels, "the entry has another number of channels")
    must(entry.of_prefix == of_prefix, "the entry is of the other part")
    more = read_scales(r.blob(), channels, entry.model.points, 1)
    rows = zip(entry.model.scales, more, strict=True)
    scales = [list(map(sum, zip(*both, strict=True))) for both in rows]
    tables = {**entry.model.tables, **read_tables(r.blob())}
    return replace(entry.model, scales=scales, tables=tables)
