"""Makes the test vectors of bitstream_spec/vectors/. It never overwrites: old vectors are kept.

Usage: python tests/make_vectors.py [FOLDER]

Each valid vector is a folder with the file (`in.fcz`), the tensors it decodes to
(`out.safetensors`) and `expect.json`, which names the profiles it needs (true: `digits.fcp`). The
faulty ones are made from a valid one by one change each, the ones beyond limits by a writer without
them; `expect.json` names the reason.
"""

import hashlib
import io
import json
import math
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors.numpy import load_file

import featcodec.numpy as fc
from featcodec import Profile, limits
from featcodec.coding.model import pack_prediction, pack_scales, pack_tables
from featcodec.container import index
from featcodec.container.group import GroupHeader, Lossy, Part
from featcodec.container.model import Model
from featcodec.container.network import Network
from featcodec.container.reader import Reader
from featcodec.container.sections import SECTION, SIGNATURE_BYTES, V3, V4
from featcodec.container.wire import Builder, Cursor
from featcodec.container.writer import Writer
from featcodec.decoding.decoder import coder_of
from featcodec.dumps import Dump
from featcodec.encoding import choice
from featcodec.entropy import contexts, family, integers, symbols
from featcodec.entropy.prediction import Prediction
from featcodec.entropy.tables import Table
from featcodec.files import decode_file, encode_file
from featcodec.request import Options, Quality
from featcodec.training.linear import train

HERE = Path(__file__).resolve().parent
DIGITS = HERE / "digits"
VECTORS = HERE.parent / "bitstream_spec" / "vectors"
sys.path.insert(0, str(HERE.parent / "bitstream_spec"))

import exact_vectors  # noqa: E402
import hostile_vectors  # noqa: E402
import reference_decoder as reference  # noqa: E402

# Of the example that the specification works through.
TOKENS = ((3, -2.9), (-1, 1.2), (0.2, 0.1), (2.1, -2), (-4, 3.8), (1, -1.3), (5.2, -5), (-2, 2.2))
LABELS = (3, 1, 1, 2, 0, 1, 3, 0)


def digits(task: str, count: int) -> np.ndarray:
    return load_file(DIGITS / f"{task}_eval.safetensors")["features"][:count]


def sources() -> dict[str, tuple[dict[str, np.ndarray], dict[str, str] | None, dict]]:
    """Return name -> (tensors, metadata, options of `save`)."""
    rng = np.random.default_rng(1)
    cnn, vit = digits("cnn", 12).astype(np.float32), digits("vit", 10)
    odd = vit[:, 1:].astype(np.float64).copy()
    odd[0, 0, 0], odd[1, 2, 3], odd[2, 3, 4], odd[3, 4, 5] = np.nan, np.inf, -np.inf, -900
    steps = np.cumsum(rng.normal(size=(60, 12)), axis=0).astype(np.float32)
    lines = {f"line_{i:02}": s for i, s in enumerate(np.split(steps, [1, 4, 21, 40]))}
    relu = np.maximum(cnn[:, :8] - 0.5, 0)
    return {
        "001-cnn-map": ({"features": cnn}, {"layout": "NCHW", "model": "digits"}, {"snr": 10}),
        "002-vit-tokens": ({"features": vit, "labels": np.arange(10)}, None, {"snr": 15}),
        "003-profile-cnn": ({"features": cnn}, {"layout": "NCHW"}, {"snr": 8, "profile": True}),
        "004-profile-vit": ({"features": vit}, {"layout": "NLD"}, {"snr": 12, "profile": True}),
        "005-sentences": (lines, {"layout": "LD"}, {"snr": 20}),
        "006-no-transform": ({"relu": relu}, None, {"snr": 12, "transform": "none"}),
        "007-error-bound": ({"features": odd}, None, {"max_error": 0.02}),
        "008-exceptions": ({"features": odd}, None, {"snr": 9}),
        "009-fine": ({"features": cnn[:6]}, None, {"snr": 80}),
        "010-lossless": (
            {
                "f16": vit[:3],
                "f32": cnn[:2],
                "i64": np.arange(-5, 300),
                "bool": rng.random((7, 9)) > 0.5,
                "u8": rng.integers(0, 9, 500).astype(np.uint8),
                "empty": np.zeros((0, 3), np.float32),
                "scalar": np.array(3.5),
            },
            {"about": "all kinds"},
            {"lossless": True},
        ),
        "011-no-tensors": ({}, {"only": "metadata"}, {"snr": 10}),
        "012-partial-blocks": (
            {"map": np.cumsum(rng.normal(size=(2, 3, 21, 19)), axis=2).astype(np.float32)},
            {"layout": "NCHW"},
            {"snr": 25},
        ),
        "014-profile-tables": (
            {"features": digits("cnn", 100)},
            {"layout": "NCHW"},
            {"snr": 14, "profile": True},
        ),
        "015-clamped": (
            {"relu": np.maximum(digits("cnn", 40)[:, :16], 0)},
            {"layout": "NCHW"},
            {"snr": 5, "transform": "linear"},
        ),
        "013-volume": (
            {"x": np.cumsum(rng.normal(size=(2, 2, 5, 9, 10)), axis=3).astype(np.float16)},
            {"layout": "NCTHW"},
            {"snr": 18},
        ),
        "017-worked-example": (
            {"features": np.array(TOKENS, np.float32), "labels": np.array(LABELS, np.uint8)},
            {"layout": "ND"},
            {"snr": 25, "transform": "linear"},
        ),
    }


def make_valid(folder: Path) -> None:
    choice.ROW_GROUP_VALUES = 1 << 12  # so that small vectors have several row groups
    profile = folder / "digits.fcp"
    if not profile.exists():
        dumps = [Dump(DIGITS / f"{task}_train.safetensors") for task in ("cnn", "vit")]
        profile.write_bytes(Profile.pack(train(dumps, Options())))
    for name, (tensors, metadata, options) in sources().items():
        target = folder / "valid" / name
        if target.exists():
            continue
        target.mkdir(parents=True)
        needed = [profile] if options.pop("profile", False) else []
        data = fc.save(tensors, metadata, profile=needed[0] if needed else None, **options)
        (target / "in.fcz").write_bytes(data)
        finish(target, needed)
    write_valid(folder / "valid" / "016-far-steps", far_steps())
    for kind in ("BF16", "F8_E4M3", "F8_E5M2"):
        target = folder / "valid" / f"020-{kind.lower().replace('_', '-')}"
        if not target.exists():
            target.mkdir(parents=True)
            narrow(target, kind)
            finish(target, [])


def far_steps() -> bytes:
    """Write two groups whose steps are the farthest from their scales, either way."""
    out = io.BytesIO()
    writer = Writer(out)
    found = np.random.default_rng(14).integers(-9, 10, 6).astype("i4")
    for scale, step_scale in ((-9, (1 << 63) - 1), (9, -(1 << 63))):
        table = family.table(0 if step_scale > 0 else 255)
        writer.section(b"ROWS", b"\x80\0" + symbols.encode([(found, table)]))
        model = Model("none", scales=pack_scales(np.full((2, 1), scale)))
        features = Lossy(
            **{**PLAIN, "step_scale": step_scale}, profile=None, parts=(Part("none", model),)
        )
        at = len(writer.index.tensors)
        writer.section(b"GRUP", GroupHeader("F32", 3, 3, 2 * at, 1.0, np.nan, features).pack())
        writer.index.tensors.append(index.TensorEntry(f"x{at}", "F32", (3, 2), at))
    writer.finish()
    return out.getvalue()


