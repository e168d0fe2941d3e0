"""Tensors that are the layers of one stream, one each, are stacked where they are alike."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec import Quality, encode_file, safe_open
from featcodec.align.layout import Layout, LayoutError
from featcodec.align.stacks import StackedGrid, Stacks
from featcodec.cli.info import describe
from featcodec.cli.main import main
from featcodec.container.group import GroupHeader
from featcodec.container.reader import Reader
from featcodec.joining import append_file
from featcodec.request import Options

from .internals import row_groups
from .test_layers import snrs, stream
from .vectors.edit import resealed

SNR = 15.0
LAYERS, TOKENS = 6, 300


def of_layers(tokens: int = TOKENS, channels: int = 32, seed: int = 0) -> np.ndarray:
    """Return (layers, tokens, channels) of layers of which each adds to the one before it."""
    return np.ascontiguousarray(stream(LAYERS, tokens, channels, seed).transpose(1, 0, 2))


def each(x: Sequence[np.ndarray], name: str = "model.layers.{}.output") -> dict[str, np.ndarray]:
    return {name.format(i): layer for i, layer in enumerate(x)}


def headers(data: bytes) -> list[GroupHeader]:
    return Reader(io.BytesIO(data), "file").groups()


def stacks_of(data: bytes) -> list[tuple[int, int] | None]:
    found = [header.lossy and header.lossy.stacks for header in headers(data)]
    return [(one.count, one.distance) if one else None for one in found]


def snr(x: np.ndarray, y: np.ndarray) -> float:
    return float(snrs(x[None], y[None], 0)[0])


def by_reference(data: bytes, like: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tensors of a file of the types and shapes of others."""
    found = reference.decode(data).tensors
    return {k: np.frombuffer(found[k].data, x.dtype).reshape(x.shape) for k, x in like.items()}


# ---- The format ----------------------------------------------------------------------------------


@given(st.integers(2, 9), st.integers(1, 9), st.integers(1, 4))
def test_each_tensor_has_one_place_in_one_stack(count: int, distance: int, runs: int) -> None:
    stacks, tensors = Stacks(count, distance), range(count * distance * runs)
    places = [stacks.place(i) for i in tensors]
    assert sorted(places) == [(s, n) for s in range(distance * runs) for n in range(count)]
    assert [stacks.member(*place) for place in places] == list(tensors)


@given(st.sampled_from(["LD", "DL", "NLD", "NCD"]), st.integers(2, 4), st.integers(1, 2))
def test_a_stack_is_as_one_tensor_of_all_channels(axes: str, count: int, distance: int) -> None:
    layout, stacks = Layout(axes), Stacks(count, distance)
    shapes = [(2, 3, 5)[-len(axes) :]] * (count * distance)
    tensors = [np.random.default_rng(i).normal(size=shape) for i, shape in enumerate(shapes)]
    beside = [
        np.stack([tensors[stacks.member(s, n)] for n in range(count)]) for s in range(distance)
    ]
    block = (1,) * layout.grid_axes
    grid = StackedGrid(layout, shapes, block, stacks)
    whole = StackedGrid.__base__(Layout("C" + axes), [x.shape for x in beside], block)
    assert grid.slabs == whole.slabs
    for key, boxes in grid.boxes(0, grid.slabs).items():
        found = grid.collect(boxes, tensors.__getitem__, np.asarray)
        wanted = whole.collect(whole.boxes(0, grid.slabs)[key], beside.__getitem__, np.asarray)
        np.testing.assert_array_equal(found, wanted)
        back: list = [np.zeros(shape) for shape in shapes]
        back[1] = None
        grid.scatter(found, boxes, back.__getitem__)
        assert all(b is None or (a == b).all() for a, b in zip(tensors, back, strict=True))


def test_tensors_that_fill_no_stack_are_refused() -> None:
    for shapes in ([(4, 2)] * 5, [(4, 2), (4, 2), (5, 2), (4, 2)]):
        with pytest.raises(LayoutError, match="stack"):
            StackedGrid(Layout("LD"), shapes, (1,), Stacks(2))


# ---- Arrangement does not matter -----------------------------------------------------------------


def of_samples(*names: str) -> dict[str, np.ndarray]:
    """Return the layers of two samples of unlike lengths."""
    samples = [of_layers(160), of_layers(140)]
    return {
        name.format(s=s, l=i): layer
        for name in names
        for s, x in enumerate(samples)
        for i, layer in enumerate(x)
    }


