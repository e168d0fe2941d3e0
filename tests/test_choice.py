"""What the encoder chooses by measured bits, for kinds of features that no metadata describe."""

import hashlib
import io
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featcodec.numpy as fc
from featcodec import Profile
from featcodec.container.group import GroupHeader
from featcodec.container.reader import Reader
from featcodec.modes.plain.clusters import cluster
from featcodec.numpy import Arrays
from featcodec.request import Options
from featcodec.training.linear import train


def encoded(tensors: dict[str, np.ndarray], **more: Any) -> tuple[bytes, list[GroupHeader]]:
    data = fc.save(tensors, **more)
    return data, Reader(io.BytesIO(data), "x").groups()


def snr(values: np.ndarray, decoded: np.ndarray) -> float:
    error = values.astype(np.float64) - decoded
    return float(10 * np.log10(values.var(dtype=np.float64) / np.square(error).mean()))


def mixed(tokens: int, channels: int, rank: int, seed: int = 0) -> np.ndarray:
    """Return (tokens, channels) of so many independent sources, with a little noise."""
    rng = np.random.default_rng(seed)
    sources = rng.normal(size=(tokens, rank)) @ rng.normal(size=(rank, channels))
    noise: np.ndarray = sources + 0.05 * rng.normal(size=sources.shape)
    return noise.astype(np.float32)


@pytest.mark.parametrize("stated", [None, "LD", "ND"])
def test_fewer_tokens_than_channels_serve_as_channels(stated: str | None) -> None:
    values = mixed(40, 3000, 3)
    more = {} if stated is None else {"layout": stated}
    data, (group,) = encoded({"logits": values}, snr=20, **more)
    assert group.lossy is not None and group.lossy.layout in ("DL", "DN")
    assert snr(values, fc.load(data)["logits"]) >= 20
    # Three sources of 3,000 numbers at four bits or so, and what they are made of.
    assert 8 * len(data) < 6 * 3 * 3000


def test_channels_are_found_on_the_axis_where_they_are() -> None:
    values = np.ascontiguousarray(mixed(20 * 300, 24, 4).reshape(20, 300, 24).transpose(0, 2, 1))
    data, (group,) = encoded({"x": values}, snr=15)
    assert group.lossy is not None and group.lossy.layout in ("NCL", "NDL")
    stated = fc.save({"x": values}, snr=15, layout="NLD")
    assert len(data) < 0.7 * len(stated)
    assert snr(values, fc.load(data)["x"]) >= 15


def test_an_axis_of_many_lengths_holds_no_channels() -> None:
    tensors = {
        f"utterance_{i}": mixed(100 + 7 * i, 32, 4, seed=1).T[None].copy() for i in range(12)
    }
    _, groups = encoded(tensors, snr=15)
    assert {g.lossy.layout for g in groups if g.lossy} <= {"NCL", "NDL"}


def rectified(seed: int = 0) -> np.ndarray:
    """Return smooth lines (N, C, L) after a rectifier."""
    rng = np.random.default_rng(seed)
    lines = np.cumsum(rng.normal(size=(30, 16, 128)), axis=2)
    found: np.ndarray = np.maximum(lines - lines.mean() - 2, 0)
    return found.astype(np.float32)


@pytest.mark.long
def test_what_a_normalisation_makes_of_zeros_costs_no_more_than_zeros() -> None:
    values = rectified()
    rng = np.random.default_rng(1)
    offset = rng.normal(size=(16, 1)).astype(np.float32)
    for wanted in (10, 25):
        plain, shifted = (
            len(fc.save({"x": x}, snr=wanted, layout="NCL", transform="context"))
            for x in (values, values - offset * values.std() * 0.1)
        )
        assert shifted < 1.1 * plain + 200


def test_zeros_stay_cheap_beside_channels_that_saturate() -> None:
    values = np.minimum(rectified(), 3)
    half = len(fc.save({"x": values}, max_error=0.05, layout="NCL"))
    assert 8 * half < 3 * values.size


