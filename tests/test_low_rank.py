"""A KLT has the axes that pay, each as precise as it must be; many channels have one, too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import featcodec.numpy as fc
from featcodec import Profile
from featcodec.encoding import tuning
from featcodec.encoding.fit.spectrum import Spectrum, ranks_of, strongest
from featcodec.modes.linear import runs
from featcodec.request import Options
from featcodec.training.linear import train
from featcodec.transform import householder
from featcodec.transform.linear import Factored, Linear

from .vectors.edit import header_of

MANY = tuning.KLT_CHANNELS + 76  # channels, for which a file has no KLT of its own


def low_rank(rows: int, channels: int, rank: int, seed: int = 0) -> np.ndarray:
    """Return features (rows, channels) of few axes, and some noise."""
    axes = np.random.default_rng(1).normal(size=(rank, channels))
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(rows, channels)) / 50
    return (rng.normal(size=(rows, rank)) @ axes + noise).astype("f4")


@st.composite
def reflectors(draw: st.DrawFn) -> np.ndarray:
    """Integers (channels, K), each vector zero above its place, of any magnitudes."""
    channels = draw(st.integers(1, 40))
    count = draw(st.integers(1, channels))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    sizes = draw(st.lists(st.sampled_from([0, 1, 3, 60]), min_size=count, max_size=count))
    vectors = [rng.integers(-size, size + 1, channels) for size in sizes]
    return np.tril(np.stack(vectors, axis=1))


@given(reflectors())
def test_runs_of_reflectors_are_read_as_they_were_written(vectors: np.ndarray) -> None:
    packed = runs.pack(vectors)
    if packed:
        np.testing.assert_array_equal(runs.unpack(packed, *vectors.shape), vectors)
    else:
        assert not vectors.any()


@given(reflectors(), st.integers(1, 3))
def test_two_matrices_are_the_basis_that_they_stand_for(vectors: np.ndarray, size: int) -> None:
    channels = len(vectors)
    rng = np.random.default_rng(channels)
    centre, values = rng.normal(size=channels), rng.normal(size=(channels, size, 4))
    whole = Linear(centre, householder.basis(vectors, channels), "float64")
    few = Factored(centre, householder.factors(vectors), "float64")
    latents = whole.forward(values.copy(), (size,))
    np.testing.assert_allclose(few.forward(values.copy(), (size,)), latents, atol=1e-9)
    np.testing.assert_allclose(few.inverse(latents.copy(), (size,)), values, atol=1e-9)


@given(st.integers(20, 80), st.integers(30, 90), st.integers(1, 8))
def test_the_strongest_axes_are_orthonormal_and_hold_what_is_there(
    channels: int, tokens: int, rank: int
) -> None:
    rows = low_rank(tokens, channels, rank).T.astype("f8")
    axes = strongest(rows, rank)
    np.testing.assert_allclose(axes.T @ axes, np.eye(rank), atol=1e-9)
    left = rows - axes @ (axes.T @ rows)
    best = np.linalg.svd(rows, compute_uv=False)[rank:]
    assert (left**2).sum() <= 1.05 * (best**2).sum() + 1e-9


@given(st.floats(0.3, 2), st.floats(1e-4, 0.3), st.integers(400, 5000))
def test_axes_pay_by_their_variance_the_error_and_the_tokens(
    decay: float, error: float, tokens: int
) -> None:
    variance = np.arange(1, 101.0)[:, None] ** -decay
    variance /= variance.mean()

    def at(goal: float, count: int) -> Spectrum:
        axes, outside = np.eye(100), np.zeros(1)
        return Spectrum.at(axes, variance, outside, np.array([float(count)]), goal)

    found = at(error, tokens)
    assert np.all(np.diff(found.magnitudes) <= 0)
    assert max(ranks_of([found], 99), default=0) <= max(ranks_of([at(error, 4 * tokens)], 99))
    assert found.magnitudes[0] <= at(error, 4 * tokens).magnitudes[0]


@given(st.integers(1, 40), st.integers(2, 300), st.floats(1e-6, 0.5))
def test_no_more_axes_pay_than_there_are(known: int, more: int, error: float) -> None:
    axes, variance = np.eye(known + more, known), np.ones((known, 1))
    found = Spectrum.at(axes, variance, np.zeros(1), np.array([1e6]), error)
    assert max(ranks_of([found], known + more), default=0) <= known == len(found.magnitudes)


@given(st.integers(2, 30), st.integers(200, 800), st.floats(0.1, 0.5))
def test_axes_whose_energy_no_single_channel_shows_pay(
    strong: int, channels: int, error: float
) -> None:
    variance = np.full((channels, 1), 0.1)
    variance[:strong] = 0.9 * channels / strong  # all else lies below the error
    tokens = np.array([float(channels)])
    found = Spectrum.at(np.eye(channels), variance, np.zeros(1), tokens, max(error, 0.11))
    most, *fewer = ranks_of([found], channels - 1)
    assert most == strong + 1
    assert all(rank < most for rank in fewer)


@pytest.mark.long
def test_many_channels_of_few_axes_are_coded_by_these() -> None:
    features = {"x": low_rank(800, 2100, 3)[None]}
    data = fc.save(features, layout="NLD:20x40", snr=15.0)
    _, _, header = header_of(data)
    assert header.lossy is not None
    (part,) = header.lossy.parts
    assert part.transform == "low-rank"
    assert part.model is not None
    assert 3 <= part.model.reflectors <= 12
    error = fc.load(data)["x"] - features["x"]
    assert 10 * np.log10(features["x"].var() / error.var()) >= 15
    assert len(data) < len(fc.save(features, layout="NLD:20x40", snr=15.0, transform="none")) / 4


@pytest.fixture(scope="module")
def profile() -> Profile:
    dump = fc.Arrays({"x": (low_rank(600, MANY, 6)[None], "F32")}, None)
    return Profile.parse(Profile.pack(train([dump], Options(layouts={"": "NLD:20x30"}))))


@pytest.mark.long
def test_a_profile_of_many_channels_holds_few_axes_and_saves_what_they_take(
    profile: Profile,
) -> None:
    (entry,) = profile.entries
    assert 6 <= entry.model.reflectors <= 40
    features = {"x": low_rank(30, MANY, 6, seed=7)[None]}
    data = fc.save(features, profile=profile, layout="NLD:5x6", snr=15.0)
    assert len(data) < len(fc.save(features, layout="NLD:5x6", snr=15.0)) / 2
    error = fc.load(data, profile=profile)["x"] - features["x"]
    assert 10 * np.log10(features["x"].var() / error.var()) >= 15
