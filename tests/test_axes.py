"""Axes that nobody states are read alike, however the same values are arranged or named."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import featcodec.numpy as fc
from featcodec.container.reader import Reader
from featcodec.dumps import Dump
from featcodec.encoding.tensors.attention import is_attention
from featcodec.encoding.tensors.brightness import are_samples
from featcodec.tensors import Tensor

from .producers import maps, tokens

SNR = 12.0


def snr_of(x: np.ndarray, y: np.ndarray) -> float:
    return 10 * float(np.log10(np.square(x - x.mean()).mean() / np.square(x - y).mean()))


def layouts(data: bytes) -> list[str]:
    groups = Reader(io.BytesIO(data), "file").groups()
    return [group.lossy.layout for group in groups if group.lossy]


def film() -> np.ndarray:
    """Return (time, rows, columns, channels) that move slowly."""
    frames = maps(32, 24, 12, 20).reshape(32, 24, 12, 20)
    for _ in range(4):
        frames = (np.roll(frames, 1, 0) + 2 * frames + np.roll(frames, -1, 0)) / 4
    mixing = np.random.default_rng(0).normal(size=(24, 24)) * np.arange(1, 25) ** -0.5
    return np.moveaxis(frames, 1, 3) @ mixing


FILMS = {
    "[T, H, W, C]": ((0, 1, 2, 3), False),
    "[T, C, H, W]": ((0, 3, 1, 2), False),
    "[1, T, H, W, C]": ((0, 1, 2, 3), True),
    "[1, T, C, H, W]": ((0, 3, 1, 2), True),
}


@pytest.fixture(scope="module")
def of_film() -> int:
    return len(fc.save({"x": film().astype("f4")}, snr=SNR, layout="THWC"))


@pytest.mark.parametrize("name", FILMS)
def test_time_of_a_film_is_a_place_wherever_it_stands(name: str, of_film: int) -> None:
    order, batch = FILMS[name]
    x = np.ascontiguousarray(film().transpose(order), np.float32)
    assert len(fc.save({"x": x[None] if batch else x}, snr=SNR)) < 1.03 * of_film


def test_pictures_of_a_batch_are_no_film() -> None:
    x = film()[np.random.default_rng(1).permutation(32)].astype("f4")
    assert layouts(fc.save({"x": x}, snr=SNR)) == ["NHWC"]


def test_sounds_of_any_length_are_read_alike_whatever_they_are_called() -> None:
    """Names that tell nothing: what differs from one to the next is no number of channels."""
    lines = [tokens(9 + 5 * i % 13, 200, scale=1 + i / 99).T for i in range(24)]
    lines = [np.ascontiguousarray(x, np.float32) for x in lines]
    names = [hashlib.md5(bytes([i])).hexdigest() for i in range(len(lines))]
    numbered = fc.save({f"sound_{i}": x for i, x in enumerate(lines)}, snr=SNR)
    data = fc.save(dict(zip(names, lines, strict=True)), snr=SNR)
    assert layouts(data) == layouts(numbered)
    assert len(data) < 1.01 * len(numbered) + len("".join(names))


@pytest.mark.long
def test_a_channel_far_from_the_others_is_no_row_of_many_places() -> None:
    """Of the values of a wide network of one dimension, one channel lies 90 below and varies."""
    x = np.random.default_rng(4).normal(size=(6, 32, 1500))
    x[:, 12] = 5 * x[:, 12] - 90
    x = x.astype("f4")
    sizes = [len(fc.save({"x": x}, snr=10, layout=layout)) for layout in ("NCL", None)]
    assert sizes[1] < 1.03 * sizes[0] < 1500


def test_many_channels_unlike_in_scale_of_large_maps_are_coded() -> None:
    """Of so many values only some channels are looked at."""
    x = maps(6, 64, 48, 48) * np.geomspace(1, 50, 64)[:, None, None]
    data = fc.save({"x": x.astype("f4")}, snr=10)
    assert snr_of(x, fc.load(data)["x"]) >= 10


def test_layers_of_many_widths_for_the_same_tokens_keep_their_channels() -> None:
    """Four widths are those of layers: their tokens, as many in all, are no channels."""
    found = {
        name: tokens(300, width, seed=i).astype("f4")
        for i, (name, width) in enumerate(zip(["stem", "mid", "neck", "head"], (32, 48, 64, 96)))
    }
    assert set(layouts(fc.save(found, snr=SNR))) <= {"LD", "ND"}


@pytest.mark.parametrize("left", [False, True])
def test_fewer_true_tokens_than_channels_are_channels_of_no_padded_batch(left: bool) -> None:
    """They are as many in no sample; their places in a batch are, and would hold padding."""
    samples = [tokens(5 + 7 * i % 9, 200, seed=i) for i in range(14)]
    x = np.zeros((14, 40, 200), "f4")
    for sample, true in zip(x, samples, strict=True):
        sample[slice(-len(true), None) if left else slice(0, len(true))] = true
    data = fc.save({"h": x}, snr=SNR)
    assert (fc.load(data)["h"][(x == 0).all(axis=-1)] == 0).all()
    one = {"h": np.concatenate(samples).astype("f4")}
    assert len(data) < 1.05 * len(fc.save(one, snr=SNR))


def layered_cache() -> np.ndarray:
    """Return (layers, keys and values, heads, tokens, channels); values grow, keys do not."""
    rng, features = np.random.default_rng(0), tokens(96, 96)
    x = np.stack([features @ rng.normal(size=(96, 48)) for _ in range(3 * 2 * 2)])
    x = x.reshape(3, 2, 2, 96, 48)
    x[:, 1] *= np.array([0.02, 0.1, 0.5])[:, None, None, None]
    return x.astype("f4")


def test_layers_whose_values_are_unlike_where_keys_are_not_have_the_quality_each() -> None:
    x = layered_cache()
    back = fc.load(fc.save({"kv": x}, snr=SNR))["kv"]
    assert min(snr_of(a, b) for a, b in zip(x[:, 1], back[:, 1], strict=True)) > SNR - 1.05


def attention(sharp: float) -> np.ndarray:
    """Return (heads, tokens, tokens) of which the later are sharper."""
    rng, features = np.random.default_rng(0), tokens(48, 96)
    found = []
    for head in range(4):
        query, key = (features @ rng.normal(size=(96, 16)) / 40 for _ in range(2))
        weights = np.exp(sharp * (1 + head) * query @ key.T)
        found.append(weights / weights.sum(axis=1, keepdims=True))
    return np.array(found, "f4")


@pytest.mark.parametrize("causal", [False, True])
def test_heads_of_attention_are_maps_side_by_side_and_have_the_quality_each(causal: bool) -> None:
    """As tensors of their own, or as queries of unlike lengths, they took more bytes."""
    x = np.stack([attention(0.2), attention(0.3)])
    x = np.tril(x) if causal else x
    x = (x / x.sum(axis=-1, keepdims=True)).astype("f4")
    data = fc.save({"attentions": x[:, None]}, snr=SNR)
    assert layouts(data) in (["NNHW"], [])  # of a layer; or levels, which have no layout
    back = fc.load(data)["attentions"][:, 0]
    heads = zip(x.reshape(-1, 48, 48), back.reshape(-1, 48, 48), strict=True)
    assert min(snr_of(a, b) for a, b in heads) > SNR - 1.05


def test_heads_of_one_layer_have_the_quality_each() -> None:
    x = attention(0.2)
    back = fc.load(fc.save({"attention": x}, snr=SNR))["attention"]
    assert min(snr_of(x[i], back[i]) for i in range(4)) > SNR - 1.05


def test_attention_is_known_in_a_file_of_which_pieces_are_read(tmp_path: Path) -> None:
    x = attention(0.2)[None]
    for path, values in ((tmp_path / "a", x), (tmp_path / "b", x - 0.01)):
        save_file({"x": values}, path)
        assert is_attention(Dump(path).tensors[0]) == (values is x)


@pytest.mark.long
def test_padded_heads_unlike_in_scale_come_back() -> None:
    """Layers of few tokens lie in parts, of which only the true tokens were shown."""
    x = np.random.default_rng(0).normal(size=(4, 3, 4, 48, 48))
    x = np.tril(x * 4.0 ** np.arange(4)[:, None, None]).astype("f4")
    back = fc.load(fc.save({"scores": x}, snr=SNR))["scores"]
    assert snr_of(x, back) > SNR - 0.05


def spectrum(weak: float) -> np.ndarray:
    """Return (samples, channels, rows, columns, 2): real parts, and imaginary ones so weak."""
    found = np.fft.rfft2(maps(8, 16, 12, 12), norm="ortho")
    return np.stack([found.real, weak * found.imag], axis=-1).astype("f4")


@pytest.mark.long
def test_a_weak_part_of_complex_numbers_has_the_quality_too() -> None:
    x = spectrum(0.3)
    back = fc.load(fc.save({"spectrum": x}, snr=SNR))["spectrum"]
    assert min(snr_of(x[..., i], back[..., i]) for i in range(2)) > SNR - 1.05


@pytest.mark.long
def test_frequencies_are_no_layers() -> None:
    """They fall off in scale as layers may, and took twice the bytes when cut apart."""
    x = spectrum(1.0)
    stated = len(fc.save({"spectrum": x}, snr=SNR, layout="NCHWK"))
    assert len(fc.save({"spectrum": x}, snr=SNR)) < 1.03 * stated


def test_tokens_of_a_film_are_a_grid_with_time_before_and_behind_their_channels() -> None:
    x = film().reshape(32, 240, 24)[:16, 60:124]
    x = np.ascontiguousarray(x.reshape(1, 16, 64, 24).transpose(0, 1, 3, 2), np.float32)
    stated = len(fc.save({"x": x}, snr=SNR, layout="NTCL"))
    assert len(fc.save({"x": x}, snr=SNR)) < 1.03 * stated


@pytest.mark.parametrize("spread", [0.1, 0.2])
def test_a_weak_part_has_the_quality_where_others_are_nearly_alike(spread: float) -> None:
    random = np.random.default_rng(0)
    scales = np.repeat([1, 0.45, 0.02], 32) * np.exp(spread * random.normal(size=96))
    x = (random.normal(size=(1024, 96)) * scales).astype("f4")
    back = fc.load(fc.save({"x": x}, snr=20))["x"]
    assert min(snr_of(x[:, a : a + 32], back[:, a : a + 32]) for a in (0, 32, 64)) > 19


def test_vectors_beside_scalars_are_no_layer() -> None:
    """Of the vectors of a graph's nodes some are far weaker than others: one SNR is of all."""
    random = np.random.default_rng(0)
    scales = np.exp(np.repeat([0, -3], (128, 352)) + 0.7 * random.normal(size=480))
    x = (random.normal(size=(512, 480)) * scales).astype("f4")
    sizes = [len(fc.save({"x": x}, snr=10, layout=axes)) for axes in ("ND", None)]
    assert sizes[1] < 1.03 * sizes[0]


