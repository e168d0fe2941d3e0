"""Context modelling (SPEC §7.9, §7.13, §7.15, §7.18): files by hand, and faulty ones."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from featcodec import Profile
from featcodec.coding.model import pack_scales, pack_tables
from featcodec.container import index
from featcodec.container.group import GroupHeader
from featcodec.container.lossy import Lossy
from featcodec.container.model import Model
from featcodec.container.part import Part
from featcodec.container.sections import SECTION
from featcodec.container.wire import Builder, deflate
from featcodec.container.writer import Writer
from featcodec.entropy import contexts, family, integers, shapes, symbols
from featcodec.entropy.tables import Table
from featcodec.modes.context import ContextFields, MeansFields
from featcodec.modes.context import coder as context_coder
from featcodec.modes.mode import Fields

from .edit import PLAIN, Change, damaged, lossy, rewrite, unknown_transform, with_model
from .store import Vector, fault, sound, stored, valid

OF_PROFILE = Part("linear", None, 0)


def made() -> Iterator[Vector]:
    offsets = np.random.default_rng(6).integers(-128, 129, 48)
    shaped = {"transform": "context", "fields": ContextFields(integers.pack(offsets), packed(OWN))}
    yield valid("203-shapes-by-hand", by_hand(shaped))
    yield valid("204-shapes-line-by-hand", by_hand(shaped, (15,)))
    fields = MeansFields(integers.pack(offsets), packed(OWN), *MEANS)
    means = {"transform": "context-means", "fields": fields}
    yield valid("340-means-by-hand", by_hand(means))
    yield valid("341-means-line-by-hand", by_hand(means, (15,)))
    yield from faults_of_symbols()
    yield from faults_of_shapes()
    yield from faults_of_means()


# Tables of numbers, and those of shapes.
OWN = {
    16: Table(1, 9, 90, 140),
    20: Table(2, 0, 100, 120, (110,)),
    42: Table(40, 3, 60, 128, (90, 80)),
    65: Table(0),
    200: Table(3, 0, 1, 2, (3,)),
    **{
        shapes.with_shape(number, shape): Table(1 + shape, shape % 3, 90 + shape, 140, (100, 90))
        for number in (12, 15, 16, 36, 40, 42, 44, 62, 65, 66, 70)
        for shape in range(shapes.SHAPES)
        if (number + shape) % 3
    },
    shapes.with_shape(37, 8): Table(0),
    shapes.with_shape(78 + 68, 4): Table(2, 0, 1, 2, (3,)),  # no scalar symbol has its number
    shapes.with_shape(233, 8): Table(2, 0, 1, 2, (3,)),
}

# Expected means of two channels and of all activities, and the table of symbols.
TABLE_OF_MEANS = Table(2, 1, 60, 140, (90,))
MEANS = (
    integers.pack(np.array([-4096, 4096, *range(-40, 40, 5)])),
    integers.pack_table(TABLE_OF_MEANS),
)


def by_hand(changes: dict[str, Any], grid: tuple[int, ...] = (3, 5)) -> bytes:
    """Code maps or lines behind prefix tokens, as an encoder would not.

    Tables and symbols are those that it stays away from.
    """
    rng = np.random.default_rng(5)
    block = (8, 8) if len(grid) == 2 else (16,)
    scales = rng.integers(-20, 20, (2, *block))  # only those of the first place count
    scales.reshape(2, -1)[:, 0] = 3, 16
    model = Model(
        **changes,
        block=block,
        centre_exponent=4,
        centre=integers.pack(np.array([5, -90])),
        scales=pack_scales(scales),
    )
    header = Lossy(
        **PLAIN
        | {"layout": "NLD", "prefix": 1, "grid": grid, "step_scale": 4, "upper": 2e9}
        | {"parts": (Part(model.transform, model), Part("none", Model("none", (1,))))}
    )
    out = io.BytesIO()
    writer = Writer(out)
    for samples in (2, 1):
        levels = (scales.reshape(2, -1)[:, 0] - 4 + 1) >> 1
        known = shapes.ShapedContexts(grid, levels, samples, shapes.having(OWN))
        arrays = _symbols(rng, known)
        if model.transform == "context-means":
            arrays.append((rng.integers(-9, 10, 2 * samples).astype("i4"), TABLE_OF_MEANS))
        arrays.append((rng.integers(-5, 6, 2 * samples).astype("i4"), family.table(4)))
        rows = Builder()
        rows.u8(150)
        rows.varint(0)
        writer.section(b"ROWS", bytes(rows + symbols.encode(arrays)))
    writer.section(b"GRUP", GroupHeader("F32", 3, 2, 0, 1.0, np.nan, header).pack())
    writer.index.tensors = [index.TensorEntry("x", "F32", (3, 16, 2), 0)]
    writer.finish()
    return out.getvalue()


def _symbols(rng: np.random.Generator, known: contexts.Contexts) -> list[tuple[np.ndarray, Table]]:
    """Make up the symbols of blocks, now and then far above what their tables expect."""
    arrays = []
    for number in range(len(known.lattice)):
        found = np.zeros(known.shape(number), "i4")
        for chosen, where in known.runs(number):
            plain = chosen % shapes.NUMBERS
            table = OWN.get(chosen) or OWN.get(plain) or contexts.table(plain, True)
            scale = np.where(rng.random(len(where)) < 0.1, 200, 4)
            drawn = np.rint(rng.laplace(scale=scale)).astype("i4")
            found.reshape(-1)[where] = drawn if table.magnitude else 0
            arrays.append((found.reshape(-1)[where], table))
        known.learn(number, found)
    return arrays


def entry_of(transform: str, **changes: Any) -> tuple[bytes, bytes]:
    """Return a profile whose entry has a transform of the sample domain, and a file of it."""
    ours = Profile.parse(stored("digits.fcp"))
    (held,) = (entry for entry in ours.entries if entry.layout == "NCHW")
    model = replace(held.model, transform=transform, reflectors=0, basis=b"", **changes)
    profile = Profile.pack([replace(held, model=model)])
    file = rewrite(
        sound("003-profile-cnn"),
        lossy(parts=(OF_PROFILE,)),
        profile=profile,
    )
    return profile, file


def faults_of_symbols() -> Iterator[Vector]:
    maps = sound("160-restored-relu")
    yield fault(
        "context-symbols",
        "resealed damage to symbols with contexts",
        damaged(maps, 0, SECTION.size + 60),
    )
    yield fault(
        "context-no-contexts",
        "symbols with contexts, of a model that has none",
        rewrite(maps, with_model(transform="none", fields=Fields())),
    )
    yield fault(
        "restored-offset",
        "an offset of restoration that is too large",
        rewrite(maps, with_offsets(np.arange(82, 130))),
    )
    yield fault(
        "restored-offsets",
        "one offset of restoration too few",
        rewrite(maps, with_offsets(np.arange(47))),
    )
    yield fault("transform-255", "a transform that is unknown", unknown_transform(maps, 255))


def with_offsets(offsets: np.ndarray) -> Change:
    return with_fields(offsets=integers.pack(offsets))


def with_tables(tables: dict[int, Table]) -> Change:
    return with_fields(own_tables=packed(tables))


def with_fields(**changes: bytes) -> Change:
    """Change fields of the model of the last part."""

    def change(header: GroupHeader) -> GroupHeader:
        fields = replace(header.lossy.parts[-1].model.fields, **changes)
        return with_model(fields=fields)(header)

    return change


def packed(tables: dict[int, Table]) -> bytes:
    return context_coder.pack_tables(tables)


def with_packed(own_tables: bytes, **changes: Any) -> Change:
    """Give a model context modelling, with its tables as they are stored."""
    fields = ContextFields(integers.pack(np.arange(48)), own_tables)
    return with_model(transform="context", fields=fields, **changes)


def listed(*numbers: int) -> bytes:
    """Return a list of tables with these numbers, not deflated."""
    out = Builder()
    for number in numbers:
        out.varint(number)
        out += integers.pack_table(Table(1))
    return bytes(out)


def faults_of_shapes() -> Iterator[Vector]:
    names = "160-restored-relu", "013-volume", "180-dependent-maps-relu"
    maps, volume, chained = map(sound, names)
    profile, of_profile = entry_of("context", fields=ContextFields(b"", b""))
    shaped = with_packed(packed(OWN))
    no_table = with_tables({shapes.with_shape(100, 3): Table(0)})
    stream = deflate(listed(300))

    def both(header: GroupHeader) -> GroupHeader:
        return with_model(tables=pack_tables({20: OWN[20]}))(shaped(header))

    cases = {
        "shapes-reflector": (
            "transform context with a reflector, of zeros",
            with_packed(b"", reflectors=1),
            maps,
        ),
        "shapes-cube": ("transform context with blocks that are cubes", with_packed(b""), volume),
        "shapes-twice": ("tables in two places", both, maps),
        "shapes-number": ("a table of number 2340", listed(2340), maps),
        "shapes-order": ("tables that do not ascend", listed(300, 299), maps),
        "shapes-same": ("two tables of a number", listed(300, 300), maps),
        "shapes-cut": ("a table that is cut off", listed(300)[:-1], maps),
        "shapes-damaged": ("a damaged stream of tables", with_packed(stream[:-1]), maps),
        "shapes-trailing": ("a byte behind the tables", with_packed(stream + b"\0"), maps),
        "shapes-large": (
            "tables that state to unpack to more than 2^20 bytes",
            with_packed(deflate(bytes((1 << 20) + 1))),
            maps,
        ),
        "shapes-empty-table": ("an empty table of a quantiser and shape", no_table, chained),
        "shapes-symbols": ("symbols without shapes, of a model that has them", shaped, maps),
    }
    for name, (reason, change, data) in cases.items():
        change = with_packed(deflate(change)) if isinstance(change, bytes) else change
        yield fault(name, reason, rewrite(data, change))
    yield fault("shapes-entry", "transform context in an entry of a profile", of_profile, profile)


def with_means(means: bytes, table: bytes = MEANS[1], **changes: Any) -> Change:
    """Give a model means of maps, which its symbols do not have."""
    fields = MeansFields(integers.pack(np.arange(48)), b"", means, table)
    return with_model(transform="context-means", fields=fields, **changes)


def faults_of_means() -> Iterator[Vector]:
    maps, volume = sound("160-restored-relu"), sound("013-volume")
    channels = 24
    large, count = np.full(channels + 16, 4097), np.arange(channels + 15)
    profile, of_profile = entry_of("context-means", fields=MeansFields(b"", b"", b"", MEANS[1]))
    cases = {
        "means-reflector": (
            "transform context-means with a reflector, of zeros",
            with_means(b"", reflectors=1),
            maps,
        ),
        "means-cube": (
            "context-means with blocks that are cubes",
            with_means(b""),
            volume,
        ),
        "means-large": ("an expected mean of 4097", with_means(integers.pack(large)), maps),
        "means-few": ("one expected mean too few", with_means(integers.pack(count)), maps),
        "means-no-table": ("no table of means", with_means(b"", b""), maps),
        "means-behind": (
            "a byte behind the table of means",
            with_means(b"", MEANS[1] + b"\0"),
            maps,
        ),
        "means-symbols": (
            "symbols without means, of a model that has them",
            with_means(b""),
            maps,
        ),
    }
    for name, (reason, change, data) in cases.items():
        yield fault(name, reason, rewrite(data, change))
    yield fault("means-entry", "context-means in an entry", of_profile, profile)