def narrow(target: Path, kind: str) -> None:
    """Encode features of a type that NumPy lacks."""
    fc.save_file({"features": digits("vit", 8)}, target / "wide.fcz", lossless=True)
    decode_file(target / "wide.fcz", target / "wide.safetensors", dtype=kind)
    encode_file(target / "wide.safetensors", target / "in.fcz", Quality(snr=12))
    (target / "wide.fcz").unlink()
    (target / "wide.safetensors").unlink()


def finish(target: Path, profiles: list[Path]) -> None:
    """Write what a vector decodes to, and whether it needs a profile (true: digits.fcp)."""
    known = [Profile.load(path) for path in profiles]
    decode_file(target / "in.fcz", target / "out.safetensors", profiles=known)
    needs = any(path.name == "digits.fcp" for path in profiles) or [p.name for p in profiles]
    (target / "expect.json").write_text(json.dumps({"profile": needs or False}) + "\n")


def make_network(path: Path) -> None:
    """Train a network so small that a decoder in plain Python needs no patience."""
    from featcodec.training.network import crops, export, loop
    from featcodec.training.network.hyperprior import Hyperprior, Shape

    dumps = [Dump(DIGITS / f"{task}_train.safetensors") for task in ("cnn", "vit")]
    features = crops.collect(dumps, Options())
    start = Hyperprior(Shape(width=3, latents=5, stages=2, levels=5))
    plan = loop.Plan(steps=1500)
    with tempfile.TemporaryDirectory() as folder:
        trained = loop.train(features, plan, Path(folder, "checkpoint"), start)
    metadata = export.metadata("digits", features, {"steps": plan.steps, "seed": plan.seed})
    path.write_bytes(Profile.pack([], export.export(trained, features, metadata)))


def make_neural(folder: Path) -> None:
    """Files of format 3.0."""
    profile = folder / "network.fcp"
    if not profile.exists():
        make_network(profile)
    for name, (tensors, metadata, snr) in neural_sources().items():
        target = folder / "valid" / name
        if not target.exists():
            target.mkdir(parents=True)
            data = fc.save(tensors, metadata, profile=profile, transform="neural", snr=snr)
            (target / "in.fcz").write_bytes(data)
            finish(target, [profile])
    profile = folder / "least.fcp"
    if not profile.exists():
        profile.write_bytes(network_file(least_network()))
    # The first level's step is 0.7, less a tenth in the row group; half a level below it, and more.
    steps = {"104-network-least": 0.5, "105-network-coarse": 0.9, "106-network-coarsest": 2.0}
    for name, step in steps.items():
        target = folder / "valid" / name
        if not target.exists():
            target.mkdir(parents=True)
            (target / "in.fcz").write_bytes(by_hand(profile.read_bytes(), LARGEST, step))
            finish(target, [profile])


def make_contexts(folder: Path) -> None:
    """Maps coded with contexts, in format 4.0 and by hand in 3.0; an encoder of 3.0 made others."""
    maps = digits("cnn", 60).astype(np.float32)
    odd = np.maximum(maps[:20, :6], 0).astype(np.float64)
    odd[0, 0, 0, 0], odd[1, 2, 3, 1], odd[2, 3, 0, 0] = np.nan, np.inf, 900
    rng = np.random.default_rng(2)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(2, 3, 21, 18)), axis=2), axis=3)
    sources = {
        "160-restored-relu": (np.maximum(maps[:, :24], 0), 12),
        "161-restored-signed": (maps[:12], 9),
        "162-restored-exceptions": (odd, 15),
        "163-restored-blocks": (np.maximum(smooth - 4, 0).astype(np.float32), 25),
    }
    for name, (array, snr) in sources.items():
        target = folder / "valid" / name
        if not target.exists():
            target.mkdir(parents=True)
            data = fc.save({"x": array}, {"layout": "NCHW"}, transform="context", snr=snr)
            (target / "in.fcz").write_bytes(data)
            finish(target, [])
    offsets = np.random.default_rng(6).integers(-128, 129, 48)
    by_hand = {
        "114-context-by-hand": ({"transform": "context"}, V3),
        "164-restored-by-hand": (
            {"transform": "restored", "offsets": integers.pack(offsets)},
            V4,
        ),
    }
    for name, (changes, version) in by_hand.items():
        target = folder / "valid" / name
        if not target.exists():
            target.mkdir(parents=True)
            (target / "in.fcz").write_bytes(contexts_by_hand(changes, version))
            finish(target, [])


def contexts_by_hand(changes: dict[str, Any], version: tuple[int, int]) -> bytes:
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
    lossy = Lossy(
        **{**PLAIN, "layout": "NLD", "prefix": 1, "grid": (3, 5), "step_scale": 4, "upper": 2e9},
        profile=None,
        parts=(Part(model.transform, model), Part("none", Model("none", (1,)))),
    )
    out = io.BytesIO()
    writer = Writer(out)
    writer.needs(version)
    for samples in (2, 1):
        arrays = map_by_hand(rng, (scales[:, 0, 0] - 4 + 1) >> 1, tables, samples)
        arrays.append((rng.integers(-5, 6, 2 * samples).astype("i4"), family.table(4)))
        rows = Builder()
        rows.u8(150)
        rows.varint(0)
        writer.section(b"ROWS", bytes(rows + symbols.encode(arrays)))
    writer.section(b"GRUP", GroupHeader("F32", 3, 2, 0, 1.0, np.nan, lossy).pack())
    writer.index.tensors = [index.TensorEntry("x", "F32", (3, 16, 2), 0)]
    writer.finish()
    return out.getvalue()


def make_bands(folder: Path) -> None:
    """Files of format 3.0 with a KLT for each band of frequencies."""
    profile = folder / "banded.fcp"
    if not profile.exists():
        dumps = [Dump(DIGITS / f"{task}_train.safetensors") for task in ("cnn", "vit")]
        profile.write_bytes(Profile.pack(train(dumps, Options())))
    sources: dict[str, tuple[np.ndarray, str, float, list[Path]]] = {
        "120-banded-own": (digits("vit", 40), "NLD", 10, []),
        "121-banded-profile": (digits("vit", 10), "NLD", 12, [profile]),
        "122-banded-cut": (waves((2, 5, 21, 18)), "NCHW", 25, []),
    }
    for name, (array, layout, snr, needed) in sources.items():
        target = folder / "valid" / name
        if not target.exists():
            target.mkdir(parents=True)
            known = needed[0] if needed else None
            data = fc.save({"x": array}, {"layout": layout}, profile=known, snr=snr)
            assert Reader(io.BytesIO(data), name).groups()[0].lossy.transform == "banded"
            (target / "in.fcz").write_bytes(data)
            finish(target, needed)
    target = folder / "valid" / "123-banded-by-hand"
    if not target.exists():
        target.mkdir(parents=True)
        cut = (folder / "valid" / "122-banded-cut" / "in.fcz").read_bytes()
        (target / "in.fcz").write_bytes(rewrite(cut, with_bands))
        finish(target, [])


def waves(shape: tuple[int, ...]) -> np.ndarray:
    """Make maps whose channels mix one way where they change slowly, another where fast."""
    rng = np.random.default_rng(7)
    spread = np.geomspace(8, 0.1, shape[1])
    slow, fast = (np.linalg.qr(rng.normal(size=(shape[1],) * 2))[0] * spread for _ in range(2))
    parts = np.cumsum(np.cumsum(rng.normal(size=shape), 2), 3) / 30, rng.normal(size=shape)
    mixed = (np.einsum("ij,njhw->nihw", *pair) for pair in zip((slow, fast), parts, strict=True))
    return sum(mixed).astype(np.float32)


