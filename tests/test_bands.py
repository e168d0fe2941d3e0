"""A KLT for each band of frequencies: it inverts itself, and it pays where bands differ."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

import featcodec.numpy as fc
from featcodec import Profile
from featcodec.container.reader import Reader
from featcodec.modes.banded import fit as bands
from featcodec.transform import householder
from featcodec.transform.banded import Banded
from featcodec.transform.linear import Linear

from . import internals

DIGITS = Path(__file__).parents[1] / "bitstream_spec" / "vectors" / "digits.fcp"
BLOCKS = st.sampled_from([(2,), (16,), (3, 5), (4, 1), (2, 3, 2)])


@pytest.fixture(scope="module")
def tokens(digits: Path) -> dict[str, np.ndarray]:
    return {"tokens": load_file(digits / "vit_eval.safetensors")["features"]}


@given(st.integers(1, 6), BLOCKS, st.integers(1, 4), st.data())
def test_bands_keep_energy_and_have_an_inverse(
    channels: int, block: tuple[int, ...], count: int, data: st.DataObject
) -> None:
    sizes = tuple(data.draw(st.integers(1, longest)) for longest in block)
    rng = np.random.default_rng(channels)
    places = data.draw(st.permutations(np.resize(np.arange(count), int(np.prod(block)))))
    where = np.unique(places, return_inverse=True)[1].reshape(block)
    vectors = np.tril(rng.integers(-5, 6, (int(where.max()) + 1, channels, channels)))
    bases = [householder.basis(v, channels) for v in vectors]
    transform = Banded(np.zeros(channels), bases, where, "float64")
    values = rng.normal(size=(channels, int(np.prod(sizes)), 3))
    latents = transform.forward(values.copy(), sizes)
    np.testing.assert_allclose((latents**2).sum(), (values**2).sum())
    np.testing.assert_allclose(transform.inverse(latents, sizes), values, atol=1e-9)
    whole = np.eye(channels * int(np.prod(sizes))).reshape(*values.shape[:2], -1)
    full = transform.forward(whole, sizes).reshape(whole.shape[-1], -1)
    np.testing.assert_allclose(full @ full.T, np.eye(len(full)), atol=1e-9)


def test_equal_bands_are_the_linear_transform() -> None:
    rng = np.random.default_rng(1)
    basis, centre = np.linalg.qr(rng.normal(size=(6, 6)))[0], rng.normal(size=6)
    one = Linear(centre, basis, "float64")
    many = Banded(centre, [basis] * 3, np.arange(20).reshape(4, 5) % 3, "float64")
    values = rng.normal(size=(6, 12, 7))
    latents = one.forward(values.copy(), (3, 4))
    np.testing.assert_allclose(many.forward(values.copy(), (3, 4)), latents, atol=1e-9)
    np.testing.assert_allclose(many.inverse(latents, (3, 4)), values, atol=1e-9)


@pytest.mark.parametrize("block", [(4,), (16,), (4, 4), (7, 7), (8, 8), (16, 16), (4, 8, 8)])
def test_fewer_bands_are_those_of_more_merged(block: tuple[int, ...]) -> None:
    values = np.random.default_rng(2).normal(size=(3, int(np.prod(block)), 9))
    most = bands.Moments(bands.radial(block, max(bands.EDGES)), 3)
    most.add(values.copy(), block)
    for count in bands.EDGES:
        direct = bands.Moments(bands.radial(block, count), 3)
        assert 2 <= len(direct.tokens) <= count
        direct.add(values.copy(), block)
        merged = most.merged(direct.bands)
        np.testing.assert_array_equal(merged.tokens, direct.tokens)
        np.testing.assert_allclose(merged.products, direct.products)


def test_bands_that_no_token_shows_have_axes_all_the_same() -> None:
    moments = bands.Moments(bands.radial((16,), 3), 4)
    for axes in moments.axes():
        np.testing.assert_allclose(axes @ axes.T, np.eye(4), atol=1e-9)


def stored(data: bytes) -> str:
    """Return the transform of a file of one group."""
    (group,) = Reader(io.BytesIO(data), "file").groups()
    assert group.lossy is not None
    return group.lossy.transform


@pytest.mark.parametrize("snr", [5, 10, 20])
def test_they_shorten_a_file(tokens: dict[str, np.ndarray], snr: float) -> None:
    ours = fc.save(tokens, {"layout": "NLD"}, snr=snr)
    with internals.without_bands():
        without = fc.save(tokens, {"layout": "NLD"}, snr=snr)
    assert stored(ours) == "banded"
    assert stored(without) in ("linear", "low-rank")
    assert len(ours) < len(without)


@pytest.mark.parametrize("snr", [5, 10, 20])
def test_they_shorten_a_file_with_a_profile(
    tokens: dict[str, np.ndarray], profile: Profile, profile_file: Path, snr: float
) -> None:
    few = {"tokens": tokens["tokens"][:40]}
    ours = fc.save(few, {"layout": "NLD"}, profile=profile, snr=snr)
    without = fc.save(few, {"layout": "NLD"}, profile=DIGITS, snr=snr)
    assert stored(ours) == "banded"
    assert len(ours) < len(without)
    back = fc.load(ours, profile=profile)["tokens"].astype(np.float64)
    wanted = few["tokens"].astype(np.float64)
    assert 10 * np.log10(wanted.var() / np.square(back - wanted).mean()) > snr - 0.01
