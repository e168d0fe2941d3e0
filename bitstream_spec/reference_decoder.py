"""A decoder of the featcodec format, in the order of SPEC.md, with the standard library only.

It is written from the specification alone, to be read beside it: comments give the section. It is
slow, it holds the whole file in memory, and it computes in double precision throughout.

    python reference_decoder.py FILE.fcz OUT.safetensors [--profile P]...
    python reference_decoder.py --check FILE [--profile P]...
"""

from __future__ import annotations

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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import mul
from pathlib import Path
from typing import Any


class FormatError(ValueError):
    """The file breaks a rule of the format."""


def must(condition: object, reason: str) -> None:
    """State a rule whose breach makes the file invalid."""
    if not condition:
        raise FormatError(reason)


# ---- 10. Limits ----------------------------------------------------------------------------------

LIMITS = {
    "HEADER_BYTES": 100_000_000,
    "GROUPS": 2**20,
    "PARTS": 2**20,
    "RANK": 16,
    "STRING_BYTES": 65_536,
    "TENSOR_VALUES": 2**59,
    "INDEX_BYTES": 2**30,
    "SECTION_BYTES": 2**40,
    "CHANNELS": 65_536,
    "BLOCK_POINTS": 256,
    "COEFFICIENTS": 2**24,
    "KLT_NUMBERS": 2**22,
    "PROFILE_KLT_NUMBERS": 2**26,
    "CHANNEL_WEIGHTS": 2**24,
    "SLAB_VALUES": 2**26,
    "REPEAT_ROWS": 2**18,
    "REPEAT_RUNS": 2**20,
    "SLICES": 2**22,
    "ROW_GROUP_VALUES": 2**27,
    "PROFILE_ENTRIES": 4096,
    "NETWORK_HEADER_BYTES": 2**20,
    "PICTURE_LATENTS": 2**27,
    "PICTURE_INNER_VALUES": 2**28,
}


def within(n: int, limit: str, times: int = 1) -> int:
    """A number that must not be above a limit, or so many times it."""
    must(n <= times * LIMITS[limit], f"{n} is beyond the limit {limit}")
    return n


# ---- 1. Primitives -------------------------------------------------------------------------------