def with_bands(header: GroupHeader) -> GroupHeader:
    """Give a model as many bands as there may be, all over the block, and few reflectors."""
    rng = np.random.default_rng(8)
    places = rng.permutation(np.arange(math.prod(header.lossy.parts[0].model.block)) % 16)
    vectors = rng.integers(-9, 10, (16, 5 + 4))
    vectors[4], vectors[7, :5], vectors[9, 5:] = 0, 0, 0
    changes = {"bands": 16, "places": integers.pack(places)}
    return with_model(**changes, reflectors=2, basis=integers.pack(vectors))(header)


def make_curves(folder: Path) -> None:
    """Files of format 4.0 with a correction curve."""
    maps = np.maximum(digits("cnn", 60)[:, :16], 0).astype(np.float32)
    tokens = digits("vit", 60).astype(np.float64)
    tokens /= 1 + np.exp(-2 * tokens)
    tokens[0, 0, 0], tokens[1, 2, 3], tokens[2, 3, 4] = np.nan, np.inf, -900
    tokens = tokens.astype(np.float16)
    of_vit = {"layout": "NLD", "prefix_tokens": "1", "grid": "4,4"}
    sources = {
        "150-curve-relu": (maps, {"layout": "NCHW"}, 8),
        "151-curve-silu-exceptions": (tokens, of_vit, 8),
    }
    for name, (array, metadata, snr) in sources.items():
        target = folder / "valid" / name
        if not target.exists():
            target.mkdir(parents=True)
            data = fc.save({"x": array}, metadata, transform="linear", snr=snr)
            assert Reader(io.BytesIO(data), name).groups()[0].lossy.curve
            (target / "in.fcz").write_bytes(data)
            finish(target, [])
    target = folder / "valid" / "152-curve-by-hand"
    if not target.exists():
        target.mkdir(parents=True)
        made = (folder / "valid" / "150-curve-relu" / "in.fcz").read_bytes()
        knots = tuple(np.random.default_rng(9).permutation([-128, 127, 0] * 8).tolist())
        change = lossy(curve=(0.3, knots), clamp=False, lower=0.25)
        (target / "in.fcz").write_bytes(rewrite(made, change))
        finish(target, [])


def map_by_hand(
    rng: np.random.Generator, levels: np.ndarray, tables: dict[int, Table], blocks: int
) -> list[tuple[np.ndarray, Table]]:
    """Make up the symbols of blocks of 3 x 5, now and then far above what their tables expect."""
    known, arrays = contexts.Contexts((3, 5), levels, blocks), []
    for number in range(len(known.lattice)):
        numbers = known.numbers(number)
        found = np.zeros(numbers.shape, "i4")
        for chosen, where in contexts.by_table(numbers):
            table = tables.get(chosen) or contexts.table(chosen, True)
            scale = np.where(rng.random(len(where)) < 0.1, 200, 4)
            made = np.rint(rng.laplace(scale=scale)).astype("i4")
            found.reshape(-1)[where] = made if table.magnitude else 0
            arrays.append((found.reshape(-1)[where], table))
        known.learn(number, found)
    return arrays


def make_bounded(folder: Path) -> None:
    """Files of format 4.0 whose errors are bounded."""
    rng = np.random.default_rng(11)
    mixed = np.einsum("nchw,dc->ndhw", waves((30, 6, 7, 6)), rng.normal(size=(6, 6)))
    odd = mixed[:20].astype(np.float64)
    odd[0, 0, 0, 0], odd[1, 2, 3, 1], odd[2, 3, 0, 0] = np.nan, np.inf, 9e5
    sparse = np.maximum(np.cumsum(rng.normal(size=(24, 3, 2, 9, 8)), axis=4), 0).astype(np.float32)
    sources = {
        "130-predicted-map": (mixed, "NCHW", 0.1),
        "131-predicted-tokens": (digits("vit", 30), "NLD:1+4x4", 0.05),
        "132-predicted-lines": (waves((12, 5, 22, 1))[..., 0], "NDL", 0.05),
        "133-predicted-exceptions": (odd, "NCHW", 0.01),
        "134-split-peak": (np.minimum(sparse, 2)[:, :, 0], "NCHW", 0.003),
        "135-split-volume": (sparse, "NCTHW", 0.02),
    }
    for name, (array, layout, bound) in sources.items():
        target = folder / "valid" / name
        if not target.exists():
            target.mkdir(parents=True)
            axes, _, prefix = layout.partition(":")
            hints = {"layout": axes}
            if prefix:
                hints |= {"prefix_tokens": "1", "grid": "4x4"}
            data = fc.save({"x": array.astype(array.dtype)}, hints, max_error=bound)
            (target / "in.fcz").write_bytes(data)
            header = Reader(io.BytesIO(data), name).groups()[0]
            assert header.lossy.transform == name.split("-")[1], header.lossy.transform
            finish(target, [])
    for name, data in (
        ("136-predicted-by-hand", predicted_by_hand()),
        ("137-split-by-hand", split_by_hand()),
    ):
        target = folder / "valid" / name
        if not target.exists():
            target.mkdir(parents=True)
            (target / "in.fcz").write_bytes(data)
            finish(target, [])


def by_group(lossy: Lossy, shape: tuple[int, ...], made: Callable) -> bytes:
    """Write one group of one tensor; `made` gives the arrays of a part, sizes and blocks."""
    header = GroupHeader("F32", 0, 2, 0, 1.0, np.nan, lossy)
    coder = coder_of(header, lossy, [shape], None)
    out = io.BytesIO()
    writer = Writer(out)
    writer.needs(V4)
    slabs = coder.grid.slabs
    for first in range(0, slabs, 2):
        arrays = []
        for (prefix, sizes), boxes in coder.grid.boxes(first, min(first + 2, slabs)).items():
            part = coder.parts[prefix]
            for number, found in made(part, sizes, sum(box.count for box in boxes)):
                arrays.append((found, part.table(number)))
        rows = Builder()
        rows.u8(100)
        rows.varint(0)
        writer.section(b"ROWS", bytes(rows + symbols.encode(arrays)))
    writer.section(b"GRUP", replace(header, slabs=slabs).pack())
    writer.index.tensors = [index.TensorEntry("x", "F32", shape, 0)]
    writer.finish()
    return out.getvalue()


