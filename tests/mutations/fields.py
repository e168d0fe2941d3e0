"""Fields of payloads: taken apart, and put together again.

A field is a list [kind, value]; the value of a blob, or of what is packed, may be a list of fields.
"""

import zlib
from enum import IntEnum
from typing import Any

from featcodec.container.flags import Flags
from featcodec.container.wire import Builder, Cursor, Unpacker
from featcodec.modes import MODES

Field = list[Any]
Fields = list[Field]

PLAIN = 128  # the first byte of integers that are varints
Transform = IntEnum(
    "Transform", {mode.name.upper().replace("-", "_"): mode.code for mode in MODES.values()}
)
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
    if data[0] == PLAIN:
        return ["blob", [parser.field("u8"), parser.all()]]
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


def interpolation(data: bytes) -> Field:
    parser = Parser(data)
    return ["blob", [parser.field("u8"), *(integers(parser.blob()) for _ in range(10))]]


def metric(parser: Parser) -> Fields:
    head = parser.fields("blob", "real", "varint")
    return [*head, integers(parser.blob()), integers(parser.blob())]


def runs_of_reflectors(data: bytes) -> Field:
    parser, found = Parser(data), []
    while parser.left:
        found += [parser.field("varint"), integers(parser.blob())]
    return ["blob", found]


def layers(parser: Parser) -> Fields:
    found = [parser.field("varint"), integers(parser.blob())]
    count = found[0][1]
    found += parser.fields(*["varint"] * count)
    return [*found, *(runs_of_reflectors(parser.blob()) for _ in range(count))]


def model(parser: Parser) -> Fields:
    found = [parser.field("u8"), *axes(parser), *parser.fields("varint", "u8", "u8")]
    transform = found[0][1]
    if transform == Transform.BANDED:
        found += [parser.field("varint"), integers(parser.blob())]
    if transform == Transform.WEIGHTED:
        found += metric(parser)
    if transform == Transform.PREDICTED:
        found.append(prediction(parser.blob()))
    if transform == Transform.SPLIT:
        found.append(parser.field("varint"))
    if transform in (Transform.CONTEXT, Transform.CONTEXT_MEANS):
        found += [integers(parser.blob()), own_tables(parser.blob())]
    if transform == Transform.CONTEXT_MEANS:
        found += [integers(parser.blob()), ["blob", table(Parser(parser.blob()))]]
    if transform == Transform.LAYERED:
        found += layers(parser)
    if transform == Transform.INTERPOLATED:
        found.append(interpolation(parser.blob()))
    basis = runs_of_reflectors if transform == Transform.LOW_RANK else integers
    found += [integers(parser.blob()), basis(parser.blob())]
    return [*found, scales(parser.blob()), tables(parser.blob())]


def repeats(data: bytes) -> Field:
    parser = Parser(inflate(data))
    found = parser.fields("u8", "varint")
    counts, distances = (parser.fields(*["varint"] * n * found[1][1]) for n in (2, 1))
    constants = parser.fields(*["varint"] * sum(distance == 0 for _, distance in distances))
    return ["blob", [["deflated", [*found, *counts, *distances, *constants]]]]


def group(data: bytes) -> tuple[Fields, int | None]:
    """Return the fields of a header, and the flags of a group with loss."""
    parser = Parser(data)
    found = parser.fields(*["u8"] * 2, *["varint"] * 4, "real", "real")
    coding, flags = found[0][1], found[2][1]
    if flags & Flags.TASK_SNR:
        found.append(parser.field("real"))
    if coding or flags & Flags.REPEATS:
        found.append(parser.field("blob"))
    if flags & Flags.REPEATS:
        found.append(repeats(parser.blob()))
    if not coding:
        return found, None
    if flags & Flags.STACKS:
        found += parser.fields("varint", "varint")
    found.append(parser.field("u8"))
    prefix = parser.field("varint")
    found += [prefix, *axes(parser), *parser.fields("real", "real", "varint", *["real"] * 3)]
    found.append(parser.field("svarint"))
    if flags & Flags.CURVE:
        found += [parser.field("real"), parser.raw(24)]
    if flags & Flags.CONSTANTS:
        count = parser.field("varint")
        found += [count, *parser.fields(*["varint"] * 2 * count[1])]
    if flags & Flags.SLICES:
        found += [*parser.fields("u8", "varint"), integers(parser.blob())]
    found.append(parser.field("varint"))
    for _ in range(2 if prefix[1] else 1):
        found.append(parser.field("u8"))
        if found[-1][1]:
            found += parser.fields("u8", "varint")
            found += [scales(parser.blob()), tables(parser.blob())]
        else:
            found.append(["blob", model(Parser(parser.blob()))])
    return [*found, parser.all()], flags


def refinement(data: bytes) -> Field:
    parser = Parser(data)
    small = parser.blob()
    return ["blob", [["blob", bit_for_bit(small) if small else []], parser.all()]]


def rows(data: bytes, flags: int | None) -> Fields:
    parser = Parser(data)
    if flags is not None:
        found = [parser.field("u8")]
        packed = parser.blob()
        exceptions: Field = ["blob", b""]
        if packed:
            inner = Parser(inflate(packed))
            count = inner.field("varint")
            gaps = inner.fields(*["varint"] * count[1])
            exceptions = ["blob", [["deflated", [count, *gaps, inner.all()]]]]
        found.append(exceptions)
        if flags & Flags.GAINS:
            found.append(integers(parser.blob()))
        if flags & Flags.REFINED:
            found.append(refinement(parser.blob()))
        return [*found, *symbols(parser)]
    return bit_for_bit(data)


def bit_for_bit(data: bytes) -> Fields:
    parser = Parser(data)
    found = [parser.field("u32")]
    if data[4:5] == b"\5":
        found += parser.fields("u8", "varint", "varint", "varint")
        found.append(["blob", [["zlib", [["bytes", zlib.decompress(parser.blob())]]]]])
        return found + bit_for_bit(bytes(4) + bytes(parser.rest()))[1:]
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


def index(data: bytes) -> tuple[Fields, Fields]:
    """Return the fields before and behind the list of sections, which is made anew."""
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
    shapes: list[list[int]] = [[] for _ in ranks]
    for axis in range(max((rank for _, rank in ranks), default=0)):
        deep = [shape for shape, (_, rank) in zip(shapes, ranks) if rank > axis]
        lengths = parser.fields(*["varint"] * len(deep))
        found += lengths
        for shape, (_, length) in zip(deep, lengths):
            shape.append(length)
    found += parser.fields(*["varint"] * count[1])
    sections = parser.varint()
    parser.take(4 * sections)
    parser.fields(*["varint"] * sections)
    return found, cuts(parser, shapes) if parser.left else []


def cuts(parser: Parser, shapes: list[list[int]]) -> Fields:
    found = [parser.field("varint")]
    for _ in range(found[0][1]):
        number, parts = parser.field("varint"), 1
        found.append(number)
        for length in shapes[number[1]]:
            along = parser.field("varint")
            parts *= length if along[1] == 1 else max(along[1], 1)
            found += [along, *parser.fields(*["varint"] * (along[1] if along[1] > 1 else 0))]
        found += parser.fields(*["varint"] * (parts - 1))
    return found


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
