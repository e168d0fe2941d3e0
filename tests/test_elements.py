"""Arrays of NumPy, ml_dtypes and torch as what a file holds, and back."""

import json
import math
import sys
from pathlib import Path
from types import ModuleType

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import featcodec.numpy as fc
from featcodec import Quality, encode_file, safe_open
from featcodec.arrays import from_stored, numpy_type, to_stored
from featcodec.elements import BITS, LIBRARY_NAMES
from featcodec.errors import InvalidInput

NARROW = [
    "bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz",
    "float8_e8m0fnu", "float4_e2m1fn",
]  # fmt: skip
PLAIN = [name for dtype, name in LIBRARY_NAMES.items() if name not in NARROW and "F6" not in dtype]


def bits(array: np.ndarray) -> bytes:
    return array.tobytes()


def noise(kind: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Return elements of any bits that the type has."""
    dtype = np.dtype(getattr(ml_dtypes, kind, kind))
    most = {"bool": 2, "float4_e2m1fn": 16}.get(kind, 256)
    data = np.random.default_rng(seed).integers(0, most, math.prod(shape) * dtype.itemsize)
    return data.astype(np.uint8).view(dtype).reshape(shape)


def test_every_type_of_the_format_has_one_name() -> None:
    assert LIBRARY_NAMES.keys() == BITS.keys()
    assert len(set(LIBRARY_NAMES.values())) == len(BITS)


@settings(max_examples=150)
@given(
    kind=st.sampled_from([*NARROW, *PLAIN]),
    shape=npst.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6),
    seed=st.integers(0, 99),
)
def test_arrays_of_any_type_and_shape_come_back(
    kind: str, shape: tuple[int, ...], seed: int
) -> None:
    if kind.startswith("float4"):  # pairs, along the last axis
        shape = (*shape, 2 * seed % 6)
    values = noise(kind, shape, seed)
    back = fc.load(fc.save({"x": values}, lossless=True))["x"]
    assert (back.dtype, back.shape) == (values.dtype, values.shape)
    assert bits(back) == bits(values)


@pytest.mark.parametrize("kind", NARROW[:-1])
def test_narrow_arrays_are_what_safetensors_takes_them_for(tmp_path: Path, kind: str) -> None:
    values = noise(kind, (6, 8))
    safetensors.numpy.save_file({"x": values}, tmp_path / "x.safetensors")
    encode_file(tmp_path / "x.safetensors", tmp_path / "x.fcz", Quality(lossless=True))
    back = fc.load_file(tmp_path / "x.fcz")["x"]
    assert back.dtype == values.dtype
    assert bits(back) == bits(values)


def test_the_first_of_two_4_bit_values_is_in_the_low_bits() -> None:
    values = np.array([[0.5, -6], [1, 0]], ml_dtypes.float4_e2m1fn)
    stored, dtype = to_stored(values)
    assert (dtype, stored.tolist()) == ("F4", [[0xF1], [0x02]])
    np.testing.assert_array_equal(from_stored(stored.reshape(-1), "F4", (2, 2)), values)


@pytest.mark.parametrize("kind", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
@pytest.mark.parametrize("wanted", [3, 12])
def test_narrow_features_reach_the_snr(kind: str, wanted: float) -> None:
    values = np.random.default_rng(1).normal(size=(200, 32)).astype(getattr(ml_dtypes, kind))
    data = fc.save({"x": values}, snr=wanted)
    back = fc.load(data)["x"]
    assert back.dtype == values.dtype
    one, other = values.astype(np.float64), back.astype(np.float64)
    reached = 10 * math.log10(((one - one.mean()) ** 2).sum() / ((one - other) ** 2).sum())
    assert reached >= wanted - 1e-3
    assert len(data) < values.nbytes


@pytest.fixture
def without_ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    numpy_type.cache_clear()
    yield
    numpy_type.cache_clear()


@pytest.mark.parametrize("kind", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_without_ml_dtypes_values_are_the_same_in_float32(
    kind: str, without_ml_dtypes: None
) -> None:
    values = noise(kind, (9, 8))
    back = fc.load(fc.save({"x": values}, lossless=True))["x"]
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, values.astype(np.float32))


@pytest.mark.parametrize("kind", ["float8_e8m0fnu", "float8_e5m2fnuz", "float4_e2m1fn"])
def test_without_ml_dtypes_other_types_are_refused_by_name(
    kind: str, without_ml_dtypes: None
) -> None:
    data = fc.save({"scales": noise(kind, (9, 8)), "x": np.ones(3)}, lossless=True)
    with pytest.raises(InvalidInput, match=r"'scales'.*install ml_dtypes"):
        fc.load(data)


@pytest.mark.parametrize(
    "value",
    [
        [1.0], 3.5, None, np.zeros(3, "c16"), np.array(["x"]), np.array([None]),
        np.zeros(2, [("a", "f4")]), np.zeros(3, "M8[s]"), np.zeros(4, np.longdouble),
        np.zeros(4, ml_dtypes.int4), np.zeros(4, ml_dtypes.float6_e2m3fn),
        np.zeros(4, ml_dtypes.float8_e4m3), np.zeros((2, 3), ml_dtypes.float4_e2m1fn),
        np.zeros((), ml_dtypes.float4_e2m1fn),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)  # fmt: skip
def test_what_safetensors_has_no_type_for_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidInput, match="array 'odd'"):
        fc.save({"fine": np.ones(4), "odd": value})  # type: ignore[dict-item]


def six_bits(folder: Path) -> Path:
    """Write a file with a type that no library has."""
    head = {"odd": {"dtype": "F6_E3M2", "shape": [2, 4], "data_offsets": [0, 6]}}
    text = json.dumps(head).encode()
    (folder / "x").write_bytes(len(text).to_bytes(8, "little") + text + b"abcdef")
    encode_file(folder / "x", folder / "x.fcz")
    return folder / "x.fcz"


def test_a_type_that_numpy_lacks_is_refused_by_name(tmp_path: Path) -> None:
    path = six_bits(tmp_path)
    with pytest.raises(InvalidInput, match=r"'odd' has type F6_E3M2.*safetensors file"):
        fc.load_file(path)
    with safe_open(path) as file, pytest.raises(InvalidInput, match="F6_E3M2"):
        file.get_tensor("odd")


# --- torch --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch() -> ModuleType:
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def ft(torch: ModuleType) -> ModuleType:
    import featcodec.torch.tensors

    return featcodec.torch.tensors


def test_torch_has_most_types(ft: ModuleType) -> None:
    assert {"BF16", "C64", "F8_E4M3", "F64", "BOOL", "U8"} <= ft._DTYPES.keys()


def same(torch: ModuleType, one: object, other: object) -> bool:
    """Return whether two tensors have the same type, shape and bits."""
    raw = [t.detach().contiguous().reshape(-1).view(torch.uint8) for t in (one, other)]
    alike = (one.dtype, one.shape) == (other.dtype, other.shape)
    return alike and torch.equal(*raw) if one.numel() else alike


def test_tensors_of_any_type_and_shape_come_back(torch: ModuleType, ft: ModuleType) -> None:
    shapes = [(), (0,), (8,), (0, 4), (4, 0), (3, 2, 4), (2, 0, 6), (1, 1, 2)]
    for dtype, kind in ft._DTYPES.items():
        for seed, shape in enumerate(shapes):
            if dtype == "F4" and shape == ():
                continue
            size = math.prod(shape) * kind.itemsize
            raw = np.random.default_rng(seed).integers(0, 2 if dtype == "BOOL" else 256, size)
            raw = torch.from_numpy(raw.astype(np.uint8))
            values = raw.view(kind).reshape(shape) if size else torch.empty(shape, dtype=kind)
            back = ft.load(ft.save({"x": values}, lossless=True))["x"]
            assert same(torch, back, values), (dtype, shape)


def test_slices_of_tensors_may_be_empty(torch: ModuleType, ft: ModuleType, tmp_path: Path) -> None:
    pairs = torch.arange(32, dtype=torch.uint8).reshape(8, 4)
    tensors = {"x": torch.randn(50, 32), "none": torch.zeros(0, 5), "labels": torch.arange(50)}
    if "F4" in ft._DTYPES:
        tensors["pairs"] = pairs.view(ft._DTYPES["F4"])
    ft.save_file(tensors, tmp_path / "x.fcz")
    whole = ft.load_file(tmp_path / "x.fcz")
    with safe_open(tmp_path / "x.fcz", "pt") as file:
        for name, values in whole.items():
            for first, last in ((0, 0), (3, 3), (7, 2), (2, 5), (0, 99)):
                found = file.get_slice(name)[first:last]
                assert found.shape == values[first:last].shape
                assert same(torch, found, values[first:last])


def test_tensors_need_no_plain_storage(torch: ModuleType, ft: ModuleType) -> None:
    tensors = {
        "transposed": torch.randn(6, 5).t(),
        "expanded": torch.randn(1, 4).expand(3, 4),
        "strided": torch.randn(10)[::3],
        "learned": torch.nn.Parameter(torch.randn(4, 4)),
        "conjugate": torch.randn(4, 3, dtype=torch.complex64).conj(),
        "negative": torch.randn(3, dtype=torch.complex64).conj().imag,
    }
    back = ft.load(ft.save(tensors, lossless=True))
    for name, values in tensors.items():
        assert torch.equal(back[name], values), name
        assert not back[name].requires_grad


def test_what_is_no_dense_tensor_of_such_a_type_is_refused_by_name(
    torch: ModuleType, ft: ModuleType
) -> None:
    odd = [
        np.zeros(3), [1.0], torch.eye(3).to_sparse(), torch.zeros(3, device="meta"),
        torch.zeros(3, dtype=torch.complex128),
    ]  # fmt: skip
    if "F4" in ft._DTYPES:
        odd.append(torch.zeros((), dtype=torch.uint8).view(ft._DTYPES["F4"]))
    for value in odd:
        with pytest.raises(InvalidInput, match="'odd'"):
            ft.save({"fine": torch.zeros(3), "odd": value})


def test_a_type_that_torch_lacks_is_refused_by_name(
    torch: ModuleType, ft: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match=r"'odd' has type F6_E3M2, which torch .* lacks"):
        ft.load_file(six_bits(tmp_path))
    scales = noise("float8_e8m0fnu", (4, 4))
    data = fc.save({"scales": scales}, lossless=True)
    monkeypatch.delitem(ft._DTYPES, "F8_E8M0", raising=False)  # as in older ones
    with pytest.raises(InvalidInput, match="'scales' has type F8_E8M0"):
        ft.load(data)


def test_arrays_and_tensors_of_a_type_hold_the_same(torch: ModuleType, ft: ModuleType) -> None:
    for dtype in ft._DTYPES.keys() - {"BOOL"}:
        values = noise(LIBRARY_NAMES[dtype], (3, 4))
        data = fc.save({"x": values}, lossless=True)
        tensor = ft.load(data)["x"]
        assert ft.save({"x": tensor}, lossless=True) == data
