"""Layers side by side in one tensor are mixed by a KLT across them, where they are alike."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import featcodec
import featcodec.numpy as fc
from featcodec.align.layout import Layout
from featcodec.encoding.layers import evened
from featcodec.encoding.tensors.group import Group
from featcodec.encoding.tensors.likely import likely_layouts
from featcodec.modes.layered import LayeredFields
from featcodec.modes.layered.coder import CODER, Layers
from featcodec.tensors import Tensor
from featcodec.transform.layered import Layered

from .vectors.edit import header_of

SNR = 15.0


def stream(layers: int, tokens: int, channels: int, seed: int = 0) -> np.ndarray:
    """Return (tokens, layers, channels) of layers of which each adds to the one before it."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(layers, channels, channels)) / channels**0.5
    added = rng.normal(size=(layers, tokens, channels)) * np.arange(1, channels + 1) ** -0.5
    added[1:] *= 0.3
    return np.einsum("ltk,lkc->ltc", added, mixing).cumsum(axis=0).transpose(1, 0, 2).astype("f4")


def transform_of(data: bytes) -> str:
    return header_of(data)[2].lossy.transform


def snrs(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    """Return the SNR of each index of an axis."""
    x, y = (np.moveaxis(a, axis, 0).reshape(a.shape[axis], -1).astype("f8") for a in (x, y))
    return 10 * np.log10(x.var(axis=1) / ((x - y) ** 2).mean(axis=1))


@st.composite
def layered(draw: st.DrawFn) -> Layers:
    """Reflectors of layers, of any magnitudes and numbers."""
    layers, each = draw(st.integers(2, 6)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    size = draw(st.sampled_from([0, 1, 9, 300]))
    counts = draw(st.lists(st.integers(0, each), min_size=layers, max_size=layers))

    def drawn(channels: int, count: int) -> np.ndarray:
        found = np.tril(rng.integers(-size, size + 1, (channels, count)))
        return found if found.any() else np.zeros((channels, 0), np.int64)

    mixing = np.tril(rng.integers(-size, size + 1, (layers, layers - 1)))
    return Layers(mixing, tuple(drawn(each, count) for count in counts))


@given(layered(), st.integers(1, 3))
def test_mixing_layers_keeps_squares_and_comes_back(own: Layers, size: int) -> None:
    channels = sum(len(vectors) for vectors in own.channels)
    rng = np.random.default_rng(channels)
    centre, values = rng.normal(size=channels), rng.normal(size=(channels, size, 4))
    transform = Layered(centre, *own.bases, "float64")
    latents = transform.forward(values.copy(), (size,))
    less = values - centre[:, None, None]
    np.testing.assert_allclose(np.vdot(latents, latents), np.vdot(less, less))
    np.testing.assert_allclose(transform.inverse(latents.copy(), (size,)), values, atol=1e-9)


@given(layered())
def test_reflectors_of_layers_are_read_as_they_were_written(own: Layers) -> None:
    fields = CODER.pack(own)
    assert isinstance(fields, LayeredFields)
    model = type("Model", (), {"fields": fields})
    again = CODER.unpack(model, sum(len(v) for v in own.channels), False)
    np.testing.assert_array_equal(again.mixing, own.mixing)
    for found, vectors in zip(again.channels, own.channels, strict=True):
        np.testing.assert_array_equal(found, vectors)


@pytest.mark.long
def test_layers_that_add_to_one_another_take_far_fewer_bytes_than_apart() -> None:
    x = stream(6, 600, 96)
    data = fc.save({"h": x}, snr=SNR)
    apart = fc.save({"h": x}, {"layout": "LKD"}, snr=SNR)
    assert transform_of(data) == "layered"
    assert len(data) < 0.75 * len(apart)


@pytest.mark.long
@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2)], ids=["tokens first", "layers first"])
def test_each_layer_has_the_quality_whatever_its_scale(axes: tuple[int, ...]) -> None:
    x = stream(5, 600, 96) * np.array([1, 4, 0.3, 2, 9], "f4")[:, None]
    x = np.ascontiguousarray(x.transpose(axes))
    data = fc.save({"h": x}, snr=SNR)
    assert transform_of(data) == "layered"
    assert snrs(x, fc.load(data)["h"], axes.index(1)).min() >= SNR - 1


@pytest.mark.long
@pytest.mark.parametrize("shape", [(6, 300, 96), (6, 200, 96), (4, 250, 64)], ids=str)
@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2)], ids=["tokens first", "layers first"])
def test_each_layer_has_the_quality_where_they_might_be_places_or_channels(
    shape: tuple[int, int, int], axes: tuple[int, ...]
) -> None:
    x = np.ascontiguousarray(stream(*shape).transpose(axes))
    back = fc.load(fc.save({"h": x}, snr=10))["h"]
    assert snrs(x, back, axes.index(1)).min() >= 10 - 1


def test_layers_that_have_nothing_in_common_are_not_mixed() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(600, 4, 96)) * np.arange(1, 97) ** -0.5
    x = np.einsum("tlk,lkc->tlc", x, rng.normal(size=(4, 96, 96))).astype("f4")
    assert transform_of(fc.save({"h": x}, {"layout": "LCD"}, snr=SNR)) != "layered"