def probabilities(seed: int = 2, rows: int = 500, classes: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    logits = rng.gumbel(size=(rows, classes)) * 1.5
    logits[np.arange(rows), rng.integers(0, 12, rows)] += 9
    found = np.exp(logits - logits.max(axis=1, keepdims=True))
    found /= found.sum(axis=1, keepdims=True)
    return found.astype(np.float32)


@pytest.mark.long
def test_less_quality_never_falls_back_on_all_of_it() -> None:
    values = probabilities()
    lossless = len(fc.save({"p": values}, lossless=True))
    sizes = []
    for wanted in (0.1, 0.5, 2, 5, 20):
        data = fc.save({"p": values}, snr=wanted)
        sizes.append(len(data))
        assert snr(values, fc.load(data)["p"]) >= wanted - 1e-3
    assert max(sizes[:4]) < 0.1 * lossless
    assert max(sizes[:3]) < 2 * sizes[3]


def sparse(rng: np.random.Generator) -> np.ndarray:
    values = np.maximum(rng.normal(size=(40, 16, 8)) - 1.2, 0)
    return np.where(values > 1, 1, values)


KINDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "dense": lambda rng: mixed(200, 16, 4, int(rng.integers(99))),
    "heavy tails": lambda rng: rng.standard_t(2, size=(300, 12)),
    "probabilities": lambda rng: probabilities(int(rng.integers(99)), 300, 40),
    "saturating": sparse,
    "lines": lambda rng: np.cumsum(rng.normal(size=(4, 100, 8)), axis=1),
}


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 2**16), st.sampled_from([0.1, 0.4, 1, 2, 4, 7, 11, 16, 25]), st.data())
@settings(max_examples=2, deadline=None)
def test_more_quality_never_takes_fewer_bytes(
    kind: str, seed: int, wanted: float, data: st.DataObject
) -> None:
    values = KINDS[kind](np.random.default_rng(seed)).astype(np.float32)
    more = wanted + data.draw(st.sampled_from([0.5, 1, 3]))
    axes = {2: "ND", 3: "NLD"}[values.ndim]
    less, much = (fc.save({"x": values}, snr=s, layout=axes) for s in (wanted, more))
    assert len(less) <= 1.01 * len(much) + 4
    assert snr(values, fc.load(less)["x"]) >= wanted - 1e-3


@given(st.integers(0, 2**32), st.integers(2, 16), st.floats(1, 1e6))
def test_no_row_of_small_values_is_lost_beside_rows_of_large_ones(
    seed: int, count: int, ratio: float
) -> None:
    rng = np.random.default_rng(seed)
    rows = 3 * rng.normal(size=(30, 40)) * np.where(np.arange(30) < 20, 1, ratio)[:, None]
    labels, tables, _ = cluster(rows, 1.0, count, 1.0, 0.1, None)
    assert all(tables[label].magnitude for label in labels)


@pytest.mark.parametrize("seed", range(2))
def test_probabilities_take_a_few_bits_more_for_each_decibel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = 10 * rng.normal(size=(300, 64)) * rng.uniform(0.2, 2, size=(300, 1))
    values = np.exp(logits - logits.max(axis=1, keepdims=True))
    values = (values / values.sum(axis=1, keepdims=True)).astype(np.float32)
    sizes = []
    for wanted in (50, 60, 70):
        data, _ = encoded({"p": values}, snr=wanted)
        assert snr(values, fc.load(data)["p"]) >= wanted
        sizes.append(len(data))
    # Ten decibels are 1.7 bits of a value, and few values are more than nothing.
    few = np.count_nonzero(values > 1e-3 * values.std())
    assert all(8 * (b - a) < 2 * 1.7 * few for a, b in itertools.pairwise(sizes)), (sizes, few)