def smooth(count: int, channels: int, rng: np.random.Generator) -> np.ndarray:
    """Return maps (count, 16, 16, channels) whose places are alike, of one scale."""
    found = np.cumsum(np.cumsum(rng.normal(size=(count, 40, 40, channels)), 1), 2)[:, 24:, 24:]
    return (found - found.mean((1, 2), keepdims=True)) / found.std((1, 2), keepdims=True)


@pytest.mark.parametrize(("layout", "last"), [("NHWC", True), ("NCHW", False)])
def test_pictures_of_unlike_contrast_are_no_layers(layout: str, last: bool) -> None:
    """Their channels are of like scales in each; an SNR of its own for each took a third more."""
    rng = np.random.default_rng(0)
    maps = smooth(24, 16, rng) * rng.lognormal(0, 0.7, 16) * rng.lognormal(0, 0.8, (24, 1, 1, 1))
    maps = np.float32(maps if last else np.moveaxis(maps, -1, 1))
    (found,) = layouts(fc.save({"x": maps}, snr=15, effort="fast"))
    assert sorted(found) == sorted(layout)  # samples and channels of noise are alike


@pytest.mark.parametrize(("layers", "channels"), [(6, 16), (3, 8), (2, 32)])
def test_layers_of_maps_with_nothing_in_common_have_the_quality_each(
    layers: int, channels: int
) -> None:
    rng = np.random.default_rng(layers)
    scales = 4.0 ** np.arange(layers).reshape(-1, 1, 1, 1)
    maps = smooth(layers, channels, rng) * rng.lognormal(0, 0.7, (layers, 1, 1, channels)) * scales
    maps = np.repeat(np.repeat(maps, 2, 1), 2, 2) + 0.01 * rng.normal(size=(1, 32, 32, channels))
    back = fc.load(fc.save({"x": np.float32(maps)}, snr=15, effort="fast"))["x"]
    assert min(map(snr_of, maps, back)) > 14 - 0.01


