"""The payload layer: messages with a profile on both sides."""

import contextlib
import itertools
import math
import pickle
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors.numpy import load_file

from bitstream_spec import reference_decoder as reference
from featcodec import Codec, Profile
from featcodec.align.numbers import STORED
from featcodec.align.value import typical_bounds
from featcodec.arrays import from_stored
from featcodec.coding.message_head import Head
from featcodec.container.wire import Cursor
from featcodec.dumps import Dump
from featcodec.errors import (
    FeatcodecError,
    InvalidInput,
    InvalidStream,
    LimitExceeded,
    ProfileMissing,
    Unreachable,
    Unsupported,
)
from featcodec.message import MAX_VALUES
from featcodec.numpy import Arrays
from featcodec.request import EFFORTS, Options
from featcodec.training import linear
from featcodec.training.contexts import RANGES
from featcodec.training.linear import train

from . import internals
from .vectors.store import VECTORS

MESSAGES = VECTORS / "digits.fcp"  # the profile of those of messages
KINDS = ("float16", "float32", "float64", "bfloat16", "float8_e4m3fn", "float8_e5m2")
HARMLESS = {"over": "ignore", "under": "ignore", "invalid": "ignore", "divide": "ignore"}


@pytest.fixture(scope="module", params=["cnn", "vit"])
def features(request: pytest.FixtureRequest, digits: Path) -> np.ndarray:
    return load_file(digits / f"{request.param}_eval.safetensors")["features"].astype(np.float32)


@pytest.mark.parametrize("snr", [10.0, 20.0])
def test_sparse_maps_are_coded_without_axes_where_these_make_something_of_zeros(
    snr: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "BEATEN", 0.0)  # axes stay, to compare with
    rng = np.random.default_rng(0)
    maps = rng.gamma(0.5, 1, (60, 48, 7, 7)) * (rng.random((60, 48, 7, 7)) < 0.1)
    axes = np.eye(48) + rng.normal(size=(48, 48)) / 20  # some correlation
    maps = np.einsum("nchw,cd->ndhw", maps, axes) * (maps > 0)
    options = Options(layouts={"": "NCHW"})
    entries = train([Arrays({"x": (maps[:40].astype("f4"), "F32")}, None)], options)
    assert len(entries) == 2
    both, axes_alone = (Profile.parse(Profile.pack(some)) for some in (entries, entries[:1]))
    x = maps[40:41].astype("f4")
    message = Codec(both, snr=snr).encode(x)
    assert len(message) < 0.9 * len(Codec(axes_alone, snr=snr).encode(x))
    back = Codec(both).decode(message)
    assert not back[x == 0].any()
    elements = reference.decode_message(message, both.data)[2]
    np.testing.assert_allclose(np.frombuffer(elements, "f4").reshape(x.shape), back, atol=1e-5)
    assert 10 * math.log10(x.var() / np.square(x - back).mean()) >= snr - 0.001


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("count", [1, 7])
def test_an_array_comes_back_at_the_snr(
    profile: Profile, features: np.ndarray, count: int, effort: str
) -> None:
    codec = Codec(profile, snr=10, effort=effort)
    values = features[:count]
    decoded = codec.decode(codec.encode(values))
    assert decoded.shape == values.shape
    assert decoded.dtype == values.dtype
    noise = ((values - decoded) ** 2).sum(dtype=np.float64)
    assert 10 * math.log10(((values - values.mean()) ** 2).sum(dtype=np.float64) / noise) >= 9.999


@pytest.mark.parametrize("snr", [1.0, 10.0, 20.0, 40.0])
def test_more_effort_never_takes_more_bytes_and_takes_fewer_at_20_db(
    profile: Profile, features: np.ndarray, snr: float
) -> None:
    fast, best = (Codec(profile, snr=snr, effort=effort).encode(features) for effort in EFFORTS)
    assert len(best) <= len(fast) * (0.98 if snr == 20 else 1)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("snr", [12.0, 25.0])
