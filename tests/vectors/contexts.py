"""Context modelling of versions 3 and 4 (SPEC §7.9, §7.13): files by hand, and faulty ones."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from featcodec import Profile
from featcodec.coding.model import pack_scales, pack_tables
from featcodec.container import index
from featcodec.container.group import GroupHeader, Lossy, Part
from featcodec.container.model import Model
from featcodec.container.sections import SECTION, V3, V4
from featcodec.container.wire import Builder
from featcodec.container.writer import Writer
from featcodec.entropy import contexts, family, integers, symbols
from featcodec.entropy.tables import Table, by_table
from featcodec.modes.context import ContextFields

from .edit import PLAIN, Change, damaged, lossy, rewrite, signed, unknown_transform, with_model
from .store import Vector, fault, sound, stored, valid

OF_PROFILE = Part("linear", None, 0)


def made() -> Iterator[Vector]:
    offsets = np.random.default_rng(6).integers(-128, 129, 48)
    yield valid("114-context-by-hand", by_hand({"transform": "context-v3"}, V3))
    context = {"transform": "context", "fields": offsets_of(offsets)}
    yield valid("164-restored-by-hand", by_hand(context, V4))
    yield from faults_of_version_3()
    yield from faults_of_version_4()


def offsets_of(offsets: np.ndarray) -> ContextFields:
    return ContextFields(integers.pack(offsets))


def by_hand(changes: dict[str, Any], version: tuple[int, int]) -> bytes:
    """Code maps behind prefix tokens, with tables and symbols that the encoder stays away from."""
    rng = np.random.default_rng(5)
    scales = rng.integers(-20, 20, (2, 8, 8))  # only those of the first place count
    scales[:, 0, 0] = 3, 16
    tables = {
        16: Table(1, 9, 90, 140),
        20: Table(2, 0, 100, 120, (110,)),
        42: Table(40, 3, 60, 128, (90, 80)),
        65: Table(0),
        200: Table(3, 0, 1, 2, (3,)),
    }
    model = Model(
        **changes,
        block=(8, 8),
        centre_exponent=4,
        centre=integers.pack(np.array([5, -90])),
        scales=pack_scales(scales),
        tables=pack_tables(tables),
    )
    header = Lossy(
        **PLAIN
        | {"layout": "NLD", "prefix": 1, "grid": (3, 5), "step_scale": 4, "upper": 2e9}
        | {"parts": (Part(model.transform, model), Part("none", Model("none", (1,))))}
    )
    out = io.BytesIO()
    writer = Writer(out)
    writer.needs(version)
    for samples in (2, 1):
        arrays = _symbols(rng, (scales[:, 0, 0] - 4 + 1) >> 1, tables, samples)
        arrays.append((rng.integers(-5, 6, 2 * samples).astype("i4"), family.table(4)))
        rows = Builder()
        rows.u8(150)
        rows.varint(0)
        writer.section(b"ROWS", bytes(rows + symbols.encode(arrays)))
    writer.section(b"GRUP", GroupHeader("F32", 3, 2, 0, 1.0, np.nan, header).pack())
    writer.index.tensors = [index.TensorEntry("x", "F32", (3, 16, 2), 0)]
    writer.finish()
    return out.getvalue()


def _symbols(
    rng: np.random.Generator, levels: np.ndarray, tables: dict[int, Table], blocks: int
) -> list[tuple[np.ndarray, Table]]:
    """Make up the symbols of blocks of 3 x 5, now and then far above what their tables expect."""
    known, arrays = contexts.Contexts((3, 5), levels, blocks), []
    for number in range(len(known.lattice)):
        numbers = known.numbers(number)
        found = np.zeros(numbers.shape, "i4")
        for chosen, where in by_table(numbers):
            table = tables.get(chosen) or contexts.table(chosen, True)
            scale = np.where(rng.random(len(where)) < 0.1, 200, 4)
            drawn = np.rint(rng.laplace(scale=scale)).astype("i4")
            found.reshape(-1)[where] = drawn if table.magnitude else 0
            arrays.append((found.reshape(-1)[where], table))
        known.learn(number, found)
    return arrays


def entry_of(transform: str, version: int, **changes: Any) -> tuple[bytes, bytes]:
    """Return a profile whose entry has a transform of the sample domain, and a file of it."""
    ours = Profile.parse(stored("digits.fcp"))
    (held,) = (entry for entry in ours.entries if entry.layout == "NCHW")
    model = replace(held.model, transform=transform, reflectors=0, basis=b"", **changes)
    profile = signed(Profile.pack([replace(held, model=model)]), version, 1)
    file = rewrite(
        sound("003-profile-cnn"),
        lossy(parts=(OF_PROFILE,)),
        profile=profile,
        version=(version, 0),
    )
    return profile, file


def faults_of_version_3() -> Iterator[Vector]:
    maps, line, tokens = (sound(n) for n in ("110-context-relu", "021-line", "022-tokens"))
    context = with_model(transform="context-v3")
    profile, of_profile = entry_of("context-v3", 3)
    yield fault("context-old-version", "transform 2 in a file of major version 1", signed(maps, 1))
    yield fault(
        "context-reflector",
        "transform 2 with a reflector, of zeros",
        rewrite(maps, with_model(reflectors=1)),
    )
    yield fault(
        "context-line", "transform 2 with one grid axis", rewrite(line, context, version=V3)
    )
    yield fault(
        "context-prefix", "transform 2 for prefix tokens", rewrite(tokens, context, version=V3)
    )
    yield fault("context-entry", "transform 2 in an entry of a profile", of_profile, profile)
    yield fault(
        "context-symbols",
        "resealed damage to symbols with contexts",
        damaged(maps, 0, SECTION.size + 60),
    )
    yield fault(
        "context-no-contexts",
        "symbols with contexts, of a model that has none",
        rewrite(maps, with_model(transform="none")),
    )
    yield fault("transform-4", "a transform that is unknown", unknown_transform(maps, 4))


def faults_of_version_4() -> Iterator[Vector]:
    names = "160-restored-relu", "021-line", "023-tokens-in-row-groups"
    maps, line, tokens = map(sound, names)
    context = with_model(transform="context", fields=ContextFields(b""))
    profile, of_profile = entry_of("context", 4, fields=ContextFields(b""))

    def in_row_groups(header: GroupHeader) -> GroupHeader:
        return replace(context(header), slabs_per_row_group=4096)

    yield fault("restored-old-version", "transform 6 in a file of major version 3", signed(maps, 3))
    yield fault(
        "restored-reflector",
        "transform 6 with a reflector, of zeros",
        rewrite(maps, with_model(reflectors=1)),
    )
    yield fault(
        "restored-line", "transform 6 with one grid axis", rewrite(line, in_row_groups, version=V4)
    )
    yield fault(
        "restored-prefix", "transform 6 for prefix tokens", rewrite(tokens, context, version=V4)
    )
    yield fault("restored-entry", "transform 6 in an entry of a profile", of_profile, profile)
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
    yield fault("transform-7", "a transform that is unknown", unknown_transform(maps, 7))


def with_offsets(offsets: np.ndarray) -> Change:
    return with_model(fields=offsets_of(offsets))
