"""Bit for bit by prediction: truncated elements, what refines them, and swapped numbers."""

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featcodec.numpy as fc
from featcodec.align.numbers import STORED, unsigned
from featcodec.coding.refinement import Refinement
from featcodec.container.reader import Reader
from featcodec.elements import BITS, PRECISION
from featcodec.entropy import exact, swaps
from featcodec.entropy.errors import SymbolError

TYPES = sorted(PRECISION)


@st.composite
def refinements(draw: st.DrawFn) -> Refinement:
    dtype, logarithmic = draw(st.sampled_from(TYPES)), draw(st.booleans())
    precision = PRECISION[dtype]
    least = math.log2(precision.least / precision.relative)
    most = math.frexp(precision.largest)[1] - 1
    if logarithmic:
        least, most = 0, BITS[dtype] - 2
    return Refinement(dtype, 2.0 ** draw(st.integers(int(least), most)), logarithmic)


def elements(refinement: Refinement, seed: int, count: int) -> np.ndarray:
    """Elements of any bits, half of them usual values, as unsigned integers."""
    rng = np.random.default_rng(seed)
    kind = unsigned(refinement.dtype)
    numbers = rng.integers(0, 1 << BITS[refinement.dtype], count, dtype=np.uint64).astype(kind)
    usual = rng.random(count) < 0.5
    numbers[usual] &= kind.type(rng.integers(1, 1 << 7))
    return numbers


def finite(refinement: Refinement, numbers: np.ndarray) -> np.ndarray:
    """The elements that are values: others are exceptions."""
    return numbers[np.isfinite(refinement.floats(numbers.view(STORED[refinement.dtype])))]


@given(refinements(), st.integers(0, 2**32), st.integers(0, 300))
def test_elements_come_back_from_their_multiples(
    refinement: Refinement, seed: int, count: int
) -> None:
    numbers = elements(refinement, seed, count)
    multiples = refinement.truncated(numbers)
    packed = refinement.pack(multiples, numbers)
    assert np.array_equal(refinement.unpack(packed, multiples), numbers)
    for damaged in (packed[:-1], packed + b"\0"):
        with pytest.raises(SymbolError):
            refinement.unpack(damaged, multiples)


@given(refinements(), st.integers(0, 2**32))
def test_what_is_coded_is_multiples_of_the_step(refinement: Refinement, seed: int) -> None:
    numbers = finite(refinement, elements(refinement, seed, 200))
    floats = refinement.floats(numbers.view(STORED[refinement.dtype])).astype(np.float64)
    assert not np.fmod(floats, refinement.step).any()
    if BITS[refinement.dtype] < 64 or not refinement.logarithmic:
        back = refinement.elements(floats).view(unsigned(refinement.dtype))
        assert np.array_equal(back, refinement.truncated(numbers))


@given(
    st.sampled_from(["<u1", "<u2", "<u4", "<u8"]),
    st.integers(1, 6) | st.integers(2**32, 2**64 - 1),
    st.integers(1, 9),
    st.integers(-60, 60),
    st.integers(1, 200),
    st.integers(0, 2**32),
)
def test_swaps_undo_themselves(
    kind: str, distance: int, channels: int, first: int, count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    own = rng.integers(0, 5, channels).astype(kind)
    numbers = rng.integers(0, 5, count).astype(kind)
    phase = first % (distance * channels) % 2**64
    made = swaps.Swaps(distance, phase, own)
    swapped = made.swapped(numbers)
    assert np.array_equal(made.swapped(swapped), numbers)
    channel = [(i + phase) // distance % channels for i in range(count)]
    assert np.array_equal(swapped == 0, numbers == own[channel])
    packed = made.pack()
    again, end = swaps.Swaps.unpack(memoryview(packed + b"x"), 0, np.dtype(kind).itemsize)
    assert end == len(packed)
    assert np.array_equal(again.swapped(numbers), swapped)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 20), st.integers(1, 30), st.integers(0, 2**32), st.booleans())
def test_a_number_frequent_in_a_channel_costs_little(
    channels: int, places: int, seed: int, last: bool
) -> None:
    """Whatever the axis of the channels, and however many row groups."""
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.normal(size=(600, places, channels)) - 1, 0) + rng.normal(size=channels)
    x = x if last else x.transpose(0, 2, 1)
    numbers = np.ascontiguousarray(x).astype(np.float16).view("<u2").reshape(-1)
    axes = [(math.prod(x.shape[i + 1 :]), x.shape[i]) for i in (1, 2)]
    coder = exact.ExactEncoder(True, [(1, 1)], axes)
    start, size = 0, 0
    for end in (7 * channels + 3, len(numbers)):
        data = coder.encode(numbers[start:end])
        assert np.array_equal(exact.decode(data, end - start, 2, True), numbers[start:end])
        start, size = end, size + len(data)
    assert 8 * size < len(numbers) * (1 + 0.16 * 16) + 8 * 2000


def dump(kind: str, dtype: str, rng: np.random.Generator) -> np.ndarray:
    logits = 3 * rng.normal(size=(1500, 3)) @ rng.normal(size=(3, 16))
    logits += rng.normal(size=logits.shape) / 8
    values = np.exp(np.minimum(logits, 10)) if kind == "logarithms" else logits
    return values.astype(dtype)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("values", "float16"),
        ("values", "float32"),
        ("values", "float64"),
        ("logarithms", "float16"),
        ("logarithms", "float32"),
    ],
)
def test_alike_channels_take_fewer_bits_and_come_back_bit_for_bit(kind: str, dtype: str) -> None:
    x = dump(kind, dtype, np.random.default_rng(4))
    x[3, :5] = np.nan, np.inf, -np.inf, -0.0, 0
    data = fc.save({"x": x}, {"layout": "LD"}, lossless=True)
    (header,) = Reader(io.BytesIO(data), "x").groups()
    assert header.exact
    assert header.lossy is not None
    assert header.lossy.refined
    assert header.lossy.logarithmic == (kind == "logarithms")
    assert fc.load(data)["x"].tobytes() == x.tobytes()
    apart = {f"x{i}": np.ascontiguousarray(x[:, i]) for i in range(16)}
    assert len(data) < len(fc.save(apart, lossless=True))


@pytest.mark.parametrize("what", ["constant channel", "massive rows", "padding"])
def test_what_lossy_coding_makes_up_for_may_be_coded_bit_for_bit(what: str) -> None:
    """A quality near exact changes to refined coding, which knows no gains and no constants."""
    rng = np.random.default_rng(0)
    smooth = np.cumsum(np.cumsum(rng.standard_normal((600, 64)), 0), 1) * 1e-2
    x = (smooth + 0.02 * rng.standard_normal(smooth.shape)).astype("f2") + np.float16(3)
    if what == "massive rows":
        x[[7, 99]] *= np.float16(300)
    else:
        x[:, 5] = 1
        x[400 if what == "padding" else 600 :] = 0
    error = fc.load(fc.save({"h": x}, snr=64))["h"].astype(float) - x
    assert np.square(error).mean() <= x.astype(float).var() * 10**-6.4
    error = fc.load(fc.save({"h": x}, max_error=1e-6))["h"].astype(float) - x
    assert np.abs(error).max() <= 1e-6