def test_neighbours_of_sparse_maps_choose_their_tables(
    snr: float, effort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "BEATEN", 0.0)  # axes stay, to compare with
    source = Arrays({"x": (rectified(np.random.default_rng(630)), "F32")}, {"layout": "NCHW"})
    entries = train([source], Options())
    of_contexts = [entry.model.transform == "context-shared" for entry in entries]
    assert of_contexts == [False, *(True for _ in RANGES)]
    both, axes_alone = (Profile.parse(Profile.pack(some)) for some in (entries, entries[:1]))
    x = rectified(np.random.default_rng(631))[:1]
    message = Codec(both, snr=snr, effort=effort).encode(x)
    assert Head.unpack(Cursor(message)).entry == (2 if snr == 12 else 3)  # that of its SNR
    assert len(message) < 0.85 * len(Codec(axes_alone, snr=snr, effort=effort).encode(x))
    check(x, Codec(both).decode(message), snr)


@pytest.mark.long
def test_less_quality_of_maps_with_a_largest_value_hardly_takes_more_bytes() -> None:
    """Their error leaps with the step, where many values become 0 at once."""
    maps = np.minimum(rectified(np.random.default_rng(630)), 2)
    entries = train([Arrays({"x": (maps, "F32")}, {"layout": "NCHW"})], Options())
    some = [entry for entry in entries if entry.model.transform == "context-shared"]
    profile = Profile.parse(Profile.pack(some))
    for seed in range(4):
        x = np.minimum(rectified(np.random.default_rng(seed))[:4], 2)
        sizes = [len(Codec(profile, snr=snr).encode(x)) for snr in (0.5, 1, 2, 2.5, 3, 4, 5, 7)]
        assert all(less <= 1.1 * more + 16 for less, more in itertools.combinations(sizes, 2))


def test_an_unknown_effort_is_refused(profile: Profile) -> None:
    with pytest.raises(InvalidInput, match="effort 'most': use one of fast, best"):
        Codec(profile, effort="most")


def test_a_sample_without_its_sample_axis_is_as_good(profile: Profile, features: np.ndarray):
    codec = Codec(profile, snr=5)
    assert codec.decode(codec.encode(features[0])).shape == features[0].shape


