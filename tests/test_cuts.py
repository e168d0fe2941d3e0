"""Tensors in which layers, heads or parts of channels are stacked or joined."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec import Quality, encode_file, safe_open
from featcodec.align.layout import Layout, parse
from featcodec.cli.info import describe
from featcodec.cli.main import main
from featcodec.container.cuts import part_shape, places
from featcodec.encoding.tensors.stacked import joined_parts, stacked_axes
from featcodec.errors import InvalidInput
from featcodec.request import Options
from featcodec.tensors import Tensor

SHAPE = (2, 3, 12, 8)
WITH_PARTS = ["NNLD/3+5", "NKLD/4+4", "KNLC/1+1+6"]
LAYOUTS = ["KKLD", "NKLD", "KNLD", "NCLD", "NLCD", "CKHW", "KCHD", "LKCD", "KDLN", *WITH_PARTS]


def snr(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype(np.float64), y.astype(np.float64)
    return float(10 * np.log10(x.var() / np.square(x - y).mean()))


def mixed(count: int, width: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    """Tokens of correlated channels; each seed has a mixture of its own."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(width, width)) * 0.9 ** np.arange(width)[:, None]
    return (scale * rng.normal(size=(count, width)) @ mixing).astype(np.float32)


def tensor(array: np.ndarray) -> Tensor:
    return Tensor("x", "F32", array.shape, lambda: array.reshape(-1))


def layout_of(data: bytes, path: Path) -> str:
    (path / "x.fcz").write_bytes(data)
    (tensor,) = describe(str(path / "x.fcz"))["tensors"]
    return str(tensor["layout"])


# ---- The format ----------------------------------------------------------------------------------


