"""Samples that are padded to one length take as many bytes as without padding, which stays."""

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec import Quality, encode_file, safe_open
from featcodec.cli.info import describe
from featcodec.encoding.tensors.margins import Box
from featcodec.encoding.tensors.ragged import LEAST_PADDING, LEAST_TOKENS, LEAST_VALUES, Ragged
from featcodec.request import Options
from featcodec.tensors import Tensor
from featcodec.writing.chunk import Known, encode_chunk
from featcodec.writing.wish import Wish

from .test_stacks import LAYERS, SNR, each, of_layers, snr, stacks_of

LENGTHS = (60, 25, 41, 34)
CHANNELS = 24
MORE = 400  # bytes of padding, cuts, and gains of parts


def tensor_of(x: np.ndarray) -> Tensor:
    return Tensor("x", "F32", x.shape, lambda: x.reshape(-1))


@st.composite
def batches(draw: st.DrawFn) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Return samples (samples, tokens, channels) of one length, and where each is no padding."""
    count, length, width = (draw(st.integers(*of)) for of in ((2, 9), (LEAST_TOKENS, 30), (16, 24)))
    spans, rng = [], np.random.default_rng(draw(st.integers(0, 9)))
    x = np.full((count, length, width), draw(st.sampled_from([0.0, -1e4])), "f4")
    for sample in x:
        first = draw(st.integers(0, length - 1))
        last = draw(st.integers(first + 1, length))
        sample[first:last] = rng.normal(1, 0.1, (last - first, width))
        spans.append((first, last))
    return x, spans


@given(batches(), st.permutations(range(3)))
def test_samples_of_unlike_lengths_are_shown_one_behind_the_other(
    found: tuple[np.ndarray, list[tuple[int, int]]], order: list[int]
) -> None:
    x, spans = found
    tensor = tensor_of(np.ascontiguousarray(x.transpose(order)))
    ragged, true = Ragged.of(tensor), sum(last - first for first, last in spans)
    little = 1 - true / x[..., 0].size < LEAST_PADDING or true * x.shape[2] < LEAST_VALUES
    if little or len(set(spans)) < 2:
        assert ragged is None
        return
    assert ragged is not None
    back = np.full(tensor.shape, x.min() if x.min() < -100 else 0, "f4")
    parts = ragged.parts(tensor)
    for part in parts:
        back[part.where] = part.array()
    np.testing.assert_array_equal(back, tensor.array())
    assert sum(part.array().size for part in parts) == true * x.shape[2]
    if (ragged.samples, ragged.tokens) == (order.index(0), order.index(1)):  # else a staircase
        joined = [sample[a:b] for sample, (a, b) in zip(x, spans, strict=True)]
        shown = ragged.shown(tensor, x.size).array()
        np.testing.assert_array_equal(shown, np.concatenate(joined)[None].transpose(order))


@given(st.integers(0, 99), st.floats(0.3, 0.9))
def test_sparse_maps_are_no_padded_samples(seed: int, zeros: float) -> None:
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.normal(size=(6, 32, 8, 8)), 0).astype("f4")
    x[rng.random((6, 32)) < zeros] = 0
    x[:, ::5] += 1  # a channel in the middle that is alive stands before and behind dead ones
    assert Ragged.of(tensor_of(x)) is None


def test_what_all_samples_have_in_common_is_a_box() -> None:
    x = np.zeros((6, 40, 32), "f4")
    x[:, :30] = np.random.default_rng(0).normal(size=(6, 30, 32))
    x[4] = 0
    assert Ragged.of(tensor_of(x)) is None
    assert Box.of(tensor_of(x)) is not None


@given(batches(), st.permutations(range(3)), st.integers(0, 99))
def test_padding_by_a_mask_is_padding_whatever_the_signs_of_its_zeros(
    found: tuple[np.ndarray, list[tuple[int, int]]], order: list[int], seed: int
) -> None:
    x, _ = found
    signs = np.random.default_rng(seed).choice([-1, 1], x.shape).astype("f4")
    masked = np.where(x == 0, x * signs, x)
    plain, other = (tensor_of(np.ascontiguousarray(a.transpose(order))) for a in (x, masked))
    assert Ragged.of(other) == Ragged.of(plain)
    assert Box.of(other) == Box.of(plain)


@pytest.mark.long
@pytest.mark.parametrize(
    ("shape", "kind"),
    [((12, 40, 32), "f2"), ((12, 40, 32), "f4"), ((77, 96), "f4"), ((3, 12, 40, 32), "f2")],
)
def test_padding_by_a_mask_costs_as_much_as_other_padding(shape: tuple, kind: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).cumsum(0).astype(kind)
    for lengths in (np.array([30]), rng.integers(8, 40, 12))[: len(shape) - 1]:
        mask = (np.arange(shape[-2]) < lengths[:, None])[..., None].reshape(-1, shape[-2], 1)
        mask = np.broadcast_to(mask[0] if len(shape) == 2 else mask, shape)
        data = fc.save({"h": x * mask}, snr=10)
        assert np.signbit(x * mask)[~mask].any()
        assert len(data) <= len(fc.save({"h": np.where(mask, x, x.dtype.type(0))}, snr=10))
        theirs = np.frombuffer(reference.decode(data).tensors["h"].data, kind).reshape(shape)
        for back in (fc.load(data)["h"], theirs):
            assert (back[~mask] == 0).all()
        exact = fc.load(fc.save({"h": x * mask}, lossless=True))["h"]
        assert exact.tobytes() == (x * mask).tobytes()


# ---- What it comes to ----------------------------------------------------------------------------


@cache
def batch(left: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return (layers, samples, tokens, channels) with padding, and which tokens are true."""
    layers, first = of_layers(sum(LENGTHS), CHANNELS), 0
    x = np.zeros((LAYERS, len(LENGTHS), max(LENGTHS), CHANNELS), "f4")
    for i, length in enumerate(LENGTHS):
        at = slice(max(LENGTHS) - length, None) if left else slice(0, length)
        x[:, i, at] = layers[:, first : first + length]
        first += length
    return x, (x[0] != 0).any(axis=-1)