def test_layers_that_see_one_picture_have_the_quality_each() -> None:
    """A residual stream on its grid: its channels have like scales, and what they hold is alike."""
    rng = np.random.default_rng(0)
    scales, stream = rng.lognormal(0, 0.7, 64), np.zeros((16, 16, 64))
    layers = []
    for _ in range(6):
        stream = 1.4 * stream + scales * smooth(1, 64, rng)[0]
        layers.append(stream)
    maps = np.float32(layers)
    back = fc.load(fc.save({"x": maps}, snr=10, effort="fast"))["x"]
    assert min(map(snr_of, maps, back)) > 9 - 0.01


@given(st.integers(0, 999), st.integers(2, 8), st.sampled_from([2, 4, 8, 16, 64]))
@settings(max_examples=30, deadline=None)
def test_layers_are_hardly_ever_taken_for_samples(seed: int, layers: int, channels: int) -> None:
    rng = np.random.default_rng(seed)
    scales = 3.0 ** np.arange(layers).reshape(-1, 1, 1, 1)
    maps = smooth(layers, channels, rng) * rng.lognormal(0, 0.7, (layers, 1, 1, channels)) * scales
    tensor = Tensor("x", "F32", maps.shape, lambda: np.float32(maps).reshape(-1))
    assert not are_samples([tensor], 0)
