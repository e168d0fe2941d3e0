"""The correction curve: it is what SPEC 6.6 says, is fitted to what is left, and pays."""

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import featcodec.numpy as fc
from featcodec.align import curve
from featcodec.align.curve import BOUND, KNOTS, UNIT, Curve
from featcodec.container.group import GroupHeader
from featcodec.container.reader import Reader
from featcodec.encoding.search import correction

KNOT = st.integers(-128, 127)
CURVES = st.builds(
    Curve, st.floats(0.01, 100), st.lists(KNOT, min_size=KNOTS, max_size=KNOTS).map(tuple)
)
ANY = st.floats(width=32)


@given(CURVES, st.floats(-10, 10), st.integers(0, 2**32))
def test_it_is_linear_between_knots_and_constant_beyond(
    made: Curve, lower: float, seed: int
) -> None:
    values = lower + made.width * np.random.default_rng(seed).uniform(-9, 20, (3, 50))
    knots = lower + made.width * (np.arange(KNOTS) - BOUND) / 2
    added = np.interp(values, knots, made.knots) * made.width / UNIT
    wanted = np.maximum(values, lower) + added
    size = made.width + abs(lower)
    np.testing.assert_allclose(made.apply(values.copy(), lower), wanted, atol=1e-9 * size)
    single = made.apply(values.astype(np.float32), lower)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, wanted, atol=1e-4 * size)


@given(
    arrays.arrays(np.float32, (2, 5), elements=ANY),
    st.floats(-1e300, 1e300),
    st.floats(0, 1e300, exclude_min=True, allow_subnormal=True),
)
def test_every_value_has_a_place(values: np.ndarray, lower: float, width: float) -> None:
    with np.errstate(all="ignore"):
        knot, beyond = curve.place(values, lower, width)
        assert Curve(width, (7,) * KNOTS).apply(values.copy(), lower).shape == values.shape
    assert ((knot >= 0) & (knot < KNOTS)).all()
    assert ((beyond >= 0) & (beyond < 1)).all()


@given(CURVES, st.floats(-10, 10), st.integers(0, 2**32))
def test_a_curve_that_is_there_is_found(made: Curve, lower: float, seed: int) -> None:
    made = made._replace(knots=tuple(max(k, -127) for k in made.knots))
    u = np.random.default_rng(seed).uniform(-4, 10, 20_000)
    decoded = lower + made.width * u
    rest = made.apply(decoded.copy(), lower) - np.maximum(decoded, lower)
    knots, gain = correction.fit_knots(decoded, rest, lower, made.width)
    assert np.abs(np.subtract(knots, made.knots)).max() <= 1
    left = rest - (
        Curve(made.width, knots).apply(decoded.copy(), lower) - np.maximum(decoded, lower)
    )
    # A knot counts as if a few values more spoke for 0.
    tolerance = 1e-6 * (rest @ rest) + 9 * KNOTS * made.width**2
    assert gain == pytest.approx(rest @ rest - left @ left, abs=tolerance)


def test_what_is_left_at_random_is_left_alone() -> None:
    rng = np.random.default_rng(3)
    knots, gain = correction.fit_knots(rng.uniform(0, 8, 10**6), rng.normal(size=10**6), 0.0, 1.0)
    assert max(map(abs, knots)) <= 2
    assert 0 <= gain < 100


def maps(seed: int, shape: tuple[int, ...] = (30, 16, 12, 12)) -> np.ndarray:
    """Make smooth maps whose channels are correlated, of deviation 1."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(shape[1], shape[1])) * np.geomspace(1, 0.03, shape[1])
    white = np.einsum("ij,njhw->nihw", mixing, rng.normal(size=shape))
    smooth = white + np.roll(white, 1, 2) + np.roll(white, 1, 3) + np.roll(white, (1, 1), (2, 3))
    return (smooth / smooth.std()).astype(np.float32)


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def header(data: bytes) -> GroupHeader:
    (group,) = Reader(io.BytesIO(data), "made").groups()
    return group


@pytest.mark.parametrize("act", [lambda x: np.maximum(x, 0), silu])
@pytest.mark.parametrize("snr", [8, 12])
def test_it_saves_bits_on_rectified_maps_at_the_snr_asked_for(
    act, snr: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = act(maps(1)).astype(np.float32)
    data = fc.save({"x": x}, {"layout": "NCHW"}, transform="linear", snr=snr)
    group = header(data)
    assert group.lossy.curve
    assert group.lossy.clamp
    assert GroupHeader.unpack(group.pack()).lossy == group.lossy
    back = fc.load(data)["x"].astype(np.float64)
    reached = 10 * math.log10(x.var() / np.mean((back - x) ** 2))
    assert snr <= reached + 1e-3
    assert reached <= snr + 0.06
    assert back.min() >= x.min()
    monkeypatch.setattr(correction, "fit_knots", lambda *_: ((0,) * KNOTS, 0.0))
    without = fc.save({"x": x}, {"layout": "NCHW"}, transform="linear", snr=snr)
    assert header(without).lossy.curve is None
    assert len(data) < 0.98 * len(without)


def test_maps_that_no_bound_cuts_have_none() -> None:
    group = header(fc.save({"x": maps(2)}, {"layout": "NCHW"}, snr=10))
    assert group.lossy.curve is None
    assert not group.lossy.clamp


def test_a_bound_on_the_error_is_kept_without_one() -> None:
    x = np.maximum(maps(3), 0)
    data = fc.save({"x": x}, {"layout": "NCHW"}, max_error=0.02)
    assert header(data).lossy.curve is None
    assert np.abs(fc.load(data)["x"] - x).max() <= 0.02


def test_few_values_do_without_one() -> None:
    x = np.maximum(maps(4, (4, 4, 6, 6)), 0)
    data = fc.save({"x": x}, {"layout": "NCHW"}, transform="linear", snr=5)
    assert header(data).lossy.curve is None


def test_exceptions_and_prefix_tokens_go_with_it() -> None:
    x = silu(2 * maps(5).reshape(30, 16, 144).transpose(0, 2, 1)).astype(np.float32)
    x[0, 0, 0], x[1, 2, 3], x[2, 3, 4], x[3, 0, 5] = np.nan, np.inf, 900, -900
    layout = {"layout": "NLD", "prefix_tokens": "4", "grid": "10,14"}
    data = fc.save({"x": x}, layout, transform="linear", snr=6)
    group = header(data)
    assert group.lossy.curve
    assert group.lossy.prefix == 4
    assert group.lossy.clipped == 4
    back = fc.load(data)["x"]
    for place in ((0, 0, 0), (1, 2, 3), (2, 3, 4), (3, 0, 5)):
        np.testing.assert_array_equal(back[place], x[place])
    inside = np.abs(x) < 100
    noise = np.mean((back[inside] - x[inside].astype(np.float64)) ** 2)
    assert 10 * math.log10(x[inside].var() / noise) > 5.99
