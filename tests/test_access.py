"""Tensors and slices of a file through the Python interfaces."""

import io
import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

import featcodec.numpy as fc
from featcodec import safe_open
from featcodec.align.layout import parse
from featcodec.coding import row_group
from featcodec.container.reader import Reader
from featcodec.decoding.decoder import Decoder
from featcodec.errors import Corrupt, InvalidInput, ProfileMissing

from . import internals


@pytest.fixture(scope="module")
def packed(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with many row groups: maps, tokens, a plain grid, labels."""
    maps = load_file(digits / "cnn_eval.safetensors")["features"][:60]
    tokens = load_file(digits / "vit_eval.safetensors")["features"][:40]
    tensors = {
        "maps": maps.astype(np.float32),
        "tokens": tokens,
        "line": tokens[:, 1:].reshape(-1, 64).astype(np.float32),
        "labels": np.arange(1000),
    }
    path = tmp_path_factory.mktemp("access") / "x.fcz"
    with internals.row_groups(1 << 13):
        stated = {"maps": "NCHW", "tokens": "NLD:1+4x4", "line": "LD"}
        fc.save_file(tensors, path, {"note": "x"}, layout=stated, snr=12)
    return path


@pytest.fixture(scope="module")
def whole(packed: Path) -> dict[str, np.ndarray]:
    return fc.load_file(packed)


indices = st.one_of(
    st.integers(-40, 39),
    st.builds(
        slice,
        st.none() | st.integers(-45, 45),
        st.none() | st.integers(-45, 45),
        st.none() | st.sampled_from([-3, -1, 1, 2]),
    ),
)


@pytest.mark.long
@given(name=st.sampled_from(["maps", "tokens", "line", "labels"]), index=indices)
def test_a_slice_equals_the_slice_of_the_tensor(
    packed: Path, whole: dict[str, np.ndarray], name: str, index: object
) -> None:
    with safe_open(packed) as file:
        found = file.get_slice(name)[index]
    np.testing.assert_allclose(found, whole[name][index], rtol=0, atol=1e-5)


@pytest.mark.long
@settings(max_examples=40)
@given(
    axes=st.sampled_from(
        ["D", "LD", "DL", "ND", "NLD", "NDL", "LND", "CHW", "HWC", "NCHW", "NHWC", "HWNC", "NNLD",
         "NCTHW", "NL", "LN", "HW", "LD:0+2x3", "LD:0+6x1", "NLD:1+2x2", "LND:2+1x3", "DL:0+3x2"]
    ),
    data=st.data(),
)  # fmt: skip
def test_rows_are_those_of_the_tensor_in_every_layout(axes: str, data: st.DataObject) -> None:
    layout = parse(axes)
    tokens = layout.prefix + math.prod(layout.grid)
    sizes = {"L": tokens} if layout.grid else {}
    shape = tuple(sizes.get(a) or data.draw(st.integers(1, 9)) for a in layout.axes)
    values = np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)
    before = np.arange(7 * shape[0]).reshape(shape[0], 7)
    per, exact = data.draw(st.sampled_from([1, 16, 64])), data.draw(st.sampled_from([3, 16]))
    with internals.row_groups(per, exact), internals.lossy_always():
        packed = fc.save({"x": values, "n": before, "m": before + 9}, layout={"x": axes}, snr=9)
    file = io.BytesIO(packed)
    decoder = Decoder(Reader(file, "x"))
    whole = fc.load(packed)
    for entry in decoder.reader.index.tensors:
        for _ in range(4):
            first = data.draw(st.integers(0, shape[0]))
            last = data.draw(st.integers(first, shape[0]))
            found = decoder.rows(entry, first, last).view(whole[entry.name].dtype)
            wanted = whole[entry.name][first:last]
            np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["maps", "tokens", "line", "labels"])
def test_a_slice_needs_no_room_for_the_whole_tensor(
    packed: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    zeros = np.zeros

    def counting(*arguments: Any) -> np.ndarray:
        found = zeros(*arguments)
        sizes.append(found.size)
        return found

    with safe_open(packed) as file:
        part = file.get_slice(name)
        monkeypatch.setattr("featcodec.decoding.decoder.np.zeros", counting)
        part[7]
    assert max(sizes) <= max(2 * math.prod(part.get_shape()) // 5, 1000)


def test_a_slice_decodes_the_row_groups_it_touches_only(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    decode = row_group.RowGroupCoder.decode

    def counting(self: row_group.RowGroupCoder, *args: object) -> object:
        decoded.append(1)
        return decode(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(row_group.RowGroupCoder, "decode", counting)
    with safe_open(packed) as file:
        file.get_slice("maps")[17]
        assert len(decoded) == 1
        file.get_tensor("maps")
        assert len(decoded) > 5


@settings(max_examples=20)
@given(
    name=st.sampled_from(["maps", "tokens", "line", "labels"]),
    order=st.lists(st.integers(0, 39), min_size=2, max_size=40),
    cache=st.sampled_from([0, 1 << 15, 1 << 28]),
)
def test_rows_one_by_one_are_those_of_the_tensor_and_bounded(
    packed: Path, whole: dict[str, np.ndarray], name: str, order: list[int], cache: int
) -> None:
    with safe_open(packed, cache=cache) as file:
        rows = file.get_slice(name)
        for row in order:
            found = rows[row]
            np.testing.assert_array_equal(found, whole[name][row])
            if found.shape:
                found[...] = 0  # which is the reader's own
        np.testing.assert_array_equal(file.get_tensor(name), whole[name])
        decoder = file._decoder
        for kept in (decoder._pieces, decoder._rows):
            assert sum(map(kept._size, kept._made.values())) == kept._total <= cache // 2


@pytest.mark.long
@settings(max_examples=15)
@given(seed=st.integers(0, 99), exact=st.booleans(), cache=st.sampled_from([0, 1 << 28]))
def test_rows_of_repeated_and_constant_ones_come_one_by_one(
    seed: int, exact: bool, cache: int
) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.normal(size=(20, 50)).astype(np.float32)
    values = kept[rng.integers(0, 20, 90)]
    values[40:60] = 0
    with tempfile.TemporaryDirectory() as folder, internals.row_groups(1 << 9, exact=1 << 9):
        path = Path(folder) / "x.fcz"
        quality = {"lossless": True} if exact else {"snr": 20}
        fc.save_file({"x": values}, path, layout="ND", **quality)
        whole = fc.load_file(path)["x"]
        with safe_open(path, cache=cache) as file:
            rows = file.get_slice("x")
            for row in rng.permutation(90).tolist():
                np.testing.assert_array_equal(rows[row], whole[row])
            np.testing.assert_array_equal(file.get_tensor("x"), whole)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("name", ["maps", "tokens", "line"])
def test_each_row_group_is_decoded_once_for_rows_one_by_one(
    packed: Path, monkeypatch: pytest.MonkeyPatch, name: str, shuffled: bool
) -> None:
    decoded: list[tuple[int, int]] = []
    decode = Decoder.pieces

    def counting(self: Decoder, group: Any, number: int) -> Any:
        decoded.append((group.number, number))
        return decode(self, group, number)

    monkeypatch.setattr(Decoder, "pieces", counting)
    with safe_open(packed) as file:
        rows = file.get_slice(name)
        order = np.arange(rows.get_shape()[0])
        for row in np.random.default_rng(0).permutation(order) if shuffled else order:
            rows[int(row)]
        once = len(decoded)
        assert once == len(set(decoded))
        names = file.keys()
        for other in names:
            file.get_tensor(other)
            file.get_tensor(other)
        later = decoded[once:]
        assert len(later) == len(set(later))


@pytest.mark.parametrize("first", [0, 1, 2, 5])
def test_row_groups_of_another_group_are_refused_before_any_row_is_read(
    tmp_path: Path, headers_written: Callable, first: int
) -> None:
    headers_written(lambda header: replace(header, first_section=first))
    with internals.row_groups(exact=50):
        fc.save_file({"a": np.arange(100), "b": np.arange(100, dtype="i4")}, tmp_path / "x.fcz")
    with pytest.raises(Corrupt, match="row groups"):
        safe_open(tmp_path / "x.fcz")


def test_names_order_and_metadata_are_kept(packed: Path) -> None:
    with safe_open(packed) as file:
        assert file.keys() == ["maps", "tokens", "line", "labels"]
        assert file.metadata() == {"note": "x"}
        part = file.get_slice("tokens")
        assert part.get_shape() == [40, 17, 64]
        assert part.get_dtype() == "F16"


def test_an_unknown_tensor_is_named(packed: Path) -> None:
    with safe_open(packed) as file, pytest.raises(InvalidInput, match="'nothing'"):
        file.get_tensor("nothing")


def test_a_missing_profile_is_named_by_its_hash(
    digits: Path, profile_file: Path, tmp_path: Path
) -> None:
    tensors = load_file(digits / "vit_eval.safetensors")
    few = tensors["features"][:20]  # for which a basis of their own is too dear
    data = fc.save({"x": few}, snr=8, layout="NLD:1+4x4", profile=profile_file)
    with pytest.raises(ProfileMissing, match=r"SHA-256 [0-9a-f]{64}"):
        fc.load(data)
    assert fc.load(data, profile=profile_file)["x"].shape == few.shape


def test_torch_tensors_come_back_in_their_own_type(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from featcodec import torch as ft

    generator = torch.Generator().manual_seed(0)
    values = torch.randn(50, 32, generator=generator)
    tensors = {
        "b": values.bfloat16(),
        "h": values.half(),
        "f8": values.to(torch.float8_e4m3fn),
        "i": torch.arange(9),
    }
    ft.save_file(tensors, tmp_path / "t.fcz", snr=15)
    back = ft.load_file(tmp_path / "t.fcz")
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        assert back[name].shape == tensor.shape
    error = (back["b"].float() - values).square().mean() / values.square().mean()
    assert error < 10**-1.45
    assert torch.equal(back["i"], tensors["i"])