def predicted_by_hand(residual: int = 0) -> bytes:
    """Code maps of two sizes behind prefix tokens, with weights at their limits.

    `residual` is how large the first one is, when not 0.
    """
    rng = np.random.default_rng(7)
    neighbours = rng.integers(-40, 41, (4, 2, 3))
    neighbours[0, 0], neighbours[3, 1] = 256, -256
    rows = np.zeros((3, 3), np.int64)
    # 2 ** 25 is the largest sum of weights: 511 and 1 times 2 ** 16.
    rows[1, 0], rows[2, 0], rows[2, 1] = -1023, 511, -1
    weights = Prediction(neighbours, 3, np.array([-2, 0, 1]), rows)
    scales = rng.integers(-8, 30, (3, 5))
    tables = {6: Table(1, 5, 90, 140), 7: Table(2, 0, 100, 120, (110,)), 11: Table(0)}
    model = Model(
        "predicted",
        (5, 4),
        centre_exponent=3,
        centre=integers.pack(np.array([5, 0, -90])),
        scales=pack_scales(scales),
        tables=pack_tables(tables),
        prediction=pack_prediction(weights),
    )
    alone = Prediction(np.zeros((4, 2, 3), np.int64), 0, np.zeros(3, np.int64), rows // 100)
    other = replace(model, block=(1,), prediction=pack_prediction(alone))
    lossy = Lossy(
        **{**PLAIN, "layout": "NLD", "prefix": 2, "grid": (9, 7), "step_scale": 4, "upper": 2e9},
        profile=None,
        parts=(Part("predicted", model), Part("predicted", other)),
    )

    def made(part: Any, sizes: tuple[int, ...], blocks: int) -> list[tuple[int, np.ndarray]]:
        nonlocal residual
        arrays = []
        for number, rows in part.order(sizes):
            found = np.rint(rng.laplace(scale=0.8, size=len(rows) * blocks)).astype("i4")
            if part.table(number).magnitude:
                found[0], residual = residual or found[0], 0
            else:
                found[:] = 0
            arrays.append((number, found))
        return arrays

    return by_group(lossy, (3, 2 + 9 * 7, 3), made)


def split_by_hand(peak: int = 3, kind: int | None = None, size: int | None = None) -> bytes:
    """Code maps behind prefix tokens, of all magnitudes and signs; `kind` or `size` is a fault."""
    rng = np.random.default_rng(8)
    tables = {
        14: Table(3, 0, 100, 90, (255, 255)),
        200: Table(60, 2, 80, 140, (100, 110, 120)),
    }
    model = Model(
        "split",
        (5, 4),
        scales=pack_scales(np.array([[-30], [9], [88]])),
        tables=pack_tables(tables),
        peak=peak,
    )
    lossy = Lossy(
        **{**PLAIN, "layout": "NLD", "prefix": 2, "grid": (9, 7), "step_scale": 4, "upper": 90},
        profile=None,
        parts=(Part("split", model), Part("split", replace(model, block=(1,)))),
    )

    def made(part: Any, sizes: tuple[int, ...], blocks: int) -> list[tuple[int, np.ndarray]]:
        latents = rng.laplace(scale=np.array([1, 30, 1e5]).reshape(3, 1, 1), size=(3, 63, blocks))
        latents = latents[:, : math.prod(sizes)]
        latents *= rng.random(latents.shape) < 0.7
        arrays = part.encode_latents(latents * part.step, sizes)[0]
        at = [number >= 120 for number, _ in arrays]
        if kind is not None:
            arrays[at.index(False)][1][0] = kind
        if size is not None:
            arrays[at.index(True)][1][0] = size
        return arrays

    return by_group(lossy, (3, 2 + 9 * 7, 3), made)


def neural_sources() -> dict[str, tuple[dict[str, np.ndarray], dict[str, str], float]]:
    """Return name -> (tensors, metadata, SNR)."""
    odd = digits("vit", 6).astype(np.float64)
    odd[0, 0, 0], odd[1, 2, 3], odd[2, 3, 4], odd[3, 4, 5] = np.nan, np.inf, -np.inf, -900
    lines = {f"line_{i}": a[: 3 + 5 * i].astype(np.float32) for i, a in enumerate(digits("vit", 3))}
    return {
        "100-network-cnn": (
            {"features": digits("cnn", 9), "labels": np.arange(9)},
            {"layout": "NCHW"},
            4,
        ),
        "101-network-and-rest": ({"features": digits("vit", 9)}, {"layout": "NLD"}, 20),
        "102-network-exceptions": ({"features": odd}, {"layout": "NLD"}, 3),
        "103-network-sentences": (lines, {"layout": "LD"}, 5),
    }


# --- files of format 3.0 by hand, up to bounds that encoders stay away from ----------------------

LARGEST = 4096  # hyper-latent
LATENT_TABLES = {5: Table(2, 0, 120, 128, (140,)), 9: Table(3, 2, 110, 120, (130, 140))}


def least_network() -> dict[str, np.ndarray]:
    """One stage, one latent channel, two of the hyper-latents, as large as exactness allows."""
    rng = np.random.default_rng(3)
    tables = [Table(3, 0, 120, 128, (130, 140)), Table(1, 1, 110, 130)]
    found: dict[str, np.ndarray] = {
        f"hyper_synthesis.{i}.weight": rng.integers(-9, 10, (2, 2, 5, 5)).astype("i2")
        for i in (0, 1)
    }
    reach = np.abs(found["hyper_synthesis.0.weight"].astype(np.int64)).sum((0, 2, 3)).max()
    bound = (1 << 53) - (1 << 10) - int(reach) * LARGEST
    found |= {
        "hyper_synthesis.2.weight": np.array([3, -2], "i2").reshape(2, 1, 1, 1),
        "hyper_synthesis.0.bias": np.array([9000, 1 - bound]),
        "hyper_synthesis.1.bias": np.array([500, 700]),
        "hyper_synthesis.2.bias": np.array([90]),
        "hyper_synthesis.shift": np.array([10, 6, 4], "u1"),
        "hyper_tables": np.frombuffer(b"".join(map(integers.pack_table, tables)), "u1"),
        "latent_tables": np.frombuffer(
            b"".join(bytes([n]) + integers.pack_table(t) for n, t in LATENT_TABLES.items()), "u1"
        ),
        "coarsest_step": np.array([0.7], "f4"),
    }
    shapes = {"analysis.0": (1, 1, 5, 5), "hyper_analysis.0": (2, 1, 3, 3)}
    shapes |= {"synthesis.0": (1, 1, 5, 5)}
    shapes |= {"hyper_analysis.1": (2, 2, 5, 5), "hyper_analysis.2": (2, 2, 5, 5)}
    for name, shape in shapes.items():
        found[f"{name}.weight"] = rng.normal(0, 0.2, shape).astype("f2")
        found[f"{name}.bias"] = rng.normal(0, 0.2, shape[0]).astype("f4")
    found["inverse_gain"] = np.array([[0.25], [-0.5]], "f2")
    found["gain"] = -found["inverse_gain"]
    return found


def network_file(tensors: dict[str, np.ndarray]) -> bytes:
    """Return a profile that holds a network alone."""
    metadata = {"name": "by hand"}
    return Profile.pack([], Network(safetensors.numpy.save(tensors, metadata), metadata))


def by_hand(profile: bytes, largest: int, step: float = 0.5) -> bytes:
    """Code a picture of 21 x 13 with the network of `least_network` and hyper-latents up to it.

    The profile may be another one that gives the same table numbers: only its name goes in.
    """
    rng = np.random.default_rng(4)
    network = reference.read_profile(network_file(least_network())).network
    assert network is not None
    seed = zlib.crc32(hashlib.sha256(profile).digest())
    hyper = rng.integers(-2, 3, (2, 3, 2)).astype("i4")
    hyper[0, 1, 1], hyper[1, 2, 0] = largest, -LARGEST
    numbers = reference.hyper_synthesis(hyper.tolist(), network, [(6, 4), (11, 7)])
    flat = np.array(numbers).ravel()
    latents = [
        (rng.integers(-4, 5, int((flat == n).sum())).astype("i4"), table)
        for n in np.unique(flat)
        if (table := LATENT_TABLES.get(int(n), family.table(int(n)))).magnitude
    ]
    tables = (Table(3, 0, 120, 128, (130, 140)), Table(1, 1, 110, 130))
    rows = Builder()
    rows.u8(100)
    rows.varint(0)
    rows.blob(symbols.encode([(z.ravel(), t) for z, t in zip(hyper, tables, strict=True)], seed))
    rows.blob(symbols.encode(latents, seed))
    rows += symbols.encode([], seed)
    lossy = Lossy(
        **{**PLAIN, "upper": 9.0, "std": 2.0, "step": step, "step_scale": 40},
        profile=0,
        parts=(Part("none", Model("none")),),
        neural=True,
    )
    out = io.BytesIO()
    writer = Writer(out)
    writer.needs(V3)
    writer.section(b"ROWS", bytes(rows))
    writer.section(b"GRUP", GroupHeader("F32", 21, 21, 0, 1.0, np.nan, lossy).pack())
    writer.profile(hashlib.sha256(profile).digest())
    writer.index.tensors = [index.TensorEntry("x", "F32", (21, 13), 0)]
    writer.finish()
    return out.getvalue()


# --- faulty files -------------------------------------------------------------------------------


def flip(place: int) -> Callable[[bytearray], bytearray]:
    def change(data: bytearray) -> bytearray:
        data[place] ^= 0x10
        return data

    return change


def reseal(change: Callable[[bytearray], None], section: int) -> Callable[[bytearray], bytearray]:
    """Change the payload of a section and make its CRC-32 right again."""

    def apply(data: bytearray) -> bytearray:
        start = SIGNATURE_BYTES
        for _ in range(section):
            start += SECTION.size + SECTION.unpack_from(data, start)[2] + 4
        size = SECTION.unpack_from(data, start)[2]
        head = data[start : start + SECTION.size]
        payload = bytearray(data[start + SECTION.size : start + SECTION.size + size])
        whole = bytearray(head + payload)
        change(whole)
        data[start : start + len(whole)] = whole
        end = start + len(whole)
        data[end : end + 4] = struct.pack("<I", zlib.crc32(whole))
        return data

    return apply


def resign(major: int, kind: int) -> Callable[[bytearray], bytearray]:
    def change(data: bytearray) -> bytearray:
        data[8], data[10] = major, kind
        data[12:16] = struct.pack("<I", zlib.crc32(data[:12]))
        return data

    return change


def set_byte(place: int, value: int) -> Callable[[bytearray], None]:
    def change(whole: bytearray) -> None:
        whole[place] = value

    return change


FAULTS: dict[str, tuple[str, Callable[[bytearray], bytearray]]] = {
    "empty": ("an empty file", lambda data: bytearray()),
    "not-featcodec": ("another magic number", lambda data: bytearray(b"PK\x03\x04") + data[4:]),
    "text-mode": ("CR LF became LF", lambda data: bytearray(data.replace(b"\r\n", b"\n", 1))),
    "future-version": ("major version 2", resign(2, 0)),
    "unknown-kind": ("kind 7", resign(1, 7)),
    "truncated": ("the last byte is missing", lambda data: data[:-1]),
    "truncated-index": ("END and half of INDX are missing", lambda data: data[:-60]),
    "appended": ("a byte too many at the end", lambda data: data + b"\0"),
    "flipped-symbol": ("a flipped bit in ROWS", flip(SIGNATURE_BYTES + SECTION.size + 40)),
    "flipped-length": ("a flipped bit in a section's length", flip(SIGNATURE_BYTES + 9)),
    "reserved-flag": ("a reserved section flag", reseal(set_byte(4, 3), 0)),
    "wrong-symbols": ("resealed damage to words", reseal(set_byte(SECTION.size + 60, 77), 0)),
    "wrong-type": ("a ROWS section called XXXX", reseal(set_byte(0, ord("X")), 0)),
    "group-dtype": ("a group of another type than its tensors", reseal(set_byte(17, 12), 3)),
    "group-coding": ("a coding unknown to 1.0", reseal(set_byte(16, 9), 3)),
}


def make_faulty(folder: Path) -> None:
    sound = (folder / "valid" / "001-cnn-map" / "in.fcz").read_bytes()
    for name, (reason, change) in FAULTS.items():
        target = folder / "faulty" / name
        if target.exists():
            continue
        target.mkdir(parents=True)
        (target / "in.fcz").write_bytes(bytes(change(bytearray(sound))))
        (target / "expect.json").write_text(json.dumps({"reason": reason}) + "\n")


# --- faulty files of format 3.0 -----------------------------------------------------------------


class LaxWriter(Writer):
    """Writes what a reader refuses."""

    def _check(self) -> None:
        pass


def rewrite(
    data: bytes,
    group: Callable[[GroupHeader], GroupHeader] = lambda header: header,
    rows: Callable[[list[bytes]], None] | None = None,
    profile: bytes | None = None,
    version: tuple[int, int] | None = None,
) -> bytes:
    """Write a file anew with another group with loss, first ROWS, profile or version.

    The fields of ROWS are fine step, exceptions, hyper-latents, latents and the rest.
    """
    source, out = Reader(io.BytesIO(data), "sound"), io.BytesIO()
    writer = LaxWriter(out)
    writer.needs(version or source.version)
    for position, (kind, _) in enumerate(source.index.sections):
        payload = source.section(position, kind)
        if kind == b"GRUP":
            header = GroupHeader.unpack(payload)
            payload = group(header).pack() if header.lossy else payload
        elif position == 0 and rows:
            cursor = Cursor(payload)
            fields = [bytes([cursor.u8()]), *(cursor.blob() for _ in range(3))]
            fields.append(bytes(cursor.rest()))
            rows(fields)
            built = Builder(fields[0])
            for field in fields[1:-1]:
                built.blob(field)
            payload = bytes(built + fields[-1])
        writer.section(kind, payload)
    digests = source.index.profiles if profile is None else [hashlib.sha256(profile).digest()]
    writer.index.profiles, writer.index.tensors = digests, source.index.tensors
    writer.index.metadata = source.index.metadata
    writer.finish()
    return out.getvalue()


def lossy(**changes: Any) -> Callable[[GroupHeader], GroupHeader]:
    return lambda header: replace(header, lossy=replace(header.lossy, **changes))


def with_prefix(header: GroupHeader) -> GroupHeader:
    """Take the first token of each sample for a prefix; a slab is a sample then."""
    header = lossy(prefix=1, grid=(16,), parts=header.lossy.parts * 2)(header)
    return replace(header, slabs=9, slabs_per_row_group=3)


def with_blocks(header: GroupHeader) -> GroupHeader:
    """Make blocks of two tokens, as long as slabs stay what they are."""
    (part,) = header.lossy.parts
    model = replace(part.model, block=(1, 2), scales=b"")
    return lossy(parts=(replace(part, model=model),))(header)


def damage(field: int) -> Callable[[list[bytes]], None]:
    """Change the low bits of the last word of a field of ROWS."""

    def change(fields: list[bytes]) -> None:
        whole = bytearray(fields[field])
        whole[-3] ^= 0x55
        fields[field] = bytes(whole)

    return change


def network_faults(folder: Path) -> dict[str, tuple[str, bytes, list[str]]]:
    """Return name -> (reason, file, profiles it needs)."""

    def sound(name: str) -> bytes:
        return (folder / "valid" / name / "in.fcz").read_bytes()

    maps, tokens = sound("100-network-cnn"), sound("101-network-and-rest")
    digits_profile = (folder / "digits.fcp").read_bytes()
    least = (folder / "least.fcp").read_bytes()

    def no_latents(fields: list[bytes]) -> None:
        fields[3] = b""

    ours = ["network.fcp"]
    return {
        "network-old-version": (
            "coding 2 in a file of major version 1",
            bytes(resign(1, 0)(bytearray(maps))),
            ours,
        ),
        "network-coding-1": (
            "pictures in a group of coding 1",
            rewrite(maps, lossy(neural=False)),
            ours,
        ),
        "network-no-profile": (
            "coding 2 without a profile",
            rewrite(maps, lossy(profile=None)),
            ours,
        ),
        "network-of-none": (
            "coding 2 with a profile that has no network",
            rewrite(maps, profile=digits_profile),
            ["digits.fcp"],
        ),
        "network-prefix": ("coding 2 with prefix tokens", rewrite(tokens, with_prefix), ours),
        "network-grid": (
            "coding 2 with the lengths of a grid",
            rewrite(tokens, lossy(grid=(17,))),
            ours,
        ),
        "network-blocks": ("coding 2 with blocks of two tokens", rewrite(maps, with_blocks), ours),
        "network-hyper-latents": (
            "resealed damage to hyper-latents",
            rewrite(maps, rows=damage(2)),
            ours,
        ),
        "network-latents": ("resealed damage to latents", rewrite(maps, rows=damage(3)), ours),
        "network-no-latents": ("a picture without latents", rewrite(maps, rows=no_latents), ours),
        "network-hyper-too-large": (
            "a hyper-latent of 4097",
            by_hand(least, LARGEST + 1),
            ["least.fcp"],
        ),
    }


def faulty_networks() -> dict[str, tuple[str, dict[str, np.ndarray]]]:
    """Return name -> (reason, tensors). But for the shift, they give the sound table numbers."""
    sound = least_network()
    bias, gain = sound["hyper_synthesis.0.bias"], sound["gain"]
    beyond = bias - np.array([0, 1])
    more = {f"{name}.weight": np.zeros((1,) * 4, "f2") for name in ("synthesis.1", "analysis.1")}
    return {
        "network-inexact": (
            "a hyper-synthesis that reaches 2^53",
            sound | {"hyper_synthesis.0.bias": beyond},
        ),
        "network-not-finite": (
            "a gain that is not finite, of use to the encoder alone",
            sound | {"gain": np.array([[np.nan], [1]], "f2")},
        ),
        "network-no-gain": (
            "a network without gains",
            {name: tensor for name, tensor in sound.items() if name != "gain"},
        ),
        "network-shape": (
            "a tensor of another rank",
            sound | {"gain": gain.reshape(2, 1, 1)},
        ),
        "network-type": (
            "a tensor of another type",
            sound | {"coarsest_step": sound["coarsest_step"].astype("f2")},
        ),
        "network-shift": (
            "a shift of 41",
            sound | {"hyper_synthesis.shift": np.array([10, 6, 41], "u1")},
        ),
        "network-tables": (
            "a byte too many behind tables",
            sound | {"hyper_tables": np.append(sound["hyper_tables"], np.uint8(0))},
        ),
        "network-stages": ("weights of a stage that is none", sound | more),
    }


def make_faulty_networks(folder: Path) -> None:
    for name, (reason, data, profiles) in network_faults(folder).items():
        target = folder / "faulty" / name
        if not target.exists():
            target.mkdir(parents=True)
            (target / "in.fcz").write_bytes(data)
            expected = {"reason": reason, "profile": profiles}
            (target / "expect.json").write_text(json.dumps(expected) + "\n")
    for name, (reason, tensors) in faulty_networks().items():
        target = folder / "faulty" / name
        if not target.exists():
            target.mkdir(parents=True)
            profile = network_file(tensors)
            (target / "network.fcp").write_bytes(profile)
            (target / "in.fcz").write_bytes(by_hand(profile, LARGEST))
            expected = {"reason": reason, "profile": [f"faulty/{name}/network.fcp"]}
            (target / "expect.json").write_text(json.dumps(expected) + "\n")


# --- faulty files with contexts and bands -------------------------------------------------------


def with_model(**changes: Any) -> Callable[[GroupHeader], GroupHeader]:
    """Change the model of the last part, that of the prefix tokens when there are any."""

    def change(header: GroupHeader) -> GroupHeader:
        *first, part = header.lossy.parts
        model = replace(part.model, **changes)
        return lossy(parts=(*first, Part(model.transform, model)))(header)

    return change


def context_faults(folder: Path) -> dict[str, tuple[str, bytes, bytes | None]]:
    """Return name -> (reason, file, a profile that it needs)."""
    sound = (folder / "valid" / "110-context-relu" / "in.fcz").read_bytes()
    lines = {"x": digits("vit", 4)[:, :, 0].astype(np.float32)}
    line = fc.save(lines, {"layout": "NL"}, transform="none", snr=10)
    tokens = fc.save({"x": digits("vit", 9)}, {"layout": "NLD"}, transform="none", snr=10)
    ours = Profile.parse((folder / "digits.fcp").read_bytes())
    maps = (folder / "valid" / "003-profile-cnn" / "in.fcz").read_bytes()
    held = [e for e in ours.entries if e.layout == "NCHW"]
    entry = replace(held[0], model=replace(held[0].model, transform="context", reflectors=0))
    entry = replace(entry, model=replace(entry.model, basis=b""))
    profile = bytes(resign(3, 1)(bytearray(Profile.pack([entry]))))
    part = Part("linear", None, 0)
    return {
        "context-old-version": (
            "transform 2 in a file of major version 1",
            bytes(resign(1, 0)(bytearray(sound))),
            None,
        ),
        "context-reflector": (
            "transform 2 with a reflector, of zeros",
            rewrite(sound, with_model(reflectors=1)),
            None,
        ),
        "context-line": (
            "transform 2 with one grid axis",
            rewrite(line, with_model(transform="context"), version=V3),
            None,
        ),
        "context-prefix": (
            "transform 2 for prefix tokens",
            rewrite(tokens, with_model(transform="context"), version=V3),
            None,
        ),
        "context-entry": (
            "transform 2 in an entry of a profile",
            rewrite(maps, lossy(parts=(part,)), profile=profile, version=V3),
            profile,
        ),
        "context-symbols": (
            "resealed damage to symbols with contexts",
            bytes(reseal(flip_byte(SECTION.size + 60), 0)(bytearray(sound))),
            None,
        ),
        "context-no-contexts": (
            "symbols with contexts, of a model that has none",
            rewrite(sound, with_model(transform="none")),
            None,
        ),
        "transform-4": ("a transform that is unknown", unknown_transform(sound, 4), None),
    }


def restored_faults(folder: Path) -> dict[str, tuple[str, bytes, bytes | None]]:
    """Return name -> (reason, file, a profile that it needs)."""
    sound = (folder / "valid" / "160-restored-relu" / "in.fcz").read_bytes()
    lines = {"x": digits("vit", 4)[:, :, 0].astype(np.float32)}
    line = fc.save(lines, {"layout": "NL"}, transform="none", snr=10)
    tokens = fc.save({"x": digits("vit", 9)}, {"layout": "NLD"}, transform="none", snr=10)
    zeros = with_model(transform="restored")
    beyond = integers.pack(np.arange(82, 130))
    ours = Profile.parse((folder / "digits.fcp").read_bytes())
    maps = (folder / "valid" / "003-profile-cnn" / "in.fcz").read_bytes()
    held = [e for e in ours.entries if e.layout == "NCHW"]
    entry = replace(held[0], model=replace(held[0].model, transform="restored", reflectors=0))
    entry = replace(entry, model=replace(entry.model, basis=b""))
    profile = bytes(resign(4, 1)(bytearray(Profile.pack([entry]))))
    part = Part("linear", None, 0)
    return {
        "restored-old-version": (
            "transform 6 in a file of major version 3",
            bytes(resign(3, 0)(bytearray(sound))),
            None,
        ),
        "restored-reflector": (
            "transform 6 with a reflector, of zeros",
            rewrite(sound, with_model(reflectors=1)),
            None,
        ),
        "restored-line": (
            "transform 6 with one grid axis",
            rewrite(line, zeros, version=V4),
            None,
        ),
        "restored-prefix": (
            "transform 6 for prefix tokens",
            rewrite(tokens, zeros, version=V4),
            None,
        ),
        "restored-entry": (
            "transform 6 in an entry of a profile",
            rewrite(maps, lossy(parts=(part,)), profile=profile, version=V4),
            profile,
        ),
        "restored-offset": (
            "an offset of restoration that is too large",
            rewrite(sound, with_model(offsets=beyond)),
            None,
        ),
        "restored-offsets": (
            "one offset of restoration too few",
            rewrite(sound, with_model(offsets=integers.pack(np.arange(47)))),
            None,
        ),
        "transform-7": ("a transform that is unknown", unknown_transform(sound, 7), None),
    }


def flip_byte(place: int) -> Callable[[bytearray], None]:
    def change(whole: bytearray) -> None:
        whole[place] ^= 0x55

    return change


def unknown_transform(data: bytes, code: int) -> bytes:
    """Give a model a transform code that its version does not know."""
    reader = Reader(io.BytesIO(data), "sound")
    position = [kind for kind, _ in reader.index.sections].index(b"GRUP")
    payload = reader.section(position, b"GRUP")
    header = GroupHeader.unpack(payload)
    assert header.lossy is not None
    assert header.lossy.parts[0].model is not None
    model = header.lossy.parts[0].model.pack()
    place = payload.rindex(model) + SECTION.size
    return bytes(reseal(set_byte(place, code), position)(bytearray(data)))


def band_faults(folder: Path) -> dict[str, tuple[str, bytes, bytes | None]]:
    """Return name -> (reason, file, a profile that it needs)."""
    sound, maps, trained = (
        (folder / "valid" / name / "in.fcz").read_bytes()
        for name in ("120-banded-own", "122-banded-cut", "121-banded-profile")
    )
    profile = (folder / "banded.fcp").read_bytes()
    old = bytes(resign(1, 1)(bytearray(profile)))

    def bands(count: int, beyond: int = 0) -> Callable[[GroupHeader], GroupHeader]:
        """State so many bands, of two that have places; the last place lies beyond them."""

        def change(header: GroupHeader) -> GroupHeader:
            model = header.lossy.parts[0].model
            points, reflectors = math.prod(model.block), 5 + 4 + 3 + 2
            assert (model.bands, model.reflectors) == (2, 4)
            places = integers.unpack(model.places, points).copy()
            places[-1] += beyond
            vectors = integers.unpack(model.basis, 2 * reflectors)
            vectors = np.resize(vectors, count * reflectors)
            stored = {"places": integers.pack(places), "basis": integers.pack(vectors)}
            return with_model(bands=count, **stored)(header)

        return change

    def as_linear(header: GroupHeader) -> GroupHeader:
        parts = tuple(replace(part, transform="linear") for part in header.lossy.parts)
        return lossy(parts=parts)(header)

    return {
        "banded-old-version": (
            "bands in a file of major version 1",
            bytes(resign(1, 0)(bytearray(sound))),
            None,
        ),
        "banded-entry-old-version": (
            "bands in a profile of major version 1",
            rewrite(trained, profile=old),
            old,
        ),
        "banded-entry-linear": (
            "a part that states transform 1 for an entry with bands",
            rewrite(trained, as_linear),
            profile,
        ),
        "banded-place": ("a place in a band that does not exist", rewrite(maps, bands(2, 1)), None),
        "banded-unused": ("a band that has no place", rewrite(maps, bands(3)), None),
        "banded-17": ("a model of 17 bands", rewrite(maps, bands(17)), None),
    }


def curve_faults(folder: Path) -> dict[str, tuple[str, bytes, bytes | None]]:
    """Return name -> (reason, file, a profile that it needs)."""
    sound = (folder / "valid" / "150-curve-relu" / "in.fcz").read_bytes()
    network = (folder / "valid" / "100-network-cnn" / "in.fcz").read_bytes()
    (header,) = Reader(io.BytesIO(sound), "sound").groups()
    knots = header.lossy.curve[1]
    return {
        "curve-old-version": (
            "a correction curve in a file of major version 3",
            bytes(resign(3, 0)(bytearray(sound))),
            None,
        ),
        "curve-no-width": ("a curve of width 0", rewrite(sound, lossy(curve=(0, knots))), None),
        "curve-not-finite": (
            "a curve of infinite width",
            rewrite(sound, lossy(curve=(math.inf, knots))),
            None,
        ),
        "curve-network": (
            "a correction curve behind a network",
            rewrite(network, lossy(curve=(1.0, knots)), version=V4),
            (folder / "network.fcp").read_bytes(),
        ),
    }


def bounded_faults(folder: Path) -> dict[str, tuple[str, bytes, bytes | None]]:
    """Return name -> (reason, file, a profile that it needs)."""
    names = "130-predicted-map", "134-split-peak", "135-split-volume", "136-predicted-by-hand"
    sound, split, cube, by_hand = (
        (folder / "valid" / name / "in.fcz").read_bytes() for name in names
    )
    ours = Profile.parse((folder / "digits.fcp").read_bytes())
    maps = (folder / "valid" / "003-profile-cnn" / "in.fcz").read_bytes()
    held = [e for e in ours.entries if e.layout == "NCHW"]
    model = replace(held[0].model, transform="split", reflectors=0, basis=b"")
    profile = bytes(resign(4, 1)(bytearray(Profile.pack([replace(held[0], model=model)]))))
    large = np.zeros((4, 2, 3), np.int64)
    large[2, 1, 0] = 257
    rows = np.zeros((3, 3), np.int64)
    rows[2, 0], rows[2, 1] = 511, -2
    one = np.array([[0, 0, 0], [0, 0, 0], [1, 0, 0]])

    def predicted(**changes: Any) -> bytes:
        """Change the weights for the prefix tokens, which are all zero."""
        none = np.zeros((3, 3), np.int64)
        weights = {"neighbours": 0 * large, "octaves": none[0], "rows": none} | changes
        packed = pack_prediction(Prediction(precision=0, **weights))
        return rewrite(by_hand, with_model(prediction=packed))

    return {
        "predicted-old-version": (
            "transform 4 in a file of major version 3",
            bytes(resign(3, 0)(bytearray(sound))),
            None,
        ),
        "predicted-reflector": (
            "transform 4 with a reflector, of zeros",
            rewrite(sound, with_model(reflectors=1)),
            None,
        ),
        "predicted-neighbour": (
            "a weight of neighbours of 257",
            predicted(neighbours=large),
            None,
        ),
        "predicted-weights": (
            "weights of channels beyond 2^25",
            predicted(rows=rows),
            None,
        ),
        "predicted-exponent": (
            "a weight of channels times 2^33",
            predicted(octaves=np.array([0, 0, 17]), rows=one),
            None,
        ),
        "predicted-residual": (
            "a residual beyond 2^20",
            predicted_by_hand(residual=(1 << 20) + 1),
            None,
        ),
        "predicted-index": (
            "an index beyond 2^20",
            predicted_by_hand(residual=1 << 20),
            None,
        ),
        "predicted-many": ("weights of 5,794 channels", predicted_by_many(), None),
        "predicted-dependent": (
            "transform 4 with dependent quantisation",
            rewrite(sound, lossy(dependent=True)),
            None,
        ),
        "predicted-trailing": (
            "a byte behind a prediction",
            rewrite(sound, longer_prediction),
            None,
        ),
        "predicted-symbols": (
            "resealed damage to residuals",
            bytes(reseal(flip_byte(SECTION.size + 60), 0)(bytearray(sound))),
            None,
        ),
        "split-old-version": (
            "transform 5 in a file of major version 3",
            bytes(resign(3, 0)(bytearray(split))),
            None,
        ),
        "split-entry": (
            "transform 5 in an entry of a profile",
            rewrite(maps, lossy(parts=(Part("linear", None, 0),)), profile=profile, version=V4),
            profile,
        ),
        "split-cube": (
            "transform 5 with blocks of three axes",
            rewrite(cube, with_model(block=(2, 9, 8))),
            None,
        ),
        "split-peak": ("a peak beyond 2^20", rewrite(split, with_model(peak=(1 << 20) + 1)), None),
        "split-kind": ("a kind of 3", split_by_hand(kind=3), None),
        "split-no-peak": ("a kind of 2 without a peak", split_by_hand(peak=0, kind=2), None),
        "split-magnitude": ("a magnitude of 0", split_by_hand(size=-1), None),
        "split-large": ("a magnitude of 2^20 + 1", split_by_hand(size=1 << 20), None),
        "split-negative": ("a kind of -2", split_by_hand(kind=-2), None),
        "split-reflector": (
            "transform 5 with a reflector, of zeros",
            rewrite(split, with_model(reflectors=1)),
            None,
        ),
    }


def predicted_by_many() -> bytes:
    """Write one token of as many channels as have more than 2^24 weights of each other."""
    channels = 5794
    prediction = Builder()
    prediction.blob(b"")
    prediction.u8(0)
    prediction.blob(b"")
    prediction.blob(integers.pack(np.ones(1, np.int64)))
    part = Part("predicted", Model("predicted", prediction=bytes(prediction)))
    out = io.BytesIO()
    writer = LaxWriter(out)
    writer.needs(V4)
    writer.section(b"ROWS", b"\x80\0" + symbols.encode([]))
    features = Lossy(**PLAIN, profile=None, parts=(part,))
    writer.section(b"GRUP", GroupHeader("F32", 1, 1, 0, 1.0, np.nan, features).pack())
    writer.index.tensors = [index.TensorEntry("x", "F32", (1, channels), 0)]
    writer.finish()
    return out.getvalue()


def longer_prediction(header: GroupHeader) -> GroupHeader:
    return with_model(prediction=header.lossy.parts[-1].model.prediction + b"\0")(header)


def plain_faults(folder: Path) -> dict[str, tuple[str, bytes, bytes | None]]:
    """Return name -> (reason, file, no profile)."""
    alone = (folder / "valid" / "006-no-transform" / "in.fcz").read_bytes()
    tokens = (folder / "valid" / "114-context-by-hand" / "in.fcz").read_bytes()
    return {
        "varint-65-bits": ("a varint of 2^65", rewrite(alone, lossy(step_scale=1 << 64)), None),
        "prefix-blocks": (
            "prefix tokens with blocks of two",
            rewrite(tokens, with_model(block=(2,))),
            None,
        ),
    }


def make_faulty_models(folder: Path) -> None:
    faults = context_faults(folder) | restored_faults(folder) | band_faults(folder)
    faults |= plain_faults(folder)
    faults |= curve_faults(folder) | bounded_faults(folder)
    for name, (reason, data, profile) in faults.items():
        target = folder / "faulty" / name
        if target.exists():
            continue
        target.mkdir(parents=True)
        expected: dict[str, Any] = {"reason": reason}
        if profile is not None:
            (target / "profile.fcp").write_bytes(profile)
            expected["profile"] = [f"faulty/{name}/profile.fcp"]
        (target / "in.fcz").write_bytes(data)
        (target / "expect.json").write_text(json.dumps(expected) + "\n")


# --- bit for bit, of format 4.0 -----------------------------------------------------------------


def make_exact(folder: Path) -> None:
    for name, data in exact_vectors.by_encoder(digits("cnn", 60), digits("vit", 60)).items():
        write_valid(folder / "valid" / name, data)
    write_valid(folder / "valid" / "143-lossless-by-hand", exact_vectors.by_hand())
    write_faulty(folder, exact_vectors.faults())


def write_faulty(folder: Path, faults: dict[str, tuple[str, bytes]]) -> None:
    """Write vectors, reason and file, that need no profile."""
    for name, (reason, data) in faults.items():
        target = folder / "faulty" / name
        if not target.exists():
            target.mkdir(parents=True)
            (target / "in.fcz").write_bytes(data)
            (target / "expect.json").write_text(json.dumps({"reason": reason}) + "\n")


def write_valid(target: Path, data: bytes) -> None:
    """Write a vector that needs no profile."""
    if not target.exists():
        target.mkdir(parents=True)
        (target / "in.fcz").write_bytes(data)
        finish(target, [])


# --- beyond the limits --------------------------------------------------------------------------


PLAIN: dict[str, Any] = {"architecture": "generic", "layout": "ND", "prefix": 0, "grid": ()}
PLAIN |= {"lower": 0.0, "upper": 1.0, "clipped": 0, "mean": 0.0, "std": 1.0, "step": 1.0}
PLAIN |= {"step_scale": 0, "clamp": False, "double": False}


def make_limits(folder: Path) -> None:
    """Files of one group whose index or header asks for more than SPEC §10 allows."""
    plain = GroupHeader("U8", 1, 1, 0, 0.0, 0.0)
    wide = (1, 1 << 17)
    model = Part("none", Model("none"))
    features = Lossy(**PLAIN, profile=None, parts=(model,))
    large = Lossy(
        **{**PLAIN, "layout": "NL"}, profile=None, parts=(Part("none", Model("none", (1,))),)
    )
    cases = {
        "too-many-values": ((1 << 40, 1 << 40), plain),
        "rank-17": ((1,) * 17, plain),
        "too-many-channels": (wide, GroupHeader("F32", 1, 1, 0, 0.0, 0.0, features)),
        "row-group-too-large": (
            (1 << 20, 1 << 20),
            GroupHeader("F32", 1 << 40, 1 << 40, 0, 0.0, 0.0, large),
        ),
    }
    bounds = limits.check, limits.check_input
    for name, (shape, header) in cases.items():
        target = folder / "limits" / name
        if target.exists():
            continue
        target.mkdir(parents=True)
        limits.check = limits.check_input = lambda value, *_: value
        with (target / "in.fcz").open("w+b") as out:
            writer = LaxWriter(out)
            writer.section(b"ROWS", b"")
            writer.section(b"GRUP", header.pack())
            writer.index.tensors = [index.TensorEntry("x", header.dtype, shape, 0)]
            writer.finish()
        limits.check, limits.check_input = bounds
        (target / "expect.json").write_text(json.dumps({"reason": name.replace("-", " ")}) + "\n")


def make_limits_of_networks(folder: Path) -> None:
    """A picture of 514 x 65,535, whose latents are more than 2^27 with 16 channels."""
    target = folder / "limits" / "too-many-latents"
    if target.exists():
        return
    target.mkdir(parents=True)
    channels = 16
    tensors = least_network()
    for name, axis in WIDENED.items():
        tensors[name] = np.repeat(tensors[name], channels, axis)
    profile = network_file(tensors)
    lossy = Lossy(**PLAIN, profile=0, parts=(Part("none", Model("none")),), neural=True)
    with (target / "in.fcz").open("w+b") as out:
        writer = Writer(out)
        writer.needs(V3)
        writer.section(b"ROWS", bytes([128, 0, 0, 0]) + symbols.encode([]))
        writer.section(b"GRUP", GroupHeader("F8_E4M3", 514, 514, 0, 1.0, np.nan, lossy).pack())
        writer.profile(hashlib.sha256(profile).digest())
        writer.index.tensors = [index.TensorEntry("x", "F8_E4M3", (514, 65535), 0)]
        writer.finish()
    (target / "network.fcp").write_bytes(profile)
    expected = {
        "reason": "too many latents of a picture",
        "profile": ["limits/too-many-latents/network.fcp"],
    }
    (target / "expect.json").write_text(json.dumps(expected) + "\n")


WIDENED = {  # tensors with an axis of latent channels, and that axis
    "analysis.0.weight": 0,
    "analysis.0.bias": 0,
    "hyper_analysis.0.weight": 1,
    "hyper_synthesis.2.weight": 1,
    "hyper_synthesis.2.bias": 0,
    "synthesis.0.weight": 0,
    "gain": 1,
    "inverse_gain": 1,
}


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else VECTORS
    where.mkdir(parents=True, exist_ok=True)
    make_valid(where)
    make_neural(where)
    make_contexts(where)
    make_bands(where)
    make_curves(where)
    make_bounded(where)
    make_faulty(where)
    make_faulty_networks(where)
    make_faulty_models(where)
    make_exact(where)
    write_faulty(where, hostile_vectors.faults())
    make_limits(where)
    make_limits_of_networks(where)