@pytest.mark.long
def test_rows_of_layers_are_read_alone(tmp_path: Path) -> None:
    x = stream(6, 600, 96)
    fc.save_file({"h": x}, tmp_path / "h.fcz", {"layout": "LCD"}, snr=SNR, row_group="256kB")
    data = (tmp_path / "h.fcz").read_bytes()
    header = header_of(data)[2]
    assert header.lossy.transform == "layered"
    assert header.row_groups > 1
    whole = fc.load(data)["h"]
    with featcodec.safe_open(tmp_path / "h.fcz") as opened:
        np.testing.assert_array_equal(opened.get_slice("h")[400:410, 2], whole[400:410, 2])


def test_layers_made_alike_have_one_scale() -> None:
    x = stream(5, 200, 32) * np.array([1, 40, 0.03, 2, 9], "f4")[:, None]
    group = Group("F32", "generic", Layout("LCD"), ["h"], [x.shape], lambda _: x, "")
    gains = evened(group).slices
    assert gains is not None
    scales = x.std(axis=(0, 2)) / 2 ** (gains.exponents[0] / 16)
    np.testing.assert_allclose(scales, scales[1], rtol=0.05)
    assert evened(group, apart=12).slices is None


@pytest.mark.long
@pytest.mark.parametrize(("snr", "axes"), [(5.0, (0, 1, 2)), (10.0, (1, 0, 2))])
def test_states_of_unlike_scale_keep_their_quality_and_an_axis_of_one_tells_nothing(
    snr: float, axes: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(2)
    cell = rng.normal(size=(300, 12)) @ rng.normal(size=(12, 64))
    for i in range(1, len(cell)):
        cell[i] = 0.98 * cell[i - 1] + 0.2 * cell[i]
    hidden = (
        0.3 * np.tanh(cell) * rng.uniform(0.4, 0.6, cell.shape)
    )  # as an LSTM's, beside its cell
    x = np.ascontiguousarray(np.stack([hidden, cell], axis=1).transpose(axes), "f4")
    data = fc.save({"state": x}, snr=snr)
    assert snrs(x, fc.load(data)["state"], axes.index(1)).min() >= snr - 1
    with_one = fc.save({"state": x[:, :, None]}, snr=snr)
    assert len(with_one) == pytest.approx(len(data), abs=8)


@pytest.mark.parametrize(
    "snr",
    [5.0, pytest.param(10.0, marks=pytest.mark.long), pytest.param(20.0, marks=pytest.mark.long)],
)
def test_states_that_have_little_in_common_take_no_more_together_than_apart(snr: float) -> None:
    """Hidden and cell states of a recurrent network, of which few channels are by far the largest.

    In a basis of both, neither has its quality in few bits.
    """
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(3000, 64))
    hidden = np.tanh(0.02 * rng.normal(size=(3000, 64)).cumsum(axis=0) + steps)
    cell = hidden * rng.uniform(0.2, 1, hidden.shape)
    cell[:, ::17] *= rng.uniform(4, 60, 4)
    each = [x.astype("f4") for x in (hidden, cell)]
    apart = sum(len(fc.save({"x": x}, snr=snr, layout="LD")) for x in each)
    assert len(fc.save({"states": np.stack(each)[:, None]}, snr=snr)) < 1.05 * apart


def test_layers_that_are_much_alike_may_have_more_channels_than_other_tokens() -> None:
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(20, 40, 256)) * ([[1]] + [[0.2]] * 39)
    for x, are_layers in ((steps.cumsum(axis=1), True), (steps, False)):
        tensor = Tensor("h", "F32", x.shape, lambda x=x: x.astype("f4").ravel())
        assert (Layout("LCD") in likely_layouts([tensor])) == are_layers


@pytest.mark.long
def test_rows_of_square_maps_are_no_layers() -> None:
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(12, 8, 14, 14))
    for axis in (2, 3):
        maps = np.apply_along_axis(np.convolve, axis, maps, [0.25, 0.5, 0.25], "same")
    mixed = np.einsum("nchw,cd->nhwd", maps, rng.normal(size=(8, 32)))
    last = np.maximum(mixed, 0).astype(np.float32)
    first = np.ascontiguousarray(last.transpose(0, 3, 1, 2))
    # A promise to each row takes a twentieth more.
    sizes = [len(fc.save({"x": x}, snr=20)) for x in (last, first)]
    assert sizes[0] < 1.01 * sizes[1]


@pytest.mark.parametrize("batch", [True, False])
def test_heads_of_a_short_cache_have_the_snr_each(batch: bool) -> None:
    """Of unlike scale; they have too few values for models of their own."""
    rng = np.random.default_rng(5)
    axes = rng.normal(size=(12, 1, 32, 32)) * 2.0 ** (-np.arange(32) / 6)[:, None]
    tokens = rng.normal(size=(12, 90, 32))
    tokens[:, 1:] += tokens[:, :-1]  # neighbours are alike, as keys are
    heads = np.einsum("htk,hkd->htd", tokens, axes[:, 0]) * np.geomspace(0.1, 10, 12)[:, None, None]
    x = heads.astype("f4")[None] if batch else heads.astype("f4")
    back = fc.load(fc.save({"key": x}, snr=10))["key"]
    assert snrs(x.reshape(heads.shape), back.reshape(heads.shape), 0).min() >= 9 - 0.01
