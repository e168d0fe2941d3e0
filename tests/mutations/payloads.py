"""The fields of the payloads of sections."""

from featcodec.container.flags import Flags

from .fields import Field, Fields, Parser, decompress, inflate
from .models import axes, integers, model, scales, symbols, tables


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
        return [*found, parser.all()], None
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
    if coding == 2:
        found.append(parser.field("svarint"))
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
        found.append(["blob", [["zlib", [["bytes", decompress(parser.blob())]]]]])
        return found + bit_for_bit(bytes(4) + bytes(parser.rest()))[1:]
    if data[4:5] == b"\3":
        found += parser.fields("u8")
        head = Parser(decompress(parser.blob()))
        bins = [*head.fields("u8", "u8", "u16", "u16", "u16", "u32", "u32", "u8", "u8"), head.all()]
        found += [["blob", [["zlib", bins]]], parser.field("blob")]
    elif data[4:5] == b"\4":
        found += [parser.field("u8"), ["zlib", [["bytes", decompress(parser.rest())]]]]
    elif data[4:5] == b"\2":
        found += parser.fields("u8")
        found += [["blob", [["zlib", [["bytes", decompress(parser.blob())]]]]]]
    return [*found, parser.all()]


def entry(data: bytes) -> Fields:
    parser = Parser(data)
    found = [*parser.fields("blob", "u8", "blob", "varint"), *axes(parser)]
    found += parser.fields("u8", "varint", "varint", *["real"] * 4)
    return [*found, *model(parser), parser.all()]


def quality(data: bytes) -> Fields:
    parser, found = Parser(inflate(data)), []
    while parser.left:
        found += parser.fields("u8", "u8")
        figures = found[-1][1]
        found += parser.fields(*["svarint", "varint"] * (figures & 1))
        found += parser.fields(*["svarint", "varint", "blob"] * (figures >> 1 & 1))
        found += parser.fields(*["svarint"] * (figures >> 2 & 3).bit_count())
    return [["deflated", found]]


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
