"""The fields of models, and of what they are made of."""

from enum import IntEnum

from featcodec.modes import MODES

from .fields import Field, Fields, Parser, inflate

PLAIN = 128  # the first byte of integers that are varints
Transform = IntEnum(
    "Transform", {mode.name.upper().replace("-", "_"): mode.code for mode in MODES.values()}
)


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
    if transform in (Transform.CONTEXT, Transform.CONTEXT_MEANS, Transform.CONTEXT_SHARED):
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
