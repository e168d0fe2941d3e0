"""Fields of payloads: taken apart, and put together again.

A field is a list [kind, value]; the value of a blob, or of what is packed, may be a list of fields.
"""

import zlib
from typing import Any

from featcodec.container.wire import Builder, Cursor, Unpacker

Field = list[Any]
Fields = list[Field]

WIDTHS = {"u8": 1, "u16": 2, "u32": 4}


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


def own_tables(data: bytes) -> Field:
    if not data:
        return ["blob", []]
    parser, found = Parser(inflate(data)), []
    while parser.left:
        found += [parser.field("varint"), *table(parser)]
    return ["blob", [["deflated", found]]]


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
    if transform in (6, 7):
        found.append(integers(parser.blob()))
    if transform == 7:
        found.append(own_tables(parser.blob()))
    found += [integers(parser.blob()), integers(parser.blob())]
    return [*found, scales(parser.blob()), tables(parser.blob())]


def group(data: bytes) -> Fields:
    parser = Parser(data)
    found = parser.fields("u8", "u8", "varint", "varint", "varint", "f64", "f64")
    if found[0][1] & 4:
        if found[0][1] == 4:
            found.append(parser.field("blob"))
        inner = Parser(inflate(parser.blob()))
        runs = inner.fields("u8", "varint")
        runs += inner.fields(*["varint"] * 3 * runs[-1][1])
        found.append(["blob", [["deflated", runs]]])
    if found[0][1] in (0, 4):
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
