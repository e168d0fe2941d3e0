"""Files taken apart into fields, some changed, and put together again, lengths, CRC-32 and all.

A field is a list [kind, value]; the value of a blob, or of what is packed, may be a list of fields.
"""

import copy
import math
import random
import struct
import zlib
from typing import Any

from featcodec.container.sections import MAGIC, SECTION, SIGNATURE_BYTES, signature
from featcodec.container.wire import Builder, Cursor, Unpacker

Field = list[Any]
Fields = list[Field]

WIDTHS = {"u8": 1, "u16": 2, "u32": 4}
NUMBERS = [0, 1, 2, 3, 7, 16, 17, 127, 128, 255, 256, 4095, 4097, 65535, 65537]
NUMBERS += [2**k + d for k in (20, 24, 27, 31, 32, 40, 59, 62, 63) for d in (-1, 0, 1)] + [
    2**64 - 1
]
REALS = [0.0, -0.0, 1.0, -1.0, 5e-324, 1e-300, 1e-30, 1e30, 1e300, math.inf, -math.inf, math.nan]


# --- apart --------------------------------------------------------------------------------------


def inflate(data: bytes) -> bytes:
    """Return what was deflated."""
    cursor = Unpacker(data, "field", 1 << 30)
    unpacked = bytes(cursor.rest())
    cursor.end()
    return unpacked


class Parser(Cursor):
    """Reads fields of the kinds that are asked for."""

    def fields(self, *kinds: str) -> Fields:
        return [self.field(kind) for kind in kinds]

    def field(self, kind: str) -> Field:
        if kind in WIDTHS:
            return [kind, int.from_bytes(self.take(WIDTHS[kind]), "little")]
        return [kind, getattr(self, kind)()]

    def raw(self, count: int) -> Field:
        return ["bytes", bytes(self.take(count))]

    def all(self) -> Field:
        return ["bytes", bytes(self.rest())]


def axes(parser: Parser) -> Fields:
    rank = parser.field("u8")
    return [rank, *parser.fields(*["varint"] * rank[1])]


def table(parser: Parser) -> Fields:
    head = parser.fields(*["u8"] * 7)
    return [*head, parser.raw(head[-1][1])]


def symbols(parser: Parser) -> Fields:
    return [parser.field("blob"), parser.field("u32"), parser.all()]


def integers(data: bytes) -> Field:
    if not data:
        return ["blob", b""]
    parser = Parser(data)
    return ["blob", [*table(parser), *symbols(parser)]]


def scales(data: bytes) -> Field:
    if not data:
        return ["blob", b""]
    parser = Parser(data)
    return ["blob", [integers(parser.blob()) for _ in range(3)]]


def tables(data: bytes) -> Field:
    parser, found = Parser(data), []
    while parser.left:
        found += [parser.field("u8"), *table(parser)]
    return ["blob", found]


def prediction(data: bytes) -> Field:
    parser = Parser(data)
    head = [integers(parser.blob()), parser.field("u8")]
    return ["blob", [*head, integers(parser.blob()), integers(parser.blob())]]


def model(parser: Parser) -> Fields:
    found = [parser.field("u8"), *axes(parser), *parser.fields("varint", "u8", "u8")]
    transform = found[0][1]
    if transform == 3:
        found += [parser.field("varint"), integers(parser.blob())]
    if transform == 4:
        found.append(prediction(parser.blob()))
    if transform == 5:
        found.append(parser.field("varint"))
    if transform == 6:
        found.append(integers(parser.blob()))
    found += [integers(parser.blob()), integers(parser.blob())]
    return [*found, scales(parser.blob()), tables(parser.blob())]


def group(data: bytes) -> Fields:
    parser = Parser(data)
    found = parser.fields("u8", "u8", "varint", "varint", "varint", "f64", "f64")
    if found[0][1] == 0:
        return found
    found += [parser.field("u8"), parser.field("blob")]
    prefix = parser.field("varint")
    found += [prefix, *axes(parser), *parser.fields("f64", "f64", "varint", "f64", "f64", "f64")]
    found += parser.fields("svarint", "u8")
    if found[-1][1] & 8:
        found += [parser.field("f64"), parser.raw(24)]
    found.append(parser.field("varint"))
    for _ in range(2 if prefix[1] else 1):
        found.append(parser.field("u8"))
        if found[-1][1]:
            found += parser.fields("u8", "varint")
            found += [scales(parser.blob()), tables(parser.blob())]
        else:
            found.append(["blob", model(Parser(parser.blob()))])
    return [*found, parser.all()]