class Reader:
    """Reads the primitives of section 1 from a field, never beyond its end."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.data, self.at = data, 0

    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, n: int) -> bytes:
        must(n <= self.left(), "a field runs beyond its end")
        self.at += n
        return bytes(self.data[self.at - n : self.at])

    def peek(self) -> int:
        return self.data[self.at] if self.left() else -1

    def rest(self) -> bytes:
        return self.take(self.left())

    def end(self) -> None:
        must(not self.left(), "bytes are left over at the end of a field")

    def uint(self, n: int) -> int:
        return int.from_bytes(self.take(n), "little")

    def u8(self) -> int:
        return self.take(1)[0]

    def real(self) -> float:
        k = self.u8()
        data = self.take(k)
        must(k <= 8 and data[:1] != b"\0", "a number has too many bytes, or begins with 0")
        return float(struct.unpack("<d", bytes(8 - k) + data)[0])

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
        must(n <= self.left(), "a field runs beyond its end")
        return [self.varint() for _ in range(n)]

    def svarint(self) -> int:
        u = self.varint()
        return -(u + 1) // 2 if u & 1 else u // 2

    def blob(self) -> bytes:
        return self.take(self.varint())

    def string(self) -> str:
        return utf8(self.take(within(self.varint(), "STRING_BYTES")))

    def lengths(self) -> list[int]:
        """The number of axes, and their lengths."""
        return self.varints(within(self.u8(), "RANK"))

    def layout(self) -> str:
        layout = self.string()
        within(len(layout), "RANK")
        return layout


class Deflated(Reader):
    """Reads a deflated field, which is unpacked no further than it is read."""

    def __init__(self, data: bytes, limit: int) -> None:
        r = Reader(data)
        self.size, self.packed = r.varint(), r.rest()
        must(self.size <= limit, "a packed field is too large")
        self.stream, self.ready = zlib.decompressobj(), bytearray()
        super().__init__(self.ready)

    def left(self) -> int:
        return self.size - self.at

    def more(self, n: int) -> bytes:
        """The next n bytes at most; none at the end."""
        try:
            found = self.stream.decompress(self.packed, n)
        except zlib.error:
            raise FormatError("a zlib stream is damaged") from None
        self.packed = self.stream.unconsumed_tail
        return found

    def take(self, n: int) -> bytes:
        must(n <= self.left(), "a field runs beyond its end")
        while len(self.ready) < self.at + n:
            found = self.more(2**16)
            must(found, "a zlib stream has not the length stated")
            self.ready += found
        return super().take(n)

    def end(self) -> None:
        super().end()
        sound = len(self.ready) == self.size and not self.more(1) and self.stream.eof
        must(sound and not self.stream.unused_data, "a zlib stream has not the length stated")


def utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("text is not UTF-8") from None


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
KNOWN = (b"ROWS", b"GRUP", b"ENTR", b"NETW", b"INDX", b"END ")
# Transforms (6).
NONE, LINEAR, BANDED, WEIGHTED, LOW_RANK, LAYERED, CONTEXT, CONTEXT_MEANS = range(8)
INTERPOLATED, PREDICTED, SPLIT, CONTEXT_SHARED = range(8, 12)
OF_ENTRIES = NONE, LINEAR, BANDED, WEIGHTED, LOW_RANK, CONTEXT_SHARED  # those of profiles
CONTEXTS = CONTEXT, CONTEXT_MEANS, CONTEXT_SHARED
UNCHAINED = PREDICTED, SPLIT, INTERPOLATED  # those without dependent quantisation
BELONG = {FEATURES: (b"ROWS", b"GRUP"), PROFILE: (b"ENTR", b"NETW")}
BESIDE = (b"prof", b"made")  # in files of features


@dataclass
class Section:
    """A section with its place in the file."""

    type: bytes
    payload: bytes
    offset: int
    end: int


def read_section(data: bytes, offset: int) -> Section:
    """Section 3: the section at an offset, its CRC-32 checked."""
    must(offset + 16 <= len(data), "a section runs beyond the end of the file")
    kind, length = struct.unpack_from("<4sQ", data, offset)
    within(length, "SECTION_BYTES")
    end = offset + 16 + length
    must(end <= len(data), "a section runs beyond the end of the file")
    (crc,) = struct.unpack_from("<I", data, end - 4)
    must(crc == zlib.crc32(data[offset : end - 4]), "the CRC-32 of a section does not match")
    must(kind in KNOWN or b"a" <= kind[:1] <= b"z", f"unknown critical section {kind!r}")
    return Section(kind, data[offset + 12 : end - 4], offset, end)


def read_file(data: bytes, kind: int) -> tuple[list[Section], Index]:
    """Section 2: all sections before INDX, and INDX."""
    must(len(data) >= 48, "the file is truncated")
    must(data[:8] == MAGIC, "not a featcodec file")
    major, _, found, crc = struct.unpack_from("<BBHI", data, 8)
    must(crc == zlib.crc32(data[:12]), "the CRC-32 of the signature does not match")
    must(major == 7, f"unknown major version {major}")
    must(found in (FEATURES, PROFILE), f"unknown kind {found}")
    must(found == kind, "the file is a profile" if found else "the file is not a profile")
    last = len(data) - 32
    must(data[last : last + 4] == b"END ", "the file is truncated")
    end = read_section(data, last)
    must(len(end.payload) == 16, "END has a wrong length")
    length, of_indx = struct.unpack("<QQ", end.payload)
    must(length == len(data), "END states another length of the file")
    at = last - of_indx
    must(at >= 16, "INDX overlaps the signature")
    indx = read_section(data, at)
    must(indx.type == b"INDX" and indx.end == last, "INDX does not end where END begins")
    index = read_index(indx.payload, at - 16)
    sections, offset = [], 16
    for type_, size in zip(index.types, index.lengths, strict=True):
        section = read_section(data, offset)
        sound = section.type == type_ and section.end - offset == size
        must(sound, "a section is not the one that INDX lists")
        must(type_ not in KNOWN or type_ in BELONG[kind], f"a section {type_!r} in a wrong place")
        must(type_ not in BESIDE or kind == FEATURES, f"a section {type_!r} in a profile")
        sections.append(section)
        offset = section.end
    must(offset == at, "INDX does not follow the last section")
    must(kind == FEATURES or not index.names, "a profile with tensors")
    within(index.types.count(b"GRUP"), "GROUPS")
    within(index.types.count(b"ENTR"), "PROFILE_ENTRIES")
    must(index.types.count(b"NETW") <= 1, "two networks in a profile")
    must(index.types.count(b"made") <= 1, "two notes on the making of a file")
    must(index.types.count(b"qual") <= 1, "two sections of qualities")
    for section in sections:
        if section.type == b"made":
            utf8(section.payload)
    return sections, index


# ---- 4. INDX -------------------------------------------------------------------------------------

NAMES = """BOOL U8 I8 U16 I16 U32 I32 U64 I64 F8_E5M2 F8_E4M3 F16 BF16 F32 F64 C64 F8_E8M0
    F8_E4M3FNUZ F8_E5M2FNUZ F6_E2M3 F6_E3M2 F4"""
TYPES = NAMES.split()
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
    cuts: dict[int, Cut] = field(default_factory=dict)


def read_index(payload: bytes, room: int) -> Index:
    """Section 4.1, of a file whose sections take so many bytes."""
    r, index = Deflated(payload, LIMITS["INDEX_BYTES"]), Index()
    present = r.u8()
    must(present <= 1, "the byte before the metadata is neither 0 nor 1")
    text = 0  # bytes, of names and metadata
    if present:
        index.metadata = {}
        count = r.varint()
        within(5 * count, "HEADER_BYTES")
        for _ in range(count):
            key = r.string()
            must(key not in index.metadata, "a metadata key stands twice")
            n = r.varint()
            text = within(text + len(key) + n, "HEADER_BYTES")
            index.metadata[key] = utf8(r.take(n))
    count = r.varint()
    must(16 * count <= room, "more profiles than there is room for groups")
    index.profiles = [r.take(32) for _ in range(count)]
    must(len(set(index.profiles)) == count, "a profile that is listed twice")
    n = r.varint()
    within(text + 49 * n, "HEADER_BYTES")
    index.names = read_names(r, n, text)
    index.dtypes = list(r.take(n))
    must(all(d < len(TYPES) for d in index.dtypes), "unknown element type")
    ranks = r.take(n)
    within(max(ranks, default=0), "RANK")
    within(48 * n + 2 * sum(ranks), "HEADER_BYTES")
    index.shapes = [[] for _ in range(n)]
    for axis in range(max(ranks, default=0)):
        for rank, shape in zip(ranks, index.shapes, strict=True):
            if rank > axis:
                shape.append(r.varint())
    for dtype, shape in zip(index.dtypes, index.shapes, strict=True):
        within(math.prod(length for length in shape if length), "TENSOR_VALUES")
        stored(dtype, shape)
    within(header_bytes(index), "HEADER_BYTES")
    index.groups = r.varints(n)
    m = r.varint()
    must(16 * m <= room, "more sections than there is room for")
    index.types = [r.take(4) for _ in range(m)]
    index.lengths = r.varints(m)
    must(min(index.lengths, default=16) >= 16, "a section without room for its frame")
    groups = index.types.count(b"GRUP")
    if r.left():
        index.cuts = read_cuts(r, index)
    most = n + sum(len(cut.groups) for cut in index.cuts.values())
    must(
        len(index.profiles) <= groups <= most, "profiles without groups, or groups without tensors"
    )
    r.end()
    return index


@dataclass
class Cut:
    """How a tensor is cut: along each axis the places of the parts, and whether they have it."""

    places: list[list[range]]
    kept: list[bool]
    groups: list[int]

    def parts(self) -> list[tuple[range, ...]]:
        return list(itertools.product(*self.places))

    def shape(self, part: Sequence[range]) -> list[int]:
        return [len(places) for places, kept in zip(part, self.kept, strict=True) if kept]


def read_cuts(r: Reader, index: Index) -> dict[int, Cut]:
    """Section 4.3."""
    found: dict[int, Cut] = {}
    count, total, last = r.varint(), 0, -1
    must(count, "cuts of no tensor")
    for _ in range(count):
        t = r.varint()
        must(last < t < len(index.shapes), "a cut of no tensor, or not in order")
        last, shape = t, index.shapes[t]
        lengths: list[list[int]] = []  # none where the axis is whole
        parts, each = 1, []
        for n in shape:
            k = r.varint()
            lengths.append(r.varints(k) if k > 1 else [])
            must(k < 2 or (min(lengths[-1]) and sum(lengths[-1]) == n), "the lengths of parts")
            each.append(k == 1)
            parts *= n if k == 1 else max(k, 1)
        must(math.prod(shape) and BITS[index.dtypes[t]] >= 8, "a cut of nothing, or through bytes")
        must(not all(each) and (any(each) or any(lengths)), "a cut into elements, or into one")
        total = within(total + parts, "PARTS")
        places = []
        for n, cut, single in zip(shape, lengths, each, strict=True):
            edges = [0, *itertools.accumulate(cut or [n])]
            edges = list(range(n + 1)) if single else edges
            places.append([range(a, b) for a, b in itertools.pairwise(edges)])
        kept = [not single for single in each]
        found[t] = Cut(places, kept, [index.groups[t], *r.varints(parts - 1)])
    return found


def check_cut(cut: Cut, layout: str) -> None:
    """The rule of 4.3 for the samples of parts."""
    letters = iter(layout)
    letter = [next(letters, "") if kept else "" for kept in cut.kept]
    samples = [i for i, name in enumerate(letter) if name == "N"]
    if samples:
        must(all(cut.kept[samples[0] : samples[-1]]), "an axis between samples that is cut")
        must(all(len(cut.places[i]) == 1 for i in samples[1:]), "an inner sample axis that is cut")


def read_names(r: Reader, n: int, text: int) -> list[str]:
    """The names, whose sum is known before they are put together."""
    names, name, before = [], b"", 0
    shared, rests = r.varints(n), r.varints(n)
    for same, more in zip(shared, rests, strict=True):
        must(same <= before, "a name shares more than the one before it has")
        before = within(same + more, "STRING_BYTES")
    within(text + 49 * n + sum(shared) + sum(rests), "HEADER_BYTES")
    for same, more in zip(shared, rests, strict=True):
        name = name[:same] + r.take(more)
        names.append(utf8(name))
    must(len(set(names)) == n, "two tensors of one name")
    must("__metadata__" not in names, "a reserved name")
    return names


def header_bytes(index: Index) -> int:
    """Section 10.1: the bytes of the safetensors header of the dump."""
    entries, at = [], 0
    if index.metadata is not None:
        pairs = [[key, value] for key, value in index.metadata.items()]
        # `"key":"value",` is as long as `["key","value"]` but for a bracket
        entries.append(len('"__metadata__":{}') + sum(json_bytes(pair) - 1 for pair in pairs))
        entries[0] -= bool(pairs)
    for name, dtype, shape in zip(index.names, index.dtypes, index.shapes, strict=True):
        offsets = [at, at := at + stored(dtype, shape)]
        tensor = {"dtype": TYPES[dtype], "shape": shape, "data_offsets": offsets}
        entries.append(json_bytes({name: tensor}) - 2)
    return sum(entries) + max(len(entries) - 1, 0) + 2


def json_bytes(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


# ---- 5. GRUP -------------------------------------------------------------------------------------


@dataclass
class Curve:
    """What 6.6 adds to values, by their distance from the lower bound."""

    width: float
    knots: Sequence[int]


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
    dependent: bool = False  # 7.10
    curve: Curve | None = None
    seed: int = 0
    shift: int = 0  # of a message: added to all scales
    models: list[Model] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    constants: dict[int, int] = field(default_factory=dict)  # elements of channels
    gains: bool = False
    slices: list[list[list[float]]] | None = None  # 6.9: of each view and sample, those of runs
    network: Network | None = None  # with coding 2
    picture_step: int = 0  # with coding 2
    stack: tuple[int, int] = (1, 1)  # 5.1: so many tensors, so far apart
    refined: bool = False  # 7.17
    logarithmic: bool = False  # 7.17


@dataclass
class Group:
    """A tensor group; ``lossy`` is None when it is coded bit for bit."""

    dtype: int
    slabs: int
    per: int
    first: int
    lossy: Lossy | None = None
    repeats: Repeats | None = None

    def rows(self) -> int:
        return -(-self.slabs // self.per)


# The flags of a group.
REPEATS, TASK_SNR, CLAMP, DOUBLE, DEPENDENT, CURVE = 1, 2, 4, 8, 16, 32
CONSTANTS, GAINS, SLICES, REFINED, LOGARITHMIC, STACKS = 64, 128, 256, 512, 1024, 2048
ALLOWED = (REPEATS, 4095, TASK_SNR | CLAMP | DOUBLE | DEPENDENT)  # with each coding


def read_head(r: Reader) -> tuple[int, int, Group]:
    """Coding, flags, and what the headers of all groups begin with."""
    coding, dtype, flags = r.u8(), r.u8(), r.varint()
    must(coding <= 2, "unknown coding")
    must(flags <= 4095, "unknown flags of a group")
    must(not flags & ~ALLOWED[coding], "a flag that does not go with the coding")
    for pair in (TASK_SNR | SLICES, TASK_SNR | STACKS, REPEATS | STACKS):
        must(flags & pair != pair, "two flags that do not go together")
    must(dtype < len(TYPES), "unknown element type")
    group = Group(dtype, r.varint(), r.varint(), r.varint())
    must(group.per, "no slabs in a row group")
    within(min(group.per, group.slabs), "ROW_GROUP_VALUES")
    r.real(), r.real()  # SNR and largest error: what the encoder measured
    if flags & TASK_SNR:
        must(math.isfinite(r.real()), "the task SNR is not finite")
    return coding, flags, group


def read_group(payload: bytes, shapes: list[list[int]], profiles: list[Profile]) -> Group:
    """Section 5, for tensors of the given shapes."""
    r = Reader(payload)
    coding, flags, group = read_head(r)
    dtype = group.dtype
    layout = r.layout() if coding or flags & REPEATS else ""
    listed, values = None, sum(map(math.prod, shapes))
    if flags & REPEATS:
        must(BITS[dtype] >= 8 and all(map(math.prod, shapes)), "rows of parts of bytes, or of none")
        within(values, "ROW_GROUP_VALUES", group.rows())
        listed = read_repeats(r.blob(), BITS[dtype])
    if not coding:
        total = sum(stored(dtype, s) // width(dtype) for s in shapes)
        if listed:
            group.repeats = Repeats(listed, layout, 0, [], shapes, group.rows())
            total = group.repeats.elements()
        must(group.slabs == total, "the number of slabs is wrong")
        r.end()
        return group
    within(values, "ROW_GROUP_VALUES", group.rows())
    must(is_floating(dtype), "an element type that cannot be coded with loss")
    stack = (r.varint(), r.varint()) if flags & STACKS else (1, 1)
    must(stack[0] > 1 or not flags & STACKS, "stacks of one tensor")
    shapes = stacked(shapes, *stack)
    must(r.u8() <= 2, "unknown architecture")
    prefix, grid = r.varint(), r.lengths()
    z = group.lossy = Lossy(dtype, layout, prefix, grid, stack=stack)
    z.lower, z.upper = r.real(), r.real()
    r.varint()
    z.mean, z.deviation, z.step = r.real(), r.real(), r.real()
    must(all(map(math.isfinite, (z.lower, z.upper, z.mean, z.deviation, z.step))), "not finite")
    must(z.lower <= z.upper and z.deviation > 0 and z.step > 0, "bounds, deviation or step")
    z.step_scale = r.svarint()
    z.clamp, z.dependent = bool(flags & CLAMP), bool(flags & DEPENDENT)
    z.gains, z.refined = bool(flags & GAINS), bool(flags & REFINED)
    z.logarithmic = bool(flags & LOGARITHMIC)  # DOUBLE: this decoder is always that precise
    if flags & CURVE:
        z.curve = Curve(r.real(), struct.unpack("<24b", r.take(24)))
        must(0 < z.curve.width < math.inf, "the width of a correction curve")
    if flags & CONSTANTS:
        n = within(r.varint(), "CHANNELS")
        constant, elements = r.varints(n), r.varints(n)
        must(n and all(map(int.__lt__, constant, constant[1:])), "the constant channels")
        must(all(e < 1 << BITS[dtype] for e in elements), "an element of too many bits")
        z.constants = dict(zip(constant, elements, strict=True))
    gains = read_slices(r) if flags & SLICES else None
    at = r.varint()
    must(at <= len(profiles), "no such profile")
    profile = profiles[at - 1] if at else None
    z.seed = profile.seed if profile else 0
    z.views = [view(s, layout, prefix, grid, stack[0]) for s in shapes]
    if listed:
        group.repeats = Repeats(listed, layout, prefix, grid, shapes, group.rows())
        z.views = group.repeats.views()
    must(len({v.channels for v in z.views}) == 1, "tensors differ in the number of channels")
    channels = z.views[0].channels
    must(max(z.constants, default=0) < channels, "a constant channel that there is not")
    parts = range(2 if prefix else 1)
    z.models = [read_part(r, channels, profile, bool(i), z.dependent) for i in parts]
    if coding == 2:
        z.picture_step = r.svarint()
        must(abs(z.picture_step) <= 256, "the step of pictures")
    if gains:
        z.slices = slices_of(gains, channels, shapes, layout, group.repeats)
    r.end()
    if coding == 2:
        must(not prefix and not grid, "a network and prefix tokens or a grid behind them")
        must(profile and profile.network, "no profile with a network")
        must(z.models[0].points == 1, "a network and blocks of more than one token")
        z.network = profile.network if profile else None
    check_quantisers(z)
    if z.refined or z.logarithmic:
        others = 4095 & ~(REPEATS | DOUBLE | REFINED | LOGARITHMIC | STACKS)
        must(z.refined and flags & DOUBLE and not flags & others, "flags of a refined group")
        check_refined(z, profile)
    check_slabs(z)
    total = sum(v.samples * rows_of(z, v) for v in z.views)
    must(group.slabs == total, "the number of slabs is wrong")
    return group


def read_slices(r: Reader) -> tuple[bool, int, bytes]:
    """Section 6.9: whether gains are of samples, the number of runs, and the gains, packed."""
    per_sample, runs = r.u8(), r.varint()
    must(per_sample <= 1 and runs, "gains of samples, or of runs")
    return bool(per_sample), runs, r.blob()


def slices_of(
    gains: tuple[bool, int, bytes],
    channels: int,
    shapes: list[list[int]],
    layout: str,
    repeats: Repeats | None,
) -> list[list[list[float]]]:
    """The gains of runs of channels, for each tensor and sample that is coded."""
    per_sample, runs, packed = gains
    must(channels % runs == 0, "gains of runs")
    counts = [math.prod(n for n, a in zip(s, layout, strict=True) if a == "N") for s in shapes]
    n = within((sum(counts) if per_sample else len(shapes)) * runs, "SLICES")
    found = read_integers(packed, n)
    must(all(abs(gain) <= 512 for gain in found), "a gain of a tensor or sample")
    rows = [[2 ** (k / 16) for k in found[i : i + runs]] for i in range(0, n, runs)]
    before = list(itertools.accumulate(counts, initial=0))

    def of(t: int, sample: int) -> list[float]:
        return rows[before[t] + sample] if per_sample else rows[t]

    if repeats:
        return [[of(*place) for place in places] for places in repeats.samples()]
    return [[of(t, s) for s in range(count)] for t, count in enumerate(counts)]


def check_quantisers(z: Lossy) -> None:
    """The rules of dependent quantisation (7.10)."""
    for model in z.models if z.dependent else []:
        must(model.transform not in UNCHAINED, "dependent quantisation in the sample domain")
        first = 78 if model.transform in CONTEXTS else 128
        full = all(table.magnitude for number, table in model.tables.items() if number >= first)
        must(full, "an empty table of a quantiser")


def read_part(
    r: Reader,
    channels: int,
    profile: Profile | None,
    of_prefix: bool,
    dependent: bool,
) -> Model:
    kind = r.u8()
    must(kind <= 1, "unknown part")
    if not kind:
        sets = 3 if dependent else 1
        return read_model(r.blob(), channels, True, sets)
    transform = r.u8()
    must(transform in OF_ENTRIES, "the transform of an entry")
    e = r.varint()
    must(profile and e < len(profile.entries), "no such entry of the profile")
    assert profile
    entry = profile.entries[e]
    must(entry.channels == channels, "the entry has another number of channels")
    must(entry.of_prefix == of_prefix, "the entry is of the other part")
    alike = transform == entry.model.transform or max(transform, entry.model.transform) <= LINEAR
    must(alike, "the entry has another transform")
    more = read_scales(r.blob(), channels, entry.model.points, 1)
    rows = zip(entry.model.scales, more, strict=True)
    scales = [list(map(sum, zip(*both, strict=True))) for both in rows]
    tables = {**entry.model.tables, **read_tables(r.blob())}
    return replace(entry.model, scales=scales, tables=tables)


# ---- 5.1 Layout ----------------------------------------------------------------------------------


@dataclass
class Lattice:
    """The tokens of one part in a sample: where they begin, and for each axis length and stride."""

    base: int
    lengths: list[int]
    strides: list[int]


@dataclass
class View:
    """A tensor as samples, tokens and channels; strides count elements."""

    shape: list[int]
    samples: int
    sample_stride: int
    channels: int
    offsets: Sequence[int]  # of the channels
    parts: list[Lattice]  # the grid, and the prefix tokens when there are any


def stacked(shapes: list[list[int]], count: int, distance: int) -> list[list[int]]:
    """Of each stack the shape of its tensors."""
    must(count and distance, "stacks of nothing")
    must(len(shapes) % (count * distance) == 0, "tensors that fill no stack")
    order = places_of(len(shapes), count, distance)
    for at in order if count > 1 else []:
        must(all(shapes[i] == shapes[at[0]] for i in at), "a stack of tensors of unlike shapes")
        must(math.prod(shapes[at[0]]), "a stack of tensors without values")
    return [shapes[at[0]] for at in order]


def places_of(n: int, count: int, distance: int) -> list[list[int]]:
    """Of each stack the numbers of its tensors, of ``n`` in all."""
    runs = range(0, n, count * distance)
    return [[run + j * distance + i for j in range(count)] for run in runs for i in range(distance)]


def view(shape: list[int], layout: str, prefix: int, grid: list[int], stack: int = 1) -> View:
    must(len(layout) == len(shape) and set(layout) <= set("NLHWTCD"), "layout and shape disagree")
    must("N" * layout.count("N") in layout, "the sample axes are not side by side")
    axes = [i for i, letter in enumerate(layout) if letter in "LHWT"]
    must(len(axes) == len({layout[i] for i in axes}) <= 3, "the grid axes of the layout")
    channel = [i for i, letter in enumerate(layout) if letter in "CD"]
    strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    lattice = Lattice(0, [shape[i] for i in axes], [strides[i] for i in axes])
    parts = [lattice]
    must(grid or not prefix, "prefix tokens without a grid")
    if grid:
        must([layout[i] for i in axes] == ["L"], "a grid behind another axis than L")
        must(lattice.lengths[0] == prefix + math.prod(grid), "the grid does not fill its axis")
        unit = lattice.strides[0]
        inner = [unit * math.prod(grid[i + 1 :]) for i in range(len(grid))]
        parts = [Lattice(prefix * unit, grid, inner)]
        if prefix:
            parts.append(Lattice(0, [prefix], [unit]))
    samples = [i for i, letter in enumerate(layout) if letter == "N"]
    beside = [(stack, math.prod(shape))] if stack > 1 else []
    return View(
        [stack, *shape] if stack > 1 else shape,
        math.prod(shape[i] for i in samples),
        strides[samples[-1]] if samples else 0,
        within(stack * math.prod(shape[i] for i in channel), "CHANNELS"),
        channels_at(beside + [(shape[i], strides[i]) for i in channel]),
        parts,
    )


def channels_at(axes: list[tuple[int, int]]) -> Sequence[int]:
    """Where the channels of a token are, from length and stride of each channel axis."""
    if len(axes) == 1 and axes[0][1]:
        return range(0, axes[0][0] * axes[0][1], axes[0][1])
    return [
        sum(at) for at in itertools.product(*([i * step for i in range(n)] for n, step in axes))
    ]


def several_channels(layout: str) -> bool:
    return sum(letter in "CD" for letter in layout) > 1


# ---- 5.2 Blocks ----------------------------------------------------------------------------------


def runs(n: int, longest: int, first: int, last: int) -> list[tuple[int, int, int]]:
    """Of the blocks first ... last - 1 of an axis, runs of equal length: (start, count, length)."""
    k = -(-n // longest)
    if not k:
        return []
    short, more = divmod(n, k)
    a, b = min(max(first, 0), more), min(last, more)
    found = [(a * (short + 1), b - a, short + 1)]
    a, b = max(first, more), min(last, k)
    found.append((a * short + more, b - a, short))
    return [run for run in found if run[1] > 0]


# ---- 5.3 Slabs and coding order ------------------------------------------------------------------


def rows_of(z: Lossy, v: View) -> int:
    """Slabs of a sample."""
    lengths = v.parts[0].lengths
    return -(-lengths[0] // z.models[0].axes[0]) if lengths and not z.prefix else 1


def check_slabs(z: Lossy) -> None:
    """The rules for models and views together, and the limit of a slab."""
    for part, model in enumerate(z.models):
        must(not part or model.axes == [1], "the model of the prefix tokens has blocks")
        for v in z.views:
            must(len(v.parts[part].lengths) == len(model.axes), "the model has other axes")
    for v in z.views:
        values = math.prod(v.shape)
        if values:
            longest, tokens = 1, 1
            if v.parts[0].lengths and not z.prefix:  # a slab is a row of blocks
                tokens = v.parts[0].lengths[0]
                longest = -(-tokens // rows_of(z, v))
            within(values // v.samples // tokens * longest, "SLAB_VALUES")


@dataclass
class Piece:
    """Blocks of one class in one tensor: where each begins, and its points relative to that."""

    tensor: int
    origins: list[int]
    points: list[int]
    samples: list[int]  # of each block


Classes = list[tuple[tuple[int, tuple[int, ...]], list[Piece]]]


def classes(z: Lossy, low: int, high: int) -> Classes:
    """The classes, (part, block size), of the slabs low ... high - 1, in coding order."""
    found: dict[tuple[int, tuple[int, ...]], list[Piece]] = {}
    before = 0
    for t, v in enumerate(z.views):
        per = rows_of(z, v)
        a, b = max(low - before, 0), min(high - before, v.samples * per)
        before += v.samples * per
        if a >= b or not math.prod(v.shape):
            continue
        (s0, r0), (s1, r1) = divmod(a, per), divmod(b, per)
        if s0 == s1:  # begins and ends within one sample
            pieces = [(s0, s0 + 1, r0, r1)]
        else:
            whole = s0 + (r0 > 0)
            pieces = [(s0, whole, r0, per), (whole, s1, 0, per), (s1, s1 + (r1 > 0), 0, r1)]
        for first, last, top, bottom in pieces:
            for part, size, piece in combinations(z, v, first, last, top, bottom):
                piece.tensor = t
                found.setdefault((part, size), []).append(piece)
    return sorted(found.items(), key=lambda item: item[0])


def combinations(
    z: Lossy, v: View, first: int, last: int, top: int, bottom: int
) -> Iterator[tuple[int, tuple[int, ...], Piece]]:
    """The runs of a piece: samples first ... last - 1, rows of blocks top ... bottom - 1."""
    samples = [s * v.sample_stride for s in range(first, last)]
    for part, (lattice, model) in enumerate(zip(v.parts, z.models, strict=True)):
        cut = [runs(n, b, 0, n) for n, b in zip(lattice.lengths, model.axes, strict=True)]
        if cut and not z.prefix:
            cut[0] = runs(lattice.lengths[0], model.axes[0], top, bottom)
        for combination in itertools.product(*cut):
            starts = [
                [(start + i * length) * stride for i in range(count)]
                for (start, count, length), stride in zip(combination, lattice.strides, strict=True)
            ]
            size = tuple(length for _, _, length in combination)
            inner = [
                [i * stride for i in range(n)]
                for n, stride in zip(size, lattice.strides, strict=True)
            ]
            points = [sum(place) for place in itertools.product(*inner)]
            origins = [lattice.base + sum(place) for place in itertools.product(samples, *starts)]
            if origins:
                each = len(origins) // len(samples)
                numbers = [s for s in range(first, last) for _ in range(each)]
                yield part, size, Piece(0, origins, points, numbers)


# ---- 5.4 Repeated rows ---------------------------------------------------------------------------


@dataclass
class RepeatedRows:
    """Whether rows are samples, and runs: new rows before, rows, distance."""

    whole: bool
    runs: list[tuple[int, int, int]]
    constants: list[int]


def read_repeats(data: bytes, bits: int) -> RepeatedRows:
    r = Deflated(data, 11 + 30 * LIMITS["REPEAT_RUNS"])
    whole, n = r.u8(), within(r.varint(), "REPEAT_RUNS")
    must(whole <= 1 and n, "what is a row, or no runs")
    new, repeated, distances = r.varints(n), r.varints(n), r.varints(n)
    constants = r.varints(distances.count(0))
    must(all(c < 1 << bits for c in constants), "an element of too many bits")
    r.end()
    return RepeatedRows(bool(whole), list(zip(new, repeated, distances, strict=True)), constants)


class Repeats:
    """The rows of a group's tensors: in `same`, for each of them the number of a new row.

    Of a constant row it is -1 less the number of its constant.
    """

    def __init__(
        self,
        found: RepeatedRows,
        layout: str,
        prefix: int,
        grid: list[int],
        shapes: list[list[int]],
        row_groups: int,
    ) -> None:
        must(not several_channels(layout), "repeated rows of several channel axes")
        letters = [letter for letter in layout if letter in "LHWT"]
        self.layout, self.whole = layout, found.whole or bool(prefix) or not letters
        self.prefix, self.grid, self.runs = prefix, grid, found.runs
        # Of a whole sample the tokens of L need not be told apart.
        cut = [view(s, layout, prefix, grid) for s in shapes]
        self.tensors = [view(s, layout, 0, []) for s in shapes] if self.whole else cut
        self.per = [1 if self.whole else v.parts[0].lengths[0] for v in self.tensors]
        counts = [v.samples * per for v, per in zip(self.tensors, self.per, strict=True)]
        rows = within(sum(counts), "REPEAT_ROWS", row_groups)
        self.same, self.new = [], []  # self.new: the tensor, and the sample, of each new row
        self.constants, numbers = found.constants, itertools.count(-1, -1)
        kind: list[tuple[int, ...]] = []  # of each new row, the lengths of its axes
        of = [(t, i // per) for t, (n, per) in enumerate(zip(counts, self.per)) for i in range(n)]
        shape = [(*v.parts[0].lengths[0 if self.whole else 1 :], v.channels) for v in self.tensors]
        for new, repeated, distance in [*found.runs, (-1, 0, 0)]:
            must(new + repeated <= rows - len(self.same), "more rows than tensors have")
            for _ in range(new if new >= 0 else rows - len(self.same)):
                t, sample = of[len(self.same)]
                self.same.append(len(self.new))
                self.new.append((t, sample))
                kind.append(shape[t])
            if repeated or new >= 0:
                must(repeated and distance <= len(self.same), "a run of repeated rows")
                must(distance or self.constants, "a distance of 0")
            if repeated and not distance:
                self.same += [next(numbers)] * repeated
                continue
            for _ in range(repeated):
                before, at = len(self.same) - distance, len(self.same)
                must(shape[of[before][0]] == shape[of[at][0]], "a row repeats one unlike it")
                self.same.append(self.same[before])
        must(self.new, "no row is left")
        self.of, self.sizes = of, [math.prod(lengths) for lengths in kind]

    def elements(self) -> int:
        return sum(self.sizes)

    def reduced(self) -> list[tuple[tuple[int, int], list[int]]]:
        """Of each reduced tensor the tensor, the rows of a sample, and the samples it is of."""
        kept = [(t, len(list(rows)), sample) for (t, sample), rows in itertools.groupby(self.new)]
        found = itertools.groupby(kept, key=lambda one: one[:2])
        return [(alike, [sample for _, _, sample in some]) for alike, some in found]

    def samples(self) -> list[list[tuple[int, int]]]:
        """Of each sample of the reduced tensors the tensor, and which of its samples it is."""
        return [[(t, sample) for sample in some] for (t, _), some in self.reduced()]

    def views(self) -> list[View]:
        """The reduced tensors, each with its elements in the order samples, grid, channel."""
        found = []
        for (t, rows), alike in self.reduced():
            v, n = self.tensors[t], len(alike)
            lengths = v.parts[0].lengths if self.whole else [rows, *v.parts[0].lengths[1:]]
            layout = "N" + "LHWT"[: len(lengths)] + "C"
            grid = self.grid if self.whole else []
            found.append(view([n, *lengths, v.channels], layout, self.prefix, grid))
        return found

    def restore(self, data: array[int]) -> list[array[int]]:
        """The elements of all tensors, from those of the new rows."""
        sizes = [math.prod(v.shape) * data.itemsize for v in self.tensors]
        out = [array(data.typecode, bytes(size)) for size in sizes]
        begins = [0, *itertools.accumulate(self.sizes)]
        inner = []  # places of the elements of a row, from where it begins
        for v in self.tensors:
            axes = list(zip(v.parts[0].lengths, v.parts[0].strides, strict=True))
            axes = [*axes[0 if self.whole else 1 :], (v.channels, (*v.offsets, 0, 0)[1])]
            steps = [[i * stride for i in range(n)] for n, stride in axes]
            inner.append([sum(place) for place in itertools.product(*steps)])
        number, before = 0, -1
        for (t, sample), row in zip(self.of, self.same, strict=True):
            number = number + 1 if t == before else 0
            before, v = t, self.tensors[t]
            begin = sample * v.sample_stride
            if not self.whole:
                begin += number % self.per[t] * v.parts[0].strides[0]
            if row < 0:
                values: Sequence[int] = [self.constants[-1 - row]] * len(inner[t])
            else:
                values = data[begins[row] : begins[row + 1]]
            for place, value in zip(inner[t], values, strict=True):
                out[t][begin + place] = value
        return out


# ---- 6. Models -----------------------------------------------------------------------------------


Basis = list[tuple[int, list[float], float]]  # reflectors: first place, vector, 2 / (v' v)


@dataclass
class Model:
    """A model; ``scales`` and ``tables`` are those in force for a part."""

    transform: int
    axes: list[int]
    points: int  # of the longest block
    centres: list[float]
    bands: list[int]  # of each place of the longest block; empty without bands
    bases: list[Basis]  # of each band; else one alone; of a metric the KLTs
    scales: list[list[int]]  # of each channel and place
    tables: dict[int, Table]
    prediction: Prediction | None = None  # 7.11
    peak: int = 0  # 7.12
    offsets: Sequence[int] = ()  # 7.13
    interpolation: Interpolation | None = None  # 7.16
    means: Sequence[int] = ()  # 7.18
    mean_table: Table | None = None  # 7.18
    axes_of: list[Basis] = field(default_factory=list)  # 6.7, of each band
    gains: list[list[float]] = field(default_factory=list)  # 6.7, of each band and channel
    place_gains: list[float] = field(default_factory=list)  # 6.7
    mixing: Basis = field(default_factory=list)  # 6.10
    layers: list[Basis] = field(default_factory=list)  # 6.10, of each mixed layer

    @property
    def samples(self) -> bool:
        """Whether there is no DCT, whatever the size of a block."""
        return self.transform in (*CONTEXTS, *UNCHAINED)


def read_model(
    data: bytes,
    channels: int,
    own: bool = False,
    sets: int = 1,
) -> Model:
    """Section 6; ``own`` says whether it stands in a file, where it may have more transforms.

    There are so many ``sets`` of offsets (7.13, 7.14).
    """
    r = Reader(data)
    transform = r.u8()
    must(transform <= CONTEXT_SHARED, "unknown transform")
    must(
        transform in OF_ENTRIES or own,
        "a transform in a profile that is for a group's own models",
    )
    axes = r.lengths()
    points = math.prod(axes)
    must(points, "an empty block")
    within(points, "BLOCK_POINTS")
    within(channels * points, "COEFFICIENTS")
    count, q, unit = r.varint(), r.u8(), r.u8()
    must(count <= channels, "more reflectors than channels")
    bands: list[int] = []
    if transform == BANDED:
        n = r.varint()
        must(2 <= n <= 16, "the number of bands")
        bands = list(read_integers(r.blob(), points))
        must(set(bands) == set(range(n)), "a band that does not exist, or that has no place")
    gains: list[int] = []
    if transform == WEIGHTED:
        r.string()
        must(0 <= r.real() < math.inf, "the recommended task SNR")
        n = r.varint()
        must(1 <= n <= 16, "the number of bands")
        packed, weights = r.blob(), r.blob()
        within(n * channels, "COEFFICIENTS")
        bands = list(read_integers(packed, points))
        must(set(bands) == set(range(n)), "a band that does not exist, or that has no place")
        gains = list(read_integers(weights, n * channels + points))
        must(all(abs(g) <= 256 for g in gains), "a weight is too large")
    if transform in CONTEXTS:
        fits = 1 <= len(axes) <= 3 and math.prod(axes[:-2]) == 1
        must(fits, "context modelling of blocks that are no maps")
        must(not count, "context modelling and reflectors")
    if transform in (PREDICTED, SPLIT):
        must(math.prod(axes[:-2]) == 1, "blocks that are no maps")
        must(not count, "the sample domain and reflectors")
    prediction = read_prediction(r.blob(), channels) if transform == PREDICTED else None
    peak = r.varint() if transform == SPLIT else 0
    must(peak <= 2**20, "the peak is too large")
    offsets: Sequence[int] = ()
    own_tables: dict[int, Table] = {}
    if transform in CONTEXTS:
        offsets = read_integers(r.blob(), 144 if transform == CONTEXT_SHARED else 48 * sets)
        must(all(-128 <= o <= 128 for o in offsets), "an offset is too large")
        own_tables = read_own_tables(r.blob())
    means: Sequence[int] = ()
    mean_table = None
    if transform == CONTEXT_MEANS:
        means = read_integers(r.blob(), channels + 16)
        must(all(abs(m) <= 4096 for m in means), "an expected mean is too large")
        of_means = Reader(r.blob())
        mean_table = read_table(of_means)
        of_means.end()
    interpolation = None
    if transform == INTERPOLATED:
        fits = 1 <= len(axes) <= 3 and math.prod(axes[:-2]) == 1
        must(fits and not count, "interpolation with reflectors, or of blocks that are no maps")
        interpolation = read_interpolation(r.blob(), channels)
    mixing, layers = read_layers(r, channels) if transform == LAYERED else ([], [])
    must(not (layers and count), "a basis beside those of layers")
    centres = [math.ldexp(c, -q) for c in read_integers(r.blob(), channels)]
    of_bands = (max(bands, default=0) + 1) * (2 if gains else 1)
    if count:
        numbers = 2 * channels * count if transform == LOW_RANK else of_bands * channels**2
        within(numbers, "KLT_NUMBERS" if own else "PROFILE_KLT_NUMBERS")
    size = count * channels - count * (count - 1) // 2
    packed = r.blob()
    must(not (layers and packed), "a basis beside those of layers")
    if transform == LOW_RANK and packed:
        flat = read_runs(packed, count, channels)
    else:
        flat = read_integers(packed, of_bands * size)
    bases = [read_basis(flat[i * size : (i + 1) * size], count, channels) for i in range(of_bands)]
    of_scales = {PREDICTED: len(PASSES), SPLIT: 1, INTERPOLATED: 1}.get(transform, points)
    packed = r.blob()
    must(not packed or transform != INTERPOLATED, "interpolation with scales")
    scales = read_scales(packed, channels, of_scales, unit)
    tables = read_tables(r.blob())
    must(
        not tables or transform not in (INTERPOLATED, *CONTEXTS),
        "tables in two places, or where none belong",
    )
    tables |= own_tables
    r.end()
    model = Model(transform, axes, points, centres, bands, bases, scales, tables, prediction, peak)
    if gains:
        n = of_bands // 2
        octaves = [2 ** (g / 8) for g in gains]
        model.axes_of, model.bases = bases[:n], bases[n:]
        model.gains = [octaves[i * channels : (i + 1) * channels] for i in range(n)]
        model.place_gains = octaves[n * channels :]
    model.means, model.mean_table = means, mean_table
    found = replace(model, mixing=mixing, layers=layers)
    return replace(found, offsets=offsets, interpolation=interpolation)


def read_layers(r: Reader, channels: int) -> tuple[Basis, list[Basis]]:
    """Section 6.10: the basis across layers, and that of each mixed layer."""
    n = r.varint()
    must(2 <= n <= 256 and channels % n == 0, "the number of layers")
    each, mixing = channels // n, r.blob()
    counts = [r.varint() for _ in range(n)]
    must(max(counts) <= each, "more reflectors than channels of a layer")
    blobs = [r.blob() for _ in range(n)]
    within(2 * each * sum(counts), "KLT_NUMBERS")
    flat = read_integers(mixing, (n - 1) * (n + 2) // 2)
    bases = [
        read_basis(read_runs(blob, count, each), count, each)
        for blob, count in zip(blobs, counts, strict=True)
    ]
    return read_basis(flat, n - 1, n), bases


def read_runs(data: bytes, count: int, channels: int) -> list[int]:
    """The integers of reflectors in runs, section 6.2."""
    r, flat, first = Reader(data), list[int](), 0
    while first < count:
        of_run = r.varint()
        must(1 <= of_run <= count - first, "a run of reflectors")
        flat += read_integers(r.blob(), sum(channels - first - i for i in range(of_run)))
        first += of_run
    r.end()
    return flat


def read_basis(flat: Sequence[int], count: int, channels: int) -> Basis:
    basis, at = [], 0
    for j in range(count):
        v = flat[at : at + channels - j]
        at += channels - j
        if any(v):  # a vector of zeros stands for the identity
            basis.append((j, [float(x) for x in v], 2 / sum(x * x for x in v)))
    return basis


# ---- 6.1 From latents to values ------------------------------------------------------------------


def reconstruct(
    latents: Sequence[float],
    z: Lossy,
    model: Model,
    dct: list[list[float]] | None,
    at: list[int],
    points: int,
    token: Sequence[float] | None,
    gains: list[float] | None,
) -> list[list[float]]:
    """Steps 1 to 5 for one block: for each of its points the values of all channels.

    ``at`` has the place of each point, where there are bands: their KLTs come before the DCT.
    ``token`` has what 7.8 adds after step 3, for the only point of the block; ``gains`` has what
    6.9 multiplies runs of channels by in step 3.
    """
    rows: list[Sequence[float]] = [latents[i : i + points] for i in range(0, len(latents), points)]
    if at:
        columns = zip(at, zip(*rows, strict=True), strict=True)
        rows = list(zip(*(unbanded(y, model, place) for place, y in columns), strict=True))
    if dct:
        rows = [[sum(map(mul, line, y)) for line in dct] if any(y) else y for y in rows]
    out = []
    for column in zip(*rows, strict=True):
        if model.layers:
            x = unmixed(column, model)
        else:
            x = column if at else inverse_klt(column, model.bases[0])
        if gains:
            each = len(x) // len(gains)
            x = [a * gains[c // each] for c, a in enumerate(x)]
        x = [a + c for a, c in zip(x, model.centres, strict=True)]
        if token:
            x = [a + p for a, p in zip(x, token, strict=True)]
        x = [a * z.deviation + z.mean for a in x]
        if z.curve:
            x = [corrected(a, z.lower, z.curve) for a in x]
        if z.clamp:
            x = [min(max(a, z.lower), z.upper) for a in x]
        out.append(x)
    return out


def corrected(x: float, lower: float, curve: Curve) -> float:
    """Section 6.6."""
    t = min(max(0.0, 2 * (x - lower) / curve.width + 6), 23.0)
    j = min(int(t), 22)
    g = curve.knots[j] + (t - j) * (curve.knots[j + 1] - curve.knots[j])
    return max(x, lower) + curve.width * g / 64


@lru_cache
def magnitudes(dtype: int) -> list[float]:
    """The finite values not below 0 of a floating type of 8 or 16 bits, by their bits."""
    exponent, mantissa, top = {
        9: (5, 2, 0x7B),
        10: (4, 3, 0x7E),
        11: (5, 10, 0x7BFF),
        12: (8, 7, 0x7F7F),
    }[dtype]
    values, low = [], 2 - 2 ** (exponent - 1) - mantissa
    for bits in range(top + 1):
        e, m = bits >> mantissa, bits % 2**mantissa
        values.append(math.ldexp(m + (2**mantissa if e else 0), low + max(e - 1, 0)))
    return values


def to_bits(values: list[float], dtype: int) -> list[int]:
    """Step 6: round to the element type, to nearest, ties to even; the bits of each."""
    if TYPES[dtype] == "F64":
        limited = [min(max(v, -sys.float_info.max), sys.float_info.max) for v in values]
        return list(struct.unpack(f"<{len(values)}Q", struct.pack(f"<{len(values)}d", *limited)))
    if TYPES[dtype] == "F32":
        top = math.ldexp(2**24 - 1, 104)
        limited = [min(max(v, -top), top) for v in values]
        return list(struct.unpack(f"<{len(values)}I", struct.pack(f"<{len(values)}f", *limited)))
    table, sign, out = magnitudes(dtype), 1 << BITS[dtype] - 1, []
    for v in values:
        size = abs(v)
        i = bisect_right(table, size) - 1
        if i + 1 < len(table):
            down, up = size - table[i], table[i + 1] - size
            i += up < down or (up == down and i & 1)
        out.append(i | (sign if math.copysign(1, v) < 0 else 0))
    return out


# ---- 6.2 KLT -------------------------------------------------------------------------------------


def inverse_klt(column: Sequence[float], basis: Basis) -> Sequence[float]:
    """H_1 H_2 ... H_K times the latents of a token: the last reflector comes first."""
    x = list(column)
    for j, v, factor in reversed(basis):
        tail = x[j:]
        t = factor * sum(map(mul, v, tail))
        if t:
            x[j:] = [a - t * b for a, b in zip(tail, v, strict=True)]
    return x


def unbanded(column: Sequence[float], model: Model, place: int) -> Sequence[float]:
    """The coefficients of the latents at a place, with bands, and with the weights of 6.7."""
    band = model.bands[place]
    x = inverse_klt(column, model.bases[band])
    if model.gains:
        weighed = zip(x, model.gains[band], strict=True)
        x = inverse_klt([y / w / model.place_gains[place] for y, w in weighed], model.axes_of[band])
    return x


def unmixed(column: Sequence[float], model: Model) -> Sequence[float]:
    """Section 6.10: the values of all layers of a token, from the latents of mixed ones."""
    each = len(column) // len(model.layers)
    mixed = [
        inverse_klt(column[i * each : (i + 1) * each], basis)
        for i, basis in enumerate(model.layers)
    ]
    of_channels = [inverse_klt(z, model.mixing) for z in zip(*mixed, strict=True)]
    return [x for layer in zip(*of_channels, strict=True) for x in layer]


# ---- 6.3 DCT -------------------------------------------------------------------------------------


def inverse_dct(size: Sequence[int]) -> list[list[float]]:
    """The matrix that takes the latents of a block to its points, both in raster order."""
    matrix = [[1.0]]
    for n in size:
        axis = [
            [
                math.sqrt((2 if k else 1) / n) * math.cos(math.pi * (2 * i + 1) * k / (2 * n))
                for k in range(n)
            ]
            for i in range(n)
        ]
        matrix = [[a * b for a in outer for b in inner] for outer in matrix for inner in axis]
    return matrix


# ---- 6.4 Scales ----------------------------------------------------------------------------------


def read_scales(data: bytes, channels: int, points: int, unit: int) -> list[list[int]]:
    """The scales, for each channel those of all places."""
    if not data:
        return [[0] * points for _ in range(channels)]
    r = Reader(data)
    a = itertools.accumulate(read_integers(r.blob(), channels))
    b = read_integers(r.blob(), points)
    c = read_integers(r.blob(), channels * points)
    r.end()
    return [
        [unit * (base + b[p] + c[i * points + p]) for p in range(points)]
        for i, base in enumerate(a)
    ]


def places(model: Model, size: Sequence[int]) -> list[int]:
    """For each frequency of a block of this size, the place in the longest block."""
    at = [0]
    for n, b in zip(size, model.axes, strict=True):
        at = [i * b + (2 * k + 1) * b // (2 * n) for i in at for k in range(n)]
    return at


# ---- 6.5 Symbols to latents ----------------------------------------------------------------------


def latent(symbol: int, table: Table, step: float) -> float:
    size = abs(symbol)
    offset = (table.first if size == 1 else table.further) - 128
    return math.copysign(size + offset / 256, symbol) * step if size else 0.0


# ---- 7.1 Tables ----------------------------------------------------------------------------------

POWERS = (32768, 35734, 38968, 42495, 46341, 50535, 55109, 60097)


def chance(code: int) -> int:
    """In units of 2^-24."""
    e, r = divmod(code - 128, 8)
    yes, no = POWERS[r] << max(e, 0), 32768 << max(-e, 0)
    return (yes << 24) // (yes + no)


@dataclass(frozen=True)
class Table:
    """The fields of a table."""

    magnitude: int
    shift: int = 0
    zero: int = 128
    positive: int = 128
    first: int = 128
    further: int = 128
    hazards: tuple[int, ...] = ()


def read_table(r: Reader) -> Table:
    magnitude, shift, zero, positive, first, further = r.take(6)
    hazards = tuple(r.take(r.u8()))
    must(magnitude <= 127 and shift <= 24, "magnitude or shift of a table")
    must(hazards or magnitude <= 1, "a table without hazards")
    return Table(magnitude, shift, zero, positive, first, further, hazards)


# ---- 7.2 Frequencies -----------------------------------------------------------------------------

LENGTHS = (1, 1, 1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 31)
BUCKETS = [i for i, n in enumerate(LENGTHS) for _ in range(n)]  # of the magnitudes from 1


@lru_cache(maxsize=4096)
def frequencies(table: Table) -> list[int]:
    """Of the symbols -M ... M; they sum to 2^24."""
    top = table.magnitude
    budget = 2**24 - (2 * top + 1)
    left = budget - (budget * chance(table.zero) >> 24)
    if isinstance(table, Located):
        return located_frequencies(table)
    f = [0] * (2 * top + 1)
    f[top] = budget - left + 1
    for m in range(1, top + 1):
        mass = left
        if m < top:
            bucket = min(BUCKETS[m - 1], len(table.hazards) - 1)
            mass = left * chance(table.hazards[bucket]) >> 24
        left -= mass
        above = mass * chance(table.positive) >> 24
        f[top + m], f[top - m] = above + 1, mass - above + 1
    return f


# ---- 7.3 Table numbers ---------------------------------------------------------------------------

BUILT_IN = {
    number: Table(m, 0, zero, 128, first, further, hazards)
    for number, m, zero, first, further, hazards in (
        (2, 2, 207, 120, 128, (226,)),
        (3, 2, 167, 96, 100, (205,)),
        (4, 3, 144, 81, 72, (182, 207)),
        (5, 4, 132, 93, 78, (159, 169, 181)),
        (6, 6, 125, 109, 99, (145, 152, 157, 164)),
        (7, 8, 119, 118, 110, (135, 140, 144, 147, 149)),
        (8, 11, 114, 122, 115, (127, 131, 134, 136, 138, 142)),
        (9, 16, 109, 125, 118, (120, 123, 125, 127, 129, 132, 134)),
        (10, 22, 104, 127, 122, (114, 117, 118, 120, 121, 124, 126, 128)),
        (11, 31, 100, 127, 124, (109, 111, 112, 113, 115, 117, 118, 121, 123)),
        (12, 44, 95, 127, 125, (104, 106, 107, 107, 109, 110, 112, 113, 115, 118)),
        (13, 63, 91, 129, 127, (100, 101, 101, 102, 103, 104, 106, 107, 109, 111, 113)),
        (14, 87, 87, 129, 126, (95, 96, 96, 97, 98, 99, 100, 101, 103, 105, 106, 108)),
        (15, 126, 83, 129, 128, (90, 92, 92, 92, 93, 94, 94, 96, 97, 99, 101, 102)),
    )
}


def table_number(scale: int, step_scale: int) -> int:
    return min(max((scale - step_scale + 1 >> 1) + 6, 0), 255)


def find_table(number: int, tables: dict[int, Table]) -> Table:
    """The table of a number: one of those of the file, else the built-in one."""
    if number in tables:
        return tables[number]
    if number < 2:
        return Table(0)
    octaves = max((number - 14) // 2, 0)
    table = BUILT_IN[number - 2 * octaves]
    return replace(table, shift=min(octaves, 24), first=128, further=128) if octaves else table


def read_tables(data: bytes) -> dict[int, Table]:
    r, tables, last = Reader(data), dict[int, Table](), -1
    while r.at < len(data):
        number = r.u8()
        must(number > last, "table numbers do not ascend")
        tables[number], last = read_table(r), number
    return tables


def read_own_tables(data: bytes) -> dict[int, Table]:
    """Those of 7.15."""
    tables, last = dict[int, Table](), -1
    if not data:
        return tables
    r = Deflated(data, 2**20)
    while r.left():
        number = r.varint()
        must(last < number < 234 * 10, "table numbers do not ascend, or are too large")
        tables[number], last = read_table(r), number
    r.end()
    return tables


# ---- 7.4 rANS ------------------------------------------------------------------------------------


class Coder:
    """The rANS decoder over the words of a field."""

    def __init__(self, data: bytes) -> None:
        must(len(data) % 4 == 0, "the words of a coder are cut off")
        self.stack = list(struct.unpack(f"<{len(data) // 4}I", data))
        must(not self.stack or self.stack[-1], "the last word of a coder is 0")
        self.head = 0
        for _ in range(min(len(self.stack), 2)):
            self.head = self.head << 32 | self.stack.pop()

    def decode(self, f: Sequence[int], n: int) -> list[int]:
        """n symbols, each counted from that of the first frequency."""
        starts = list(itertools.accumulate(f, initial=0))[:-1]
        head, stack, out = self.head, self.stack, []
        for _ in range(n):
            q = head & 0xFFFFFF
            k = bisect_right(starts, q) - 1
            head = (head >> 24) * f[k] + q - starts[k]
            if head < 1 << 32 and stack:
                head = head << 32 | stack.pop()
            out.append(k)
        self.head = head
        return out

    def end(self) -> None:
        must(not self.head and not self.stack, "the coder is not empty at its end")


# ---- 7.5 Symbols and integers --------------------------------------------------------------------


class Symbols:
    """Coded symbols, to the end of a field; arrays are taken from it one after the other."""

    def __init__(self, r: Reader, seed: int) -> None:
        self.escapes = Reader(r.blob())
        self.crc, self.check, self.coder = r.uint(4), seed, Coder(r.rest())

    def take(self, n: int, table: Table) -> array[int]:
        """The next array."""
        top, s = table.magnitude, table.shift
        if not n or not top:
            return array("i", bytes(4 * n))
        symbols = [k - top for k in self.coder.decode(frequencies(table), n)]
        if self.escapes.data:
            for i, k in enumerate(symbols):
                if abs(k) == top:
                    e = self.escapes.varint()
                    must(e < 2**30, "an escape is too large")
                    symbols[i] += e if k > 0 else -e
        if s:
            low = [0] * n
            for bit in range(0, s, 8):
                w = min(8, s - bit)
                more = self.coder.decode([2 ** (24 - w)] * 2**w, n)
                low = [a | b << bit for a, b in zip(low, more, strict=True)]
            symbols = [(k << s) + a - (1 << s >> 1) for k, a in zip(symbols, low, strict=True)]
        try:
            found = array("i", symbols)
        except OverflowError:
            raise FormatError("a symbol is beyond 32 bits") from None
        self.check = zlib.crc32(struct.pack(f"<{n}i", *found), self.check)
        return found

    def end(self) -> None:
        self.coder.end()
        self.escapes.end()
        must(self.check == self.crc, "the CRC-32 of the symbols does not match")


def coded_symbols(r: Reader, arrays: list[tuple[int, Table]], seed: int) -> list[array[int]]:
    """The symbols of arrays whose lengths and tables are all known."""
    coded = Symbols(r, seed)
    out = [coded.take(n, table) for n, table in arrays]
    coded.end()
    return out


def read_integers(data: bytes, n: int) -> Sequence[int]:
    if not data:
        return [0] * n
    r = Reader(data)
    if r.peek() == 128:
        r.u8()
        values = [-(u + 1 >> 1) if u & 1 else u >> 1 for u in r.varints(n)]
        must(all(-(2**31) <= v < 2**31 for v in values), "an integer of more than 32 bits")
        r.end()
        return values
    table = read_table(r)
    must(table.magnitude, "a table of integers is empty")
    return coded_symbols(r, [(n, table)], 0)[0]


# ---- 7.6 Exceptions ------------------------------------------------------------------------------


def read_exceptions(r: Reader, dtype: int, total: int) -> dict[int, int]:
    """The bits of the elements, by their positions in the row group."""
    data = r.blob()
    if not data:
        return {}
    r, at = Deflated(data, 4 + total * (4 + width(dtype))), -1
    count = r.varint()
    must(count <= total, "more exceptions than values")
    gaps = r.varints(count)
    positions = [at := at + 1 + gap for gap in gaps]
    must(at < total, "an exception lies outside of its row group")
    bits = [r.uint(width(dtype)) for _ in positions]
    r.end()
    return dict(zip(positions, bits, strict=True))


# ---- 7.7 ROWS of a group with loss, 7.8 ROWS of a group behind a network -------------------------


def decode_rows(
    r: Reader, z: Lossy, g: int, low: int, high: int, out: list[array[int]], excepted: bool = True
) -> list[array[int]]:
    """Decode the slabs low ... high - 1 into the bits ``out`` of all tensors; the symbols."""
    found = classes(z, low, high)
    sizes = [sum(len(p.origins) for p in pieces) for _, pieces in found]
    counts = [z.views[0].channels * math.prod(size) for (_, size), _ in found]
    total = within(sum(map(mul, sizes, counts)), "ROW_GROUP_VALUES")
    exceptions = read_exceptions(r, z.dtype, total) if excepted else {}
    tokens = [math.prod(size) * n for ((_, size), _), n in zip(found, sizes, strict=True)]
    gains = iter(read_gains(r, sum(tokens)) if z.gains else [0] * sum(tokens))
    must(g == 128 or not z.refined, "a fine step with refinement")
    refinement = r.blob() if z.refined else b""
    step = z.step * 2 ** ((g - 128) / 256)
    pictures: list[Picture | None] = [None for _ in found]
    if z.network:
        coarse = step * 2 ** (z.picture_step / 8)
        pictures = [read_picture(r, z, n, c, coarse) for n, c in zip(sizes, counts, strict=True)]
    coded = Symbols(r, z.seed)
    symbols: list[array[int]] = []
    latents: list[list[list[float]]] = []
    for ((part, size), _), blocks in zip(found, sizes, strict=True):
        read = READERS.get(z.models[part].transform, read_class)
        more, values = read(coded, z, z.models[part], size, blocks, step)
        symbols += more
        latents.append(values)
    coded.end()
    begin = 0
    for ((part, size), pieces), y, blocks, p in zip(found, latents, sizes, pictures, strict=True):
        mine = list(itertools.islice(gains, math.prod(size) * blocks))
        put_class(z, z.models[part], size, pieces, y, p, mine, out)
    if z.refined:
        refine(Reader(refinement), z, [a for _, pieces in found for a in addresses(z, pieces)], out)
    for (_, pieces), y, blocks in zip(found, latents, sizes, strict=True):
        put_exceptions(z, pieces, blocks, begin, exceptions, out)
        begin += len(y) * blocks
    return [s for p in pictures if p for s in p.symbols] + symbols


def read_class(
    coded: Symbols, z: Lossy, model: Model, size: tuple[int, ...], blocks: int, step: float
) -> tuple[list[array[int]], list[list[float]]]:
    """The arrays of a class, and for each coefficient the latents of all blocks."""
    numbers: dict[int, list[int]] = {}
    at = places(model, size)
    for i, scale in enumerate(row[p] for row in model.scales for p in at):
        numbers.setdefault(table_number(scale + z.shift, z.step_scale), []).append(i)
    arrays: list[array[int]] = []
    latents: list[list[float]] = [[]] * (len(model.scales) * len(at))
    order = sorted(numbers.items())
    chained = [item for item in order if z.dependent and item[0] >= 4]
    for number, wanted in order[: len(order) - len(chained)]:
        table = find_table(number, model.tables)
        symbols = coded.take(len(wanted) * blocks, table)
        values = {k: latent(k, table, step) for k in set(symbols)}
        for j, i in enumerate(wanted):
            latents[i] = [values[k] for k in symbols[j * blocks : (j + 1) * blocks]]
        arrays.append(symbols)
    if chained:
        laid = [number for number, wanted in chained for _ in range(len(wanted) * blocks)]
        more, found = read_chains(
            coded, laid, lambda n, q: quantiser_table(128 + 64 * q + min(n, 63), model.tables)
        )
        values_of = [dependent_latent(*triple, step) for triple in found]
        for j, i in enumerate(i for _, wanted in chained for i in wanted):
            latents[i] = values_of[j * blocks : (j + 1) * blocks]
        arrays += more
    return arrays, latents


def put_class(
    z: Lossy,
    model: Model,
    size: tuple[int, ...],
    pieces: list[Piece],
    latents: list[list[float]],
    picture: Picture | None,
    gains: list[int],
    out: list[array[int]],
) -> None:
    """Reconstruct the blocks of a class, and put the values where they belong.

    Each token is multiplied by its gain, 2 to a number of quarters.
    """
    points = math.prod(size)
    dct = inverse_dct(size) if points > 1 and not model.samples else None
    at = list(places(model, size)) if model.bands else []
    blocks, count = zip(*latents, strict=True), len(gains) // points
    numbers = itertools.count()
    tokens = iter(picture.values) if picture else itertools.repeat(None)
    for piece in pieces:
        offsets, bits = z.views[piece.tensor].offsets, out[piece.tensor]
        for origin, sample in zip(piece.origins, piece.samples, strict=True):
            finer = z.slices[piece.tensor][sample] if z.slices else None
            block = reconstruct(next(blocks), z, model, dct, at, points, next(tokens), finer)
            factors = [2 ** (gain / 4) for gain in gains[next(numbers) :: count]]
            whole = to_element if z.logarithmic else to_bits
            for point, values, factor in zip(piece.points, block, factors, strict=True):
                values = whole([value * factor for value in values], z.dtype)
                for c, (offset, value) in enumerate(zip(offsets, values, strict=True)):
                    bits[origin + point + offset] = z.constants.get(c, value)


def put_exceptions(
    z: Lossy,
    pieces: list[Piece],
    blocks: int,
    begin: int,
    exceptions: dict[int, int],
    out: list[array[int]],
) -> None:
    """Step 7 of 6.1, for the class whose values begin at a position."""
    where = [(piece, origin) for piece in pieces for origin in piece.origins]
    points = len(pieces[0].points)
    for position, value in exceptions.items():
        coefficient, block = divmod(position - begin, blocks)
        c, point = divmod(coefficient, points)
        if 0 <= c < z.views[0].channels:
            piece, origin = where[block]
            offset = z.views[piece.tensor].offsets[c]
            out[piece.tensor][origin + piece.points[point] + offset] = value


def read_gains(r: Reader, n: int) -> Sequence[int]:
    """Section 6.8."""
    found = read_integers(r.blob(), n)
    must(all(abs(gain) <= 256 for gain in found), "a gain")
    return found


def blank(dtype: int, shape: Sequence[int]) -> array[int]:
    return array(WORDS[width(dtype)], bytes(math.prod(shape) * width(dtype)))


def to_bytes(bits: array[int]) -> bytes:
    return struct.pack(f"<{len(bits)}{bits.typecode}", *bits)


# ---- 7.9 Context modelling -----------------------------------------------------------------------


@dataclass(frozen=True)
class Pass:
    """What chooses the tables: neighbours (row, column), the factors A and B, the set."""

    neighbours: tuple[tuple[int, int], ...]
    a: int
    b: int
    set: int


PASSES = (
    Pass((), 60, 0, 0),
    Pass(((-2, -2), (-2, 2), (2, -2), (2, 2)), 29, 8, 0),
    Pass(((-2, 0), (2, 0), (0, -2), (0, 2)), 10, 12, 0),
    Pass(((-1, -1), (-1, 1), (1, -1), (1, 1)), 10, 13, 1),
    Pass(((-1, 0), (1, 0), (0, -1), (0, 1)), 2, 14, 2),
)
MEANS = [max(round(64 * 2 ** (e / 2)), 1) for e in range(-14, 10)]  # u
THRESHOLDS = [round(4096 * 2 ** ((k - 12) / 2)) for k in range(1, 26)]  # T_k
CONTEXT_TABLES = (  # M, zero, hazards
    (4, 171, (152, 147)),
    (6, 166, (150, 143, 137)),
    (7, 164, (147, 140, 133)),
    (9, 162, (142, 138, 132, 127)),
    (13, 160, (139, 135, 131, 128, 122)),
    (17, 159, (137, 132, 129, 127, 118)),
    (22, 155, (135, 131, 127, 125, 119, 119, 114)),
    (27, 150, (138, 130, 126, 125, 117, 117, 114, 110)),
    (33, 147, (134, 128, 124, 123, 116, 117, 112, 109)),
    (34, 143, (135, 129, 124, 121, 116, 117, 112, 109)),
    (39, 139, (131, 127, 122, 119, 115, 115, 113, 107, 110)),
    (53, 135, (128, 127, 123, 120, 115, 113, 111, 106, 109)),
    (54, 132, (122, 124, 121, 119, 115, 113, 110, 106, 107)),
    (54, 129, (118, 120, 120, 118, 115, 112, 109, 105)),
    (73, 126, (113, 115, 116, 116, 114, 112, 109, 105, 104, 104, 104, 97)),
    (76, 123, (108, 110, 111, 112, 112, 111, 109, 106, 105, 104)),
    (103, 120, (104, 105, 106, 107, 108, 109, 108, 106, 105, 104, 103, 98)),
    (84, 115, (100, 101, 101, 102, 104, 105, 107, 106, 106, 105)),
    (92, 111, (94, 96, 96, 97, 98, 100, 103, 104, 105, 107, 106, 102)),
    (117, 107, (88, 90, 90, 91, 92, 94, 96, 100, 102, 105)),
    (127, 108, (83, 85, 85, 86, 86, 87, 89, 92, 96, 101, 104)),
    (127, 106, (80, 81, 80, 81, 82, 81, 83, 84, 86, 92, 102, 98)),
    (127, 106, (80, 81, 80, 81, 82, 81, 83, 84, 86, 92, 102, 98)),
    (127, 106, (80, 81, 80, 81, 82, 81, 83, 84, 86, 92, 102, 98)),
    (127, 106, (80, 81, 80, 81, 82, 81, 83, 84, 86, 92, 102, 98)),
    (127, 106, (80, 81, 80, 81, 82, 81, 83, 84, 86, 92, 102, 98)),
    (6, 169, (151, 147, 138)),
    (7, 166, (149, 140, 139, 131)),
    (8, 164, (148, 137, 131)),
    (12, 161, (143, 132, 129, 130, 123)),
    (16, 160, (138, 130, 125, 124, 121)),
    (22, 158, (136, 127, 122, 120, 117)),
    (28, 156, (131, 125, 121, 119, 114)),
    (33, 151, (138, 128, 120, 117, 114, 110)),
    (41, 150, (136, 124, 120, 116, 113, 112, 108)),
    (43, 142, (141, 130, 122, 119, 114, 112, 109, 106)),
    (46, 136, (137, 131, 123, 119, 115, 112, 110, 107)),
    (43, 130, (135, 133, 126, 121, 116, 114, 111, 108)),
    (44, 125, (127, 131, 128, 123, 118, 115, 112, 109)),
    (49, 121, (119, 126, 127, 125, 120, 117, 113, 109)),
    (54, 118, (113, 118, 122, 123, 120, 118, 114, 109)),
    (54, 115, (107, 111, 115, 118, 118, 118, 114, 110, 109)),
    (54, 111, (101, 104, 107, 110, 113, 115, 114, 111, 110, 108)),
    (62, 107, (95, 98, 100, 102, 105, 109, 112, 110, 111, 109, 106)),
    (73, 102, (89, 91, 93, 94, 97, 100, 105, 108, 109, 109, 107)),
    (88, 94, (80, 83, 84, 86, 88, 91, 96, 102, 106, 108, 107)),
    (111, 89, (71, 73, 75, 76, 78, 81, 85, 90, 97, 104, 105)),
    (127, 78, (68, 68, 70, 71, 71, 72, 75, 79, 86, 95, 102)),
    (127, 74, (64, 70, 68, 69, 70, 72, 70, 72, 75, 79, 97)),
    (127, 74, (64, 70, 68, 69, 70, 72, 70, 72, 75, 79, 97)),
    (127, 74, (64, 70, 68, 69, 70, 72, 70, 72, 75, 79, 97)),
    (127, 74, (64, 70, 68, 69, 70, 72, 70, 72, 75, 79, 97)),
    (7, 177, (148, 136, 131, 127)),
    (7, 177, (148, 136, 131, 127)),
    (14, 173, (133, 126, 124, 121)),
    (21, 173, (127, 123, 120, 119, 116)),
    (26, 173, (125, 120, 118, 113)),
    (26, 173, (123, 119, 117, 115)),
    (28, 170, (120, 118, 116, 113)),
    (17, 149, (153, 135, 126, 121, 118, 115)),
    (24, 149, (140, 128, 124, 120, 118, 115)),
    (18, 137, (152, 138, 129, 125, 122, 119, 115)),
    (24, 129, (147, 138, 128, 123, 120, 117, 114)),
    (27, 125, (141, 139, 130, 125, 120, 117, 114)),
    (28, 119, (129, 140, 132, 127, 122, 118, 114)),
    (32, 116, (118, 132, 134, 129, 123, 119, 116, 113)),
    (34, 113, (110, 120, 129, 130, 124, 120, 117, 113)),
    (41, 109, (102, 109, 116, 124, 124, 122, 118, 114, 113)),
    (47, 104, (95, 100, 105, 110, 118, 122, 119, 115, 113, 111)),
    (53, 100, (87, 91, 95, 99, 105, 114, 117, 115, 114, 112)),
    (54, 94, (77, 81, 84, 87, 92, 99, 109, 113, 115, 112)),
    (67, 89, (67, 70, 72, 75, 79, 85, 93, 104, 112, 113, 110)),
    (84, 84, (56, 61, 62, 64, 67, 70, 77, 87, 100, 110, 109)),
    (102, 66, (42, 47, 43, 49, 54, 55, 62, 68, 80, 98, 105, 109)),
    (127, 22, (3, 29, 3, 22, 14, 37, 40, 46, 57, 68, 98, 102, 105)),
    (127, 22, (3, 29, 3, 22, 14, 37, 40, 46, 57, 68, 98, 102, 105)),
    (127, 22, (3, 29, 3, 22, 14, 37, 40, 46, 57, 68, 98, 102, 105)),
    (127, 22, (3, 29, 3, 22, 14, 37, 40, 46, 57, 68, 98, 102, 105)),
)


def pass_of(y: int, x: int) -> int:
    if (y + x) % 2:
        return 4
    if y % 2:
        return 3
    if (y + x) % 4:
        return 2
    return 1 if y % 4 else 0


def mean_magnitude(scale: int, step_scale: int) -> int:
    """The mean u of a channel."""
    return MEANS[min(max(scale - step_scale + 1 >> 1, -14), 9) + 14]


def context_table(number: int, z: Lossy, model: Model) -> Table:
    for found in (number, number % 234):  # with a shape, and without (7.15)
        if found in model.tables:
            return model.tables[found]
    quantiser, n = divmod(number % 234, 78)
    m, zero, hazards = CONTEXT_TABLES[n]
    if quantiser == 2:  # 7.14
        zero, hazards = max(zero - 3, 0), (max(hazards[0] - 5, 0), *hazards[1:])
    return Table(m, 0, zero, 255 if z.lower >= z.mean else 128, 128, 128, hazards)


def mirrored(at: int, offset: int, n: int) -> int | None:
    """The row or column of a neighbour; None when it lies outside on either side."""
    sides = [i for i in (at + offset, at - offset) if 0 <= i < n]
    return sides[0] if sides else None


def neighbours_of(y: int, x: int, size: tuple[int, ...], offsets: Pass) -> list[int]:
    """The points of the neighbours of a place, those that there are."""
    return [place for place in places_near(y, x, size, offsets) if place is not None]


def places_near(y: int, x: int, size: tuple[int, ...], offsets: Pass) -> list[int | None]:
    """The points of all neighbours of a place, None for one that there is not."""
    height, width = (1, *size)[-2:]
    found: list[int | None] = []
    for j, k in offsets.neighbours:
        if len(size) == 1:  # 7.15
            j, k = 0, j + k
        v, h = mirrored(y, j, height), mirrored(x, k, width)
        found.append(None if v is None or h is None else v * width + h)
    return found


def with_shape(number: int, number_of_pass: int, around: list[int], model: Model) -> int:
    """The table number of 7.15 from that of 7.9."""
    if number_of_pass < 2:
        return number
    a, b, c, d = around
    if number_of_pass == 3:
        b, c, d = d, b, c
    v, n = abs(a - b) + abs(c - d), a + b + c + d
    z = max(2 - [a, b, c, d].count(0), 0)
    k = 3 * z + (4 * v > n) + (2 * v > n)
    s = 234 * (1 + k) + number
    return s if any(s + of in model.tables for of in (0, 78, 156)) else number


def read_map(
    coded: Symbols, z: Lossy, model: Model, size: tuple[int, ...], blocks: int, step: float
) -> tuple[list[array[int]], list[list[float]]]:
    """As `read_class`, for a class of blocks with context modelling."""
    height, width = (1, *size)[-2:]
    points, channels = height * width, len(model.scales)
    means = [mean_magnitude(row[0] + z.shift, z.step_scale) for row in model.scales]
    sizes = [[0] * blocks for _ in range(channels * points)]  # magnitudes, at most 127
    known = [[0] * blocks for _ in range(channels * points)]
    quantisers = [[0] * blocks for _ in range(channels * points)]  # 1 and 2: those of 7.14
    arrays = []
    for number_of_pass, p in enumerate(PASSES):
        where: dict[int, list[tuple[int, int]]] = {}  # by table number: coefficient, block
        for y, x in itertools.product(range(height), range(width)):
            if pass_of(y, x) != number_of_pass:
                continue
            near = places_near(y, x, size, p)
            for c, mean in enumerate(means):
                first = c * points  # coefficient
                for block in range(blocks):
                    around = [0 if i is None else sizes[first + i][block] for i in near]
                    prediction = p.a * mean + 64 * p.b * sum(around)
                    number = 26 * p.set + bisect_right(THRESHOLDS, prediction)
                    number = with_shape(number, number_of_pass, around, model)
                    where.setdefault(number, []).append((first + y * width + x, block))
        scalar, chained = [], []
        for item in sorted(where.items()):
            (chained if z.dependent and item[0] % 26 >= 6 else scalar).append(item)
        for number, wanted in scalar:
            symbols = coded.take(len(wanted), context_table(number, z, model))
            for (i, block), k in zip(wanted, symbols, strict=True):
                sizes[i][block], known[i][block] = min(abs(k), 127), k
            arrays.append(symbols)
        numbers = [number for number, wanted in chained for _ in wanted]
        more, found = read_chains(
            coded, numbers, lambda n, q: context_table(78 * (1 + q) + n, z, model)
        )
        arrays += more
        places = [place for _, wanted in chained for place in wanted]
        for (i, block), (k, quantiser, _) in zip(places, found, strict=True):
            sizes[i][block], known[i][block] = min(abs(k), 127), k
            quantisers[i][block] = 1 + quantiser
    latents = from_neighbours(known, sizes, quantisers, model.offsets, size, step)
    if model.mean_table:
        arrays += add_means(coded, model, points, sizes, latents, step)
    return arrays, latents


def add_means(
    coded: Symbols,
    model: Model,
    points: int,
    sizes: list[list[int]],
    latents: list[list[float]],
    step: float,
) -> list[array[int]]:
    """Add the means of 7.18 to the latents of maps of so many points; return their symbols."""
    assert model.mean_table
    channels, blocks = len(model.scales), len(latents[0])
    symbols = array("i", [0]) * (channels * blocks)
    if model.mean_table.magnitude:
        symbols = coded.take(channels * blocks, model.mean_table)
    maps = itertools.product(range(channels), range(blocks))
    for (c, block), m in zip(maps, symbols, strict=True):
        inside = range(c * points, (c + 1) * points)
        length = sum(sizes[i][block] for i in inside).bit_length()
        expected = (model.means[c] + model.means[channels + min(length, 15)]) / 32
        for i in inside:
            latents[i][block] += (m + expected) * 5 / 8 * step / math.sqrt(points)
    return [symbols] if model.mean_table.magnitude else []


# ---- 7.10 Dependent quantisation -----------------------------------------------------------------

QUANTISER_TABLES = {
    number: Table(m, 0, zero, 128, first, further, hazards)
    for number, m, zero, first, further, hazards in (
        (132, 3, 137, 46, 36, (188, 245)),
        (133, 4, 137, 104, 85, (166, 169, 225)),
        (134, 6, 127, 110, 94, (148, 156)),
        (135, 8, 121, 114, 104, (137, 144, 147, 148)),
        (136, 11, 115, 117, 111, (129, 134, 136, 138, 140)),
        (137, 14, 109, 121, 115, (122, 125, 128, 130, 131, 133, 134, 157)),
        (138, 21, 105, 122, 120, (116, 119, 120, 122, 124, 126, 127)),
        (139, 29, 101, 123, 122, (111, 113, 114, 115, 117, 119, 120, 122)),
        (140, 42, 96, 123, 124, (106, 107, 109, 109, 111, 112, 114, 115, 117)),
        (141, 61, 92, 128, 127, (101, 103, 103, 104, 105, 106, 108, 109, 110, 112)),
        (142, 84, 89, 127, 126, (97, 98, 98, 99, 100, 101, 102, 103, 105, 106, 107)),
        (143, 126, 85, 133, 128, (92, 93, 94, 94, 94, 95, 96, 98, 99, 101, 102)),
        (196, 3, 158, 188, 117, (160, 253)),
        (197, 4, 119, 139, 124, (159, 168, 206)),
        (198, 6, 110, 137, 111, (144, 154, 159)),
        (199, 8, 105, 140, 111, (133, 142, 146, 148, 148, 184)),
        (200, 11, 102, 144, 115, (125, 132, 136, 138, 140)),
        (201, 16, 98, 146, 117, (119, 124, 127, 129, 131, 133, 132)),
        (202, 22, 93, 147, 121, (113, 118, 120, 122, 123, 126, 127)),
        (203, 29, 90, 149, 123, (108, 112, 114, 115, 117, 119, 120, 122)),
        (204, 43, 86, 150, 125, (103, 107, 108, 109, 111, 112, 114, 115, 116)),
        (205, 62, 81, 151, 127, (99, 102, 103, 104, 105, 106, 108, 109, 110, 112)),
        (206, 88, 72, 144, 126, (95, 97, 98, 99, 99, 101, 102, 103, 105, 106, 107)),
        (207, 122, 63, 143, 128, (92, 93, 93, 94, 95, 95, 96, 98, 99, 101, 102, 103)),
    )
}


def quantiser_table(number: int, tables: dict[int, Table]) -> Table:
    """The table of a number from 132: one of those of the file, else the built-in one."""
    if number in tables:
        return tables[number]
    octaves = max((number % 64 - 14) // 2, 0)
    table = QUANTISER_TABLES[number - 2 * octaves]
    return replace(table, shift=octaves, first=128, further=128) if octaves else table


def dependent_latent(symbol: int, quantiser: int, table: Table, step: float) -> float:
    """As `latent`, for a symbol of one of the two quantisers."""
    size = abs(symbol)
    offset = (table.first if size == 1 else table.further) - 128
    value = (size - quantiser / 2 + offset / 256) * (9 / 8 * step)
    return math.copysign(1, symbol) * value if size else 0.0


def read_chains(
    coded: Symbols, numbers: list[int], find: Callable[[int, int], Table]
) -> tuple[list[array[int]], list[tuple[int, int, Table]]]:
    """The arrays of chains, and of each symbol, laid end to end, itself, quantiser and table.

    ``numbers`` has the table number of each, ``find`` gives the table of a number and quantiser.
    """
    total = len(numbers)
    steps = min(max(total // 64, 1), 64)
    chains = -(-total // steps)
    # Of each chain: Q[t - 3], Q[t - 2], Q[t - 1] and p[t - 2], p[t - 1].
    q3, q2, q1 = [0] * chains, [0] * chains, [0] * chains
    p2, p1 = [0] * chains, [0] * chains
    arrays: list[array[int]] = []
    found: list[Any] = [None] * total
    for begin in range(0, total, max(chains, 1)):
        q = [a ^ b ^ c for a, b, c in zip(q1, p2, q3, strict=True)]
        p = [0] * chains
        where: dict[tuple[int, int], list[int]] = {}  # by number and quantiser: chains
        for j, number in enumerate(numbers[begin : begin + chains]):
            where.setdefault((number, q[j]), []).append(j)
        for (number, quantiser), wanted in sorted(where.items()):
            table = find(number, quantiser)
            symbols = coded.take(len(wanted), table)
            for j, k in zip(wanted, symbols, strict=True):
                p[j], found[begin + j] = k & 1, (k, quantiser, table)
            arrays.append(symbols)
        q3, q2, q1 = q2, q1, q
        p2, p1 = p1, p
    return arrays, found


# ---- 7.11 Prediction -----------------------------------------------------------------------------


@dataclass
class Prediction:
    """The weights of neighbours, and for each channel those of channels before it, if not 0."""

    neighbours: Sequence[int]
    channels: list[list[tuple[int, int]]]


def read_prediction(data: bytes, channels: int) -> Prediction:
    r = Reader(data)
    neighbours = read_integers(r.blob(), 8 * channels)
    must(all(abs(a) <= 256 for a in neighbours), "a weight of neighbours is too large")
    precision = r.u8()
    octaves = list(itertools.accumulate(read_integers(r.blob(), channels)))
    packed = r.blob()
    r.end()
    if packed:
        within(channels * (channels - 1) // 2, "CHANNEL_WEIGHTS")
    weights: list[list[tuple[int, int]]] = [[] for _ in range(channels)]
    if not packed:
        return Prediction(neighbours, weights)
    flat = iter(read_integers(packed, channels * (channels - 1) // 2))
    for c in range(channels):
        for j, k in enumerate(itertools.islice(flat, c)):
            if k:
                e = 16 - precision + octaves[c] - octaves[j]
                must(-32 <= e <= 32, "a weight of channels is too large or too small")
                weights[c].append((j, k << e if e >= 0 else (k + (1 << -e - 1)) >> -e))
        must(sum(abs(w) for _, w in weights[c]) <= 2**25, "the weights of a channel are too large")
    return Prediction(neighbours, weights)


def as_map(size: tuple[int, ...]) -> tuple[int, int]:
    height, width = (1, 1, *size)[-2:]
    return height, width


def lines_of(y: int, x: int, size: tuple[int, ...], offsets: Pass) -> list[list[int]]:
    """The points of the neighbours on each line through a place, those that there are."""
    found = []
    for j, k in offsets.neighbours:
        if (j, k) < (-j, -k):
            pair = replace(offsets, neighbours=((j, k), (-j, -k)))
            found.append(neighbours_of(y, x, size, pair))
    return found


def read_predicted(
    coded: Symbols, z: Lossy, model: Model, size: tuple[int, ...], blocks: int, step: float
) -> tuple[list[array[int]], list[list[float]]]:
    """As `read_class`, for a class of blocks coded with prediction."""
    assert model.prediction
    size = as_map(size)
    points, channels = math.prod(size), len(model.scales)
    grid = list(itertools.product(range(size[0]), range(size[1])))
    numbers: dict[int, list[int]] = {}
    for c, row in enumerate(model.scales):
        for point, (y, x) in enumerate(grid):
            number = table_number(row[pass_of(y, x)], z.step_scale)
            numbers.setdefault(number, []).append(c * points + point)
    arrays: list[array[int]] = []
    left: list[Sequence[int]] = [[]] * (channels * points)
    for number, wanted in sorted(numbers.items()):
        symbols = coded.take(len(wanted) * blocks, find_table(number, model.tables))
        must(all(abs(k) <= 2**20 for k in symbols), "a residual is too large")
        for j, i in enumerate(wanted):
            left[i] = symbols[j * blocks : (j + 1) * blocks]
        arrays.append(symbols)
    found = [[0] * blocks for _ in left]  # indices
    for i, p in enumerate(PASSES):
        for point, (y, x) in enumerate(grid):
            if pass_of(y, x) == i:
                lines = lines_of(y, x, size, p)
                for block in range(blocks):
                    predict_token(model.prediction, i, lines, left, found, points, point, block)
    return arrays, [[k * step for k in row] for row in found]


def predict_token(
    prediction: Prediction,
    number: int,
    lines: list[list[int]],
    left: list[Sequence[int]],
    found: list[list[int]],
    points: int,
    point: int,
    block: int,
) -> None:
    """Find the indices of all channels at a point of a block; ``lines`` are its neighbours."""
    channels = len(prediction.channels)
    unexpected: list[int] = []
    for c, weights in enumerate(prediction.channels):
        p = (sum(w * unexpected[j] for j, w in weights) + 2**15) >> 16
        for line, near in enumerate(lines):
            a = prediction.neighbours[(2 * (number - 1) + line) * channels + c]
            p += a * sum(found[c * points + other][block] for other in near)
        q = left[c * points + point][block] + ((p + 32) >> 6)
        must(abs(q) <= 2**20, "an index is too large")
        found[c * points + point][block] = q
        unexpected.append(64 * q - p)


# ---- 7.12 Split symbols --------------------------------------------------------------------------


def split_mean(scale: int, step_scale: int) -> int:
    """The mean u of a channel."""
    e = min(max(scale - step_scale + 1 >> 1, -14), 40)
    octaves = max(e - 8, 0) // 2
    return MEANS[e - 2 * octaves + 14] << octaves


def split_class(x: int) -> int:
    b = x.bit_length() - 1
    h = x << 15 >= 46341 << b
    return min(max(2 * b + h - 12, 0), 39)


def split_table(number: int, z: Lossy, model: Model) -> Table:
    if number in model.tables:
        return model.tables[number]
    t = number % 40
    if number < 120:
        positive = 255 if z.lower >= z.mean else 128
        return Table(2 if model.peak else 1, 0, max(171 - 3 * t, 60), positive, 128, 128, (255,))
    shift = max((t - 12) // 2 - 4, 0)
    g = 176 - 4 * t + 8 * shift
    return Table(127, shift, g, 255, 128, 128, (g,))


def read_split(
    coded: Symbols, z: Lossy, model: Model, size: tuple[int, ...], blocks: int, step: float
) -> tuple[list[array[int]], list[list[float]]]:
    """As `read_class`, for a class of blocks of split symbols."""
    height, width = size = as_map(size)
    points = height * width
    means = [split_mean(row[0], z.step_scale) for row in model.scales]
    found = [[0] * blocks for _ in range(len(means) * points)]
    tops: list[tuple[int, int]] = []  # coefficient, block
    arrays = []
    for number_of_pass, p in enumerate(PASSES):
        kinds: dict[int, list[tuple[int, int]]] = {}  # by table number: coefficient, block
        for y, x in itertools.product(range(height), range(width)):
            if pass_of(y, x) != number_of_pass:
                continue
            near = neighbours_of(y, x, size, p)
            for c, mean in enumerate(means):
                for block in range(blocks):
                    n = sum(abs(found[c * points + i][block]) for i in near)
                    number = 40 * p.set + split_class(p.a * mean + 64 * p.b * n)
                    kinds.setdefault(number, []).append((c * points + y * width + x, block))
        sized: dict[int, list[tuple[int, int, int]]] = {}
        order: list[tuple[int, int, int, int]] = []
        for number, wanted in sorted(kinds.items()):
            symbols = coded.take(len(wanted), split_table(number, z, model))
            must(all(-1 <= k <= (2 if model.peak else 1) for k in symbols), "an unknown kind")
            arrays.append(symbols)
            for (i, block), k in zip(wanted, symbols, strict=True):
                found[i][block] = model.peak if k == 2 else k
                if k == 2:
                    tops.append((i, block))
                elif k:
                    order.append((number, i, block, k))
        # The order of the pass: places, channels, blocks.
        for number, i, block, k in sorted(order, key=lambda o: (o[1] % points, o[1], o[2])):
            sized.setdefault(120 + number, []).append((i, block, k))
        for number, some in sorted(sized.items()):
            symbols = coded.take(len(some), split_table(number, z, model))
            must(all(0 <= m < 2**20 for m in symbols), "a magnitude that cannot be")
            arrays.append(symbols)
            for (i, block, k), m in zip(some, symbols, strict=True):
                found[i][block] = k * (m + 1)
    latents = [[k * step for k in row] for row in found]
    for i, block in tops:
        latents[i][block] = (z.upper - z.mean) / z.deviation - model.centres[i // points]
    return arrays, latents


# ---- 7.13 Reconstruction points from neighbours --------------------------------------------------

CLASSES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 23, 32, 46, 64, 91)


def from_neighbours(
    symbols: list[list[int]],
    sizes: list[list[int]],
    quantisers: list[list[int]],
    offsets: Sequence[int],
    size: tuple[int, ...],
    step: float,
) -> list[list[float]]:
    """The latents of coefficients and blocks, from symbols and their limited magnitudes.

    ``quantisers`` are 0 where 7.13 holds, 1 and 2 for the two of 7.14.
    """
    points = math.prod(size)
    latents = []
    for i, row in enumerate(symbols):
        y, x = divmod(i % points, size[-1])
        near = [sizes[i - i % points + j] for j in neighbours_of(y, x, size, PASSES[4])]
        line = []
        for block, k in enumerate(row):
            n = sum(around[block] for around in near)
            q = quantisers[i][block]
            m = abs(k) + offsets[48 * q + 3 * bisect_right(CLASSES, n) + min(abs(k), 2)] / 64
            if k and q == 2:
                m -= 0.5
            if q:
                m *= 9 / 8
            line.append(step * (m if k >= 0 else -m))
        latents.append(line)
    return latents


# ---- 7.16 Interpolation --------------------------------------------------------------------------

SPREADS = (5, 7, 10, 13, 19, 27, 38, 54, 76, 108, 152, 215, 304, 431, 609, 861)
SHIFTS = (3, 3, 3, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8)
LOW = (2, 3, 3, 5, 6, 9, 12, 9, 12, 9, 12, 9, 12, 9, 12, 9, 12)
CELLS = (2, 2, 2, 2, 2, 3, 3, 4, 4, 6, 7, 10, 13, 10, 13, 10, 13)
LOCATED = (13, 13, 13, 13, 13, 14, 14, 15, 15, 25, 26, 37, 48, 72, 94, 127, 127)
HALVES = (2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512)
LINES = (  # the first neighbours of the pairs of passes 1 and 4, 2 and 5, 3 and 6
    ((-1, 0), (-1, -2), (-1, 2), (-3, 0)),
    ((0, -1), (-1, -1), (-1, 1), (0, -3)),
    ((-1, 0), (0, -1), (-1, -1), (-1, 1)),
)


@dataclass
class Interpolation:
    """The fields of 7.16; the weights of other channels are (channel, weight), those not 0."""

    axis: int
    groups: Sequence[int]
    near: list[list[list[int]]]  # of each pass and channel, the constant last
    spread: list[list[list[int]]]
    across: list[list[list[tuple[int, int]]]]
    spread_across: list[list[list[tuple[int, int]]]]
    slopes: Sequence[int]
    zeros: Sequence[int]
    offsets: Sequence[int]


@dataclass(frozen=True)
class Located(Table):
    """A table whose frequencies follow from a slope g and a distance p 2^H."""

    slope: int = 0
    distance: int = 0
    zeros: int | None = None  # the correction, where nothing lies below 0


def read_interpolation(data: bytes, channels: int) -> Interpolation:
    r = Reader(data)
    axis = r.u8()
    must(axis < 2, "an unknown axis")
    within(7 * channels**2, "CHANNEL_WEIGHTS")
    groups = read_integers(r.blob(), channels)
    must(all(0 <= g < channels for g in groups), "a group of channels that cannot be")
    pairs = [(c, j) for c in range(channels) for j in range(channels) if groups[j] < groups[c]]

    def weights(lines: int, least: int) -> list[list[list[int]]]:
        flat, constants = read_integers(r.blob(), 7 * lines * channels), r.blob()
        last = read_integers(constants, 7 * channels)
        must(all(max(least, -512) <= k <= 512 for k in flat), "a weight is too large, or negative")
        must(all(least <= k <= 2**20 for k in last), "a constant is too large, or negative")
        lined = [flat[i : i + channels] for i in range(0, len(flat), channels)]
        return [
            [
                [*(line[c] for line in lined[i * lines : (i + 1) * lines]), last[i * channels + c]]
                for c in range(channels)
            ]
            for i in range(7)
        ]

    def across(least: int) -> list[list[list[tuple[int, int]]]]:
        flat = iter(read_integers(r.blob(), 7 * len(pairs)))
        found: list[list[list[tuple[int, int]]]] = []
        for _ in range(7):
            rows: list[list[tuple[int, int]]] = [[] for _ in range(channels)]
            for (c, j), k in zip(pairs, itertools.islice(flat, len(pairs)), strict=True):
                must(least <= k <= 512, "a weight is too large, or negative")
                if k:
                    rows[c].append((j, k))
            found.append(rows)
        return found

    near, of_channels = weights(4, -(2**20)), across(-512)
    spread, spread_across = weights(6, 0), across(0)
    slopes, zeros, offsets = (read_integers(r.blob(), n) for n in (17, 17 * 64, 17 * 6))
    r.end()
    for values, most in ((slopes, 32), (zeros, 96), (offsets, 128)):
        must(all(abs(k) <= most for k in values), "a correction is too large")
    return Interpolation(
        axis, groups, near, spread, of_channels, spread_across, slopes, zeros, offsets
    )


def chance_at(z: int) -> int:
    c, f = divmod(min(max(z, 0), 65280), 256)
    low = chance(c)
    return low + ((chance(min(c + 1, 255)) - low) * f >> 8)


def located_frequencies(table: Located) -> list[int]:
    top = table.magnitude
    budget = 2**24 - (2 * top + 1)

    def z(i: int) -> int:
        return 32768 + (table.slope * (64 * i + 32 - table.distance) >> 6)

    if table.zeros is None:
        sums = [budget * chance_at(z(i)) >> 24 for i in range(-top, top)]
    else:
        below = chance_at(z(0))
        first = budget * chance_at(z(0) + 256 * table.zeros) >> 24
        sums = [0] * top + [first]
        for i in range(1, top):
            part = (budget - first) * (chance_at(z(i)) - below) // (2**24 - below)
            sums.append(first + part)
    sums.append(budget)
    return [b - a + 1 for a, b in zip([0, *sums], sums, strict=False)]


def located_table(number: int, positive: bool, m: Interpolation) -> Located:
    k, p = divmod(number, 64)
    p -= LOW[k] if positive else 0
    octave, eighth = divmod(96 - 4 * (k - 8) + m.slopes[k], 8)
    slope = POWERS[eighth] << octave >> 15
    nothing_below = positive and p >> max(6 - SHIFTS[k], 0) < CELLS[k]
    zeros = m.zeros[number] if nothing_below else None
    return Located(LOCATED[k], slope=slope, distance=p << SHIFTS[k], zeros=zeros)


def locate(predicted: int, k: int, positive: bool) -> tuple[int, int]:
    """The number of the table, and the base."""
    n, z = max(6 - SHIFTS[k], 0), max(SHIFTS[k] - 6, 0)
    m = predicted + (1 << SHIFTS[k] - 1) >> SHIFTS[k]
    if not positive:
        e = m >> n
        return 64 * k + m - (e << n), e << z
    m = max(m, -LOW[k])
    e = max((m >> n) - CELLS[k], 0)
    return 64 * k + m - (e << n) + LOW[k], e << z


def halving(y: int, x: int) -> int:
    """The pass of a place, with the coordinate along the axis first."""
    if y % 2 or x % 2:
        return 3 + y % 2 + 2 * (x % 2)
    return (y % 4 + 2 * (x % 4)) // 2


def opposite_pairs(
    y: int, x: int, size: tuple[int, int], number: int, axis: int
) -> list[list[int | None]]:
    """The points of the two neighbours of each pair, None for one that there is not."""
    found: list[list[int | None]] = []
    for a, b in LINES[(number - 1) % 3] if number else ():
        h = 2 if number < 4 else 1
        j, k = (h * b, h * a) if axis else (h * a, h * b)
        pair: list[int | None] = []
        for sign in (1, -1):
            v, w = mirrored(y, sign * j, size[0]), mirrored(x, sign * k, size[1])
            pair.append(None if v is None or w is None else v * size[1] + w)
        found.append(pair)
    return found


def limited(q: int) -> int:
    return min(max(q, -(2**15)), 2**15)


def read_interpolated(
    coded: Symbols, z: Lossy, model: Model, size: tuple[int, ...], blocks: int, step: float
) -> tuple[list[array[int]], list[list[float]]]:
    """As `read_class`, for a class of blocks coded with interpolation."""
    m = model.interpolation
    assert m
    height, width = size = as_map(size)
    points, positive = height * width, z.lower >= z.mean
    channels = len(m.groups)
    symbols = [[0] * blocks for _ in range(channels * points)]
    latents = [[0.0] * blocks for _ in symbols]
    arrays: list[array[int]] = []
    grid = list(itertools.product(range(height), range(width)))
    for number in range(7):
        mine = [(y, x) for y, x in grid if halving(*((x, y) if m.axis else (y, x))) == number]
        pairs = {place: opposite_pairs(*place, size, number, m.axis) for place in mine}
        beyond: dict[tuple[int, int, int], int] = {}  # by channel, point and block
        for group in sorted(set(m.groups)):
            wanted: dict[int, list[tuple[int, int, int, int, int, int]]] = {}
            members = [c for c in range(channels) if m.groups[c] == group]
            for c, (y, x), block in itertools.product(members, mine, range(blocks)):
                point = y * width + x
                near = [
                    [0 if i is None else limited(symbols[c * points + i][block]) for i in pair]
                    for pair in pairs[y, x]
                ]
                s, r = expected(near, m.near[number][c], m.spread[number][c])
                others = [(w, beyond[j, point, block]) for j, w in m.across[number][c]]
                s += sum(w * u for w, u in others) + 32 >> 6
                others = [(w, beyond[j, point, block]) for j, w in m.spread_across[number][c]]
                r += sum(w * abs(u) for w, u in others) + 32 >> 6
                s = min(max(s, -(2**21)), 2**21)
                k = bisect_right(SPREADS, r)
                table, base = locate(s, k, positive)
                wanted.setdefault(table, []).append((c, point, block, s, k, base))
            for table, some in sorted(wanted.items()):
                found = coded.take(len(some), located_table(table, positive, m))
                arrays.append(found)
                for (c, point, block, s, k, base), rest in zip(some, found, strict=True):
                    q = rest + base
                    symbols[c * points + point][block] = q
                    beyond[c, point, block] = 64 * limited(q) - (max(s, 0) if positive else s)
                    left = 64 * limited(q) - s
                    kind = 1 + (left > HALVES[k]) - (left < -HALVES[k])
                    if positive and q == 0:
                        kind = 3 + (s >= 0) + (s >= 32)
                    latents[c * points + point][block] = (q + m.offsets[6 * k + kind] / 64) * step
    return arrays, latents


def expected(near: list[list[int]], weights: list[int], spreads: list[int]) -> tuple[int, int]:
    """What neighbours say of a symbol and of its spread."""
    s, r = weights[-1], spreads[-1]
    for (one, other), a, b in zip(near, weights, spreads, strict=False):
        s += a * (one + other)
        r += b * abs(one - other)
    if near:
        first, second = sum(near[0]), sum(near[1])
        r += spreads[4] * abs(first - second) + spreads[5] * abs(first)
    return s, r


READERS = {
    CONTEXT: read_map,
    CONTEXT_MEANS: read_map,
    CONTEXT_SHARED: read_map,
    INTERPOLATED: read_interpolated,
    PREDICTED: read_predicted,
    SPLIT: read_split,
}

# ---- 7.17 Refinement -----------------------------------------------------------------------------


def mantissa_of(dtype: int) -> tuple[int, int]:
    """The bits of the mantissa, and what is added to an exponent."""
    return {9: (2, 15), 10: (3, 7), 11: (10, 15), 12: (7, 127), 13: (23, 127), 14: (52, 1023)}[
        dtype
    ]


def check_refined(z: Lossy, profile: Profile | None) -> None:
    must((z.mean, z.deviation) == (0, 1), "a normalisation with refinement")
    must(not profile, "a profile with refinement")
    must(
        all(model.transform in (PREDICTED, SPLIT) for model in z.models),
        "a transform with refinement",
    )
    fraction, octave = math.frexp(z.step)
    bias = mantissa_of(z.dtype)[1]
    least, most = (1 - bias, bias) if not z.logarithmic else (0, BITS[z.dtype] - 2)
    if TYPES[z.dtype] == "F8_E4M3" and not z.logarithmic:
        most = bias + 1
    must(fraction == 0.5 and least <= octave - 1 <= most, "the step of a refined group")


def to_element(values: list[float], dtype: int) -> list[int]:
    """The elements that values stand for with the logarithmic flag."""
    top = BITS[dtype] - 1
    most = 2**top - (1024 if top == 63 else 1)
    return [min(int(abs(x)), most) | (1 << top if math.copysign(1, x) < 0 else 0) for x in values]


def addresses(z: Lossy, pieces: list[Piece]) -> Iterator[tuple[int, int]]:
    """The tensor and the place of each element of a class, in coding order."""
    where = [(piece, origin) for piece in pieces for origin in piece.origins]
    for c in range(z.views[0].channels):
        for point in range(len(pieces[0].points)):
            for piece, origin in where:
                yield piece.tensor, origin + piece.points[point] + z.views[piece.tensor].offsets[c]


def refine(r: Reader, z: Lossy, where: list[tuple[int, int]], out: list[array[int]]) -> None:
    """Set the bits that truncation took."""
    small, width_of = [], []
    mantissa, bias = mantissa_of(z.dtype)
    octave = math.frexp(z.step)[1] - 1
    for t, at in where:
        size = out[t][at] & ~(1 << BITS[z.dtype] - 1)
        if not size:
            small.append((t, at))
            continue
        w = octave + bias + mantissa - (size >> mantissa)
        width_of.append((t, at, octave if z.logarithmic else min(max(w, 0), mantissa)))
    data = r.blob()
    must(bool(data) == bool(small), "small elements where there are none")
    if small:
        raw = Reader(decode_exact(Reader(data), z.dtype, len(small)))
        for t, at in small:
            out[t][at] = raw.uint(width(z.dtype))
    for place in range(max((w for _, _, w in width_of), default=0)):
        wide = [(t, at) for t, at, w in width_of if w > place]
        kind = r.u8()
        must(kind <= 1, "unknown coding of low bits")
        bits = r.take(-(-len(wide) // 8)) if kind == 0 else b""
        for i, (t, at) in enumerate(wide if bits else []):
            out[t][at] |= (bits[i // 8] >> i % 8 & 1) << place
    r.end()


# ---- 8. ROWS of a group bit for bit --------------------------------------------------------------


def decode_exact(r: Reader, dtype: int, n: int, seed: int = 0) -> bytes:
    """The n elements of a row group; a message has a seed (9.1)."""
    crc, size = r.uint(4), width(dtype)
    swaps = read_swaps(r, size) if r.peek() == 5 else None
    if r.peek() in (3, 4):
        data = decode_bins(r, size, n) if r.u8() == 3 else inflate(r.rest(), n * size)
    else:
        data = decode_planes(r, dtype, n)
    if swaps:
        data = swaps.applied(data, size)
    must(zlib.crc32(data, seed) == crc, "the CRC-32 of the elements does not match")
    return data


def decode_planes(r: Reader, dtype: int, n: int) -> bytes:
    size = width(dtype)
    data = bytearray(n * size)
    for i in range(size):
        data[i::size] = read_plane(r, n)
    r.end()
    if is_floating(dtype):
        code, top = WORDS[size], 8 * size - 1
        rotated = struct.unpack(f"<{n}{code}", data)
        data = bytearray(struct.pack(f"<{n}{code}", *[v >> 1 | (v & 1) << top for v in rotated]))
    return bytes(data)


@dataclass
class Swaps:
    """Section 8.2."""

    distance: int
    phase: int
    numbers: list[int]

    def applied(self, data: bytes, size: int) -> bytes:
        code, n = WORDS[size], len(data) // size
        out = []
        for i, v in enumerate(struct.unpack(f"<{n}{code}", data)):
            own = self.numbers[(i + self.phase) // self.distance % len(self.numbers)]
            out.append(own if v == 0 else 0 if v == own else v)
        return struct.pack(f"<{n}{code}", *out)


def read_swaps(r: Reader, size: int) -> Swaps:
    r.u8()
    distance, phase, channels = r.varint(), r.varint(), r.varint()
    must(distance and 1 <= channels <= 65536 and phase < distance * channels, "swapped numbers")
    raw = inflate(r.blob(), channels * size)
    return Swaps(distance, phase, list(struct.unpack(f"<{channels}{WORDS[size]}", raw)))


def read_plane(r: Reader, n: int) -> bytes:
    kind = r.u8()
    must(kind <= 2, "unknown coding of a plane")
    if kind == 0:
        return r.take(n)
    if kind == 1:
        return r.take(1) * n
    levels = struct.unpack("<256H", inflate(r.blob(), 512))
    occurring = [v for v in range(256) if levels[v]]
    must(len(occurring) >= 2, "a coded plane of fewer than two values")
    coder = Coder(r.blob())
    plane = bytes(occurring[k] for k in coder.decode(proportional(levels), n))
    coder.end()
    return plane


def proportional(levels: Sequence[int]) -> list[int]:
    """The frequencies of the symbols whose level is not 0."""
    present = [level for level in levels if level]
    f = [level * 2**24 // sum(present) for level in present]
    f[present.index(max(present))] += 2**24 - sum(f)
    return f


# ---- 8.1 Packed elements and bins ----------------------------------------------------------------

DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
DIRECT = ((-1, 0), (1, 0), (0, -1), (0, 1))
BIN_PASSES = (  # row, column, distance of rows and of columns, neighbours, how far they are
    (0, 0, 4, (), 0),
    (2, 2, 4, DIAGONAL, 2),
    (2, 0, 4, DIRECT, 2),
    (0, 2, 4, DIRECT, 2),
    (1, 1, 2, DIAGONAL, 1),
    (1, 0, 2, DIRECT, 1),
    (0, 1, 2, DIRECT, 1),
)


@dataclass
class Bins:
    """The model: bin j is a prefix when j < prefixes, and begins with starts[j]."""

    shift: int
    low: int
    prefixes: int
    starts: list[int]  # not shifted
    grades: bytes
    width: int
    places: bytes  # kinds of places
    channels: bytes  # and of channels
    different: int  # kinds of channels
    map: list[bytes]
    levels: list[list[int]]


def ascending(r: Reader, n: int, size: int, limit: int) -> list[int]:
    gaps = [r.uint(size) for _ in range(n)]
    must(all(gaps[1:]), "bins do not ascend")
    numbers = list(itertools.accumulate(gaps))
    must(not numbers or numbers[-1] < limit, "a bin is too large")
    return numbers


def read_bins(data: bytes, size: int, n: int) -> Bins:
    stream = zlib.decompressobj()
    try:
        r = Reader(stream.decompress(data, 2**21 + 1))
    except zlib.error:
        raise FormatError("a zlib stream is damaged") from None
    sound = stream.eof and not stream.unused_data and len(r.data) <= 2**21
    must(sound, "the model of bins has another length")
    shift, low, p, v, t = r.u8(), r.u8(), r.uint(2), r.uint(2), r.uint(2)
    columns, channels, kinds, different = r.uint(4), r.uint(4), r.u8(), r.u8()
    must(shift + low < 8 * size and p + v <= 4096, "bins that cannot be")
    must(1 <= t <= 256 and (p + v) * t <= 2**20, "tables of bins that cannot be")
    must(columns and 1 <= channels <= 65536, "rows of bins that cannot be")
    must(columns * channels <= max(n, 1), "rows of bins that cannot be")
    must(1 <= kinds * different <= 64, "kinds that cannot be")
    starts = [s << low for s in ascending(r, p, size, 1 << 8 * size - shift - low)]
    starts += ascending(r, v, size, 1 << 8 * size - shift)
    grades, places = r.take(p + v), -(-n // channels)
    of_places = r.take(places) if kinds > 1 else bytes(places)
    of_channels = r.take(channels) if different > 1 else bytes(channels)
    must(all(g < 16 for g in grades), "a grade of 16 or more")
    must(max(of_places, default=0) < kinds and max(of_channels) < different, "a kind")
    table_map = [r.take(62) for _ in range(2 * kinds * different)]
    must(max(map(max, table_map)) < t, "a table of bins that is not there")
    codes = [r.take(p + v) for _ in range(t)]
    r.end()
    must(all(c <= 80 for row in codes for c in row), "the code of a level")
    levels = [[c and (4 + (c - 1) % 4) << (c - 1) // 4 for c in row] for row in codes]
    must(all(1 <= sum(row) <= 2**24 for row in levels), "the levels of a table")
    return Bins(
        shift, low, p, starts, grades, columns, of_places, of_channels, different, table_map, levels
    )


def decode_bins(r: Reader, size: int, n: int) -> bytes:
    """The elements of a row group."""
    m, coder = read_bins(r.blob(), size, n), Coder(r.blob())
    bins = bin_numbers(m, coder, n)
    coder.end()
    elements = [m.starts[j] for j in bins]
    behind = [i for i, j in enumerate(bins) if j < m.prefixes]
    for b in range(0, m.low - 7, 8):
        for i, byte in zip(behind, read_plane(r, len(behind)), strict=True):
            elements[i] |= byte << b
    for b in range(m.low - m.low % 8, m.low):
        packed = r.take(-(-len(behind) // 8))
        for at, i in enumerate(behind):
            elements[i] |= (packed[at // 8] >> at % 8 & 1) << b
    r.end()
    return b"".join((e << m.shift).to_bytes(size, "little") for e in elements)


def bin_numbers(m: Bins, coder: Coder, n: int) -> list[int]:
    """The bins of the n elements."""
    channels = len(m.channels)
    rows = -(-n // (m.width * channels))
    bins, grades = [0] * n, bytearray([8]) * n
    frequencies = [proportional(row) for row in m.levels]
    symbols = [[j for j, level in enumerate(row) if level] for row in m.levels]

    def grade(y: int, x: int, c: int) -> int:
        i = (y * m.width + x) * channels + c
        return grades[i] if y >= 0 and 0 <= x < m.width and i < n else 8

    for top, left, step, neighbours, far in BIN_PASSES:
        near = neighbours == DIRECT and far == 1
        where: dict[int, list[int]] = {}
        places = itertools.product(range(top, rows, step), range(left, m.width, step))
        for (y, x), c in itertools.product(places, range(channels)):
            i = (y * m.width + x) * channels + c
            if i < n:
                s = sum(grade(y + far * dy, x + far * dx, c) for dy, dx in neighbours)
                kind = m.places[i // channels] * m.different + m.channels[c]
                table = m.map[2 * kind + near][s if neighbours else 61]
                where.setdefault(table, []).append(i)
        for table, elements in sorted(where.items()):
            count = len(elements) if len(symbols[table]) > 1 else 0
            found = [symbols[table][k] for k in coder.decode(frequencies[table], count)]
            for i, j in zip(elements, found or symbols[table] * len(elements), strict=True):
                bins[i] = j
        for i in itertools.chain(*where.values()):
            grades[i] = m.grades[bins[i]]
    return bins


# ---- 9. Profiles ---------------------------------------------------------------------------------


@dataclass
class Entry:
    name: str
    layout: str
    prefix: int
    grid: list[int]
    of_prefix: bool
    channels: int
    mean: float
    deviation: float
    lower: float
    upper: float
    model: Model


@dataclass
class Profile:
    sha256: bytes
    seed: int  # 7.7
    entries: list[Entry]
    network: Network | None  # 9.2


def read_profile(data: bytes) -> Profile:
    sections, _ = read_file(data, PROFILE)
    digest = hashlib.sha256(data).digest()
    entries = [read_entry(s.payload) for s in sections if s.type == b"ENTR"]
    networks = [read_network(s.payload) for s in sections if s.type == b"NETW"]
    return Profile(digest, zlib.crc32(digest), entries, networks[0] if networks else None)


def read_entry(payload: bytes) -> Entry:
    r = Reader(payload)
    name = r.string()
    must(r.u8() <= 2, "unknown architecture")
    layout, prefix, grid, of_prefix = r.layout(), r.varint(), r.lengths(), r.u8()
    must(of_prefix <= 1, "an entry is neither of the grid nor of the prefix tokens")
    channels = within(r.varint(), "CHANNELS")
    r.varint()
    mean, deviation, lower, upper = r.real(), r.real(), r.real(), r.real()
    must(all(map(math.isfinite, (mean, deviation, lower, upper))), "not finite")
    must(lower <= upper and deviation > 0, "bounds or deviation")
    model = read_model(r.rest(), channels)
    return Entry(
        name, layout, prefix, grid, bool(of_prefix), channels, mean, deviation, lower, upper, model
    )


# ---- 9.1 Messages --------------------------------------------------------------------------------


def decode_message(
    data: bytes, profile: bytes, most: int = 1 << 24
) -> tuple[str, list[int], bytes]:
    """The element type, the shape and the bytes of the array of a message, of `most` values."""
    r, p = Reader(data), read_profile(profile)
    flags, kind = r.u8(), r.u8()
    must(flags >> 5 == 2, "unknown version of messages")
    flags &= 31
    dtype, shape = kind >> 4, r.varints(kind & 15)
    must(is_floating(dtype), "the element type of a message")
    must(within(math.prod(shape), "ROW_GROUP_VALUES") <= most, "a message of too many values")
    within(math.prod(filter(None, shape)), "TENSOR_VALUES")
    if flags & 8:
        must(flags == 8, "a message bit for bit with other flags")
        seed = zlib.crc32(data[: r.at])
        return TYPES[dtype], shape, decode_exact(r, dtype, math.prod(shape), seed)
    must(r.take(2) == p.sha256[:2], "a message of another profile")
    e, code = r.varint(), r.uint(2)
    must(e < len(p.entries) and not p.entries[e].of_prefix, "no such entry of the profile")
    entry = p.entries[e]
    must(entry.model.transform != WEIGHTED, "a message in the metric of a task")
    layout = entry.layout
    if len(shape) == len(layout) - 1:
        layout = layout.replace("N", "", 1)
    z = Lossy(dtype, layout, entry.prefix, entry.grid, entry.lower, entry.upper)
    z.mean, z.deviation, z.clamp = entry.mean, entry.deviation, not flags & 1
    z.step = 2.0 ** ((code - 32768) / 1024)
    z.step_scale = 2 * ((code - 32768 + 256) >> 9)
    z.shift = r.svarint() if flags & 4 else 0
    z.dependent = bool(flags & 16)
    z.seed = zlib.crc32(data[: r.at], p.seed)
    z.models = [entry.model]
    z.views = [view(shape, layout, entry.prefix, entry.grid)]
    v = z.views[0]
    must(v.channels == entry.channels, "the array has another number of channels")
    if entry.prefix:
        key = (entry.name, entry.channels, entry.mean)
        same = [x for x in p.entries if x.of_prefix and (x.name, x.channels, x.mean) == key]
        must(same, "the profile lacks the model of the prefix tokens")
        z.models.append(same[0].model)
    check_quantisers(z)
    check_slabs(z)
    out = [blank(dtype, shape)]
    decode_rows(r, z, 128, 0, v.samples * rows_of(z, v), out, bool(flags & 2))
    return TYPES[dtype], shape, to_bytes(out[0])


# ---- 9.2 Networks --------------------------------------------------------------------------------

CODES = {"U8": "B", "I16": "h", "I64": "q", "F16": "e", "F32": "f"}
REAL = ("F16", "F32")


@dataclass
class Parameter:
    """A tensor of a network; of a type that no network has, without its values."""

    dtype: str
    shape: list[int]
    values: list[Any]


@dataclass
class Layer:
    """A layer that doubles each axis: weights [input][output][row][column], and biases."""

    weight: list[Any]
    bias: list[Any]


@dataclass
class Network:
    """What a decoder needs of a network."""

    hyper_layers: list[Layer]
    hyper_shifts: list[int]
    hyper_tables: list[Table]
    latent_tables: dict[int, Table]
    layers: list[Layer]
    norms: list[tuple[list[float], list[list[float]]]]  # beta, gamma
    inverse_gain: list[list[float]]
    coarsest_step: float


def read_safetensors(data: bytes) -> dict[str, Parameter]:
    r = Reader(data)
    size = within(r.uint(8), "NETWORK_HEADER_BYTES")
    try:
        header = json.loads(r.take(size).decode("utf-8"))
    except (ValueError, RecursionError):
        raise FormatError("the header of a network is not JSON") from None
    must(isinstance(header, dict), "the header of a network is not an object")
    metadata = header.pop("__metadata__", {})
    sound = isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())
    must(sound, "the metadata of a network are not strings")
    body, parameters, spans = r.rest(), {}, []
    for name, entry in header.items():
        sound = isinstance(entry, dict) and set(entry) >= {"dtype", "shape", "data_offsets"}
        must(sound, f"the header says too little of {name!r}")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        sound = isinstance(dtype, str) and isinstance(shape, list) and isinstance(offsets, list)
        sound = sound and all(type(n) is int and n >= 0 for n in shape + offsets)
        must(sound and len(offsets) == 2, f"the type, shape or place of {name!r}")
        begin, end = offsets
        must(begin <= end <= len(body), f"{name!r} lies outside of the data")
        spans.append((begin, end))
        values: tuple[Any, ...] = ()
        if dtype in CODES:
            must(max(shape, default=0) <= len(body), f"the shape of {name!r}")
            n, code = math.prod(shape), "<" + CODES[dtype]
            must(end - begin == n * struct.calcsize(code), f"{name!r} takes another space")
            values = tuple(v for (v,) in struct.iter_unpack(code, body[begin:end]))
        parameters[name] = Parameter(dtype, shape, list(values))
    at = 0
    for begin, end in sorted(spans):
        must(begin == at, "a gap or an overlap in the data of a network")
        at = end
    must(at == len(body), "data of a network that no tensor has")
    return parameters


def flat(planes: list[Any]) -> list[Any]:
    """The values of planes in raster order."""
    return [value for plane in planes for line in plane for value in line]


def nested(values: list[Any], shape: Sequence[int]) -> list[Any]:
    """Values in raster order as lists in lists."""
    for n in reversed(shape[1:]):
        values = [values[i : i + n] for i in range(0, len(values), max(n, 1))]
    return values


def read_network(payload: bytes) -> Network:
    found = read_safetensors(payload)

    def get(name: str, types: Sequence[str], *shape: int | None) -> list[Any]:
        """The values of a tensor, whose type and shape (None: any length) are checked."""
        must(name in found, f"a network lacks {name}")
        p = found[name]
        must(p.dtype in types, f"{name} is of a wrong type")
        alike = (n in (None, m) for n, m in zip(shape, p.shape, strict=False))
        must(len(shape) == len(p.shape) and all(alike), f"{name} has a wrong shape")
        if p.dtype in REAL:
            must(all(map(math.isfinite, p.values)), f"{name} is not finite")
        return nested(p.values, p.shape)

    def norms(part: str, stages: int, n: int) -> list[tuple[list[float], list[list[float]]]]:
        pairs = []
        for i in range(stages - 1):
            beta = get(f"{part}.{i}.beta", REAL, n)
            gamma = get(f"{part}.{i}.gamma", REAL, n, n)
            must(min(beta) > 0, "a beta is not above 0")
            must(all(min(line) >= 0 for line in gamma), "a gamma is below 0")
            pairs.append((beta, gamma))
        return pairs

    # Sizes: those of one tensor each; all others are held against them.
    get("hyper_synthesis.2.weight", ["I16"], None, None, 1, 1)
    n, m = found["hyper_synthesis.2.weight"].shape[:2]
    get("inverse_gain", REAL, None, None)
    levels = found["inverse_gain"].shape[0]
    stages = sum(f"synthesis.{i}.weight" in found for i in range(7))
    must(1 <= stages <= 6 and levels >= 2, "stages or levels of a network")
    must(1 <= n <= 1024 and 1 <= m <= min(1024, 4 ** (stages + 1)), "channels of a network")

    hyper_layers = []
    for i, (outputs, side) in enumerate([(n, 5), (n, 5), (m, 1)]):
        weight = get(f"hyper_synthesis.{i}.weight", ["I16"], n, outputs, side, side)
        hyper_layers.append(Layer(weight, get(f"hyper_synthesis.{i}.bias", ["I64"], outputs)))
    shifts = get("hyper_synthesis.shift", ["U8"], 3)
    must(max(shifts) <= 40, "a shift of a network")
    check_exact(hyper_layers, shifts)
    r = Reader(bytes(get("hyper_tables", ["U8"], None)))
    hyper_tables = [read_table(r) for _ in range(n)]
    r.end()
    latent_tables = read_tables(bytes(get("latent_tables", ["U8"], None)))
    layers = []
    for i, (inputs, outputs) in enumerate(itertools.pairwise([m] + [n] * (stages - 1) + [1])):
        weight = get(f"synthesis.{i}.weight", REAL, inputs, outputs, 5, 5)
        layers.append(Layer(weight, get(f"synthesis.{i}.bias", REAL, outputs)))
    inverse_gain = get("inverse_gain", REAL, levels, m)
    (coarsest,) = get("coarsest_step", ["F32"], 1)
    must(coarsest > 0, "the coarsest step is not above 0")

    # What the encoder uses.
    for i, (inputs, outputs) in enumerate(itertools.pairwise([1] + [n] * (stages - 1) + [m])):
        get(f"analysis.{i}.weight", REAL, outputs, inputs, 5, 5)
        get(f"analysis.{i}.bias", REAL, outputs)
    norms("analysis", stages, n)
    for i, (inputs, side) in enumerate([(m, 3), (n, 5), (n, 5)]):
        get(f"hyper_analysis.{i}.weight", REAL, n, inputs, side, side)
        get(f"hyper_analysis.{i}.bias", REAL, n)
    get("gain", REAL, levels, m)
    return Network(
        hyper_layers,
        shifts,
        hyper_tables,
        latent_tables,
        layers,
        norms("synthesis", stages, n),
        inverse_gain,
        coarsest,
    )


# ---- 9.3 Sizes -----------------------------------------------------------------------------------

Plane = list[list[Any]]  # of floats; of integers in the hyper-synthesis


@dataclass
class Picture:
    """The values [token][channel] of a picture, and the symbols that it was coded with."""

    values: Plane
    symbols: list[array[int]]


def halvings(height: int, width: int, times: int) -> list[tuple[int, int]]:
    """The sizes that layers reach, which double up to this size; the first is that of their input.

    Rounding up at each halving or once for all of them is the same.
    """
    return [(-(-height // 2**i), -(-width // 2**i)) for i in range(times, -1, -1)]


# ---- 9.4 Symbols of a picture --------------------------------------------------------------------

HYPER_LATENT, ACTIVATION = 4096, 2**20 - 1  # the largest


def check_exact(layers: list[Layer], shifts: list[int]) -> None:
    """No layer of the hyper-synthesis leaves what a double holds exactly."""
    largest = HYPER_LATENT
    for layer, shift in zip(layers, shifts, strict=True):
        reach = max(
            sum(abs(w) for kernels in layer.weight for row in kernels[o] for w in row)
            for o in range(len(layer.bias))
        )
        bound = reach * largest + max(map(abs, layer.bias)) + 2**shift
        must(bound < 2**53, "a network is too large for exact integers")
        largest = ACTIVATION


def doubled(a: list[Plane], layer: Layer, height: int, width: int) -> list[Plane]:
    """The sums b of 9.4, taken from the side of the inputs: a[c][i][l] adds to rows 2 i + j - 2."""
    out = []
    for o, bias in enumerate(layer.bias):
        b = [[bias] * width for _ in range(height)]
        for plane, kernels in zip(a, layer.weight, strict=True):
            for i, line in enumerate(plane):
                for j, weights in enumerate(kernels[o]):
                    y = 2 * i + j - 2
                    if 0 <= y < height:
                        add_line(b[y], line, weights)
        out.append(b)
    return out


def add_line(out: list[float], line: list[float], weights: list[float]) -> None:
    width = len(out)
    for at, value in enumerate(line):
        if value:
            for x, w in enumerate(weights, 2 * at - 2):
                if 0 <= x < width:
                    out[x] += value * w


def narrowed(plane: Plane, shift: int, top: int) -> Plane:
    half = 1 << shift >> 1
    return [[min(max(b + half >> shift, 0), top) for b in line] for line in plane]


def hyper_synthesis(a: list[Plane], network: Network, sizes: list[tuple[int, int]]) -> list[Plane]:
    """The table numbers of all latents from the hyper-latents; ``sizes`` of two layers."""
    *layers, third = network.hyper_layers
    for layer, shift, (height, width) in zip(layers, network.hyper_shifts, sizes, strict=False):
        a = [narrowed(b, shift, ACTIVATION) for b in doubled(a, layer, height, width)]
    numbers = []
    for o, bias in enumerate(third.bias):
        weights = [kernels[o][0][0] for kernels in third.weight]
        b = [
            [bias + sum(map(mul, weights, values)) for values in zip(*lines, strict=True)]
            for lines in zip(*a, strict=True)
        ]
        numbers.append(narrowed(b, network.hyper_shifts[2], 255))
    return numbers


def read_picture(r: Reader, z: Lossy, tokens: int, channels: int, step: float) -> Picture:
    """The picture of a class (7.8)."""
    network = z.network
    assert network
    sizes = halvings(tokens, channels, len(network.layers))  # latents ... picture
    within(len(network.hyper_layers[2].bias) * math.prod(sizes[0]), "PICTURE_LATENTS")
    inner = -(-tokens // 2) * -(-channels // 2)
    within(len(network.hyper_tables) * inner, "PICTURE_INNER_VALUES")
    hyper_sizes = halvings(*sizes[0], 2)  # hyper-latents ... latents
    count = math.prod(hyper_sizes[0])
    arrays = [(count, table) for table in network.hyper_tables]
    hyper = coded_symbols(Reader(r.blob()), arrays, z.seed)
    for plane in hyper:
        must(max(map(abs, plane)) <= HYPER_LATENT, "a hyper-latent is too large")
    planes = [nested(list(plane), hyper_sizes[0]) for plane in hyper]
    numbers = flat(hyper_synthesis(planes, network, hyper_sizes[1:]))
    where: dict[int, list[int]] = {}
    for i, number in enumerate(numbers):
        where.setdefault(number, []).append(i)
    used = sorted(where)
    tables = [find_table(number, network.latent_tables) for number in used]
    arrays = [(len(where[number]), table) for number, table in zip(used, tables, strict=True)]
    coded = coded_symbols(Reader(r.blob()), arrays, z.seed)
    values = [0.0] * len(numbers)
    for number, table, symbols in zip(used, tables, coded, strict=True):
        for i, symbol in zip(where[number], symbols, strict=True):
            values[i] = latent(symbol, table, 1.0)
    latents = nested(values, [len(network.layers[0].weight), *sizes[0]])
    return Picture(synthesis(latents, network, sizes[1:], step), [*hyper, *coded])


# ---- 9.5 From latents to the picture -------------------------------------------------------------


def gains(network: Network, step: float) -> list[float]:
    """The factors of the latents of each channel."""
    top = len(network.inverse_gain) - 1
    finer = math.log2(network.coarsest_step) - math.log2(step) if step else math.inf
    level = min(max(2 * finer, -1.0), top)
    low = min(max(math.floor(level), 0), top - 1)
    f = level - low
    rows = network.inverse_gain[low : low + 2]
    exponents = [(1 - f) * a + f * b for a, b in zip(*rows, strict=True)]
    must(max(exponents) < 1024, "a picture is not finite")
    return [2**e for e in exponents]


def synthesis(
    latents: list[Plane], network: Network, sizes: list[tuple[int, int]], step: float
) -> Plane:
    """The picture from the latents; ``sizes`` of all layers."""
    factors = gains(network, step)
    a = [[[v * k for v in line] for line in p] for p, k in zip(latents, factors, strict=True)]
    for i, (layer, (height, width)) in enumerate(zip(network.layers, sizes, strict=True)):
        a = doubled(a, layer, height, width)
        if i < len(network.norms):
            a = normalised(a, *network.norms[i])
    must(all(map(math.isfinite, flat(a))), "a picture is not finite")
    return a[0]


def normalised(b: list[Plane], beta: list[float], gamma: list[list[float]]) -> list[Plane]:
    squares = [[[v * v for v in line] for line in plane] for plane in b]
    out = []
    for plane, start, weights in zip(b, beta, gamma, strict=True):
        rows = []
        for y, line in enumerate(plane):
            at_each = zip(*(s[y] for s in squares), strict=True)
            sums = [start + sum(map(mul, weights, values)) for values in at_each]
            rows.append([v * math.sqrt(t) for v, t in zip(line, sums, strict=True)])
        out.append(rows)
    return out


# ---- A whole file --------------------------------------------------------------------------------


@dataclass
class Tensor:
    dtype: str
    shape: list[int]
    data: bytes


@dataclass
class Dump:
    """What a file holds; ``symbols`` has the coded symbols of each ROWS section with loss."""

    metadata: dict[str, str] | None
    tensors: dict[str, Tensor]
    symbols: dict[int, list[array[int]]]


def read_groups(
    data: bytes, profiles: Sequence[bytes]
) -> tuple[Index, list[Section], Iterator[Group]]:
    """All of a file but the payloads of ROWS, with the rules that tie sections together.

    The groups come one by one, so that no more than one model need be kept.
    """
    sections, index = read_file(data, FEATURES)
    held = [s.payload for s in sections if s.type == b"prof"]  # 3.1
    at_hand = {hashlib.sha256(p).digest(): p for p in held}
    must(len(at_hand) == len(held), "a profile twice in the file")
    must(set(at_hand) <= set(index.profiles), "a profile in the file that it does not need")
    at_hand |= {hashlib.sha256(p).digest(): p for p in profiles}
    for digest in index.profiles:
        must(digest in at_hand, f"the file needs the profile {digest.hex()}")
    read = {digest: read_profile(at_hand[digest]) for digest in set(index.profiles)}
    needed = [read[digest] for digest in index.profiles]
    payloads = [s.payload for s in sections if s.type == b"GRUP"]
    heads = [read_head(Reader(payload))[2] for payload in payloads]
    shapes: list[list[list[int]]] = [[] for _ in payloads]
    cuts: list[list[Cut]] = [[] for _ in payloads]
    for t, (dtype, shape) in enumerate(zip(index.dtypes, index.shapes, strict=True)):
        for at, of_part in members_of(index, t, shape):
            must(at < len(heads) and heads[at].dtype == dtype, "the group of a tensor")
            shapes[at].append(of_part)
            cuts[at] += [index.cuts[t]] if t in index.cuts else []
    must(all(shapes), "a group without tensors")
    rows = [i for i, s in enumerate(sections) if s.type == b"ROWS"]
    must(sum(head.rows() for head in heads) == len(rows), "row groups that do not exist")
    spans = [i for head in heads for i in range(head.first, head.first + head.rows())]
    must(sorted(spans) == rows, "a ROWS section that belongs to no group or to several")
    groups = (
        checked(read_group(p, s, needed), c) for p, s, c in zip(payloads, shapes, cuts, strict=True)
    )
    return index, sections, groups


def members_of(index: Index, t: int, shape: list[int]) -> Iterator[tuple[int, list[int]]]:
    """The group and shape of a tensor, or of each of its parts."""
    if t not in index.cuts:
        yield index.groups[t], shape
        return
    cut = index.cuts[t]
    for at, part in zip(cut.groups, cut.parts(), strict=True):
        yield at, cut.shape(part)


def checked(group: Group, cuts: list[Cut]) -> Group:
    layout = group.lossy.layout if group.lossy else group.repeats.layout if group.repeats else ""
    for cut in cuts:
        check_cut(cut, layout)
    return group


def put_part(
    whole: bytearray, raw: bytes, shape: list[int], part: Sequence[range], size: int
) -> None:
    """Put the elements of a part of a tensor, of so many bytes each, to their places."""
    strides = [math.prod(shape[i + 1 :]) * size for i in range(len(shape))]
    steps = [[i * stride for i in places] for places, stride in zip(part, strides, strict=True)]
    for i, at in enumerate(map(sum, itertools.product(*steps))):
        whole[at : at + size] = raw[i * size : (i + 1) * size]


def decode(data: bytes, profiles: Sequence[bytes] = ()) -> Dump:
    """Decode a file of features."""
    index, sections, lazy = read_groups(data, profiles)
    groups = list(lazy)  # all limits hold before memory is taken for what they stand for
    dump = Dump(index.metadata, {}, {})
    members: dict[int, list[tuple[int, Sequence[range] | None]]] = {}
    wholes = {t: bytearray(stored(index.dtypes[t], index.shapes[t])) for t in index.cuts}
    for t, at in enumerate(index.groups):
        cut = index.cuts.get(t)
        for to, part in zip(cut.groups, cut.parts(), strict=True) if cut else [(at, None)]:
            members.setdefault(to, []).append((t, part))
    for number, group in enumerate(groups):
        z, exact = group.lossy, []
        bits = [blank(group.dtype, v.shape) for v in z.views] if z else []
        for i in range(group.rows()):
            low, high = i * group.per, min((i + 1) * group.per, group.slabs)
            r = Reader(sections[group.first + i].payload)
            if z:
                dump.symbols[group.first + i] = decode_rows(r, z, r.u8(), low, high, bits)
            else:
                exact.append(decode_exact(r, group.dtype, high - low))
        if z:
            bits = unstacked(bits, *z.stack)
        whole = b"".join([to_bytes(b) for b in bits] or exact)
        if group.repeats:
            rows = array(WORDS[width(group.dtype)], whole)
            whole = b"".join(map(to_bytes, group.repeats.restore(rows)))
        r = Reader(whole)
        for t, part in members[number]:
            shape, size = index.shapes[t], width(group.dtype)
            if part is None:
                raw = r.take(stored(group.dtype, shape))
            else:
                put_part(wholes[t], r.take(math.prod(map(len, part)) * size), shape, part, size)
                raw = b""  # when all parts are there
            dump.tensors[index.names[t]] = Tensor(TYPES[group.dtype], shape, raw)
    for t, whole in wholes.items():
        dump.tensors[index.names[t]].data = bytes(whole)
    dump.tensors = {name: dump.tensors[name] for name in index.names}
    return dump


def unstacked(bits: list[array[int]], count: int, distance: int) -> list[array[int]]:
    """The elements of tensors in order, of those of stacks."""
    found: list[array[int]] = [array("B")] * (len(bits) * count)
    for stack, at in zip(bits, places_of(len(found), count, distance), strict=True):
        each = len(stack) // count
        for j, i in enumerate(at):
            found[i] = stack[j * each : (j + 1) * each]
    return found


def to_safetensors(dump: Dump) -> bytes:
    header: dict[str, object] = {}
    if dump.metadata is not None:
        header["__metadata__"] = dump.metadata
    at = 0
    for name, t in dump.tensors.items():
        offsets = [at, at := at + len(t.data)]
        header[name] = {"dtype": t.dtype, "shape": t.shape, "data_offsets": offsets}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *(t.data for t in dump.tensors.values())])


def main() -> int:
    parser = argparse.ArgumentParser(description="Decode a featcodec file.")
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path, nargs="?", help="the safetensors file to write")
    parser.add_argument("--profile", type=Path, action="append", default=[])
    parser.add_argument("--check", action="store_true", help="only look at the structure")
    args = parser.parse_args()
    if args.check == bool(args.out):
        parser.error("give either --check or a file to write")
    data, profiles = args.file.read_bytes(), [p.read_bytes() for p in args.profile]
    try:
        if not args.check:
            args.out.write_bytes(to_safetensors(decode(data, profiles)))
        elif data[10:12] == b"\1\0":
            read_profile(data)
        else:
            for _ in read_groups(data, profiles)[2]:
                pass
    except FormatError as error:
        print(f"{args.file}: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
