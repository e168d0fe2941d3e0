"""Padding at the ends of axes comes back as it is, and costs next to nothing, in any layout."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec import Quality, encode_file, safe_open
from featcodec.cli.info import describe
from featcodec.encoding.tensors.margins import LEAST_VALUES, WORTHWHILE
from featcodec.encoding.tensors.trimmed import Trimmed
from featcodec.numpy import Arrays
from featcodec.request import Options
from featcodec.tensors import Tensor

from .test_stacks import LAYERS, SNR, each, of_layers, snr

MORE = 200  # bytes of a group of padding, and of cuts


@st.composite
def padded(draw: st.DrawFn) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Return an array with padding on both sides of its axes, and how much of it."""
    shape = draw(st.lists(st.integers(4, 24), min_size=2, max_size=4))
    margins = [(draw(st.integers(0, 9)), draw(st.integers(0, 9))) for _ in shape]
    inner = np.random.default_rng(draw(st.integers(0, 9))).normal(1, 0.1, shape).astype("f4")
    return np.pad(inner, margins, constant_values=draw(st.sampled_from([0, -1e4]))), margins


def source(x: np.ndarray) -> Arrays:
    return Arrays({"x": (x, "F32")}, None)


@given(padded())
def test_what_is_padding_is_found(found: tuple[np.ndarray, list[tuple[int, int]]]) -> None:
    x, margins = found
    box = tuple(slice(low, n - high) for (low, high), n in zip(margins, x.shape, strict=True))
    (tensor,) = Trimmed.of(source(x), Options()).tensors
    most = x.size - 1 if x.ndim == 2 else x.size * (1 - WORTHWHILE)
    worthwhile = LEAST_VALUES <= x[box].size <= most
    np.testing.assert_array_equal(tensor.array(), x[box] if worthwhile else x)


def slices(shape: tuple[int, ...]) -> st.SearchStrategy:
    return st.tuples(*(st.integers(0, n - 1).map(lambda at, n=n: slice(at, n)) for n in shape))


@given(st.data())
def test_a_part_of_a_part_is_one_of_the_whole(data: st.DataObject) -> None:
    x = np.arange(6 * 5 * 4, dtype="f4").reshape(6, 5, 4)
    first = data.draw(slices(x.shape))
    part = Tensor("x", "F32", x.shape, lambda: x.reshape(-1)).part(first)
    second = (data.draw(st.integers(0, part.shape[0] - 1)), *data.draw(slices(part.shape[1:])))
    np.testing.assert_array_equal(part.part(second).array(), x[first][second])


ARRANGED = {
    "behind": ("f4", (0, 60), False),
    "in front": ("f2", (60, 0), False),
    "in one tensor": ("f2", (30, 40), True),
    "hardly any": ("f4", (0, 1), False),
}
TOKENS = 160


@cache
def bytes_of_layers(dtype: str, in_one: bool) -> int:
    """Return how many bytes layers without padding take."""
    x = of_layers(TOKENS, 24).astype(dtype)
    return len(fc.save({"x": x} if in_one else each(x), snr=SNR))


@pytest.mark.parametrize("where", ARRANGED)
def test_padded_layers_take_as_many_bytes_as_without(where: str) -> None:
    dtype, margins, in_one = ARRANGED[where]
    x = of_layers(TOKENS, 24).astype(dtype)
    long = np.pad(x, ((0, 0), margins, (0, 0)))
    arrays = {"x": long} if in_one else each(long)
    data = fc.save(arrays, snr=SNR)
    assert len(data) <= 1.02 * bytes_of_layers(dtype, in_one) + MORE
    back, decoded = fc.load(data), reference.decode(data).tensors
    inside = slice(margins[0], margins[0] + TOKENS)
    for name, stored in arrays.items():
        assert (back[name][(stored == 0).all(axis=-1)] == 0).all()
        theirs = np.frombuffer(decoded[name].data, dtype).reshape(stored.shape)
        np.testing.assert_allclose(theirs, back[name], atol=1e-3 if dtype == "f2" else 1e-5)
    for layer in range(LAYERS):
        pair = (a["x"][layer] if in_one else list(a.values())[layer] for a in (arrays, back))
        assert snr(*(a[inside] for a in pair)) >= SNR - 1


def test_rows_of_padded_layers_are_those_of_the_whole(tmp_path: Path) -> None:
    x = np.pad(of_layers(TOKENS, 24), ((0, 0), (50, 30), (0, 0)))
    path, name = tmp_path / "x.fcz", next(iter(each(x)))
    fc.save_file(each(x), path, snr=SNR)
    whole = fc.load_file(path)[name]
    with safe_open(path) as file:
        for first, last in ((0, 10), (40, 60), (60, 61), (100, 220), (215, 240), (7, 7)):
            found = file.get_slice(name)[first:last]
            np.testing.assert_array_equal(found, whole[first:last])


def test_a_file_of_padded_layers_is_verified_and_described(tmp_path: Path) -> None:
    x = np.pad(of_layers(TOKENS, 24), ((0, 0), (60, 0), (0, 0)))
    dump, coded = tmp_path / "x.safetensors", tmp_path / "x.fcz"
    save_file(each(x), dump)
    encode_file(dump, coded, Quality(snr=SNR), verify=True)
    (first, *_) = describe(str(coded))["tensors"]
    assert (first["layout"], first["stacked"], first["parts"]) == ("LD", LAYERS, 2)
    assert first["shape"] == list(x.shape[1:])


def test_on_a_grid_that_is_stated_nothing_is_cut_off() -> None:
    x = np.zeros((40, 65, 32), "f4")
    x[:, :50] = np.random.default_rng(0).normal(size=(40, 50, 32))
    options = Options(layouts={"": "NLD:1+8x8"})
    assert Trimmed.of(source(x), options).tensors[0].shape == x.shape
    assert Trimmed.of(source(x), Options()).tensors[0].shape == (40, 50, 32)


@pytest.mark.parametrize("axis", range(4))
@pytest.mark.parametrize("ends", [(0, 12), (12,)], ids=str)
def test_any_axis_of_maps_that_nobody_names_may_be_padded(axis: int, ends: tuple[int, ...]) -> None:
    """Of some readings samples are no longer evenly apart then: those are not tried."""
    x = np.random.default_rng(axis).normal(size=(12, 12, 12, 12)).astype("f4")
    padded = np.insert(x, ends, 0, axis=axis)
    error = fc.load(fc.save({"x": padded}, snr=10.0))["x"] - padded
    assert 10 * np.log10(padded.var() / np.square(error).mean()) >= 9.99
    error = fc.load(fc.save({"x": padded}, None, max_error=0.1))["x"] - padded
    assert np.abs(error).max() <= 0.1


@pytest.mark.parametrize("asked", [55, 60])
def test_padding_is_exact_at_snrs_that_are_nearly_exact(asked: float) -> None:
    rng = np.random.default_rng(2)
    x = (100 + 5 * rng.normal(size=(40, 30, 16))).astype("f2")
    for sample, length in zip(x, rng.integers(15, 31, 40), strict=True):
        sample[length:] = 0
    back = fc.load(fc.save({"x": x}, snr=asked, layout="NLD"))["x"]
    assert not back[x == 0].any()
