"""What encoding says of dumps that are not what they are taken for."""

import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from featcodec import Profile, encode_file
from featcodec.dumps import Dump
from featcodec.encoding.dump import encode
from featcodec.encoding.report import Report
from featcodec.numpy import Arrays
from featcodec.request import Options, Quality
from featcodec.training.linear import train


def encoded(where: pytest.TempPathFactory, x: np.ndarray, profile: Profile | None = None) -> Report:
    folder = where.mktemp("dump")
    save_file({"x": x}, folder / "x.safetensors", {"layout": "ND"})
    return encode_file(folder / "x.safetensors", folder / "x.fcz", Quality(snr=8), profile=profile)


def correlated(seed: int, channels: int, scale: float = 1.0) -> np.ndarray:
    """Features of one kind, by their number of channels."""
    rng = np.random.default_rng(channels)
    axes = rng.normal(size=(channels, channels)) * np.geomspace(1, 0.02, channels)
    found = np.random.default_rng(seed).normal(size=(3000, channels)) @ axes.T * scale
    return found.astype(np.float32)


@pytest.mark.parametrize("loss", [True, False])
def test_complex_numbers_of_which_loss_is_asked_are_said_to_have_none(loss: bool) -> None:
    dump = Arrays({"x": (np.arange(9).astype(np.complex64), "C64")}, None)
    quality = Quality(snr=10) if loss else Quality(lossless=True)
    said = encode(dump, io.BytesIO(), quality).remarks
    assert any("save their real and imaginary parts" in line for line in said) == loss


@pytest.mark.long
@settings(max_examples=10)
@given(st.integers(0, 99), st.booleans(), st.floats(1e3, 1e5))
def test_what_was_clipped_to_its_type_is_said(
    tmp_path_factory: pytest.TempPathFactory, seed: int, clipped: bool, scale: float
) -> None:
    x = np.random.default_rng(seed).normal(size=(400, 8)) * scale
    x *= (2e5 if clipped else 5e4) / np.abs(x).max()
    report = encoded(tmp_path_factory, np.clip(x, -65504, 65504).astype(np.float16))
    said = [line for line in report.remarks if "the largest number of F16" in line]
    assert len(said) == clipped


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_so_is_what_was_clipped_to_half_and_kept_in_a_wider_type(
    tmp_path_factory: pytest.TempPathFactory, dtype: type
) -> None:
    x = np.random.default_rng(0).normal(size=(400, 8)) * 4e4
    clipped = np.clip(x, -65504, 65504).astype(dtype)
    (said,) = encoded(tmp_path_factory, clipped).remarks
    assert "x reaches 65504, the largest number of F16" in said
    assert not encoded(tmp_path_factory, x.astype(dtype)).remarks


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    path = tmp_path_factory.mktemp("train") / "x.safetensors"
    save_file({"x": correlated(0, 16)}, path, {"layout": "ND"})
    with Dump(path) as dump:
        return Profile.parse(Profile.pack(train([dump], Options())))


def test_a_profile_that_serves_says_nothing(
    tmp_path_factory: pytest.TempPathFactory, profile: Profile
) -> None:
    assert not encoded(tmp_path_factory, correlated(1, 16), profile).remarks


def test_a_profile_that_serves_nothing_is_said_with_how_far_it_is(
    tmp_path_factory: pytest.TempPathFactory, profile: Profile
) -> None:
    turned = np.ascontiguousarray(correlated(2, 16)[:, ::-1])
    (said,) = encoded(tmp_path_factory, turned * 9 / turned.std(), profile).remarks
    assert "serves no tensor" in said and "deviation 9" in said and "the nearest entry" in said
    (said,) = encoded(tmp_path_factory, correlated(3, 12), profile).remarks
    assert "x has 12 channels, its entries 16" in said
    assert "times the bits" not in said


def test_how_much_more_it_takes_with_the_profile_is_said_where_the_moments_are_alike(
    tmp_path_factory: pytest.TempPathFactory, profile: Profile
) -> None:
    turned = np.ascontiguousarray(correlated(2, 16)[:, ::-1])
    (said,) = encoded(tmp_path_factory, turned, profile).remarks
    [times] = re.findall(r"takes (\d+\.\d\d) times the bits with it$", said)
    assert float(times) > 1


def test_a_profile_that_takes_more_than_all_else_in_its_file_is_said(
    tmp_path_factory: pytest.TempPathFactory, profile: Profile
) -> None:
    folder = tmp_path_factory.mktemp("embedded")
    for rows in (300, 3000):
        dump, file = folder / f"{rows}.safetensors", folder / f"{rows}.fcz"
        save_file({"x": correlated(1, 16)[:rows]}, dump, {"layout": "ND"})
        options = Options(embed=True)
        report = encode_file(dump, file, Quality(snr=8), profile=profile, options=options)
        said = [line for line in report.remarks if line.startswith("the profile in the file")]
        assert len(said) == (2 * len(profile.data) > file.stat().st_size)
    assert len(profile.data) * 2 < file.stat().st_size
