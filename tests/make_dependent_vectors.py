"""Writes conformance vectors of dependent quantisation (SPEC §7.10, §7.14) not there yet.

Usage: python tests/make_dependent_vectors.py [FOLDER]
"""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from featcodec.encoding.search.selection import Selector
from make_vectors import (
    DIGITS,
    PLAIN,
    VECTORS,
    digits,
    finish,
    lossy,
    reseal,
    resign,
    rewrite,
    set_byte,
    with_model,
)

import featcodec.numpy as fc
from featcodec import Profile
from featcodec.coding.model import pack_scales, pack_tables
from featcodec.container import index
from featcodec.container.group import GroupHeader, Lossy, Part
from featcodec.container.model import Model
from featcodec.container.reader import Reader
from featcodec.container.sections import SECTION, V3, V4
from featcodec.container.writer import Writer
from featcodec.decoding.decoder import coder_of
from featcodec.dumps import Dump
from featcodec.encoding import choice
from featcodec.entropy import contexts, integers
from featcodec.entropy import dependent_family as family
from featcodec.entropy.tables import Table
from featcodec.request import Options
from featcodec.training.linear import train


def make_valid(folder: Path) -> None:
    choice.ROW_GROUP_VALUES = 1 << 12  # so that small vectors have several row groups
    # So few values may be fewer bits with the scalar quantiser.
    Selector._finished = lambda self, *trial: self._finish(*trial, dependent=True)  # type: ignore[method-assign]
    profile = folder / "dependent.fcp"
    if not profile.exists():
        dumps = [Dump(DIGITS / f"{task}_train.safetensors") for task in ("cnn", "vit")]
        profile.write_bytes(Profile.pack(train(dumps, Options())))
    odd = digits("cnn", 12).astype(np.float64)
    odd[0, 0, 0, 0], odd[1, 2, 3, 1], odd[2, 3, 0, 0] = np.nan, np.inf, 900
    maps = np.random.default_rng(3).normal(size=(2, 6, 21, 19)).cumsum(2).cumsum(3)
    relu, signed = np.maximum(maps, 0), maps * (np.abs(maps) > 2)
    kept = np.maximum(digits("cnn", 40).astype(np.float64), 0)
    kept[0, 0, 0, 0], kept[1, 2, 3, 1], kept[2, 3, 0, 0] = np.nan, np.inf, 900
    sources: dict[str, tuple[np.ndarray, str, float, list[Path]]] = {
        "170-dependent-own": (digits("vit", 40), "NLD", 10, []),
        "171-dependent-profile": (digits("cnn", 20), "NCHW", 12, [profile]),
        "172-dependent-cut": (maps.astype(np.float32), "NCHW", 30, []),
        "173-dependent-exceptions": (odd, "NCHW", 20, []),
        "175-dependent-tables": (digits("cnn", 100), "NCHW", 14, [profile]),
        "180-dependent-maps-relu": (relu.astype(np.float32), "NCHW", 20, []),
        "181-dependent-maps-signed": (signed.astype(np.float32), "NCHW", 15, []),
        "182-dependent-maps-exceptions": (kept, "NCHW", 26, []),
    }
    for name, (array, layout, snr, needed) in sources.items():
        target = folder / "valid" / name
        if not target.exists():
            target.mkdir(parents=True)
            known = needed[0] if needed else None
            tensors, way = {"x": array}, "context" if "maps" in name else "linear"
            data = fc.save(tensors, {"layout": layout}, profile=known, snr=snr, transform=way)
            reader = Reader(io.BytesIO(data), name)
            assert reader.version == V4
            assert reader.groups()[0].lossy.dependent
            (target / "in.fcz").write_bytes(data)
            finish(target, needed)
    for name, made in (
        ("174-dependent-by-hand", by_hand),
        ("183-dependent-maps-by-hand", maps_by_hand),
    ):
        target = folder / "valid" / name
        if not target.exists():
            target.mkdir(parents=True)
            (target / "in.fcz").write_bytes(made())
            finish(target, [])


def by_hand() -> bytes:
    """Code latents of all scales, prefix tokens among them, with tables that no encoder takes."""
    rng = np.random.default_rng(9)
    scales = rng.integers(-12, 90, (5, 2, 3))
    scales[0] = 30
    scales[1, 0, :2] = 300, 140
    own = {
        3: Table(1, 2, 90, 140),
        family.number(5, 0): Table(1, 0, 100, 120, (), 10, 250),
        family.number(5, 1): Table(2, 0, 100, 120, (110,), 250, 10),
        family.number(17, 1): Table(40, 4, 60, 100, (90, 80)),
        family.number(63, 0): Table(3, 24, 1, 2, (3,)),
    }
    model = Model("linear", (2, 3), scales=pack_scales(scales), tables=pack_tables(own))
    first = Model("none", (1,), scales=pack_scales(np.arange(40, 45).reshape(5, 1)))
    header = Lossy(
        **{**PLAIN, "layout": "NLD", "prefix": 1, "grid": (5, 7), "upper": 2e9, "step": 0.5},
        profile=None,
        parts=(Part("linear", model), Part("none", first)),
        dependent=True,
    )
    group = GroupHeader("F64", 30, 20, 0, 1.0, np.nan, replace(header, double=True, step_scale=-4))
    values = rng.laplace(size=(30, 36, 5)) * 2.0 ** rng.integers(-2, 12, 5)
    values[::7] *= 1000
    return coded_by_hand(group, values, ((128, 0, 20), (140, 20, 30)))


