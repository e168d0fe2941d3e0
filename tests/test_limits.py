"""Limits: one table for specification, package and reference decoder, kept by all of them.

For each limit there is a file of which the limit is the exact size: with it all is well, with one
less the file is neither written nor read.
"""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec import Profile, limits
from featcodec.cli.main import main
from featcodec.coding.picture import NeuralCoder
from featcodec.container.dump import check_dump, header_bytes, surely_fits
from featcodec.container.group import GroupHeader
from featcodec.container.index import TensorEntry
from featcodec.container.lossy import Lossy
from featcodec.container.model import Model, ProfileEntry
from featcodec.container.network import Network
from featcodec.container.part import Part
from featcodec.container.repeats import RepeatedRows
from featcodec.container.sections import FEATURES
from featcodec.container.slices import PackedGains
from featcodec.container.wire import Builder, Unpacker
from featcodec.container.writer import Writer
from featcodec.dumps import header_bytes as dump_header
from featcodec.entropy import integers, symbols
from featcodec.entropy.exact import ExactEncoder
from featcodec.errors import InputTooLarge, InvalidInput, InvalidStream, LimitExceeded
from featcodec.modes.banded import BandedFields
from featcodec.modes.predicted import PredictedFields
from featcodec.request import Options
from featcodec.training.linear import train

from .vectors.edit import PLAIN
from .vectors.raw import index_in
from .vectors.store import VECTORS

ZEROS = PLAIN | {"step_scale": 1000}
NOTHING = b"\x80\0" + symbols.encode([])

LEAST = Profile.load(VECTORS / "least.fcp")
assert LEAST.network is not None


# --- a file for each limit ----------------------------------------------------------------------


def features(
    model: Model, shape: tuple[int, ...], slabs: int, layout: str = "ND", **changes: Any
) -> bytes:
    """Return a file of one tensor of zeros, coded with loss in one row group."""
    out = io.BytesIO()
    writer = Writer(out)
    lossy = Lossy(**{**ZEROS, "layout": layout, **changes}, parts=(Part(model.transform, model),))
    writer.section(b"ROWS", NOTHING)
    writer.section(b"GRUP", GroupHeader("F32", slabs, slabs, 0, 1.0, np.nan, lossy).pack())
    writer.index.tensors = [TensorEntry("x", "F32", shape, 0)]
    writer.finish()
    return out.getvalue()