ARRANGED = {
    "tensor a layer": (each(of_layers()), (LAYERS, 1)),
    "leading 1": (each(of_layers()[:, None]), (LAYERS, 1)),
    "beside others": ({"mask": np.ones(9, "f4")} | each(of_layers()), (LAYERS, 1)),
    "samples first": (of_samples("s{s}.layer_{l}"), (LAYERS, 1)),
    "layers first": (
        dict(sorted(of_samples("layer_{l}.s{s}").items())),
        (LAYERS, 2),
    ),
}


@pytest.fixture(scope="module")
def in_one() -> bytes:
    """All layers in one tensor."""
    return fc.save({"h": of_layers()}, snr=SNR)


@pytest.mark.long
@pytest.mark.parametrize("name", ARRANGED)
def test_however_layers_are_arranged_they_take_the_same_bits(name: str, in_one: bytes) -> None:
    tensors, stacks = ARRANGED[name]
    data = fc.save(tensors, snr=SNR)
    back = fc.load(data)
    assert stacks in stacks_of(data)
    assert min(snr(x, back[key]) for key, x in tensors.items() if x.ndim > 1) >= SNR - 1
    values = sum(x.size for x in tensors.values())
    assert len(data) / values == pytest.approx(len(in_one) / of_layers().size, rel=0.06)


@pytest.mark.long
def test_layers_in_the_order_of_their_letters_are_stacked_too() -> None:
    x = stream(12, 300, 32).transpose(1, 0, 2)
    tensors = dict(sorted(each(np.ascontiguousarray(x)).items()))
    data = fc.save(tensors, snr=SNR)
    assert stacks_of(data) == [(12, 1)]
    back = fc.load(data)
    assert min(snr(x, back[key]) for key, x in tensors.items() if x.ndim > 1) >= SNR - 1


@settings(max_examples=3, deadline=None)
@given(st.sampled_from(["s{s}.layer_{l}", "layer_{l}.s{s}"]), st.sampled_from([8.0, SNR, 25.0]))
def test_stacks_come_back_alike_from_both_decoders(name: str, snr: float) -> None:
    rng = np.random.default_rng(3)
    mixing, tokens = rng.normal(size=(6, 16)), (70, 90)
    steps = [
        rng.normal(size=(5, n, 6)) * [[[1]], [[0.3]], [[0.3]], [[0.2]], [[0.4]]] for n in tokens
    ]
    tensors = {
        name.format(s=s, l=i): np.float32(layer @ mixing + rng.normal(size=(len(layer), 16)) / 20)
        for s, x in enumerate(steps)
        for i, layer in enumerate(x.cumsum(axis=0))
    }
    tensors = dict(sorted(tensors.items()))
    with row_groups(1 << 11):
        data = fc.save(tensors, {"layout": "LD"}, snr=snr)
    back = fc.load(data)
    for key, x in by_reference(data, tensors).items():
        np.testing.assert_allclose(x, back[key], rtol=1e-4, atol=1e-4)


# ---- Parts of a file -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stacks") / "h.fcz"
    fc.save_file(each(of_layers()), path, snr=SNR, row_group="40kB")
    return path


def test_rows_and_one_layer_are_those_of_the_whole(coded: Path, tmp_path: Path) -> None:
    whole = fc.load(coded.read_bytes())
    name = "model.layers.3.output"
    with safe_open(coded) as file:
        rows = file.get_slice(name)
        assert len(rows.row_groups()) > 2
        for index in (0, 1, -1, slice(0, 1), slice(100, 250), slice(None), slice(2, 2)):
            np.testing.assert_array_equal(rows[index], whole[name][index])
        np.testing.assert_array_equal(file.get_tensor(name), whole[name])
    out = tmp_path / "one.safetensors"
    with pytest.raises(SystemExit, match="0"):
        main(["decode", str(coded), "--tensor", name, "-o", str(out)])
    np.testing.assert_array_equal(load_file(out)[name], whole[name])


def test_damage_costs_the_rows_of_a_row_group_in_all_layers(coded: Path, tmp_path: Path) -> None:
    whole, damaged = fc.load(coded.read_bytes()), tmp_path / "damaged.fcz"
    damaged.write_bytes(resealed(coded.read_bytes(), 1, 60, lambda byte: byte ^ 0x55))
    with safe_open(damaged, damaged="nan") as file:
        for name in whole:
            found, (lost,) = file.get_tensor(name), file.get_slice(name).damaged()
            assert 0 < len(lost) < len(found)
            assert np.isnan(found[lost]).all()
            kept = np.delete(np.arange(len(found)), lost)
            np.testing.assert_array_equal(found[kept], whole[name][kept])


