"""Dumps with the structure that users' have, in any combination: each quality ends well."""

import io
import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bitstream_spec import reference_decoder as reference
from featcodec.align.numbers import from_float
from featcodec.container.source import Memory
from featcodec.encoding.dump import encode
from featcodec.errors import Unreachable
from featcodec.numpy import Arrays, load
from featcodec.request import Quality
from featcodec.verification import verify

from .internals import layouts_always

MOST = 1500  # values of a tensor
DTYPES = ("F32", "F32", "F16", "BF16", "F64", "F8_E4M3")
KINDS = ("normal", "relu", "walk", "integers", "softmax", "sorted", "one-hot", "far", "constant")
STRUCTURES = (
    *("padded", "padded", "padded", "dead", "repeated", "ragged", "masked", "scaled", "large row"),
    *("massive", "not finite", "zeros of both signs"),
)
QUALITIES = (
    *(Quality(snr=5.0), Quality(snr=20.0), Quality(snr=64.0), Quality(row_snr=10.0)),
    *(Quality(max_error=0.1), Quality(max_error=1e-9), Quality(bpfp=3.0)),
)
OVERHEAD = 1.02, 64  # of the bytes without loss, and bytes: what the fields of a group may take


@st.composite
def shapes(draw: st.DrawFn) -> tuple[int, ...]:
    """Return a shape of rank 0 to 6, most often of a rank that features have."""
    rank, shape = draw(st.sampled_from([4, 4, 3, 2, 4, 1, 5, 6, 0])), []
    for _ in range(rank):
        room = MOST // max(int(np.prod(shape)), 1)
        shape.append(draw(st.sampled_from([n for n in (12, 8, 16, 3, 30, 2, 64, 1) if n <= room])))
    return tuple(shape)


def values(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    normal = rng.normal(size=shape)
    if kind == "constant" or not shape:
        return np.full(shape, -3.7)
    powers = np.exp(4 * normal)
    return {
        "normal": normal,
        "relu": np.maximum(normal, 0),
        "walk": np.cumsum(normal, 0) / 5,
        "integers": np.rint(9 * normal),
        "softmax": powers / powers.sum(-1, keepdims=True),
        "sorted": np.sort(normal, -1),
        "one-hot": (normal == normal.max(-1, keepdims=True)) * 1.0,
        "far": 1e4 + 0.1 * normal,
    }[kind]


def put(structure: str, x: np.ndarray, axis: int, rng: np.random.Generator) -> np.ndarray:
    """Return an array (...) with a structure along an axis."""
    along = np.moveaxis(x.copy(), axis, 0)
    length = len(along)
    some = rng.random(length) < 0.3
    if structure == "padded":
        low, high = rng.integers(0, length // 2 + 1, 2)
        along[:low], along[length - high :] = 0, 0
    elif structure == "dead":
        along[some] = rng.choice([0, 0, 2.5])
    elif structure == "repeated":
        along = along[np.sort(rng.integers(0, length, length))]
    elif structure == "ragged":
        for i, row in enumerate(along.reshape(length, -1)):
            row[rng.integers(0, row.size + 1) :] = 0
            along[i] = row.reshape(along[i].shape)
    elif structure == "masked":
        along[some] *= 0  # negative values become -0.0
    elif structure == "scaled":
        along *= np.exp(2 * rng.normal(size=length)).reshape(-1, *[1] * (x.ndim - 1))
    elif structure == "large row":
        along[rng.integers(length)] *= 1e3
    flat = np.moveaxis(along, 0, axis).copy()
    if structure == "massive":
        flat.flat[rng.integers(x.size)] = -5e4
    elif structure == "not finite":
        flat.flat[rng.integers(x.size, size=3)] = rng.choice([np.nan, np.inf, -np.inf])
    elif structure == "zeros of both signs":
        flat[(rng.random(x.shape) < 0.2) & (np.abs(x) < 1)] = -0.0
    return flat


@st.composite
def dumps(draw: st.DrawFn) -> dict[str, tuple[np.ndarray, str]]:
    """Return stored elements and types by name: a tensor, or layers alike or cut in length."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x, dtype = (
        values(draw(st.sampled_from(KINDS)), draw(shapes()), rng),
        draw(st.sampled_from(DTYPES)),
    )
    for structure in draw(st.lists(st.sampled_from(STRUCTURES), max_size=3)):
        if x.ndim:
            x = put(structure, x, draw(st.integers(0, x.ndim - 1)), rng)
    layers = [x]
    if draw(st.booleans()):
        layers += draw(
            st.sampled_from(
                [[2 * x, 100 * x], [x, x[::-1] if x.ndim else x], [x[:5]] if x.ndim else [x]]
            )
        )
    with np.errstate(over="ignore"):
        return {f"layers.{i}.x": (from_float(each, dtype), dtype) for i, each in enumerate(layers)}


def encoded(dump: dict[str, tuple[np.ndarray, str]], quality: Quality) -> bytes:
    out = io.BytesIO()
    with layouts_always():
        encode(Arrays(dump, None), out, quality)
    return out.getvalue()


def padded_maps() -> dict[str, tuple[np.ndarray, str]]:
    """Return maps (12, 14, 12, 12) whose first and last channel are zero."""
    maps = np.random.default_rng(0).normal(size=(12, 14, 12, 12))
    maps[:, [0, -1]] = 0
    return {"x": (from_float(maps, "F32"), "F32")}


@pytest.mark.long
@settings(max_examples=20)
@example(padded_maps(), Quality(snr=5.0))
@given(dumps(), st.sampled_from(QUALITIES))
def test_any_dump_has_its_quality_in_hardly_more_than_its_bytes_without_loss(
    dump: dict[str, tuple[np.ndarray, str]], quality: Quality
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exact = encoded(dump, Quality(lossless=True))
        try:
            data = encoded(dump, quality)
        except Unreachable:
            assert quality.bpfp is not None
            return
        verify(Arrays(dump, None), Memory(exact), Quality(lossless=True))
        verify(Arrays(dump, None), Memory(data), quality)
    assert len(data) <= OVERHEAD[0] * len(exact) + OVERHEAD[1]
    again = reference.decode(data).tensors
    for name, mine in load(data).items():
        kind = mine.dtype if dump[name][1] in ("F64", "F32", "F16") else None
        if kind is not None:
            theirs = np.frombuffer(again[name].data, kind).reshape(mine.shape)
            largest = np.max(np.abs(mine[np.isfinite(mine)]), initial=0)
            np.testing.assert_allclose(theirs, mine, rtol=1e-2, atol=2e-3 * float(largest))