@cache
def bytes_without(in_one: bool) -> int:
    x = of_layers(sum(LENGTHS), CHANNELS)
    return len(fc.save({"h": x} if in_one else each(x), snr=SNR))


ARRANGED = {
    "a tensor a layer": ((0, 1, 2, 3), False),
    "padded in front": ((0, 1, 2, 3), True),
    "[L, B, T, D]": ((0, 1, 2, 3), False),
    "[B, L, T, D]": ((1, 0, 2, 3), False),
    "[B, T, L, D]": ((1, 2, 0, 3), False),
}


@pytest.mark.parametrize("name", ARRANGED)
def test_padded_samples_of_layers_take_as_many_bytes_as_without(name: str) -> None:
    order, left = ARRANGED[name]
    x, true = batch(left)
    arrays = {"h": np.ascontiguousarray(x.transpose(order))} if name[0] == "[" else each(x)
    data = fc.save(arrays, snr=SNR)
    assert len(data) <= 1.03 * bytes_without(name[0] == "[") + MORE
    back, decoded = fc.load(data), reference.decode(data).tensors
    for key, stored in arrays.items():
        theirs = np.frombuffer(decoded[key].data, "f4").reshape(stored.shape)
        np.testing.assert_allclose(theirs, back[key], atol=1e-5)
    if name[0] == "[":
        layers = back["h"].transpose(np.argsort(order))
    else:
        layers = np.stack(list(back.values()))
    assert (layers[:, ~true] == 0).all()
    assert min(snr(a[true], b[true]) for a, b in zip(x, layers, strict=True)) >= SNR - 1


def test_one_padded_layer_takes_as_many_bytes_as_without() -> None:
    x, true = batch()
    for asked in (8, 20):
        data = fc.save({"h": x[1]}, snr=asked)
        assert len(data) <= 1.03 * len(fc.save({"h": x[1][true]}, snr=asked)) + MORE
        assert (fc.load(data)["h"][~true] == 0).all()


@pytest.mark.long
def test_batches_of_layers_are_stacked_in_either_order() -> None:
    x, _ = batch()
    other = np.ascontiguousarray(x[:, ::-1])
    for names in ("batch_{b}.layers.{l}", "layers.{l}.batch_{b}"):
        arrays = {
            names.format(b=b, l=i): layer
            for b, some in enumerate((x, other))
            for i, layer in enumerate(some)
        }
        data = fc.save(dict(sorted(arrays.items())), snr=SNR)
        (count, _), *_ = (found for found in stacks_of(data) if found)
        assert count == LAYERS
        for name, back in fc.load(data).items():
            assert (back[(arrays[name] == 0).all(axis=-1)] == 0).all()


def test_samples_of_padded_layers_are_those_of_the_whole(tmp_path: Path) -> None:
    x, _ = batch()
    path, name = tmp_path / "x.fcz", next(iter(each(x)))
    fc.save_file(each(x), path, snr=SNR)
    whole = fc.load_file(path)[name]
    with safe_open(path) as file:
        for index in (slice(0, 2), slice(1, 2), slice(3, 9), slice(2, 2), 1, -1):
            np.testing.assert_array_equal(file.get_slice(name)[index], whole[index])


def test_padded_layers_are_verified_and_one_snr_holds_for_all_of_each(tmp_path: Path) -> None:
    x, true = batch()
    dump, coded = tmp_path / "x.safetensors", tmp_path / "x.fcz"
    save_file(each(x), dump)
    report = encode_file(dump, coded, Quality(snr=SNR), verify=True)
    (first, *_) = describe(str(coded))["tensors"]
    assert (first["layout"], first["stacked"], first["shape"]) == ("NLD", LAYERS, [*x.shape[1:]])
    assert report.lowest.tensor is not None
    name, stated = report.lowest.tensor
    back, number = fc.load_file(coded)[name], list(each(x)).index(name)
    assert snr(x[number][true], back[true]) == pytest.approx(stated, abs=0.02)


@pytest.mark.long
def test_layers_that_go_on_are_cut_as_before() -> None:
    x, _ = batch()
    wish, known = Wish(Quality(snr=SNR), None, Options(), None), Known()
    for some in (x, x[:, ::-1, ::-1]):
        tensors = {name: (np.ascontiguousarray(y), "F32") for name, y in each(some).items()}
        _, coded = encode_chunk(tensors, wish, known, io.BytesIO())
        assert not known.unlike(coded)
        known.add(coded)


@pytest.mark.long
def test_utterances_of_any_length_are_one_group_bit_for_bit_too() -> None:
    """What nothing refines is told by neighbours that are alike in all of them."""
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(64, 64))
    x = {
        f"utterance_{i}": (axes @ rng.normal(size=(64, n)))[None].round(1).astype("f2")
        for i, n in enumerate((1030, 1200, 1410))
    }
    data = fc.save(x, None, lossless=True)
    assert len(stacks_of(data)) == 1
    assert len(data) < sum(
        len(fc.save({name: one}, None, lossless=True)) for name, one in x.items()
    )
    for name, back in fc.load(data).items():
        np.testing.assert_array_equal(back, x[name])