def rows(data: bytes, lossy: bool) -> Fields:
    parser = Parser(data)
    if lossy:
        found = [parser.field("u8")]
        packed = parser.blob()
        exceptions: Field = ["blob", b""]
        if packed:
            inner = Parser(inflate(packed))
            count = inner.field("varint")
            gaps = inner.fields(*["varint"] * count[1])
            exceptions = ["blob", [["deflated", [count, *gaps, inner.all()]]]]
        return [*found, exceptions, *symbols(parser)]
    found = [parser.field("u32")]
    if data[4:5] == b"\3":
        found += parser.fields("u8")
        head = Parser(zlib.decompress(parser.blob()))
        bins = [*head.fields("u8", "u8", "u16", "u16", "u16", "u32", "u32", "u8", "u8"), head.all()]
        found += [["blob", [["zlib", bins]]], parser.field("blob")]
    elif data[4:5] == b"\4":
        found += [parser.field("u8"), ["zlib", [["bytes", zlib.decompress(parser.rest())]]]]
    elif data[4:5] == b"\2":
        found += parser.fields("u8")
        found += [["blob", [["zlib", [["bytes", zlib.decompress(parser.blob())]]]]]]
    return [*found, parser.all()]


def index(data: bytes) -> Fields:
    """Return the fields up to the list of sections, which is made anew."""
    parser = Parser(inflate(data))
    found = [parser.field("u8")]
    if found[0][1]:
        found.append(parser.field("varint"))
        found += parser.fields(*["blob", "blob"] * found[-1][1])
    found.append(parser.field("varint"))
    found += [parser.raw(32) for _ in range(found[-1][1])]
    count = parser.field("varint")
    shared, rests = (parser.fields(*["varint"] * count[1]) for _ in range(2))
    found += [count, *shared, *rests, *(parser.raw(rest) for _, rest in rests)]
    found += parser.fields(*["u8"] * count[1])
    ranks = parser.fields(*["u8"] * count[1])
    found += ranks
    for axis in range(max((rank for _, rank in ranks), default=0)):
        found += parser.fields(*["varint"] * sum(rank > axis for _, rank in ranks))
    return found + parser.fields(*["varint"] * count[1])


