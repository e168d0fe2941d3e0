"""Rows that repeat earlier ones are left out of a file, and come back where they were."""

import io
import math
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec.align.layout import Layout, parse
from featcodec.align.numbers import STORED
from featcodec.arrays import to_stored
from featcodec.container.reader import Reader
from featcodec.container.source import source_of
from featcodec.decoding.decoder import Decoder
from featcodec.request import Quality
from featcodec.verification import verify

from . import internals

LAYOUTS = ["ND", "NLD", "NDL", "LND", "LD", "DL", "HWC", "NCHW", "NHWC", "NNLD", "NCTHW", "NL"]
LAYOUTS += ["HW", "NLD:1+2x3", "NLD:0+3x2", "LD:0+2x3", "DL:0+3x2", "LND:2+1x3"]


@pytest.fixture(autouse=True)
def always() -> Iterator[None]:
    """Small row groups, with loss, repeated rows left out however few there are."""
    with ExitStack() as stack:
        stack.enter_context(internals.lossy_always())
        stack.enter_context(internals.repeats_always())
        stack.enter_context(internals.row_groups(64, 23))
        yield


def rows_of(array: np.ndarray, layout: Layout, whole: bool) -> list[np.ndarray]:
    """Views of the rows of an array: the specification's words, one row after the other."""
    ordered = array.transpose(layout.order())
    samples = layout.axes.count("N")
    ordered = ordered.reshape(math.prod(ordered.shape[:samples]), *ordered.shape[samples:])
    if layout.grid and not layout.prefix:
        ordered = ordered.reshape(len(ordered), *layout.grid, *ordered.shape[2:])
    assert np.shares_memory(ordered, array)
    if whole or layout.slabs_are_samples:
        return [ordered[i, ...] for i in range(len(ordered))]
    return [ordered[i, j, ...] for i in range(len(ordered)) for j in range(ordered.shape[1])]


@st.composite
def dumps(draw: st.DrawFn) -> tuple[Layout, dict[str, np.ndarray]]:
    """Tensors of one layout, of which rows or samples repeat others in whatever pattern."""
    layout = parse(draw(st.sampled_from(LAYOUTS)))
    kind = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    tokens = layout.prefix + math.prod(layout.grid)
    lengths = {axis: draw(st.integers(1, 4)) for axis in "NLHWTCD"}
    lengths["N"] = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    tensors = {}
    for i in range(draw(st.integers(1, 3))):
        if not layout.grid and layout.grid_axes:
            first = next(axis for axis in layout.axes if axis in "LHWT")
            lengths[first] = draw(st.integers(1, 9))
        sizes = {"L": tokens} if layout.grid else {}
        shape = tuple(sizes.get(axis) or lengths[axis] for axis in layout.axes)
        tensors[f"t{i}"] = rng.normal(size=shape).astype(kind)
    rows = [r for t in tensors.values() for r in rows_of(t, layout, draw(st.booleans()))]
    for i in range(1, len(rows)):
        if draw(st.booleans()):
            j = draw(st.integers(0, i - 1))
            if rows[j].shape == rows[i].shape:
                rows[i][...] = rows[j]
    return layout, tensors


def encoded(tensors: dict[str, np.ndarray], layout: Layout | None, **quality: object) -> bytes:
    """Encode, and compare what was written with the tensors."""
    options = {} if layout is None else {"layout": str(layout)}
    packed = fc.save(tensors, None, **options, **quality)
    stored = {name: to_stored(array) for name, array in tensors.items()}
    verify(fc.Arrays(stored, None), source_of(io.BytesIO(packed), "x"), Quality.choose(**quality))
    return packed


def check(tensors: dict[str, np.ndarray], packed: bytes, tolerance: float) -> bool:
    """Hold both decoders and all slices against each other; return whether rows are left out."""
    found = fc.load(packed)
    dump = reference.decode(packed)
    reader = Reader(io.BytesIO(packed), "x")
    decoder = Decoder(reader)
    for entry in reader.index.tensors:
        one, kind = found[entry.name], tensors[entry.name].dtype
        other = np.frombuffer(dump.tensors[entry.name].data, kind).reshape(one.shape)
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=tolerance)
        for first in range(entry.shape[0]):
            for last in {first + 1, entry.shape[0]}:
                some = decoder.rows(entry, first, last).view(kind)
                wanted = one[first:last]
                np.testing.assert_allclose(some.reshape(wanted.shape), wanted, atol=tolerance)
        alone = np.zeros(one.size, STORED[entry.dtype])
        decoder.decode([entry], lambda _, alone=alone: alone)
        np.testing.assert_allclose(alone, one.reshape(-1), atol=tolerance)
    repeating = any(group.repeats is not None for group in reader.groups())
    assert (reader.version == (5, 0)) == repeating
    event(f"repeating {repeating}, lossy {any(g.lossy for g in reader.groups())}")
    return repeating


@settings(max_examples=60)
@given(dumps())
def test_any_pattern_comes_back_bit_for_bit(made: tuple[Layout, dict[str, np.ndarray]]) -> None:
    _, tensors = made
    packed = encoded(tensors, None, lossless=True)
    check(tensors, packed, 0)
    for name, array in fc.load(packed).items():
        assert array.tobytes() == tensors[name].tobytes()


@settings(max_examples=60)
@given(dumps(), st.sampled_from([3.0, 12.0, 25.0]))
def test_any_pattern_meets_the_snr_of_whole_tensors(
    made: tuple[Layout, dict[str, np.ndarray]], snr: float
) -> None:
    layout, tensors = made
    packed = encoded(tensors, layout, snr=snr)
    check(tensors, packed, 1e-4)


@settings(max_examples=40)
@given(dumps(), st.sampled_from([0.3, 0.01]))
def test_any_pattern_keeps_to_the_bound(
    made: tuple[Layout, dict[str, np.ndarray]], bound: float
) -> None:
    layout, tensors = made
    packed = encoded(tensors, layout, max_error=bound)
    check(tensors, packed, 1e-4)
    for name, array in fc.load(packed).items():
        assert np.abs(array.astype(float) - tensors[name].astype(float)).max() <= bound
