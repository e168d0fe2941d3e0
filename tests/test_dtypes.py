"""Every element type and shape of safetensors, and values of any kind, there and back."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import featcodec.numpy as fc
from featcodec import decode_file, encode_file
from featcodec.align.numbers import from_float, to_float
from featcodec.elements import BITS, FLOATS
from featcodec.encoding.dump import Report
from featcodec.request import Options, Quality

Stored = dict[str, tuple[str, tuple[int, ...], bytes]]  # name: type, shape, bytes

SHAPES = [
    (), (0,), (1,), (8,), (0, 3), (3, 0), (1, 8), (8, 1), (4, 6), (2, 0, 4), (2, 4, 4), (1, 1, 8),
    (2, 3, 4, 4), (2, 1, 4, 1), (1, 1, 1, 1, 8), (2, 2, 2, 2, 4), (1, 2, 1, 2, 1, 2, 2),
]  # fmt: skip
# 70 bpfp: a seventh of these float64 values must be kept exactly, and the dumps are tiny.
QUALITIES = [Quality(snr=15), Quality(max_error=0.1), Quality(bpfp=70), Quality(lossless=True)]
HARMLESS = {"over": "ignore", "invalid": "ignore"}


def write(path: Path, tensors: Stored, metadata: dict[str, str] | None = None) -> Path:
    """Write a safetensors file, of types that no library writes too."""
    header: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    position = 0
    for name, (dtype, shape, data) in tensors.items():
        span = [position, position + len(data)]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": span}
        position += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    parts = [len(text).to_bytes(8, "little"), text, *(data for _, _, data in tensors.values())]
    path.write_bytes(b"".join(parts))
    return path


def read(path: Path) -> tuple[Stored, dict[str, str] | None]:
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        tensors[name] = (entry["dtype"], tuple(entry["shape"]), data[start + first : start + last])
    return tensors, metadata


def round_trip(
    folder: Path, tensors: Stored, quality: Quality, metadata: dict[str, str] | None = None
) -> tuple[Stored, Report]:
    """Return the tensors of a dump behind encoding and decoding; all but values must be kept."""
    source = write(folder / "in.safetensors", tensors, metadata)
    report = encode_file(source, folder / "x.fcz", quality, overwrite=True)
    decode_file(folder / "x.fcz", folder / "out.safetensors", overwrite=True)
    back, kept = read(folder / "out.safetensors")
    assert kept == metadata
    assert list(back) == list(tensors)
    for name, (dtype, shape, data) in tensors.items():
        assert back[name][:2] == (dtype, shape)
        assert len(back[name][2]) == len(data)
    return back, report


def noise(dtype: str, shape: tuple[int, ...], seed: int = 0) -> bytes:
    """Return elements of random bits, NaN and infinities among them."""
    bits = np.random.default_rng(seed).integers(0, 2 if dtype == "BOOL" else 256, 1 << 12)
    return bits.astype(np.uint8).tobytes()[: math.prod(shape) * BITS[dtype] // 8]


def normal(dtype: str, shape: tuple[int, ...]) -> bytes:
    values = np.random.default_rng(1).normal(0.5, 2, shape)
    return from_float(values if dtype == "F64" else values.astype(np.float32), dtype).tobytes()


def values_of(stored: tuple[str, tuple[int, ...], bytes]) -> np.ndarray:
    """Return the values of a floating tensor in double precision."""
    dtype, shape, data = stored
    kind = np.dtype(f"<f{BITS[dtype] // 8}" if dtype in ("F16", "F32", "F64") else
                    f"<u{BITS[dtype] // 8}")  # fmt: skip
    with np.errstate(**HARMLESS):  # signalling NaN
        return to_float(np.frombuffer(data, kind), dtype).astype(np.float64).reshape(shape)


def snr(values: np.ndarray, decoded: np.ndarray) -> float:
    error = ((values - decoded) ** 2).sum()
    return 10 * math.log10(((values - values.mean()) ** 2).sum() / error) if error else math.inf


# --- types and shapes ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", BITS)
def test_lossless_keeps_every_bit_of_every_type_and_shape(tmp_path: Path, dtype: str) -> None:
    tensors = {
        f"t{i}": (dtype, shape, noise(dtype, shape, i))
        for i, shape in enumerate(SHAPES)
        if math.prod(shape) * BITS[dtype] % 8 == 0
    }
    assert round_trip(tmp_path, tensors, Quality(lossless=True))[0] == tensors


@pytest.mark.parametrize("dtype", sorted(BITS.keys() - FLOATS))
def test_types_that_are_no_features_are_kept_bit_for_bit(tmp_path: Path, dtype: str) -> None:
    tensors = {
        f"t{i}": (dtype, shape, noise(dtype, shape, i))
        for i, shape in enumerate(SHAPES)
        if math.prod(shape) * BITS[dtype] % 8 == 0
    }
    for quality in (Quality(snr=1), Quality(max_error=1e9)):
        assert round_trip(tmp_path, tensors, quality)[0] == tensors


@pytest.mark.parametrize("quality", QUALITIES, ids=lambda quality: str(vars(quality)))
@pytest.mark.parametrize("dtype", sorted(FLOATS))
def test_scalars_and_empty_tensors_are_kept_beside_features(
    tmp_path: Path, dtype: str, quality: Quality
) -> None:
    tensors = {
        "scalar": (dtype, (), noise(dtype, (1,))),
        "empty": (dtype, (0, 4), b""),
        "features": (dtype, (12, 8, 4, 4), normal(dtype, (12, 8, 4, 4))),
        "void": (dtype, (3, 0, 2), b""),
    }
    back, _ = round_trip(tmp_path, tensors, quality, {"layout": "NCHW"})
    assert {**back, "features": None} == {**tensors, "features": None}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_features_of_any_shape_keep_the_bound(tmp_path: Path, shape: tuple[int, ...]) -> None:
    for dtype in sorted(FLOATS):
        tensors = {"x": (dtype, shape, normal(dtype, shape))}
        back, _ = round_trip(tmp_path, tensors, Quality(max_error=0.25))
        change = np.abs(values_of(back["x"]) - values_of(tensors["x"]))
        assert change.max(initial=0) <= 0.25


@pytest.mark.parametrize("shape", [(3, 70000), (70000,), (1, 70000), (70000, 1), (40000, 2)],
                         ids=str)  # fmt: skip
def test_long_axes_are_coded(tmp_path: Path, shape: tuple[int, ...]) -> None:
    tensors = {"x": ("F32", shape, normal("F32", shape))}
    back, _ = round_trip(tmp_path, tensors, Quality(snr=12))
    assert 12 <= snr(values_of(tensors["x"]), values_of(back["x"])) + 1e-3 < 12.052


@pytest.mark.long
def test_features_of_each_type_reach_the_snr(tmp_path: Path) -> None:
    shape = (100, 16, 4, 4)
    for dtype in ("F16", "BF16", "F32", "F64"):
        tensors = {"x": (dtype, shape, normal(dtype, shape))}
        for wanted in (3, 20, 40):
            back, _ = round_trip(tmp_path, tensors, Quality(snr=wanted))
            reached = snr(values_of(tensors["x"]), values_of(back["x"]))
            assert wanted <= reached + 1e-3 < wanted + 0.052


@pytest.mark.parametrize(
    ("dtype", "scale", "offset", "wanted"),
    [("F16", 1, 0, 60), ("F16", 2e-6, 0, 20), ("F16", 1, 100, 20), ("F32", 1, 1e6, 20)],
)
def test_rounding_to_the_element_type_counts_as_error(
    tmp_path: Path, dtype: str, scale: float, offset: float, wanted: float
) -> None:
    values = np.random.default_rng(2).normal(size=(64, 16, 6, 6)) * scale + offset
    tensors = {"x": (dtype, values.shape, from_float(values, dtype).tobytes())}
    back, _ = round_trip(tmp_path, tensors, Quality(snr=wanted))
    assert snr(values_of(tensors["x"]), values_of(back["x"])) + 1e-3 >= wanted


def test_empty_tensors_keep_their_place_in_the_file(tmp_path: Path) -> None:
    names = "hbxgacfe"
    tensors = {n: ("F32", (0,), b"") if n in "bgc" else ("F32", (1,), b"1234") for n in names}
    encoded = []
    for _ in range(6):  # libraries may list tensors at the same offset in any order
        assert round_trip(tmp_path, tensors, Quality(lossless=True))[0] == tensors
        encoded.append((tmp_path / "x.fcz").read_bytes())
    assert len(set(encoded)) == 1


def test_the_types_of_a_dump_do_not_disturb_each_other(tmp_path: Path) -> None:
    tensors = {f"{dtype}.{i}": (dtype, (6, 8), noise(dtype, (6, 8), i))
               for i in range(3) for dtype in BITS}  # fmt: skip
    back, _ = round_trip(tmp_path, tensors, Quality(max_error=1e-3))
    for name, (dtype, _, data) in tensors.items():
        if dtype not in FLOATS:
            assert back[name][2] == data


@pytest.mark.parametrize("bound", [1e-9, 1e-30])
def test_a_bound_below_the_precision_of_the_type_costs_no_more_than_lossless(bound: float) -> None:
    values = maps().astype(np.float32)
    bounded, exact = fc.save({"x": values}, max_error=bound), fc.save({"x": values}, lossless=True)
    assert len(bounded) <= 1.01 * len(exact) + 100


# --- names and metadata -------------------------------------------------------------------------


@pytest.mark.parametrize("metadata", [None, {}, {"a": "", "": "b", "é\n名": "x" * 70000}])
def test_names_order_and_metadata_of_any_text_are_kept(
    tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    names = ["z", "a/b.c", "名前 é", '"\\\n\t', "", " ", "x" * 5000, "../up", "A", "metadata"]
    tensors = {name: ("F32", (2, 3), normal("F32", (2, 3))) for name in names}
    back, _ = round_trip(tmp_path, tensors, Quality(lossless=True), metadata)
    assert back == tensors


def test_a_dump_without_tensors_comes_back(tmp_path: Path) -> None:
    assert round_trip(tmp_path, {}, Quality(snr=20), {"note": "nothing here"})[0] == {}


@pytest.mark.parametrize(
    "metadata",
    [
        {"layout": "NLD"},
        {"architecture": "something"},
        {"layout": "NLD", "grid": "0x0"},
        {"layout": "NLD", "grid": "4x4", "prefix_tokens": "-1"},
        {"layout": "NLD", "grid": "99999999999999999999x2", "prefix_tokens": "٣"},
        {"layout": "kv_blocks", "architecture": "resnet\n50"},
        {"layout": "NLD:1+8x8", "prefix_tokens": "9" * 5000, "grid": "9" * 5000 + "x1"},
    ],
    ids=lambda metadata: str(metadata)[:80],
)
def test_metadata_that_fit_no_tensor_do_no_harm(tmp_path: Path, metadata: dict[str, str]) -> None:
    tensors = {
        "maps": ("F32", (4, 3, 5, 5), normal("F32", (4, 3, 5, 5))),
        "tokens": ("F32", (4, 17, 3), normal("F32", (4, 17, 3))),
    }
    _, report = round_trip(tmp_path, tensors, Quality(snr=10), metadata)
    said = " ".join(report.remarks)
    foreign = {"kv_blocks", "NLD:1+8x8", "something", "resnet\n50"} & {*metadata.values()}
    assert all(repr(text) in said for text in foreign)


def test_what_options_overrule_is_not_remarked_upon(tmp_path: Path) -> None:
    tensors = {"x": ("F32", (4, 17, 3), normal("F32", (4, 17, 3)))}
    source = write(tmp_path / "in.safetensors", tensors, {"layout": "kv", "architecture": "bert"})
    options = Options(layouts={"": "NLD"}, architectures={"": "transformer"})
    for chosen, lines in ((None, 2), (options, 0)):
        report = encode_file(source, tmp_path / "x", options=chosen, overwrite=True)
        assert len(report.remarks) == lines
    assert encode_file(source, tmp_path / "y", Quality(lossless=True)).remarks == ()


# --- values -------------------------------------------------------------------------------------


def maps(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(10, 8, 6, 6))


def special(name: str) -> np.ndarray:
    """Return maps that a real dump may hold once in a while."""
    values = maps()
    zeros = np.zeros_like(values)
    rest = values != values
    rest[::3, 1::2] = True
    return {
        "all zero": zeros,
        "zeros of both signs": np.where(values > 0, 0.0, -0.0),
        "all equal": zeros + 2.5,
        "one value unlike zero": np.where(values == values.max(), 1.0, 0.0),
        "a constant channel": np.where(np.arange(8)[:, None, None] == 3, 7.0, values),
        "each channel constant": zeros + np.arange(8)[:, None, None],
        "two values": (values > 0) * 1.0,
        "integers": np.rint(values * 3),
        "rectified": np.maximum(values - 1, 0),
        "clipped on both sides": np.clip(values * 4, 0, 6),
        "massive activations": np.where(values == values.max(), -552.0, values),
        "a value of 1e30": np.where(values == values.max(), 1e30, values),
        "far from zero": values + 1e6,
        "times 1e30": values * 1e30,
        "times 1e-30": values * 1e-30,
        "denormal": values * 1e-40,
        "largest": np.clip(values * 2e38, -3.4e38, 3.4e38),
        "nan here and there": np.where(rest, np.nan, values),
        "infinities": np.where(rest, np.copysign(np.inf, values), values),
        "all nan": zeros + np.nan,
        "one finite value": np.where(values == values.max(), values, -np.inf),
    }[name]


SPECIAL = [
    "all zero", "zeros of both signs", "all equal", "one value unlike zero", "a constant channel",
    "each channel constant", "two values", "integers", "rectified", "clipped on both sides",
    "massive activations", "a value of 1e30", "far from zero", "times 1e30", "times 1e-30",
    "denormal", "largest", "nan here and there", "infinities", "all nan", "one finite value",
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values_reach_any_quality(name: str, dtype: str) -> None:
    values = special(name).astype(dtype)
    finite = np.isfinite(values)
    inside = values[finite].astype(np.float64)
    all_of_them = dtype == "<f4"  # the other type takes the same ways
    for wanted in (0.5, 10, 45) if all_of_them else (10,):
        decoded = fc.load(fc.save({"x": values}, snr=wanted))["x"]
        np.testing.assert_array_equal(decoded[~finite], values[~finite])
        # Values kept as they are count in neither sum, so all together may come to more.
        scale = np.abs(inside).max(initial=0) or 1.0
        assert snr(inside / scale, decoded[finite].astype(np.float64) / scale) > wanted - 0.1
    for share in (1e-12, 1e-3, 2.0) if all_of_them else (1e-3,):
        bound = max(share * float(np.abs(inside).max(initial=0)), 1e-44)
        decoded = fc.load(fc.save({"x": values}, max_error=bound))["x"]
        np.testing.assert_array_equal(decoded[~finite], values[~finite])
        assert np.abs(decoded[finite].astype(np.float64) - inside).max(initial=0) <= bound
    assert fc.load(fc.save({"x": values}, lossless=True))["x"].tobytes() == values.tobytes()


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e300, 8e306])
def test_double_precision_reaches_beyond_single(scale: float) -> None:
    values = maps() * scale
    decoded = fc.load(fc.save({"x": values}, snr=20))["x"]
    assert snr(values / scale, decoded / scale) + 1e-3 >= 20
    decoded = fc.load(fc.save({"x": values}, max_error=scale / 50))["x"]
    assert np.abs(decoded - values).max() <= scale / 50


@pytest.mark.parametrize("quality", QUALITIES, ids=lambda quality: str(vars(quality)))
@pytest.mark.parametrize("dtype", sorted(FLOATS))
def test_nan_and_infinities_of_any_bits_are_kept(
    tmp_path: Path, dtype: str, quality: Quality
) -> None:
    shape = (8, 8, 4, 4)
    values, wild = normal(dtype, shape), noise(dtype, shape)
    wide = BITS[dtype] // 8
    data = (
        b"".join(  # every seventh element of random bits
            (wild if i % (7 * wide) == 0 else values)[i : i + wide]
            for i in range(0, len(wild), wide)
        )
        + values[len(wild) :]
    )
    tensors = {"x": (dtype, shape, data)}
    back, _ = round_trip(tmp_path, tensors, quality)
    special = ~np.isfinite(values_of(tensors["x"])).reshape(-1)
    kind = np.dtype(f"<u{wide}")
    before, after = np.frombuffer(data, kind), np.frombuffer(back["x"][2], kind)
    np.testing.assert_array_equal(after[special], before[special])
    assert np.isfinite(values_of(back["x"]).reshape(-1)[~special]).all()


# --- any shape, any values ----------------------------------------------------------------------

KINDS = st.sampled_from(["<f2", "<f4", "<f8"])
SMALL = npst.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=5)


def arrays_of(kind: str) -> st.SearchStrategy[np.ndarray]:
    width = 8 * np.dtype(kind).itemsize
    elements = st.one_of(
        st.sampled_from([0.0, -0.0, 1.0, 2.5, -552.0, math.nan, math.inf, -math.inf]),
        st.floats(width=width),  # type: ignore[arg-type]
        st.floats(-4, 4, width=width),  # type: ignore[arg-type]
    )
    return npst.arrays(kind, SMALL, elements=elements, fill=st.just(0.5))


@settings(max_examples=60)
@given(values=KINDS.flatmap(arrays_of), bound=st.sampled_from([1e-3, 0.1, 3.0, 1e6]))
def test_any_array_keeps_any_bound(values: np.ndarray, bound: float) -> None:
    decoded = fc.load(fc.save({"x": values}, max_error=bound))["x"]
    assert (decoded.dtype, decoded.shape) == (values.dtype, values.shape)
    finite = np.isfinite(values)
    np.testing.assert_array_equal(decoded[~finite], values[~finite])
    with np.errstate(**HARMLESS):
        change = np.abs(decoded[finite].astype(np.longdouble) - values[finite])
    assert (change <= bound).all()


@settings(max_examples=40)
@given(values=KINDS.flatmap(arrays_of))
def test_any_array_comes_back_bit_for_bit_when_asked(values: np.ndarray) -> None:
    decoded = fc.load(fc.save({"x": values}, lossless=True))["x"]
    assert decoded.tobytes() == values.tobytes()


@pytest.mark.long
@settings(max_examples=60)
@given(values=KINDS.flatmap(arrays_of), wanted=st.sampled_from([0.1, 5, 20, 50, 120]))
def test_any_array_can_be_asked_for_any_snr(values: np.ndarray, wanted: float) -> None:
    decoded = fc.load(fc.save({"x": values}, snr=wanted))["x"]
    assert (decoded.dtype, decoded.shape) == (values.dtype, values.shape)
    finite = np.isfinite(values)
    np.testing.assert_array_equal(decoded[~finite], values[~finite])
    assert np.isfinite(decoded[finite]).all()


@pytest.mark.long
@settings(max_examples=40)
@given(
    shape=npst.array_shapes(min_dims=1, max_dims=5, min_side=1, max_side=9),
    seed=st.integers(0, 99),
    wanted=st.floats(1, 40),
)
def test_gaussian_features_of_any_shape_reach_the_snr(
    shape: tuple[int, ...], seed: int, wanted: float
) -> None:
    values = np.random.default_rng(seed).normal(3, 2, shape).astype(np.float32)
    assume(values.std() > 0)
    decoded = fc.load(fc.save({"x": values}, snr=wanted))["x"]
    assert snr(values.astype(np.float64), decoded.astype(np.float64)) >= wanted - 1e-3


@given(data=st.data())
def test_integers_of_any_kind_and_shape_are_kept(data: st.DataObject) -> None:
    kind = data.draw(st.one_of(npst.integer_dtypes(), npst.unsigned_integer_dtypes(),
                               npst.boolean_dtypes()))  # fmt: skip
    values = data.draw(npst.arrays(kind, SMALL))
    decoded = fc.load(fc.save({"x": values}, snr=3))["x"]
    assert decoded.dtype == values.dtype.newbyteorder("<")
    np.testing.assert_array_equal(decoded, values)


@given(names=st.lists(st.text(min_size=0, max_size=30).filter(lambda t: t != "__metadata__"),
                      max_size=8, unique=True),
       metadata=st.none() | st.dictionaries(st.text(), st.text(), max_size=4))  # fmt: skip
def test_any_names_and_metadata_are_kept(names: list[str], metadata: dict[str, str] | None) -> None:
    data = fc.save({name: np.float32([i]) for i, name in enumerate(names)}, metadata, lossless=True)
    decoded = fc.load(data)
    assert list(decoded) == names
    assert [int(v[0]) for v in decoded.values()] == list(range(len(names)))
