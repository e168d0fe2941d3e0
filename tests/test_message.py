"""The payload layer: messages with a profile on both sides."""

import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from featcodec import Codec, Profile
from featcodec.dumps import Dump
from featcodec.errors import FeatcodecError, InvalidInput, InvalidStream
from featcodec.pipeline.grouping import Options
from featcodec.pipeline.training import train


@pytest.fixture(scope="module", params=["cnn", "vit"])
def features(request: pytest.FixtureRequest, digits: Path) -> np.ndarray:
    return load_file(digits / f"{request.param}_eval.safetensors")["features"].astype(np.float32)


@pytest.mark.parametrize("count", [1, 7])
def test_an_array_comes_back_at_the_snr(profile: Profile, features: np.ndarray, count: int) -> None:
    codec = Codec(profile, snr=10)
    values = features[:count]
    decoded = codec.decode(codec.encode(values))
    assert decoded.shape == values.shape
    assert decoded.dtype == values.dtype
    noise = ((values - decoded) ** 2).sum(dtype=np.float64)
    assert 10 * math.log10(((values - values.mean()) ** 2).sum(dtype=np.float64) / noise) >= 9.999


def test_a_sample_without_its_sample_axis_is_as_good(profile: Profile, features: np.ndarray):
    codec = Codec(profile, snr=5)
    assert codec.decode(codec.encode(features[0])).shape == features[0].shape


def test_a_message_is_at_most_16_bytes_over_its_coded_words(
    profile: Profile, features: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from featcodec.entropy import rans

    words: list[int] = []
    finish = rans.Encoder.finish

    def counting(self: rans.Encoder) -> bytes:
        data = finish(self)
        words.append(len(data))
        return data

    monkeypatch.setattr(rans.Encoder, "finish", counting)
    message = Codec(profile, snr=3).encode(features[:1])
    assert len(message) - words[-1] <= 16


def test_odd_arrays_come_back_exactly(profile: Profile) -> None:
    codec = Codec(profile, snr=10)
    for odd in (np.zeros((1, 64, 4, 4), np.float32), np.full((2, 64, 4, 4), np.nan, np.float16)):
        np.testing.assert_array_equal(codec.decode(codec.encode(odd)), odd)


def test_nan_and_massive_values_in_a_message_are_kept(profile: Profile, features: np.ndarray):
    values = features[:2].copy()
    values.reshape(-1)[[5, 77]] = np.nan, np.inf
    decoded = Codec(profile, snr=10).decode(Codec(profile, snr=10).encode(values))
    np.testing.assert_array_equal(np.isnan(decoded), np.isnan(values))
    np.testing.assert_array_equal(np.isinf(decoded), np.isinf(values))


def test_an_array_the_profile_does_not_know_is_refused(profile: Profile) -> None:
    with pytest.raises(InvalidInput, match="no entry"):
        Codec(profile).encode(np.random.default_rng(0).normal(size=(1, 63, 4, 4)))


def test_a_message_of_another_profile_is_refused(
    profile: Profile, features: np.ndarray, digits: Path
) -> None:
    dump = Dump(digits / "cnn_train.safetensors")
    other = Profile.parse(Profile.pack([*train([dump], Options()), *profile.entries]))
    message = Codec(profile, snr=10).encode(features[:1])
    with pytest.raises(InvalidStream):
        Codec(other, snr=10).decode(message)


def test_damage_to_a_message_is_an_error_or_harmless(
    profile: Profile, features: np.ndarray
) -> None:
    codec = Codec(profile, snr=8)
    message = codec.encode(features[:1])
    good = codec.decode(message)
    rng = np.random.default_rng(0)
    damaged = [message[:n] for n in range(len(message))]
    for place in range(len(message)):
        flipped = bytearray(message)
        flipped[place] ^= 1 << rng.integers(8)
        damaged.append(bytes(flipped))
    unnoticed = 0
    for data in damaged:
        try:
            back = codec.decode(data)
        except FeatcodecError:
            continue
        unnoticed += back.shape != good.shape or not np.array_equal(back, good)
    assert unnoticed <= 4  # a flip in type, shape or step changes the values but no symbol