def coded_by_hand(
    group: GroupHeader, values: np.ndarray, rows: tuple[tuple[int, int, int], ...]
) -> bytes:
    """Return a file of row groups (fine step, first slab, last slab) of one tensor."""
    coder = coder_of(group, group.lossy, [values.shape], None)
    out = io.BytesIO()
    writer = Writer(out)
    writer.needs(V4)
    for fine, low, high in rows:
        payload, _ = coder.at_fine_step(fine).encode(low, high, lambda _: values, False, False)
        writer.section(b"ROWS", bytes([fine]) + payload)
    writer.section(b"GRUP", group.pack())
    writer.index.tensors = [index.TensorEntry("x", group.dtype, values.shape, 0)]
    writer.finish()
    return out.getvalue()


def maps_by_hand() -> bytes:
    """Code maps behind prefix tokens along chains, with tables that no encoder takes."""
    rng = np.random.default_rng(11)
    scales = np.zeros((3, 8, 8), np.int64)
    scales[:, 0, 0] = -2, 16, 40
    own = {
        5: Table(0),
        7: Table(3, 1, 2, 3, (4,)),  # of a number that chains have
        contexts.of_quantiser(8, 0): Table(1, 0, 100, 120, (), 10, 250),
        contexts.of_quantiser(8, 1): Table(2, 0, 100, 120, (110,)),
        contexts.of_quantiser(12, 1): Table(40, 2, 60, 100, (90, 80)),
        contexts.of_quantiser(77, 0): Table(3, 1, 1, 2, (3,)),
        240: Table(3, 0, 1, 2, (3,)),
    }
    model = Model(
        "restored",
        (8, 8),
        centre=integers.pack(np.array([0, -3, 2])),
        scales=pack_scales(scales),
        tables=pack_tables(own),
        offsets=integers.pack(rng.integers(-128, 129, 144)),
    )
    header = Lossy(
        **{**PLAIN, "layout": "NLD", "prefix": 1, "grid": (9, 7), "upper": 2e9, "step": 0.5},
        profile=None,
        parts=(Part("restored", model), Part("none", Model("none", (1,)))),
        dependent=True,
    )
    group = GroupHeader("F64", 20, 14, 0, 1.0, np.nan, replace(header, double=True, step_scale=-4))
    values = rng.laplace(size=(20, 64, 3)) * 2.0 ** rng.integers(-2, 9, 3)
    return coded_by_hand(group, values, ((128, 0, 14), (121, 14, 20)))


def flags(value: int) -> Callable[[bytes], bytes]:
    """Return what sets the flags of the only group of a file."""

    def change(data: bytes) -> bytes:
        reader = Reader(io.BytesIO(data), "sound")
        position = [kind for kind, _ in reader.index.sections].index(b"GRUP")
        payload = reader.section(position, b"GRUP")
        header = GroupHeader.unpack(payload)
        other = replace(header, lossy=replace(header.lossy, clamp=not header.lossy.clamp)).pack()
        place = next(
            i for i, pair in enumerate(zip(payload, other, strict=True)) if len({*pair}) > 1
        )
        return bytes(reseal(set_byte(place + SECTION.size, value), position)(bytearray(data)))

    return change


def make_faulty(folder: Path) -> None:
    sound = (folder / "valid" / "170-dependent-own" / "in.fcz").read_bytes()
    maps = (folder / "valid" / "110-context-relu" / "in.fcz").read_bytes()
    chained = (folder / "valid" / "180-dependent-maps-relu" / "in.fcz").read_bytes()
    restored = (folder / "valid" / "160-restored-relu" / "in.fcz").read_bytes()
    empty = pack_tables({family.number(9, 1): Table(0)})
    none = pack_tables({contexts.of_quantiser(20, 0): Table(0)})
    beyond = integers.pack(np.arange(144) - 14)
    faults = {
        "dependent-old-version": (
            "dependent quantisation in a file of major version 3",
            bytes(resign(3, 0)(bytearray(sound))),
        ),
        "dependent-contexts": (
            "dependent quantisation and contexts",
            rewrite(maps, lossy(dependent=True), version=V4),
        ),
        "dependent-empty-table": (
            "an empty table of a quantiser",
            rewrite(sound, with_model(tables=empty)),
        ),
        "dependent-scalar": (
            "symbols of two quantisers in a group of one",
            rewrite(sound, lossy(dependent=False), version=V3),
        ),
        "dependent-maps-offsets": (
            "offsets of restoration for one quantiser of three",
            rewrite(restored, lossy(dependent=True)),
        ),
        "dependent-maps-scalar": (
            "offsets of restoration for three quantisers of one",
            rewrite(chained, lossy(dependent=False)),
        ),
        "dependent-maps-offset": (
            "an offset of restoration that is too large",
            rewrite(chained, with_model(offsets=beyond)),
        ),
        "dependent-maps-empty-table": (
            "an empty table of a quantiser of maps",
            rewrite(chained, with_model(tables=none)),
        ),
        "flag-4": ("a flag that is unknown", flags(16)(sound)),
    }
    for name, (reason, data) in faults.items():
        target = folder / "faulty" / name
        if not target.exists():
            target.mkdir(parents=True)
            (target / "in.fcz").write_bytes(data)
            (target / "expect.json").write_text(json.dumps({"reason": reason}) + "\n")


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else VECTORS
    make_valid(where)
    make_faulty(where)