def exact(tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> bytes:
    return fc.save(tensors, metadata, lossless=True)


def repeated(new: tuple[int, ...], repeats: tuple[int, ...], *distances: int) -> bytes:
    """Return a file of one tensor of rows that, but for one, repeat others."""
    out = io.BytesIO()
    writer = Writer(out)
    writer.section(b"ROWS", ExactEncoder(False).encode(np.arange(4, dtype="u1")))
    rows = RepeatedRows("LD", False, new, repeats, distances)
    header = GroupHeader("U8", 4, 4, 0, np.inf, 0.0, repeats=rows)
    writer.section(b"GRUP", header.pack())
    writer.index.tensors = [TensorEntry("x", "U8", (1 + sum(repeats), 4), 0)]
    writer.finish()
    return out.getvalue()


def cut(parts: int) -> bytes:
    values = np.random.default_rng(2).normal(size=(parts, 40)).astype("f4")
    return fc.save({"x": values}, layout={"x": "KL"}, snr=9)


def klt(bands: int, channels: int) -> Model:
    """A model of one reflector a band."""
    vectors = np.ones((bands, channels), np.int64)
    places = integers.pack(np.arange(16) % bands)
    basis = integers.pack(vectors)
    return Model("banded", (16,), 1, fields=BandedFields(bands, places), basis=basis)


def predicted(channels: int) -> Model:
    out = Builder()
    out.blob(b"")
    out.u8(0)
    out.blob(b"")
    out.blob(integers.pack(np.ones(channels * (channels - 1) // 2, np.int64)))
    return Model("predicted", fields=PredictedFields(bytes(out)))


def entry(model: Model, **changes: Any) -> ProfileEntry:
    head = ("an entry", "generic", "NLD", 0, (), False, 3, 9, 0.0, 1.0, 0.0, 1.0)
    return replace(ProfileEntry(*head, model), **changes)


def network() -> bytes:
    return Profile.pack([], Network(LEAST.network.weights, {}))


def picture() -> bytes:
    """The picture of 21 x 13 of a test vector, whose size is checked before it is coded."""
    model = LEAST.neural
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "network", None)
        try:
            NeuralCoder(model, 1.0).encode(np.zeros((21, 13), np.float32))
        except AttributeError:  # behind the limits, where the network is wanted
            return (VECTORS / "valid" / "104-network-least" / "in.fcz").read_bytes()
    raise AssertionError


def plain_slab() -> bytes:
    values = np.random.default_rng(2).normal(size=(3, 4, 10)).astype("f4")
    return fc.save({"x": values}, layout="HWD", transform="none", snr=6)


def index_bytes() -> int:
    """How long the index of a file is, unpacked."""
    raw = exact({"x": np.zeros(3, "u1")})
    unpacker = Unpacker(index_in(raw), "index", 1 << 30)
    return unpacker.left


least = np.random.default_rng(1).integers(0, 256, 995).astype("u1")
ENTRIES = [entry(Model("none", (1,)), channels=channels) for channels in (3, 4)]
CASES: dict[str, tuple[int, Callable[[], bytes]]] = {
    "HEADER_BYTES": (
        len(
            '{"__metadata__":{"a":"\\n\\u0001"},"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}'
        ),
        lambda: exact({"x": np.zeros(3, "u1")}, {"a": "\n\1"}),
    ),
    "GROUPS": (3, lambda: exact({k: np.zeros(3, k) for k in ("u1", "u2", "u4")})),
    "PARTS": (6, lambda: cut(6)),
    "RANK": (5, lambda: exact({"x": np.zeros((1, 2, 1, 2, 1))})),
    "STRING_BYTES": (8, lambda: exact({"x€yäz": np.zeros(3)})),
    "TENSOR_VALUES": (12, lambda: exact({"x": np.zeros((3, 4)), "y": np.zeros((0, 12))})),
    "INDEX_BYTES": (index_bytes(), lambda: exact({"x": np.zeros(3, "u1")})),
    "SECTION_BYTES": (1000, lambda: exact({"x": least})),
    "CHANNELS": (7, lambda: features(Model("none"), (2, 7), 2)),
    "BLOCK_POINTS": (12, lambda: features(Model("linear", (3, 4)), (3, 4, 2), 1, "HWD")),
    "COEFFICIENTS": (24, lambda: features(Model("linear", (3, 4)), (3, 4, 2), 1, "HWD")),
    "KLT_NUMBERS": (3 * 25, lambda: features(klt(3, 5), (1, 16, 5), 1, "NLD")),
    "PROFILE_KLT_NUMBERS": (4 * 36, lambda: Profile.pack([entry(klt(4, 6), channels=6)])),
    "CHANNEL_WEIGHTS": (15, lambda: features(predicted(6), (1, 6), 1)),
    "SLAB_VALUES": (40, plain_slab),
    "REPEAT_ROWS": (5, lambda: repeated((1,), (4,), 1)),
    "REPEAT_RUNS": (3, lambda: repeated((1, 0, 0), (1, 2, 3), 1, 2, 1)),
    "SLICES": (14, lambda: features(Model("none"), (2, 7), 2, slices=PackedGains(True, 7, b""))),
    "ROW_GROUP_VALUES": (21, lambda: features(Model("none"), (3, 7), 3)),
    "PROFILE_ENTRIES": (2, lambda: Profile.pack(ENTRIES)),
    "NETWORK_HEADER_BYTES": (int.from_bytes(LEAST.network.weights[:8], "little"), network),
    "PICTURE_LATENTS": (11 * 7, picture),
    "PICTURE_INNER_VALUES": (2 * 11 * 7, picture),
}


def read(data: bytes) -> None:
    """Read a file or a profile with the package; for a network, up to its symbols."""
    if data[10] != FEATURES:
        for number in range(len(Profile.parse(data).entries)):
            Profile.parse(data).model(number)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NeuralCoder, "picture", lambda *found: np.zeros(found[-1], np.float32))
        fc.load(data, profile=LEAST)


def read_by_reference(data: bytes) -> None:
    if data[10] != FEATURES:
        reference.read_profile(data)
    else:
        reference.decode(data, [(VECTORS / "least.fcp").read_bytes()])


def table() -> dict[str, int]:
    """The table of the specification."""
    text = (VECTORS.parent / "SPEC.md").read_text().partition("## 10. Limits")[2]
    rows = re.findall(r"^\| `([A-Z_]+)` \|.*\| ([0-9,^]+) \|$", text, re.MULTILINE)
    return {name: eval(number.replace(",", "").replace("^", "**")) for name, number in rows}


def test_specification_package_and_reference_decoder_have_the_same_table() -> None:
    ours = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert table() == ours == reference.LIMITS
    assert list(table()) == list(ours) == list(reference.LIMITS)


def test_there_is_a_case_for_each_limit() -> None:
    assert list(CASES) == list(table())


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Sets a limit for all."""

    def change(name: str, bound: int) -> None:
        monkeypatch.setattr(limits, name, bound)
        monkeypatch.setitem(reference.LIMITS, name, bound)

    return change


@pytest.mark.parametrize("name", table())
def test_a_file_at_a_limit_is_written_and_read(
    name: str, limited: Callable[[str, int], None]
) -> None:
    size, write = CASES[name]
    limited(name, size)
    data = write()
    read(data)
    read_by_reference(data)


@pytest.mark.parametrize("name", table())
def test_a_file_beyond_a_limit_is_neither_written_nor_read(
    name: str, limited: Callable[[str, int], None]
) -> None:
    size, write = CASES[name]
    data = write()
    limited(name, size - 1)
    with pytest.raises(InputTooLarge, match=f"{size}.*{size - 1}") as error:
        write()
    assert (error.value.exit_status, "\n" in str(error.value)) == (1, False)
    with pytest.raises(LimitExceeded):
        read(data)
    with pytest.raises(reference.FormatError):
        read_by_reference(data)


# --- what people meet -----------------------------------------------------------------------------


def save(
    tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None, **more: Any
) -> str:
    """Return why a dump is refused."""
    with pytest.raises(InvalidInput) as error:
        fc.save(tensors, metadata, **more)
    assert not isinstance(error.value, InvalidStream)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_too_many_channels_name_tensor_number_limit_and_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "CHANNELS", 100)
    wide = np.random.default_rng(4).normal(size=(1, 300, 101)).astype("f4")
    for quality in ({"snr": 10}, {"max_error": 0.1}):
        message = save({"wide": wide}, {"layout": "NLD"}, **quality)
        for words in ("'wide'", "NLD", "101", "100", "in its layout"):
            assert words in message


def test_more_channels_than_a_model_has_are_places_where_tokens_are_fewer() -> None:
    logits = np.random.default_rng(4).normal(size=(1, 1, 151_936)).astype("f4")
    for quality in ({"snr": 10}, {"max_error": 0.1}):
        for layout in (None, "NLD", "NLH"):
            more = {} if layout is None else {"layout": layout}
            back = fc.load(fc.save({"logits": logits}, **more, **quality))["logits"]
            assert back.shape == logits.shape


def test_a_slab_beyond_the_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SLAB_VALUES", 1000)
    wide = np.random.default_rng(5).normal(size=(30, 7, 143)).astype("f4")
    message = save({"wide": wide}, layout="HWC", snr=10)
    for words in ("'wide'", "HWC", "1001", "1000", "in its layout"):
        assert words in message
    assert fc.load(fc.save({"wide": wide}, layout="NNC", snr=10))["wide"].shape == wide.shape


@pytest.mark.parametrize("name", ["__metadata__", "\ud800"])
def test_a_name_that_safetensors_cannot_have_is_refused(name: str) -> None:
    save({name: np.zeros(3)})


def test_names_and_keys_that_are_too_long_are_refused() -> None:
    for size in (65_536, 65_537):
        cases = [({"x" * size: np.zeros(3)}, None), ({"x": np.zeros(3)}, {"k" * size: "v"})]
        for tensors, metadata in cases:
            if size > limits.STRING_BYTES:
                assert str(size) in save(tensors, metadata)
            else:
                fc.load(fc.save(tensors, metadata))


@pytest.mark.parametrize(
    ("field", "text"),
    [("name", "x" * 65_536), ("layout", "N" * 16), ("grid", (1,) * 16), ("channels", 65_536)],
)
def test_a_profile_holds_as_long_texts_and_as_many_axes(field: str, text: Any) -> None:
    data = Profile.pack([entry(Model("none", (1,)), **{field: text})])
    assert getattr(Profile.parse(data).entries[0], field) == text
    reference.read_profile(data)
    longer = text + 1 if field == "channels" else text + text[:1]
    with pytest.raises(InputTooLarge):
        Profile.pack([entry(Model("none", (1,)), **{field: longer})])


def test_a_profile_of_too_many_channels_for_a_matrix_has_few_axes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "PROFILE_KLT_NUMBERS", 64)
    generator = np.random.default_rng(3)
    for channels in (8, 9):
        mixing = generator.normal(size=(channels, channels))
        values = (generator.normal(size=(900, channels)) @ mixing).astype("f4")
        dump = fc.Arrays({"x": (values, "F32")}, None)
        entries = train([dump], Options(layouts={"": "ND"}))  # without bands
        (found,) = Profile.parse(Profile.pack(entries)).entries
        assert found.model.reflectors == (channels - 1 if channels == 8 else 64 // (2 * channels))


def test_metadata_must_be_text() -> None:
    save({"x": np.zeros(3)}, {"epoch": 3})  # type: ignore[dict-item]
    save({"x": np.zeros(3)}, {"note": "\udfff"})


@pytest.mark.slow
def test_names_that_add_up_to_more_than_safetensors_reads_are_refused(tmp_path: Path) -> None:
    names = [f"{i:05d}" + "n" * 60_000 for i in range(1700)]
    kept = {name: np.zeros(4, "f4") for name in names[:1660]}
    fc.save_file(kept, tmp_path / "x.fcz")
    with pytest.raises(SystemExit) as stop:
        main(["decode", str(tmp_path / "x.fcz"), "-q"])
    assert not stop.value.code
    with safe_open(tmp_path / "x.safetensors", "numpy") as file:
        assert len(list(file.keys())) == len(kept)
    assert "100000000" in save({name: np.zeros(4, "f4") for name in names})


def test_the_command_line_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(6).normal(size=(90, 9)).astype("f4")
    save_file({"x": values}, tmp_path / "x.safetensors")
    monkeypatch.setattr(limits, "CHANNELS", 8)
    with pytest.raises(SystemExit) as stop:
        main(["encode", str(tmp_path / "x.safetensors"), "--layout", "ND"])
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("featcodec: ") and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
shapes = st.lists(st.integers(0, 30), max_size=4).map(tuple)
types = st.sampled_from(["U8", "F32", "F8_E4M3FNUZ"])
described = st.builds(TensorEntry, texts, types, shapes, st.just(0))


@given(
    metadata=st.none() | st.dictionaries(texts, texts, max_size=3),
    tensors=st.lists(described, max_size=4, unique_by=lambda tensor: tensor.name),
)
def test_the_header_is_counted_as_it_is_written(
    metadata: dict[str, str] | None, tensors: list[TensorEntry]
) -> None:
    tensors = [tensor for tensor in tensors if tensor.name != "__metadata__"]
    size = header_bytes(metadata, tensors)
    listed = [(tensor.name, tensor.dtype, tensor.shape) for tensor in tensors]
    written, _ = dump_header(listed, metadata)
    assert len(written) - 8 == size + -size % 8
    check_dump(metadata, tensors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "HEADER_BYTES", size - 1)
        assert not surely_fits(metadata, tensors)