def test_outliers_that_are_features_count_in_the_snr() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(400, 32)).astype(np.float32)
    values[::20, 5] = 60  # a tenth of a percent, and a part of the variance
    data = fc.save({"x": values}, snr=12, layout="ND")
    assert 12 <= snr(values, fc.load(data)["x"]) < 12.3


def test_few_values_that_hold_most_of_the_variance_are_massive() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(400, 32)).astype(np.float32)
    values[::100, 5] = -800
    data, (group,) = encoded({"x": values}, snr=12, layout="ND")
    assert group.lossy is not None and group.lossy.clipped == 4
    back, rest = fc.load(data)["x"], values > -100
    np.testing.assert_array_equal(back[~rest], values[~rest])
    assert 12 <= snr(values[rest], back[rest]) < 12.3


@pytest.mark.long
@pytest.mark.parametrize("rows", [5, 120])
@pytest.mark.parametrize("wanted", [10, 30])
def test_large_probabilities_are_features_however_few_they_are(rows: int, wanted: float) -> None:
    rng = np.random.default_rng(rows)
    logits = rng.normal(size=(rows, 1000))
    places = np.arange(rows), rng.integers(0, 1000, rows)
    logits[places] += rng.uniform(14, 20, rows)
    powers = np.exp(logits)
    values = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    data, (group,) = encoded({"p": values}, snr=wanted)
    assert group.lossy is None or not group.lossy.clipped
    assert snr(values, fc.load(data)["p"]) >= wanted
    # A place and a value for each row, and what says how they are coded.
    assert len(data) < 500 + rows * (math.log2(1000) + wanted / 6) / 8 * 1.5


def test_lines_that_move_slowly_over_frames_have_no_channels() -> None:
    rng = np.random.default_rng(1)
    start = np.repeat(rng.uniform(20, 220, (30, 1)), 20, axis=0)  # of each tone
    middle = start + np.cumsum(rng.normal(size=(600, 1)), axis=0) % 10
    values = np.exp(-((np.arange(240) - middle) ** 2) / 18) * rng.uniform(0.3, 1, (600, 1))
    values = (values + 1e-4 * rng.random(values.shape)).astype(np.float32)
    data, (group,) = encoded({"p": values}, snr=20)
    assert group.lossy is not None and not set(group.lossy.layout) & set("CD")
    assert len(data) < 0.95 * len(fc.save({"p": values}, snr=20, layout="LD"))


@pytest.mark.parametrize(
    "wanted",
    [20, pytest.param(45, marks=pytest.mark.long), pytest.param(70, marks=pytest.mark.long)],
)
def test_codes_take_no_more_with_loss_than_bit_for_bit(wanted: float) -> None:
    rng = np.random.default_rng(4)
    codes = rng.integers(1, 40, (16, 2048)) / 4
    values = np.where(rng.random(codes.shape) < 0.02, codes, 0).astype(np.float32)
    lossless = len(fc.save({"x": values}, lossless=True))
    assert len(fc.save({"x": values}, snr=wanted)) <= lossless


def test_pictures_of_one_layer_are_one_group_and_layers_are_not() -> None:
    rng = np.random.default_rng(5)
    mix = rng.normal(size=(2, 24, 24))
    pictures = {
        f"image_{i}.stage4": np.einsum("cd,dhw->chw", mix[0], rng.normal(size=(24, 12, 10 + i)))
        + 0.5 * rng.normal(size=(24, 1, 1))
        for i in range(6)
    }
    means = 4 * rng.normal(size=(2, 24, 1))
    layers = {f"layers.{i}.out": mix[i] @ rng.normal(size=(24, 4000)) + means[i] for i in range(2)}
    for tensors, layout, count in ((pictures, "CHW", 1), (layers, "DL", 2)):
        _, groups = encoded(
            {name: x.astype(np.float32) for name, x in tensors.items()}, snr=10, layout=layout
        )
        assert len(groups) == count