@pytest.mark.long
@settings(max_examples=30, deadline=None)
@given(st.sampled_from(LAYOUTS), st.sampled_from([{"snr": 12}, {"max_error": 0.1}, {"snr": 150}]))
def test_every_layout_comes_back_from_both_decoders(layout: str, quality: dict) -> None:
    x = np.random.default_rng(3).normal(size=SHAPE).cumsum(3).astype(np.float32)
    data = fc.save({"x": x, "n": np.arange(3)}, layout={"x": layout}, **quality)
    back = fc.load(data)["x"]
    parts = [x[at] for at in places(parse(layout).along(SHAPE), SHAPE)]
    if "max_error" in quality:
        assert np.abs(x - back).max() <= 0.1
    elif quality["snr"] < 100:
        assert snr(x, back) >= 11.9
        assert sum(part.size for part in parts) == x.size
    theirs = np.frombuffer(reference.decode(data).tensors["x"].data, "<f4").reshape(SHAPE)
    np.testing.assert_allclose(theirs, back, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_slices_are_those_of_the_whole(layout: str, tmp_path: Path) -> None:
    x = np.random.default_rng(3).normal(size=SHAPE).cumsum(3).astype(np.float32)
    fc.save_file({"x": x}, tmp_path / "x.fcz", layout=layout, snr=15)
    with safe_open(tmp_path / "x.fcz") as file:
        whole, rows = file.get_tensor("x"), file.get_slice("x")
        for index in (0, 1, -1, slice(0, 1), slice(1, 2), slice(None), slice(2, 2)):
            np.testing.assert_array_equal(rows[index], whole[index])
        assert rows[1, :, 3:7].shape == (3, 4, 8)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_parts_cover_a_tensor_once(shape: list[int], data: st.DataObject) -> None:
    axes: list = []
    for length in shape:
        cut = data.draw(st.sampled_from(["whole", "each", "lengths"]))
        lengths = (1, length - 1) if length > 1 else ()
        axes.append({"whole": (), "each": None, "lengths": lengths}[cut])
    seen = np.zeros(shape, int)
    for where in places(tuple(axes), tuple(shape)):
        assert seen[where].shape == part_shape(where)
        seen[where] += 1
    assert (seen == 1).all()


def test_a_part_is_named_as_numpy_indexes_it_and_never_as_a_tensor(tmp_path: Path) -> None:
    x = mixed(64, 8).reshape(2, 32, 8)
    both = {"x": x, "x[0, :, :]": x[1], "x[0, :, :]'": x[0]}
    back = fc.load(fc.save(both, layout={"x": "KLD"}, snr=20))
    assert all(snr(both[name], back[name]) >= 19 for name in both)


@pytest.mark.parametrize("layout", ["NKNL", "K", "KK", "LD/4", "LD/4+x", "CD/4+4", "LKL"])
def test_layouts_that_cut_what_no_part_is_are_refused(layout: str) -> None:
    rank = len(layout.partition("/")[0])
    with pytest.raises(InvalidInput, match="layout"):
        fc.save({"x": np.ones((2, 3, 4, 8)[:rank], np.float32)}, layout=layout)


# ---- The choice ----------------------------------------------------------------------------------


def test_layers_of_unlike_scale_each_get_the_quality_that_is_asked_for(tmp_path: Path) -> None:
    x = np.stack([mixed(900, 24, i, scale) for i, scale in enumerate((1, 8, 40))], 1)
    data = fc.save({"x": x}, snr=10)
    back = fc.load(data)["x"]
    assert layout_of(data, tmp_path) in ("NKD", "LKD")
    assert min(snr(x[:, i], back[:, i]) for i in range(3)) >= 9.9


def test_parts_of_unlike_scale_joined_in_the_channels_are_told_apart(tmp_path: Path) -> None:
    x = np.concatenate([mixed(900, n, n, scale) for n, scale in ((24, 1), (40, 40), (32, 5))], 1)
    data = fc.save({"x": x}, snr=10)
    back = fc.load(data)["x"]
    assert layout_of(data, tmp_path) == "LD/24+40+32"
    for first, last in ((0, 24), (24, 64), (64, 96)):
        assert snr(x[:, first:last], back[:, first:last]) >= 9.9


def test_wide_tokens_that_are_joined_of_others_are_coded_apart(tmp_path: Path) -> None:
    x = np.concatenate([mixed(32, 3000, i, scale) for i, scale in enumerate((1, 8, 40))], 1)[None]
    data = fc.save({"x": x}, snr=10)
    back = fc.load(data)["x"]
    assert layout_of(data, tmp_path).endswith("/3000+3000+3000")
    assert min(snr(*pair) for pair in zip(np.split(x, 3, 2), np.split(back, 3, 2))) >= 9.9


def test_pooled_one_snr_holds_for_all_and_takes_fewer_bytes(tmp_path: Path) -> None:
    x = np.stack([mixed(900, 24, i, scale) for i, scale in enumerate((1, 8, 40))], 1)
    fc.save_file({"x": x}, tmp_path / "each.fcz", snr=10)
    dump = tmp_path / "x.safetensors"
    save_file({"x": x}, dump)
    with pytest.raises(SystemExit, match="0"):
        main(["encode", str(dump), "--snr", "10", "--pool", "-o", str(tmp_path / "all.fcz")])
    assert (tmp_path / "all.fcz").stat().st_size < (tmp_path / "each.fcz").stat().st_size
    report = encode_file(
        dump, tmp_path / "b.fcz", Quality(snr=10), options=Options(pool=True), verify=True
    )
    assert report.snr_db >= 10


@pytest.mark.long
def test_heads_of_different_statistics_are_coded_apart(tmp_path: Path) -> None:
    x = np.stack([mixed(900, 64, i) for i in range(8)])[None]
    data = fc.save({"x": x}, snr=20)
    assert layout_of(data, tmp_path) == "NKLD"
    assert len(data) < 0.9 * len(fc.save({"x": x}, snr=20, layout="NNLD"))


def test_heads_that_depend_on_each_other_are_merged_with_their_channels(tmp_path: Path) -> None:
    flat = mixed(1600, 48)
    x = np.ascontiguousarray(flat.reshape(1, 1600, 4, 12).transpose(0, 2, 1, 3))
    data = fc.save({"x": x}, snr=10)
    assert layout_of(data, tmp_path) == "NCLD"
    assert len(data) < 1.02 * len(fc.save({"x": flat}, snr=10, layout="LD"))


def test_samples_of_one_distribution_stay_together(tmp_path: Path) -> None:
    x = np.stack([mixed(512, 16)[np.random.default_rng(i).permutation(512)] for i in range(6)])
    noisy = x + np.random.default_rng(1).normal(size=x.shape).astype(np.float32) / 4
    assert "K" not in layout_of(fc.save({"x": noisy}, snr=15), tmp_path)


def test_a_stated_layout_is_the_one_that_is_taken(tmp_path: Path) -> None:
    x = np.stack([mixed(900, 24, i, scale) for i, scale in enumerate((1, 8, 40))], 1)
    assert layout_of(fc.save({"x": x}, {"layout": "NLD"}, snr=10), tmp_path) == "NLD"
    assert layout_of(fc.save({"x": x}, {"layout": "LKD"}, snr=10), tmp_path) == "LKD"


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([[1], [1, 6], [40, 1], [1, 6, 40], [40, 6, 1]]), st.integers(0, 99))
def test_parts_are_found_where_the_scale_changes(scales: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths = rng.integers(20, 60, len(scales))
    x = np.concatenate([rng.normal(0, s, (800, n)) for s, n in zip(scales, widths, strict=True)], 1)
    spread = np.exp(0.2 * rng.normal(size=x.shape[1]))
    found = joined_parts([tensor((x * spread).astype(np.float32))], Layout("LD"))
    same = [s == t for s, t in itertools.pairwise(scales)]
    edges = np.cumsum(widths)[:-1][~np.array(same, bool)]
    assert len(found.parts) == (len(edges) + 1 if len(edges) else 0)
    assert np.abs(np.cumsum(found.parts)[:-1] - edges).max(initial=0) <= 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.integers(2, 12), st.floats(1, 1.9) | st.floats(2.1, 30))
def test_axes_are_stacked_when_a_third_of_the_indices_is_of_another_scale(
    seed: int, layers: int, ratio: float
) -> None:
    rng = np.random.default_rng(seed)
    scales = np.where(np.arange(layers) < (layers + 2) // 3, ratio, 1.0)
    x = (rng.normal(size=(400, layers, 24)) * scales[:, None]).astype(np.float32)
    assert stacked_axes([tensor(x)]) == ([1] if ratio > 2 else [])


def test_a_few_tokens_of_another_scale_are_no_layers() -> None:
    x = np.random.default_rng(0).normal(size=(600, 17, 24)).astype(np.float32)
    x[:, 0] *= 20
    assert stacked_axes([tensor(x)]) == []