class File:
    """The sections of a file, type, flags and fields, and its index."""

    def __init__(self, data: bytes) -> None:
        assert data[:8] == MAGIC
        self.version, self.kind = (data[8], data[9]), data[10]
        self.sections: list[Field] = []
        at = SIGNATURE_BYTES
        payloads = []
        while at < len(data):
            kind, flags, size = SECTION.unpack_from(data, at)
            payloads.append((kind, flags, data[at + 16 : at + 16 + size]))
            at += 20 + size
        lossy = {}
        for kind, _, payload in payloads:
            if kind == b"GRUP":
                head = group(payload)
                count = -(-head[2][1] // head[3][1])
                lossy |= dict.fromkeys(range(head[4][1], head[4][1] + count), head[0][1] > 0)
        for position, (kind, flags, payload) in enumerate(payloads[:-2]):
            known = {b"GRUP": lambda p: group(p), b"ROWS": lambda p: rows(p, lossy[position])}  # noqa: B023
            whole = known.get(kind, lambda p: [["bytes", p]])(payload)
            self.sections.append([kind, flags, whole])
        self.index = index(payloads[-2][2])

    def bytes(self, random: random.Random | None = None) -> bytes:
        """Return the file put together; with chance in the list of sections, too."""
        out = signature(self.kind, self.version)
        lengths = []
        for kind, flags, fields in self.sections:
            out += section(kind, flags, together(fields))
            lengths.append(len(out) - SIGNATURE_BYTES - sum(lengths))
        listed: Fields = [
            ["varint", len(lengths)],
            ["bytes", b"".join(s[0] for s in self.sections)],
        ]
        listed += [["varint", length] for length in lengths]
        if random is not None:
            change(random, listed)
        packed = section(b"INDX", 1, together([["deflated", [*self.index, *listed]]]))
        end = struct.pack("<QQ", len(out), len(out) + len(packed) + 36)
        return out + packed + section(b"END ", 1, end)


# --- together -----------------------------------------------------------------------------------


def section(kind: bytes, flags: int, payload: bytes) -> bytes:
    head = SECTION.pack(kind, flags, len(payload))
    return head + payload + struct.pack("<I", zlib.crc32(payload, zlib.crc32(head)))


def together(fields: Fields) -> bytes:
    out = Builder()
    for kind, value in fields:
        data = together(value) if isinstance(value, list) else value
        if kind in WIDTHS:
            out += (value % 256 ** WIDTHS[kind]).to_bytes(WIDTHS[kind], "little")
        elif kind == "bytes":
            out += data
        elif kind == "deflated":
            out.varint(len(data))
            out += zlib.compress(data, 9)
        elif kind == "zlib":
            out += zlib.compress(data, 9)
        else:
            getattr(out, kind)(data)
    return bytes(out)


# --- changed ------------------------------------------------------------------------------------


def mutated(random: random.Random, file: File) -> bytes:
    """Return a file with one to three changes."""
    file = copy.deepcopy(file)
    listed = None
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        kind = random.randrange(12)
        if kind == 0:
            listed = random
        elif kind == 1:
            change_sections(random, file)
        elif kind <= 4 or not file.sections:
            change(random, file.index)
        else:
            groups = [s for s in file.sections if s[0] == b"GRUP"] or file.sections
            change(random, random.choice(groups if kind <= 9 else file.sections)[2])
    return file.bytes(listed)


def resealed(random: random.Random, data: bytes) -> bytes:
    """Return a file with changed bytes in one section but INDX and END, which are made anew."""
    file = File(data)
    one = random.choice(file.sections)
    one[2] = [["bytes", changed(random, together(one[2]))]]
    return file.bytes()


def change_sections(random: random.Random, file: File) -> None:
    if not file.sections:
        return
    at = random.randrange(len(file.sections))
    kind = random.randrange(5)
    if kind == 0:
        del file.sections[at]
    elif kind == 1:
        file.sections.insert(random.randrange(at + 1), copy.deepcopy(file.sections[at]))
    elif kind == 2:
        other = random.randrange(len(file.sections))
        file.sections[at], file.sections[other] = file.sections[other], file.sections[at]
    elif kind == 3:
        file.sections[at][0] = random.choice([b"ROWS", b"GRUP", b"ENTR", b"NETW", b"INDX", b"XXXX"])
    else:
        file.sections[at][1] ^= 1


def change(random: random.Random, fields: Fields) -> None:
    """Change one field somewhere, at any depth."""
    if not fields:
        return
    at = random.randrange(len(fields))
    kind, value = fields[at]
    if isinstance(value, list) and value and random.random() < 0.9:
        change(random, value)
    elif random.random() < 0.08:
        edit = random.randrange(3)
        if edit == 0:
            del fields[at]
        elif edit == 1:
            fields.insert(at, copy.deepcopy(fields[at]))
        else:
            alike = [field for field in fields if field[0] == kind]
            fields[at][1] = copy.deepcopy(random.choice(alike)[1])
    elif isinstance(value, int):
        near = [value - 1, value + 1, 2 * value, value // 2]
        number = random.choice([*near, *near, *NUMBERS])
        fields[at][1] = number if kind == "svarint" else max(number, 0) % (1 << 64)
        if kind == "svarint" and random.random() < 0.5:
            fields[at][1] = -number
    elif isinstance(value, float):
        fields[at][1] = random.choice([value * random.choice([-1, 0.5, 2, 1e9, 1e-9]), *REALS])
    else:
        fields[at][1] = changed(random, together(value) if isinstance(value, list) else value)


def changed(random: random.Random, data: bytes) -> bytes:
    """Return bytes with something flipped, cut, put in, repeated or zeroed."""
    a, b = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return random.choice(
        [
            data[:a] + data[b:],
            data[:b] + data[a:],
            data[:a] + bytes(random.choice((1, 4, 40))) + data[a:],
            data[:a] + random.randbytes(random.choice((1, 1, 4))) + data[a:],
            data[:a] + random.randbytes(1) + data[a + 1 :],
            data[:a] + bytes(b - a) + data[b:],
            b"",
        ]
    )