def test_a_file_goes_on_and_is_joined(coded: Path, tmp_path: Path) -> None:
    path, more = tmp_path / "h.fcz", tmp_path / "more.safetensors"
    path.write_bytes(coded.read_bytes())
    save_file(each(of_layers(200, seed=0)), more)
    append_file(path, [more])
    before, after = fc.load(coded.read_bytes()), fc.load(path.read_bytes())
    for name, x in after.items():
        np.testing.assert_array_equal(x[:TOKENS], before[name])
        assert x.shape == (TOKENS + 200, 32)


def test_info_says_how_many_are_side_by_side(coded: Path) -> None:
    found = describe(str(coded))["tensors"]
    assert {(one["layout"], one["stacked"]) for one in found} == {("LD", LAYERS)}


@pytest.mark.parametrize("pool", [False, True])
def test_what_was_written_is_verified(pool: bool, tmp_path: Path) -> None:
    dump, coded = tmp_path / "h.safetensors", tmp_path / "h.fcz"
    save_file(each(of_layers()), dump)
    report = encode_file(dump, coded, Quality(snr=SNR), options=Options(pool=pool), verify=True)
    assert report.lowest.tensor is not None
    assert stacks_of(coded.read_bytes()) == [(LAYERS, 1)]


# ---- What is not stacked -------------------------------------------------------------------------


@pytest.mark.long
def test_layers_that_have_nothing_in_common_are_not_stacked() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4, 600, 96)) * np.arange(1, 97) ** -0.5
    x = np.einsum("ltk,lkc->ltc", x, rng.normal(size=(4, 96, 96))).astype("f4")
    assert set(stacks_of(fc.save(each(x), snr=SNR))) == {None}


def test_padding_stays_what_it_is() -> None:
    x = of_layers()
    x[:, 200:] = 0
    back = fc.load(fc.save(each(x), snr=SNR))
    assert all((layer[200:] == 0).all() for layer in back.values())


@pytest.mark.parametrize(
    "quality",
    [{"row_snr": SNR}, {"max_error": 0.1}],
    ids=lambda quality: next(iter(quality)),
)
def test_other_qualities_hold_for_each_tensor_alone(quality: dict) -> None:
    assert set(stacks_of(fc.save(each(of_layers()), **quality))) == {None}


@pytest.mark.long
def test_a_layer_of_another_quality_is_not_stacked(tmp_path: Path) -> None:
    dump, coded = tmp_path / "h.safetensors", tmp_path / "h.fcz"
    save_file(each(of_layers()), dump)
    options = Options(rules={"*.0.*": "lossless"})
    encode_file(dump, coded, Quality(snr=SNR), options=options)
    assert sorted(stacks_of(coded.read_bytes()), key=str) == [(LAYERS - 1, 1), None]
    np.testing.assert_array_equal(fc.load_file(coded)["model.layers.0.output"], of_layers()[0])


def residual_stream(size: float = 0.0) -> dict[str, np.ndarray]:
    """Return layers of a stream that each adds about so much to, or ever more."""
    rng = np.random.default_rng(0)
    h, found = rng.normal(size=(100, 20, 32)).cumsum(axis=1), []
    for i in range(5):
        h = h + np.tanh(h @ rng.normal(size=(32, 32)) / 8) * (size or 1 + i)
        found.append(h.astype("f4"))
    return each(found)


@pytest.mark.long
def test_layers_are_stacked_bit_for_bit_too() -> None:
    """A layer tells what the next one is; apart they take a tenth more."""
    x = residual_stream(0.3)
    data = fc.save(x, None, lossless=True)
    assert stacks_of(data) == [(5, 1)]
    assert len(data) <= len(fc.save(x, snr=200.0))
    back, others = fc.load(data), by_reference(data, x)
    for name, values in x.items():
        np.testing.assert_array_equal(back[name], values)
        np.testing.assert_array_equal(others[name], values)


@pytest.mark.long
def test_gains_of_layers_much_alike_do_not_run_away() -> None:
    """A KLT across layers that gives one no more by a finer step is fitted anew."""
    x = residual_stream()
    sizes = [len(fc.save(x, snr=snr)) for snr in (5.0, 6.0)]
    assert sizes[0] < sizes[1] < 1.35 * sizes[0]