def test_a_message_is_at_most_16_bytes_over_its_coded_words(
    profile: Profile, features: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from featcodec.entropy import rans

    words: list[int] = []
    finish = rans.RansEncoder.finish

    def counting(self: rans.RansEncoder) -> bytes:
        data = finish(self)
        words.append(len(data))
        return data

    monkeypatch.setattr(rans.RansEncoder, "finish", counting)
    with internals.loops(are_compiled=False):
        message = Codec(profile, snr=3).encode(features[:1])
    assert len(message) - words[-1] <= 16


def test_an_array_the_profile_does_not_know_is_refused(profile: Profile) -> None:
    with pytest.raises(InvalidInput, match=r"no entry .* it has NCHW of 64"):
        Codec(profile).encode(np.random.default_rng(0).normal(size=(1, 63, 4, 4)))


def test_a_codec_for_one_entry_decodes_what_others_code(
    profile: Profile, features: np.ndarray
) -> None:
    one, *_, other = (entry.name for entry in profile.entries)
    arrays = {}
    for name in (one, other):
        try:
            arrays[name] = Codec(profile, entry=name).encode(features[:1])
        except InvalidInput:  # that entry is for the other features
            continue
    (message,) = arrays.values()
    decoded = [Codec(profile, entry=name).decode(message) for name in (one, other)]
    np.testing.assert_array_equal(*decoded)


# --- arrays of any kind -------------------------------------------------------------------------


@cache
def packed() -> list[bytes]:
    """A profile of ordinary features, one of features with bounds, offsets, layouts of any kind."""
    rng = np.random.default_rng(7)
    mixing = rng.normal(size=(6, 6))
    smooth = np.cumsum(rng.normal(size=(40, 6, 9, 10)), axis=3)
    features = {
        "NCHW": np.einsum("nchw,cd->ndhw", smooth, mixing),
        "NLD:1+4x5": rng.normal(size=(60, 21, 5)) @ rng.normal(size=(5, 5)),
        "NTHWC": np.maximum(rng.normal(size=(30, 3, 6, 5, 4)) - 0.5, 0),
        "LND": 1000 + rng.normal(size=(50, 12, 3)),
        "ND": 1e-6 * rng.normal(size=(900, 8)),
    }
    sources = [
        Arrays({"x": (np.float32(x), "F32")}, {"layout": layout, "model": layout})
        for layout, x in features.items()
    ]
    sources.append(Arrays({"x": (rectified(rng), "F32")}, {"layout": "NCHW", "model": "relu"}))
    return [MESSAGES.read_bytes(), Profile.pack(train(sources, Options()))]


def rectified(rng: np.random.Generator) -> np.ndarray:
    """Sparse maps (60, 7, 9, 10), whose neighbours are alike."""
    rough = rng.normal(size=(60, 7, 12, 13))
    smooth = sum(rough[:, :, i : i + 9, j : j + 10] for i in range(4) for j in range(4))
    return np.maximum(smooth - 4, 0).astype("f4")


@cache
def profiles() -> list[Profile]:
    return [Profile.parse(data) for data in packed()]


SHAPES = [
    (0, (1, 64, 4, 4), "resnet"), (0, (64, 3, 5), "resnet"), (0, (0, 64, 4, 4), "resnet"),
    (0, (2, 17, 64), "vit"), (0, (17, 64), "vit"),
    (1, (2, 6, 9, 10), "NCHW"), (1, (6, 1, 1), "NCHW"), (1, (3, 21, 5), "NLD"),
    (1, (2, 1, 6, 5, 4), "NTHWC"), (1, (3, 6, 5, 4), "NTHWC"), (1, (7, 5, 3), "LND"),
    (1, (7, 3), "LND"), (1, (9, 8), "ND"), (1, (8,), "ND"), (1, (0, 8), "ND"),
    (1, (2, 7, 9, 10), "relu"), (1, (7, 2, 3), "relu"), (1, (1, 7, 20, 18), "relu"),
]  # fmt: skip
ODD = [math.nan, math.inf, -math.inf, 60000.0, -1e30, 1e-40, 0.0, -0.0, 3e38, 1e300, -1e308]


@st.composite
def arrays(draw: st.DrawFn) -> tuple[Profile, np.ndarray]:
    """An array that a profile has an entry for: its scale, offset and odd values are any."""
    which, shape, name = draw(st.sampled_from(SHAPES))
    trained = next(e for e in profiles()[which].entries if name in e.name)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    values = rng.normal(size=shape)
    if draw(st.booleans()):
        values = np.maximum(values - draw(st.sampled_from([0, 1, 3])), 0)
    values *= trained.std * 10.0 ** draw(st.sampled_from([0, 0, 0, 0, -1, 1, -6, 3, -40, 30, 300]))
    values += draw(st.sampled_from([trained.mean] * 5 + [0, -1000, 65500]))
    if draw(st.sampled_from([False] * 9 + [True])):
        values[...] = draw(st.sampled_from([0.0, 2.5, math.nan, -math.inf, 1e300]))
    if values.size:
        places = draw(st.lists(st.integers(0, values.size - 1), max_size=4))
        values.flat[places] = [draw(st.sampled_from(ODD)) for _ in places]
    with np.errstate(**HARMLESS):
        return profiles()[which], values.astype(np.dtype(draw(st.sampled_from(KINDS))))


def bits(values: np.ndarray) -> np.ndarray:
    return values.view(f"u{values.itemsize}")


def check(values: np.ndarray, decoded: np.ndarray, snr: float) -> None:
    """Require the SNR of all but exceptions, and of these every bit."""
    assert (decoded.dtype, decoded.shape) == (values.dtype, values.shape)
    with np.errstate(**HARMLESS):
        one, other = (a.astype(np.float64) for a in (values, decoded))
        finite = np.isfinite(one)
        np.testing.assert_array_equal(bits(values)[~finite], bits(decoded)[~finite])
        assert np.isfinite(other[finite]).all()
        kept = ~finite
        if finite.any():
            low, high = typical_bounds(values[finite].astype(np.result_type(values, np.float32)))
            kept = ~finite | (one < low) | (one > high)
        np.testing.assert_array_equal(bits(values)[kept], bits(decoded)[kept])
        rest, back = one[~kept], other[~kept]
        scale = np.abs(rest).max(initial=0) or 1.0
        rest, back = rest / scale, back / scale
        signal, noise = ((rest - rest.mean()) ** 2).sum() if rest.size else 0, (rest - back) ** 2
        assert noise.sum() <= signal * 10 ** (-snr / 10) * 1.001


@pytest.mark.long
@settings(max_examples=300)
@given(
    found=arrays(),
    snr=st.sampled_from([1, 3, 5, 10, 15, 20, 30, 50, 5000]),
    effort=st.sampled_from([*EFFORTS]),
)
def test_any_array_reaches_the_snr_and_exceptions_are_kept(
    found: tuple[Profile, np.ndarray], snr: float, effort: str
) -> None:
    profile, values = found
    codec = Codec(profile, snr=snr, effort=effort)
    check(values, codec.decode(codec.encode(values)), snr)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize(
    ("deviation", "mean", "kind", "snr"),
    [
        (1e-7, 1e5, "float64", 20),  # more steps from the mean of the profile than a symbol counts
        (1e-4, 0, "float16", 10),  # of less energy than single precision adds up from that mean
        (2e-5, 0, "float32", 80),  # that mean has digits where these values have theirs
    ],
)
def test_what_varies_little_far_from_the_mean_of_the_profile_reaches_the_snr(
    deviation: float, mean: float, kind: str, snr: float, effort: str
) -> None:
    smooth = np.cumsum(np.random.default_rng(630).normal(size=(3, 6, 9, 10)), 3)
    values = (mean + deviation * smooth).astype(kind)
    codec = Codec(profiles()[1], snr=snr, effort=effort)
    check(values, codec.decode(codec.encode(values)), snr)


@pytest.mark.long
@settings(max_examples=100)
@given(found=arrays(), snr=st.sampled_from([1, 5, 10, 20, 35]), effort=st.sampled_from([*EFFORTS]))
def test_the_reference_decoder_decodes_it_alike(
    found: tuple[Profile, np.ndarray], snr: float, effort: str
) -> None:
    profile, values = found
    message = Codec(profile, snr=snr, effort=effort).encode(values)
    mine = Codec(profile).decode(message)
    data = packed()[profiles().index(profile)]
    dtype, shape, elements = reference.decode_message(message, data)
    other = from_stored(np.frombuffer(elements, STORED[dtype]), dtype, tuple(shape))
    assert (other.dtype, other.shape) == (mine.dtype, mine.shape)
    with np.errstate(**HARMLESS):
        one, two = mine.astype(np.float64), other.astype(np.float64)
        finite = np.isfinite(one)
        np.testing.assert_array_equal(bits(mine)[~finite], bits(other)[~finite])
        one, two = one[finite], two[finite]
        ulp = np.abs(one) * 2.0 ** -(ml_dtypes.finfo(mine.dtype).nmant - 1)
        size = max(np.abs(one).max(initial=0), *(entry.std for entry in profile.entries))
        assert (np.abs(one - two) <= ulp + 2**-14 * size).all()


@pytest.mark.long
@settings(max_examples=200)
@given(
    values=npst.arrays(
        st.sampled_from(["<f2", "<f4", "<f8", ">f4"]),
        npst.array_shapes(min_dims=0, max_dims=17, min_side=0, max_side=3)
        | st.sampled_from([(2, 1, 6, 3, 4), (3, 8), (3, 2, 6, 5), (1, 21, 5)]),
        elements=st.floats(-10, 10, width=16) | st.floats(width=16),
    )
)
def test_what_encodes_decodes_whatever_the_rank(values: np.ndarray) -> None:
    codec = Codec(profiles()[1], snr=15)
    try:
        message = codec.encode(values)
    except InvalidInput as error:
        assert "no entry" in str(error) or "at most 15 axes" in str(error)
        return
    assert values.ndim <= 15
    check(values.astype(values.dtype.newbyteorder("<")), codec.decode(message), 15)


@pytest.mark.parametrize("odd", [60000.0, -1e9, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_one_odd_value_costs_the_rest_little(
    profile: Profile, features: np.ndarray, odd: float, scale: float
) -> None:
    codec = Codec(profile, snr=20)
    plain = features[:2] * np.float32(scale)
    values = plain.copy()
    values.reshape(-1)[777] = odd
    message = codec.encode(values)
    check(values, codec.decode(message), 20)
    assert len(message) < 1.3 * len(codec.encode(plain)) + 60


def test_a_message_takes_no_more_than_its_array(profile: Profile, features: np.ndarray) -> None:
    for snr in (60, 90, 300):
        for values in (features[:1], features[:1].astype(np.float16)):
            assert len(Codec(profile, snr=snr).encode(values)) < values.nbytes + 64


@pytest.mark.parametrize(
    "values", [np.arange(64), np.zeros((1, 64), "c8"), np.array(["x"]), ["x"], None]
)
def test_what_is_no_array_of_floats_is_refused(profile: Profile, values: np.ndarray) -> None:
    with pytest.raises(InvalidInput):
        Codec(profile).encode(values)


# --- profiles and limits ------------------------------------------------------------------------


@pytest.mark.long
def test_a_message_of_another_profile_names_both(
    profile: Profile, features: np.ndarray, digits: Path
) -> None:
    dump = Dump(digits / "cnn_train.safetensors")
    longer = Profile.parse(Profile.pack([*train([dump], Options()), *profile.entries]))
    shorter = Profile.parse(Profile.pack(profile.entries[:1]))
    for other in (profiles()[1], longer, shorter):
        for values in (features[:1], features[:1] * 3, features[0]):
            message = Codec(profile, snr=10).encode(values)
            with pytest.raises(ProfileMissing) as caught:
                Codec(other, snr=10).decode(message)
            assert profile.digest[:2].hex() in str(caught.value)
            assert other.digest.hex() in str(caught.value)


def test_a_message_bit_for_bit_needs_no_profile(profile: Profile) -> None:
    values = np.full((2, 64, 4, 4), np.nan, np.float16)
    message = Codec(profile).encode(values)
    np.testing.assert_array_equal(Codec(profiles()[1]).decode(message), values)


@pytest.mark.parametrize("exact", [False, True])
def test_the_limit_of_values_is_kept_on_both_sides(profile: Profile, exact: bool) -> None:
    shape = (2, 64, 4, 4)
    values = np.zeros(shape) if exact else np.random.default_rng(0).normal(size=shape)
    at, below = (Codec(profile, max_values=n) for n in (2048, 2047))
    message = at.encode(values)
    at.decode(message)
    with pytest.raises(InvalidInput, match="max_values=2047"):
        below.encode(values)
    with pytest.raises(LimitExceeded, match=r"2048 values.*max_values=2047"):
        below.decode(message)


@pytest.mark.parametrize("wrong", [0, -1, (1 << 27) + 1])
def test_a_limit_that_is_none_is_refused(profile: Profile, wrong: int) -> None:
    with pytest.raises(InvalidInput, match="max_values"):
        Codec(profile, max_values=wrong)


@pytest.mark.parametrize("flags", [0, 8])
@pytest.mark.parametrize("samples", [MAX_VALUES // 1024 + 1, 1 << 17, 1 << 60])
def test_a_message_of_too_many_values_takes_no_memory(
    profile: Profile, flags: int, samples: int
) -> None:
    codec = Codec(profile)
    head = Head(flags, "F64", (samples, 64, 4, 4), profile.digest[:2])
    tracemalloc.start()
    with pytest.raises(LimitExceeded):
        codec.decode(head.pack() + bytes(9))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 16


# --- damage -------------------------------------------------------------------------------------


def samples(profile: Profile, features: np.ndarray) -> Iterator[bytes]:
    odd = features[:1].copy()
    odd.reshape(-1)[[5, 77]] = np.nan, 60000
    for snr, values in ((8, features[:1]), (20, odd), (5, features[0] * 50), (9, odd * 0)):
        yield Codec(profile, snr=snr).encode(values)


def test_any_flip_or_cut_of_a_message_is_an_error_or_harmless(
    profile: Profile, features: np.ndarray
) -> None:
    codec = Codec(profile, max_values=1 << 16)
    rng = np.random.default_rng(0)
    for message in samples(profile, features):
        good = codec.decode(message)
        damaged = [message[:n] for n in range(len(message))]
        for place in range(len(message)):
            for bit in range(8) if place < 24 else rng.integers(8, size=2):
                flipped = bytearray(message)
                flipped[place] ^= 1 << int(bit)
                damaged.append(bytes(flipped))
        for data in damaged:
            with contextlib.suppress(FeatcodecError):  # packed lists have bits that nobody reads
                np.testing.assert_array_equal(codec.decode(data), good)
        with pytest.raises(InvalidStream):
            codec.decode(message[:-1])


NUMBERS = st.integers(0, 70) | st.sampled_from([1 << n for n in (14, 20, 31, 32, 53, 62, 63)])
CHANGES: dict[str, st.SearchStrategy] = {
    "flags": st.integers(0, 31),
    "dtype": st.sampled_from(["F8_E5M2", "F8_E4M3", "F16", "BF16", "F32", "F64", "I32", "U8"]),
    "entry": NUMBERS,
    "code": st.integers(0, 0xFFFF),
    "shift": NUMBERS | NUMBERS.map(lambda n: -n),
}


@pytest.mark.long
@settings(max_examples=700)
@given(data=st.data())
def test_any_head_before_any_body_is_an_array_or_an_error(data: st.DataObject) -> None:
    profile, message = data.draw(st.sampled_from(good_messages()))
    cursor = Cursor(message)
    head, body = Head.unpack(cursor), bytes(cursor.rest())
    wanted = data.draw(st.sets(st.sampled_from([*CHANGES, "shape"]), max_size=3))
    changes = {key: data.draw(CHANGES[key]) for key in sorted(wanted - {"shape"})}
    if "shape" in wanted:
        shape = list(head.shape)
        shape[data.draw(st.integers(0, len(shape) - 1))] = data.draw(NUMBERS)
        changes["shape"] = tuple(data.draw(st.sampled_from([shape, shape[1:], [1, *shape]])))
    head = replace(head, tag=profile.digest[:2], **changes)
    body = data.draw(st.sampled_from([body, bytes(5), b""]) | st.binary(max_size=40))
    codec = Codec(profile, max_values=1 << 16)
    try:
        decoded = codec.decode(head.pack() + body)
    except FeatcodecError:
        return
    assert decoded.shape == head.shape


@cache
def good_messages() -> list[tuple[Profile, bytes]]:
    rng = np.random.default_rng(3)
    found = []
    for which, shape, _ in SHAPES:
        values = rng.normal(size=shape)
        for effort in EFFORTS:
            codec = Codec(profiles()[which], snr=20, effort=effort)
            found.append((profiles()[which], codec.encode(values)))
        if values.size:
            values.flat[0] = math.nan
            found.append((profiles()[which], Codec(profiles()[which], snr=9).encode(values)))
    return found


@pytest.mark.parametrize("convert", [bytes, bytearray, memoryview, np.frombuffer])
def test_a_message_may_be_in_any_buffer(
    profile: Profile, features: np.ndarray, convert: Callable
) -> None:
    codec = Codec(profile, snr=10)
    message = codec.encode(features[:1])
    given = convert(message, np.uint8) if convert is np.frombuffer else convert(message)
    np.testing.assert_array_equal(codec.decode(given), codec.decode(message))


# --- qualities and frameworks -------------------------------------------------------------------


@settings(max_examples=60)
@given(found=arrays(), bound=st.sampled_from([1e-3, 0.1, 0.5, 2.0]))
def test_no_usual_value_errs_by_more_than_the_bound(
    found: tuple[Profile, np.ndarray], bound: float
) -> None:
    profile, values = found
    decoded = Codec(profile, max_error=bound).decode(Codec(profile, max_error=bound).encode(values))
    with np.errstate(**HARMLESS):
        one, other = values.astype(np.float64), decoded.astype(np.float64)
        finite = np.isfinite(one)
        np.testing.assert_array_equal(bits(values)[~finite], bits(decoded)[~finite])
        assert (np.abs(one[finite] - other[finite]) <= bound).all()


@pytest.mark.parametrize("bpfp", [0.3, 1.0, 4.0])
def test_a_message_takes_no_more_bits_than_asked_for_and_nearly_as_many(
    profile: Profile, features: np.ndarray, bpfp: float
) -> None:
    for values in (features[:1], features[5:9], features[7] * 3):
        bits_ = 8 * len(Codec(profile, bpfp=bpfp).encode(values))
        assert 0.93 * bpfp * values.size - 64 < bits_ <= bpfp * values.size


@pytest.mark.long
@settings(max_examples=60)
@given(found=arrays(), bpfp=st.sampled_from([0.1, 1.0, 5.0, 40.0]))
def test_no_message_takes_more_bits_than_asked_for_or_than_without_loss(
    found: tuple[Profile, np.ndarray], bpfp: float
) -> None:
    profile, values = found
    exact = Codec(profile, lossless=True).encode(values)
    try:
        message = Codec(profile, bpfp=bpfp).encode(values)
    except Unreachable:
        assert 8 * len(exact) > bpfp * values.size
        return
    assert 8 * len(message) <= bpfp * values.size or not values.size
    assert len(message) <= max(len(exact), values.nbytes / 2)


def test_a_rate_below_all_is_unreachable(profile: Profile, features: np.ndarray) -> None:
    with pytest.raises(Unreachable, match="bpfp"):
        Codec(profile, bpfp=1e-4).encode(features[:1])


@given(found=arrays())
@settings(max_examples=40)
def test_lossless_is_bit_for_bit(found: tuple[Profile, np.ndarray]) -> None:
    profile, values = found
    codec = Codec(profile, lossless=True)
    np.testing.assert_array_equal(bits(codec.decode(codec.encode(values))), bits(values))


@pytest.mark.parametrize("step", [0.01, 0.3, 1.5])
def test_a_step_bounds_the_squared_error(
    profile: Profile, features: np.ndarray, step: float
) -> None:
    codec = Codec(profile, step=step)
    finer = Codec(profile, step=step / 4)
    decoded = codec.decode(codec.encode(features[:3]))
    assert np.mean((decoded - features[:3]) ** 2) < 2 * step**2 / 12
    assert len(codec.encode(features[:3])) < len(finer.encode(features[:3]))


@settings(max_examples=60)
@given(found=arrays(), steps=st.sampled_from([1e-9, 1e-5, 0.1, 1.0, 30.0]))
def test_a_step_bounds_the_squared_error_of_any_array(
    found: tuple[Profile, np.ndarray], steps: float
) -> None:
    profile, values = found
    with np.errstate(**HARMLESS):
        one = values.astype(np.float64)
        finite = np.isfinite(one) & (np.abs(one) < 1e100)
        step = steps * float(one[finite].std() if finite.any() else 1) or 1.0
        codec = Codec(profile, step=step)
        change = np.abs(codec.decode(codec.encode(values)).astype(np.float64) - one)[finite]
        precision = {"float64": 1e-12, "float32": 1e-6}.get(values.dtype.name, 0.2)
        rounding = precision * np.abs(one[finite]).max(initial=0)
    assert math.sqrt(np.mean(change**2) if change.size else 0) <= step * 0.6 + rounding


def test_a_step_below_the_least_is_honoured_bit_for_bit(
    profile: Profile, features: np.ndarray
) -> None:
    codec = Codec(profile, step=1e-12)
    np.testing.assert_array_equal(codec.decode(codec.encode(features[:1])), features[:1])


def test_a_device_that_is_none_is_refused_at_once(profile: Profile) -> None:
    pytest.importorskip("torch")
    with pytest.raises(InvalidInput, match="device 'gpu' cannot be used here"):
        Codec(profile, framework="torch", device="gpu")


def test_a_codec_does_not_change_and_takes_bytes(profile: Profile) -> None:
    for codec in (made := Codec(profile), pickle.loads(pickle.dumps(made))):
        for name in ("snr", "step", "max_values", "profile"):
            with pytest.raises(InvalidInput, match=f"make another one for another {name}"):
                setattr(codec, name, 30)
        with pytest.raises(InvalidInput, match="a str is no message"):
            codec.decode("abc")


@pytest.mark.parametrize(
    "wrong",
    [
        *({"snr": 1, "bpfp": 1}, {"max_error": 1, "lossless": True}, {"max_error": -1}),
        *({"step": 1, "snr": 3}, {"step": 0}, {"step": math.nan}, {"lossless": True, "step": 1}),
        *({"bpfp": 0}, {"framework": "jax"}, {"step": "1"}, {"lossless": "no"}),
        *({"max_values": "1"}, {"max_values": 2.5}, {"device": "gpu"}),
        {"profile": None},
    ],
)
def test_qualities_that_make_no_sense_are_refused(profile: Profile, wrong: dict) -> None:
    with pytest.raises(InvalidInput, match=next(reversed(wrong)) if len(wrong) == 1 else None):
        Codec(**{"profile": profile} | wrong)


def test_a_profile_may_be_named_by_its_path(features: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "digits.fcp"
    path.write_bytes(MESSAGES.read_bytes())
    given_, named = Codec(Profile.load(path), snr=9), (Codec(str(path), 9), Codec(path, snr=9))
    assert {codec.encode(features[:1]) for codec in named} == {given_.encode(features[:1])}


def test_a_codec_is_shared_by_threads_and_small_to_pickle(
    profile: Profile, features: np.ndarray
) -> None:
    codec = Codec(profile, snr=10)
    kept = len(pickle.dumps(codec))
    alone = [codec.encode(values[None]) for values in features[:24]]
    assert len(pickle.dumps(codec)) == kept < 1.2 * len(pickle.dumps(profile)) + 2000
    other = pickle.loads(pickle.dumps(codec))
    for shared in (Codec(profile, snr=10), other):
        with ThreadPoolExecutor(6) as threads:
            found = list(threads.map(shared.encode, features[:24, None]))
            assert found == alone
            decoded = list(threads.map(shared.decode, alone))
        for message, one in zip(alone, decoded, strict=True):
            np.testing.assert_array_equal(codec.decode(message), one)


def test_a_message_of_an_unknown_version_is_unsupported(
    profile: Profile, features: np.ndarray
) -> None:
    message = bytearray(Codec(profile).encode(features[:1]))
    for version, said in ((0, "draft"), (1, "draft"), (3, "version 3"), (7, "version 7")):
        message[0] = version << 5 | message[0] & 31
        with pytest.raises(Unsupported, match=said):
            Codec(profile).decode(message)


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_tensors_of_torch_are_coded_like_arrays(
    profile: Profile, features: np.ndarray, kind: str
) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(features[:2]).to(getattr(torch, kind)).requires_grad_()
    strided = tensor.transpose(0, 1).contiguous().transpose(0, 1)
    codec = Codec(profile, snr=10, framework="torch")
    array = features[:2].astype(np.dtype(kind))
    message = codec.encode(tensor)
    assert message == codec.encode(strided) == Codec(profile, snr=10).encode(array)
    decoded = codec.decode(message)
    assert (decoded.dtype, decoded.shape) == (tensor.dtype, tensor.shape)
    plain = Codec(profile).decode(message).astype(np.float32)
    np.testing.assert_array_equal(decoded.float().numpy(), plain)