@pytest.mark.long
def test_a_profile_is_trained_in_the_layout_in_which_dumps_are_encoded() -> None:
    values = np.ascontiguousarray(mixed(40 * 300, 24, 4).reshape(40, 300, 24).transpose(0, 2, 1))
    known = train([Arrays({"x": (values[:20], "F32")}, None)], Options())
    assert {entry.layout for entry in known} <= {"NCL", "NDL"}
    profile = Profile.parse(Profile.pack(known))
    with_profile = fc.save({"x": values[20:]}, snr=8, profile=profile)
    assert len(with_profile) < len(fc.save({"x": values[20:]}, snr=8))


def padded_maps(channels: int, weakest: float) -> np.ndarray:
    """Maps (samples, channels, 8, 8) with weak borders, channels of unlike scale."""
    rng = np.random.default_rng(0)
    smooth = rng.normal(size=(36 * 64 // channels, channels, 8, 8))
    for axis in (2, 3):
        smooth = smooth + 0.9 * (np.roll(smooth, 1, axis) + np.roll(smooth, -1, axis))
    border = np.array([weakest, 0.5, 1, 1, 1, 1, 0.5, weakest])
    scales = rng.permutation(np.geomspace(0.05, 5, channels))
    maps = np.maximum(smooth, 0) * scales[:, None, None] * border[:, None] * border
    return maps.astype(np.float32)


# All pairs of axes, channels and borders.
MAPS = [("NCHW", 16, 0.05), ("NCHW", 64, 0.2), ("NHWC", 16, 0.2), ("NHWC", 64, 0.05)]


@pytest.mark.long
@pytest.mark.parametrize(("axes", "channels", "weakest"), MAPS)
def test_maps_with_weak_borders_and_unlike_channels_are_read_as_maps(
    axes: str, channels: int, weakest: float
) -> None:
    """Nobody says what they are; zero padding and weak channels look like layers."""
    maps = padded_maps(channels, weakest)
    maps = maps if axes == "NCHW" else np.ascontiguousarray(np.moveaxis(maps, 1, 3))
    found, stated = (len(fc.save({"x": maps}, snr=10, layout=read)) for read in (None, axes))
    assert found < 1.05 * stated


@pytest.mark.long
def test_a_tensor_of_maps_for_each_sample_is_read_as_all_in_one_are() -> None:
    maps = padded_maps(64, 0.2)
    each = {f"image_{i}": maps[i : i + 1] for i in range(len(maps))}
    found, stated = (len(fc.save(each, snr=10, layout=read)) for read in (None, "NCHW"))
    assert found < 1.05 * stated


@pytest.mark.parametrize(
    "length",
    [
        64,
        pytest.param(63, marks=pytest.mark.long),
        pytest.param(100, marks=pytest.mark.long),
        pytest.param(130, marks=pytest.mark.long),
    ],
)
def test_text_as_long_as_a_grid_is_a_sequence(length: int) -> None:
    """Padding comes back exactly then, and no file is larger than that of `NLD:0`."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(8, length, 64))
    for i in range(1, length):
        values[:, i] = 0.5 * values[:, i - 1] + 0.87 * values[:, i]
    tokens = np.float32(values @ rng.normal(size=(64, 64)))
    for row in tokens:
        row[rng.integers(length // 4, length) :] = 0
    stated = len(fc.save({"x": tokens}, snr=10, layout="NLD:0"))
    for layout in (None, "NLD"):
        data = fc.save({"x": tokens}, snr=10, layout=layout)
        assert not fc.load(data)["x"][tokens == 0].any()
        assert len(data) <= stated


def test_channels_whose_scales_fall_little_by_little_are_of_one_layer() -> None:
    rng = np.random.default_rng(0)
    tokens = np.float32(rng.normal(size=(48, 60, 64)) * np.geomspace(1, 0.02, 64))
    found = len(fc.save({"x": tokens}, snr=10))
    assert found < 1.02 * len(fc.save({"x": tokens}, snr=10, layout="NLD:0"))


@pytest.mark.long
def test_keys_and_values_that_differ_in_correlations_alone_are_coded_apart() -> None:
    rng = np.random.default_rng(0)
    mixing = [np.linalg.qr(rng.normal(size=(64, 64)))[0] * np.geomspace(1, 0.03, 64) for _ in "kv"]
    turned = [each @ np.linalg.qr(rng.normal(size=(64, 64)))[0] for each in mixing]
    cache = {
        f"layers.{layer}.{name}": np.float32(rng.normal(size=(1, 400, 64)) @ turned[i])
        for layer in range(3)
        for i, name in enumerate("kv")
    }
    halves = [{k: x for k, x in cache.items() if k.endswith(name)} for name in "kv"]
    apart = sum(len(fc.save(half, snr=10)) for half in halves)
    assert len(fc.save(cache, snr=10)) < 1.03 * apart


@pytest.mark.parametrize("named", ["files", "digests"])
def test_samples_named_by_words_take_as_many_bytes_as_numbered_ones(named: str) -> None:
    """Of layers of sentences of 24 to 65 tokens, each alone has another best layout."""
    rng = np.random.default_rng(0)
    lines = np.cumsum([0, 36, 24, 31, 50, 28, 44, 65, 39])
    noise = [rng.normal(size=(lines[-1], 24)) for _ in range(4)]
    x = np.stack([noise[0] + 0.3 * each for each in noise[1:]]) @ rng.normal(size=(24, 128))
    samples = [np.float32(x[:, a:b]) for a, b in itertools.pairwise(lines)]
    digests = [hashlib.sha256(bytes([i])).hexdigest() for i in range(len(samples))]
    words = ["cat", "dog", "house", "tree", "river", "stone", "cloud", "lamp"]
    names = {"files": [f"{word}.png" for word in words], "digests": digests}[named]
    numbered, _ = encoded({f"s{i}": x for i, x in enumerate(samples)}, snr=10)
    data, headers = encoded(dict(zip(names, samples, strict=True)), snr=10)
    assert len(headers) == 1
    assert len(data) < 1.01 * len(numbered) + len("".join(names))


def test_features_of_each_width_are_read_alike_whatever_they_are_called() -> None:
    """Names that tell nothing join no tensors of other channels, of which some axis is as long."""
    some = {name: mixed(100, 64, 4, i) for i, name in enumerate(["cat", "dog", "owl"])}
    more = {name: mixed(100, 48, 4, i) for i, name in enumerate(["red", "tan", "sky"])}
    apart = [encoded(each, snr=10) for each in (some, more)]
    both, headers = encoded(some | more, snr=10)
    assert [h.lossy for h in headers] == [h.lossy for _, (h,) in apart]
    assert len(both) <= sum(len(data) for data, _ in apart)


@pytest.mark.long
def test_a_tensor_of_another_width_leaves_others_their_channels() -> None:
    many = {f"t{i}": mixed(300, 64, 8, seed=i) for i in range(4)}
    alone, _ = encoded(many, snr=10)
    narrow = mixed(17, 16, 4)
    data, _ = encoded(many | {"t4": narrow}, snr=10)
    assert len(data) <= len(alone) + narrow.nbytes


def test_lengths_are_those_of_grids_by_accident_beside_others() -> None:
    """Of lines of 40 to 80 tokens those of 50 and 65 are as long as a grid behind a CLS token."""
    lines = np.cumsum([0, 40, 50, 60, 65, 80])
    x = np.stack([mixed(300, 48, 8, seed=i) for i in range(6)])
    _, headers = encoded({f"s{i}": x[:, a:b] for i, (a, b) in enumerate(
        itertools.pairwise(lines))}, snr=10)  # fmt: skip
    assert {header.lossy.grid for header in headers if header.lossy} == {()}
    assert len(headers) == 1
