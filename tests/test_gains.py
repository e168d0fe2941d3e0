"""Rows far larger than the others neither hide their error nor cost more than their share."""

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec.align.gains import MOST_EXPONENT, Gains, factors
from featcodec.arrays import to_stored
from featcodec.cli.render import decibels as decibels_of
from featcodec.container.reader import Reader
from featcodec.container.source import source_of
from featcodec.encoding.tensors.large_rows import far_larger
from featcodec.request import Quality
from featcodec.verification import verify


def tokens(count: int, channels: int = 32) -> np.ndarray:
    rng = np.random.default_rng(count)
    mixed = rng.normal(size=(count, channels)) @ rng.normal(size=(channels, channels))
    return mixed.astype(np.float32)


def decibels(original: np.ndarray, decoded: np.ndarray) -> float:
    error = decoded.astype(float) - original
    return float(10 * np.log10(original.astype(float).var() / np.mean(error**2)))


def gains_of(packed: bytes) -> list[bool]:
    groups = Reader(io.BytesIO(packed), "x").groups()
    return [group.lossy is not None and group.lossy.gains for group in groups]


@pytest.mark.parametrize("snr", [5.0, 10.0, 20.0])
@pytest.mark.parametrize("axes", ["ND", "LD", "NLD"])
def test_the_snr_holds_for_large_rows_and_for_the_others(axes: str, snr: float) -> None:
    x = tokens(1200)
    large = np.zeros(len(x), bool)
    large[:: 64 if axes == "ND" else 40] = True
    x[large] *= 100
    shaped = x.reshape(30, 40, 32) if axes == "NLD" else x
    packed = fc.save({"x": shaped}, None, snr=snr, layout=axes)
    assert gains_of(packed) == [True]
    stored = {"x": to_stored(shaped)}
    verify(fc.Arrays(stored, None), source_of(io.BytesIO(packed), "x"), Quality(snr=snr))
    back = fc.load(packed)["x"].reshape(x.shape)
    assert decibels(x, back) >= snr - 0.001
    assert decibels(x[~large], back[~large]) >= snr - 0.5
    found = np.frombuffer(reference.decode(packed).tensors["x"].data, "f4").reshape(x.shape)
    np.testing.assert_allclose(found, back, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("snr", [10.0, 20.0])
def test_large_rows_cost_as_much_as_they_would_at_the_scale_of_the_others(snr: float) -> None:
    x = tokens(3000)
    larger = x * np.where(np.arange(len(x)) % 50 == 7, 80.0, 1.0)[:, None].astype(np.float32)
    packed = fc.save({"x": larger}, None, snr=snr, layout="ND")
    assert len(packed) < 1.06 * len(fc.save({"x": x}, None, snr=snr, layout="ND"))


@pytest.mark.parametrize("snr", [8.0, 20.0])
def test_rows_that_are_far_larger_stay_rows_where_no_layout_is_stated(snr: float) -> None:
    x = tokens(2500)
    large = np.arange(len(x)) % 50 == 7
    x[large] *= 100
    back = fc.load(fc.save({"x": x}, None, snr=snr))["x"]
    assert decibels(x[~large], back[~large]) >= snr - 0.5


@pytest.mark.parametrize("snr", [5.0, 10.0, 25.0])
@pytest.mark.parametrize("axes", ["ND", "NLD", "NCHW"])
def test_rows_have_the_relative_error_asked_for_whatever_their_norms(axes: str, snr: float) -> None:
    x = tokens(1200) * np.geomspace(1e-3, 1e3, 1200, dtype=np.float32)[:, None]
    x[5] = 0
    shaped = {"ND": x, "NLD": x.reshape(30, 40, 32), "NCHW": x.T.reshape(32, 30, 8, 5)}[axes]
    shaped = shaped.swapaxes(0, 1) if axes == "NCHW" else shaped
    packed = fc.save({"x": shaped}, None, row_snr=snr, layout=axes)
    stored = {"x": to_stored(shaped)}
    verify(fc.Arrays(stored, None), source_of(io.BytesIO(packed), "x"), Quality(row_snr=snr))
    back = fc.load(packed)["x"]
    back = back.swapaxes(0, 1).reshape(32, -1).T if axes == "NCHW" else back.reshape(x.shape)
    norms = np.square(x.astype(float)).sum(axis=1)
    errors = np.square(back.astype(float) - x).sum(axis=1)
    assert errors[5] <= 1e-4 * np.median(errors)
    relative = errors[norms > 0] / norms[norms > 0]
    assert snr - 0.2 <= -10 * np.log10(relative.mean()) <= snr + 0.5
    assert -10 * np.log10(np.quantile(relative, 0.9)) >= snr - 4


@pytest.mark.parametrize("kept", [0.0, 3.0])
def test_what_is_kept_as_it_is_counts_in_the_norms_of_rows(kept: float) -> None:
    x = np.abs(tokens(1500))
    x[:, :12] = kept  # channels of one value
    x[::50, 20] = 2e3  # beyond the bounds
    packed = fc.save({"x": x}, None, row_snr=12, layout="ND")
    verify(
        fc.Arrays({"x": to_stored(x)}, None),
        source_of(io.BytesIO(packed), "x"),
        Quality(row_snr=12),
    )
    errors = np.square(fc.load(packed)["x"].astype(float) - x).sum(axis=1)
    relative = errors / np.square(x.astype(float)).sum(axis=1)
    assert 11.99 <= -10 * np.log10(relative.mean()) <= 12.5


@pytest.mark.parametrize("spread", [1e-3, 0.02, 1])
def test_rows_have_an_snr_where_values_hardly_vary(spread: float) -> None:
    x = (1e4 + spread * tokens(20, 30)).astype(np.float32)
    packed = fc.save({"x": x}, None, row_snr=10, layout="ND")
    stored = {"x": to_stored(x)}
    verify(fc.Arrays(stored, None), source_of(io.BytesIO(packed), "x"), Quality(row_snr=10))
    assert decibels_of(-math.inf) == "-inf dB" and decibels_of(math.inf) == "exact"


def test_what_is_not_finite_in_a_large_row_comes_back() -> None:
    x = tokens(1000)
    x[::40] *= 64
    x[40, 3], x[41, 4], x[80, 5] = np.inf, -np.inf, np.nan
    back = fc.load(fc.save({"x": x}, None, snr=15, layout="ND"))["x"]
    assert np.array_equal(np.isfinite(back), np.isfinite(x))
    assert back[40, 3] == np.inf and back[41, 4] == -np.inf and np.isnan(back[80, 5])


@pytest.mark.parametrize("quality", [{"max_error": 0.1}, {"lossless": True}])
def test_bounds_and_bit_for_bit_know_no_gains(quality: dict) -> None:
    x = tokens(800)
    x[::40] *= 64
    assert not any(gains_of(fc.save({"x": x}, None, layout="ND", **quality)))


def test_rows_of_scales_that_pass_into_each_other_have_no_gains() -> None:
    x = tokens(2000) * np.geomspace(0.01, 30, 2000, dtype=np.float32)[:, None]
    assert not any(gains_of(fc.save({"x": x}, None, snr=10, layout="ND")))


@given(st.integers(16, 300), st.integers(0, 40), st.floats(10, 1e4), st.integers(0, 99))
@settings(max_examples=60)
def test_rows_are_far_larger_where_they_are_few_and_a_gap_lies_below(
    count: int, large: int, factor: float, seed: int
) -> None:
    scales = np.exp(0.2 * np.random.default_rng(seed).normal(size=count))
    scales[:large] *= factor * 4
    found = far_larger(scales, scales**2)
    few = 0 < large <= count // 16
    if found is not None:
        assert few and found == scales[:large].min()
    elif few:
        assert large * factor**2 * 16 < 3 * count  # they do not hold most of the energy


@given(st.integers(1, 9), st.floats(-70, 70), st.booleans())
def test_a_divided_token_has_the_typical_scale(
    channels: int, octaves: float, relative: bool
) -> None:
    token = np.random.default_rng(channels).uniform(0.5, 1, (channels, 1)) * 2.0**octaves
    gains = Gains(1.0, 0.0, relative)
    exponents = gains.exponents(token)
    assert abs(exponents[0]) <= MOST_EXPONENT
    if abs(octaves) < 63:
        assert 0.4 < np.median(token / factors(exponents, token.dtype)) < 1.2


def sinks(massive: list[float], samples: int = 16, length: int = 96) -> np.ndarray:
    """Return states as of a language model: massive activations in the first token of each text."""
    rng = np.random.default_rng(samples)
    x = tokens(samples * length, 64).reshape(samples, length, 64)
    x[:, 0, rng.permutation(64)[: len(massive)]] = x.std() * np.array(massive)
    x[:, 0] *= 1 + 0.02 * rng.normal(size=(samples, 1))
    return x


@pytest.mark.parametrize("axes", [None, "NLD"])
@pytest.mark.parametrize(
    "massive",
    [[1100], pytest.param([1100, 24, 25, 30], marks=pytest.mark.long)],
    ids=["apart", "no-gap"],
)
def test_massive_activations_of_first_tokens_do_not_hide_the_others(
    massive: list[float], axes: str | None
) -> None:
    x, sizes = sinks(massive), []
    for snr in (5.0, 20.0):
        packed = fc.save({"x": x}, None, snr=snr, layout=axes)
        back = fc.load(packed)["x"]
        assert decibels(x, back) >= snr - 0.001
        assert decibels(x[:, 1:], back[:, 1:]) >= snr - 1
        sizes.append(len(packed))
    assert sizes[1] > 3 * sizes[0]  # neither falls back on a tiny step


@pytest.mark.parametrize("snr", [5.0, 10.0])
def test_large_rows_without_a_gap_below_do_not_take_the_snr_of_the_others(snr: float) -> None:
    x = tokens(4096, 64)
    few = np.arange(64) * 64 + 7
    x[few] *= np.geomspace(2, 12, 64, dtype=np.float32)[:, None]
    others = np.delete(np.arange(4096), few[np.geomspace(2, 12, 64) > 4])
    back = fc.load(fc.save({"x": x}, None, snr=snr, layout="ND"))["x"]
    assert decibels(x[others], back[others]) >= snr - 1


def test_the_end_of_one_kind_of_rows_is_not_larger_than_the_rest() -> None:
    scales = np.exp(np.random.default_rng(0).normal(size=5000))
    energies = np.sort(scales**2)
    assert energies[-5000 // 16 :].sum() > 0.6 * energies.sum()
    assert far_larger(scales, scales**2) is None


@pytest.mark.parametrize("seed", range(3))
def test_rows_whose_scales_lie_all_over_some_octaves_have_no_gains(seed: int) -> None:
    """Rows of gradients: the largest would leave all others the SNR of their own."""
    random = np.random.default_rng(seed)
    scales = [np.exp(1.5 * random.normal(size=shape)) for shape in ((400, 1), (1, 64))]
    x = random.normal(size=(400, 64)) * scales[0] * scales[1]
    assert gains_of(fc.save({"x": x.astype("f4")}, snr=10)) == [False]


@pytest.mark.parametrize("spread", [0.2, 0.5])
def test_rows_far_above_others_of_wide_spread_leave_them_their_snr(spread: float) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(512, 64)) * np.exp(spread * random.normal(size=(512, 1)))
    x[::64] = 40 * random.normal(size=(8, 64))
    x, others = x.astype("f4"), np.arange(512) % 64 > 0
    back = fc.load(fc.save({"x": x}, snr=15, layout="LD"))["x"]
    assert decibels(x[others], back[others]) >= 14


def test_scales_of_any_range_are_told_apart() -> None:
    scales = np.geomspace(1e-150, 1e150, 64)
    assert far_larger(scales, np.ones(64)) is None


@pytest.mark.long
def test_the_likely_class_is_no_large_row() -> None:
    """With a gain of its own, all the others had to have the SNR, and came back bit for bit."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(1, 40, 1000))
    logits[..., 0] += 16
    x = np.exp(logits)
    x = (x / x.sum(axis=-1, keepdims=True)).astype("f4")
    packed = fc.save({"x": x}, None, snr=10.0, layout="NCL")
    assert decibels(x, fc.load(packed)["x"]) >= 10
    assert len(packed) < 1000
