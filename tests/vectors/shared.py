"""Context modelling with a model of a profile (SPEC §6, §7.13): a file by hand, and faulty ones."""

import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from featcodec import Profile
from featcodec.coding.model import pack_scales, pack_tables
from featcodec.container import index
from featcodec.container.group import GroupHeader
from featcodec.container.lossy import Lossy
from featcodec.container.model import Model, ProfileEntry
from featcodec.container.part import Part
from featcodec.container.wire import Builder
from featcodec.container.writer import Writer
from featcodec.entropy import contexts, integers, shapes, symbols
from featcodec.entropy.tables import Table
from featcodec.modes.context import ContextFields

from .contexts import OWN, packed
from .edit import PLAIN, lossy, rewrite
from .store import Vector, fault, sound, stored, valid

GRID, BLOCK = (5, 7), (8, 8)
LARGER = {16: Table(5, 0, 80, 128, (120,)), 60: Table(0)}  # in place of tables of the entry


def made() -> Iterator[Vector]:
    yield valid("370-shared-by-hand", by_hand(), "shared.fcp")
    yield from faults()


def entry() -> ProfileEntry:
    """Return an entry whose scales, tables and offsets are what no encoder learns."""
    rng = np.random.default_rng(11)
    offsets = rng.integers(-128, 129, 144)
    scales = rng.integers(-20, 20, (2, *BLOCK))  # only those of the first place count
    scales.reshape(2, -1)[:, 0] = 3, 12
    model = Model(
        "context-shared",
        BLOCK,
        centre_exponent=4,
        fields=ContextFields(integers.pack(offsets), packed(OWN)),
        centre=integers.pack(np.array([5, -90])),
        scales=pack_scales(scales),
    )
    bounds = 0.0, 1.0, 0.0, 2e9  # mean, deviation, lower and upper bound
    return ProfileEntry("by hand", "cnn", "NHWC", 0, (), False, 2, 1000, *bounds, model)


def profile_file() -> bytes:
    return Profile.pack([entry()])


def by_hand() -> bytes:
    """Code maps with the entry, other scales and some other tables."""
    rng, profile = np.random.default_rng(12), profile_file()
    more = np.zeros((2, *BLOCK), np.int64)
    more[1] = 4
    part = Part("context-shared", None, 0, pack_scales(more), pack_tables(LARGER))
    header = Lossy(
        **PLAIN | {"layout": "NHWC", "step_scale": 4, "upper": 2e9, "profile": 0, "parts": (part,)}
    )
    levels = (np.array([3, 16]) - 4 + 1) >> 1
    known = shapes.ShapedContexts(GRID, levels, 3, shapes.having(OWN | LARGER))
    rows = Builder()
    rows.u8(150)
    rows.varint(0)
    rows += symbols.encode(_symbols(rng, known), zlib.crc32(hashlib.sha256(profile).digest()))
    out = io.BytesIO()
    writer = Writer(out)
    writer.profile(hashlib.sha256(profile).digest())
    writer.section(b"ROWS", bytes(rows))
    writer.section(b"GRUP", GroupHeader("F32", 3, 3, 0, 1.0, np.nan, header).pack())
    writer.index.tensors = [index.TensorEntry("x", "F32", (3, *GRID, 2), 0)]
    writer.finish()
    return out.getvalue()


def _symbols(rng: np.random.Generator, known: contexts.Contexts) -> list[tuple[np.ndarray, Table]]:
    """Make up symbols that tables of all shapes code."""
    tables, arrays = OWN | LARGER, []
    for number in range(len(known.lattice)):
        found = np.zeros(known.shape(number), "i4")
        for chosen, where in known.runs(number):
            plain = chosen % shapes.NUMBERS
            table = tables.get(chosen) or tables.get(plain) or contexts.table(plain, True)
            drawn = np.rint(rng.laplace(scale=4, size=len(where))).astype("i4")
            found.reshape(-1)[where] = drawn if table.magnitude else 0
            arrays.append((found.reshape(-1)[where], table))
        known.learn(number, found)
    return arrays


def faults() -> Iterator[Vector]:
    ours, file = entry(), sound("370-shared-by-hand")
    fields = ours.model.fields
    assert isinstance(fields, ContextFields)
    few = ContextFields(integers.pack(np.zeros(48, np.int64)), fields.own_tables)
    large = ContextFields(integers.pack(np.full(144, 129)), fields.own_tables)
    empty = {shapes.with_shape(100, 3): Table(0)}
    chained = ContextFields(fields.offsets, packed(OWN | empty))
    cases = {
        "shared-offsets": ("48 offsets where there are to be 144", {"fields": few}),
        "shared-offset": ("an offset that is too large", {"fields": large}),
        "shared-tables": ("tables in two places", {"tables": pack_tables({20: Table(1)})}),
        "shared-reflector": ("a reflector, of zeros", {"reflectors": 1}),
        "shared-cube": ("blocks that are cubes", {"block": (4, 4, 4)}),
    }
    for name, (reason, changes) in cases.items():
        profile = Profile.pack([replace(ours, model=replace(ours.model, **changes))])
        yield fault(name, reason, rewrite(file, profile=profile), profile)
    profile = Profile.pack([replace(ours, model=replace(ours.model, fields=chained))])
    dependent = rewrite(file, lossy(dependent=True), profile=profile)
    yield fault("shared-empty-table", "an empty table of a quantiser", dependent, profile)
    stated = lossy(parts=(Part("linear", None, 0),))
    reason = "a part that states transform linear for an entry of transform context-shared"
    yield fault("shared-stated-linear", reason, rewrite(file, stated), "shared.fcp")
    stated = lossy(parts=(Part("context-shared", None, 0),))
    reason = "a part that states transform context-shared for an entry of transform banded"
    other = rewrite(sound("003-profile-cnn"), stated, profile=stored("digits.fcp"))
    yield fault("shared-stated-shared", reason, other, "digits.fcp")
