"""Interpolation in the sample domain (SPEC §7.16): files by hand, and faulty ones."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from featcodec.container import index
from featcodec.container.group import GroupHeader
from featcodec.container.lossy import Lossy
from featcodec.container.model import Model
from featcodec.container.part import Part
from featcodec.container.sections import SECTION
from featcodec.entropy import integers, located, symbols
from featcodec.entropy.interpolation import NEAR, PASSES, SPREADS, Interpolator, Weights
from featcodec.entropy.located import CLASSES, NUMBERS
from featcodec.modes.interpolated import InterpolatedFields
from featcodec.modes.interpolated.coder import pack
from featcodec.modes.interpolated.part import KINDS, Own, sorted_runs

from . import grids
from .contexts import entry_of
from .edit import PLAIN, LaxWriter, damaged, header_of, lossy, rewrite, with_model
from .store import Vector, fault, sound, valid

SIZE = 3  # channels
MANY = 1549  # channels, the fewest with more than 2^24 weights of each other


def made() -> Iterator[Vector]:
    yield valid("230-interpolated-by-hand", by_hand(fields_of(0)))
    yield valid("231-interpolated-signed-by-hand", by_hand(fields_of(1), lower=-2e9))
    yield from faults()


def fields_of(axis: int, fault: dict[str, Any] | None = None) -> Own:
    """Return fields with all kinds of weights, `fault` in place of some of them."""
    rng = np.random.default_rng(9 + axis)
    near = rng.integers(-20, 40, (PASSES, NEAR, SIZE))
    near[:, -1] = rng.integers(-200, 500, (PASSES, SIZE))
    across = rng.integers(-64, 65, (PASSES, SIZE, SIZE))
    spread_across = rng.integers(0, 30, (PASSES, SIZE, SIZE))
    groups = np.array([2, 0, 2])  # group 1 has no channel
    for weights in (across, spread_across):
        weights[:, groups[:, None] <= groups] = 0
    spread = rng.integers(0, 12, (PASSES, SPREADS, SIZE))
    spread[:, -1] = np.array([2, 60, 500])
    near[6, 0, 0], near[6, 1, 0], spread[6, 6, 1] = 512, -512, 512
    tweaks, zeros = rng.integers(-12, 13, CLASSES), rng.integers(-96, 97, NUMBERS)
    tweaks[:2] = 32, -32
    offsets = rng.integers(-128, 129, (CLASSES, KINDS))
    arrays: dict[str, Any] = {
        "axis": axis,
        "groups": groups,
        "near": near,
        "across": across,
        "spread": spread,
        "spread_across": spread_across,
        "tweaks": tweaks,
        "zeros": zeros,
        "offsets": offsets,
    }
    arrays |= fault or {}
    corrections = (arrays.pop(name) for name in ("tweaks", "zeros", "offsets"))
    tweaks, zeros, offsets = corrections
    return Own(Weights(**arrays), tweaks, zeros, offsets)


def by_hand(own: Own, lower: float = 0.0, **changes: Any) -> bytes:
    """Code maps behind prefix tokens; now and then symbols lie far from what is expected."""
    rng = np.random.default_rng(10)
    model = Model(
        "interpolated",
        (5, 4),
        centre_exponent=3,
        fields=InterpolatedFields(pack(own)),
        centre=integers.pack(np.array([5, 0, -90])),
    )
    model = replace(model, **changes)
    header = Lossy(
        **PLAIN | grids.ON_GRID | {"lower": lower, "upper": 2e9},
        parts=(Part("interpolated", model), Part("interpolated", replace(model, block=(1,)))),
    )
    positive = lower >= header.mean

    def symbols_of(sizes: tuple[int, ...], blocks: int) -> Iterator[grids.Coded]:
        for step in Interpolator(own.weights, positive).steps(sizes, blocks):
            size = 2.0 ** ((step.spread - 8) / 2)
            found = step.predicted / 64 + rng.logistic(scale=0.7, size=size.shape) * size
            found *= np.where(rng.random(size.shape) < 0.02, 50.0, 1.0)
            found = np.maximum(found, 0) if positive else found
            whole = np.clip(np.rint(found), -(1 << 17), 1 << 17).astype("i4")
            step.learn(whole)
            rest, start = (whole - step.bases).reshape(-1), 0
            order, runs = sorted_runs(step.numbers)
            for number, count in runs:
                table = located.table(number, positive, own.tweaks, own.zeros)
                yield rest[order[start : start + count]], table
                start += count

    return grids.file_of(header, symbols_of)


def faults() -> Iterator[Vector]:
    maps = sound("230-interpolated-by-hand")
    fields = header_of(maps)[2].lossy.parts[0].model.fields
    usual = fields_of(0)
    weights = usual.weights

    def with_fields(**fault: Any) -> bytes:
        changed = InterpolatedFields(pack(fields_of(0, fault)))
        return rewrite(maps, with_model(fields=changed))

    def changed(array: np.ndarray, value: int) -> np.ndarray:
        other = array.copy()
        other.reshape(-1)[-1] = value
        return other

    bare = {"fields": fields, "scales": b"", "tables": b""}
    profile, of_profile = entry_of("interpolated", **bare)
    yield fault("interpolated-entry", "interpolated in an entry", of_profile, profile)
    yield fault(
        "interpolated-dependent",
        "transform interpolated with dependent quantisation",
        rewrite(maps, lossy(dependent=True)),
    )
    yield fault(
        "interpolated-reflector",
        "transform interpolated with a reflector, of zeros",
        rewrite(maps, with_model(reflectors=1)),
    )
    yield fault(
        "interpolated-scales",
        "transform interpolated with scales",
        rewrite(maps, with_model(scales=b"\0\0\0")),
    )
    yield fault(
        "interpolated-tables",
        "transform interpolated with a table",
        rewrite(maps, with_model(tables=bytes((2, 1, 0, 90, 140, 128, 128, 0)))),
    )
    yield fault("interpolated-axis", "an axis of 2", with_fields(axis=2))
    yield fault(
        "interpolated-group",
        "a channel of group 3 of 3 channels",
        with_fields(groups=np.array([2, 0, 3])),
    )
    near = weights.near.copy()
    near[6, 2, 1] = 513
    yield fault("interpolated-weight", "a weight of neighbours of 513", with_fields(near=near))
    yield fault(
        "interpolated-constant",
        "a constant beyond 2^20",
        with_fields(near=changed(weights.near, (1 << 20) + 1)),
    )
    across = weights.across.copy()
    across[-1, 2, 1] = -513
    yield fault("interpolated-across", "a weight of a channel of -513", with_fields(across=across))
    yield fault(
        "interpolated-spread",
        "a negative weight of a spread",
        with_fields(spread=changed(weights.spread, -1)),
    )
    yield fault(
        "interpolated-slope",
        "a correction of a slope of 33",
        with_fields(tweaks=changed(usual.tweaks, 33)),
    )
    yield fault(
        "interpolated-zeros",
        "a correction of zeros of -97",
        with_fields(zeros=changed(usual.zeros, -97)),
    )
    yield fault(
        "interpolated-offset",
        "an offset of 129",
        with_fields(offsets=changed(usual.offsets, 129)),
    )
    yield fault(
        "interpolated-trailing",
        "a byte behind an interpolation",
        rewrite(maps, with_model(fields=InterpolatedFields(fields.weights + b"\0"))),
    )
    yield fault("interpolated-many", "weights of 1,549 channels", of_many_channels())
    yield fault(
        "interpolated-symbols",
        "resealed damage to symbols",
        damaged(maps, 0, SECTION.size + 60),
    )


def of_many_channels() -> bytes:
    """Write one token of MANY channels."""
    model = Model("interpolated", (1,), fields=InterpolatedFields(bytes(11)))
    header = Lossy(**PLAIN | {"layout": "LD"}, parts=(Part("interpolated", model),))
    out = io.BytesIO()
    writer = LaxWriter(out)
    writer.section(b"ROWS", b"\x80\0" + symbols.encode([]))
    writer.section(b"GRUP", GroupHeader("F32", 1, 1, 0, 1.0, np.nan, header).pack())
    writer.index.tensors = [index.TensorEntry("x", "F32", (1, MANY), 0)]
    writer.finish()
    return out.getvalue()
