"""Tensors and slices of a file through the Python interfaces."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

import featcodec.numpy as fc
from featcodec import safe_open
from featcodec.errors import InvalidInput, ProfileMissing
from featcodec.pipeline import choice, row_group


@pytest.fixture(scope="module")
def packed(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with many row groups: maps, tokens, a plain grid, labels."""
    patch = pytest.MonkeyPatch()
    patch.setattr(choice, "ROW_GROUP_VALUES", 1 << 13)
    maps = load_file(digits / "cnn_eval.safetensors")["features"][:60]
    tokens = load_file(digits / "vit_eval.safetensors")["features"][:40]
    tensors = {
        "maps": maps.astype(np.float32),
        "tokens": tokens,
        "line": tokens[:, 1:].reshape(-1, 64).astype(np.float32),
        "labels": np.arange(1000),
    }
    path = tmp_path_factory.mktemp("access") / "x.fcz"
    fc.save_file(tensors, path, {"note": "x"}, snr=12)
    patch.undo()
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


@given(name=st.sampled_from(["maps", "tokens", "line", "labels"]), index=indices)
def test_a_slice_equals_the_slice_of_the_tensor(
    packed: Path, whole: dict[str, np.ndarray], name: str, index: object
) -> None:
    with safe_open(packed) as file:
        found = file.get_slice(name)[index]
    np.testing.assert_allclose(found, whole[name][index], rtol=0, atol=1e-5)


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
    data = fc.save({"x": tensors["features"]}, snr=8, profile=profile_file)
    with pytest.raises(ProfileMissing, match=r"SHA-256 [0-9a-f]{64}"):
        fc.load(data)
    assert fc.load(data, profile=profile_file)["x"].shape == tensors["features"].shape


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
