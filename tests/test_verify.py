"""`encode --verify`: what is sound passes, and whatever is wrong with a file is found."""

import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from featcodec import Profile, Quality, decode_file, encode_file
from featcodec.cli.main import main
from featcodec.container.source import Memory
from featcodec.decoding.decoder import Decoder
from featcodec.dumps import Dump
from featcodec.encoding import dump as encoder
from featcodec.encoding.dump import encode
from featcodec.errors import InvalidInput, VerificationFailed
from featcodec.numpy import Arrays
from featcodec.request import Options
from featcodec.verification import verify

from . import internals

MODES = [{"snr": 12}, {"snr": 45}, {"bpfp": 3.0}, {"max_error": 0.05}, {"lossless": True}]


def features(seed: int = 0) -> np.ndarray:
    """Return tokens of correlated channels."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(6, 16))
    return (rng.normal(size=(300, 6)) @ mixing + 0.1 * rng.normal(size=(300, 16))).astype("f4")


def odd(values: np.ndarray) -> np.ndarray:
    """Return features with values that no quantiser takes."""
    values = values.copy()
    values.ravel()[[7, 900, 2500]] = np.nan, np.inf, -1e20
    return values


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A dump of everything: features, odd values, numbers, nothing, and metadata."""
    maps = np.maximum(np.random.default_rng(1).normal(size=(20, 8, 8, 8)), 0).astype(np.float16)
    tensors = {
        "features": features(),
        "odd": odd(features(2)),
        "maps": maps,
        "labels": np.arange(300),
        "nothing": np.zeros((0, 4), np.float32),
        "scalar": np.array(3, np.float32),
    }
    path = tmp_path / "x.safetensors"
    save_file(tensors, path, {"note": "here"})
    return path


@pytest.fixture(autouse=True)
def _small_row_groups() -> Iterator[None]:
    with internals.row_groups(1 << 10):
        yield


# --- what is sound ------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_what_is_sound_passes(dump: Path, mode: dict[str, Any]) -> None:
    out = dump.with_suffix(".fcz")
    plain = encode_file(dump, out, Quality(**mode))
    data = out.read_bytes()
    assert encode_file(dump, out, Quality(**mode), overwrite=True, verify=True) == plain
    assert out.read_bytes() == data


@pytest.mark.parametrize("transform", ["none", "linear"])
def test_what_is_coded_with_a_profile_passes(
    few_digits: Path, profile: Profile, tmp_path: Path, transform: str
) -> None:
    for task in ("cnn", "vit"):
        encode_file(
            few_digits / f"{task}_eval.safetensors", tmp_path / f"{task}.fcz", Quality(snr=8),
            profile=profile, options=Options(transform), verify=True,
        )  # fmt: skip


def test_what_a_network_codes_passes(few_digits: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with internals.row_groups(1 << 14):  # each takes a network as long as it takes to begin
        for task in ("cnn", "vit"):
            encode_file(
                few_digits / f"{task}_eval.safetensors", tmp_path / f"{task}.fcz",
                Quality(snr=8), options=Options("neural"), verify=True,
            )  # fmt: skip


@pytest.mark.long
@settings(max_examples=25)
@given(
    dtype=st.sampled_from(["f2", "f4", "f8"]),
    shape=st.sampled_from([(200, 8), (9, 20, 8), (6, 8, 8, 8), (40, 3, 5), (8, 8, 30), (60,)]),
    scale=st.sampled_from([1e-3, 1.0, 300.0]),
    strange=st.lists(st.sampled_from([np.nan, np.inf, -np.inf, 6e4, -0.0]), max_size=3),
    rectified=st.booleans(),
    mode=st.sampled_from(MODES[:1] + MODES[3:]),
    seed=st.integers(0, 99),
)
def test_whatever_is_encoded_is_what_it_states(
    dtype: str,
    shape: tuple[int, ...],
    scale: float,
    strange: list[float],
    rectified: bool,
    mode: dict[str, Any],
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape) * scale
    values = np.maximum(values, 0) if rectified else values
    values.ravel()[rng.integers(0, values.size, len(strange))] = strange
    kind = {"f2": "F16", "f4": "F32", "f8": "F64"}[dtype]
    with np.errstate(over="ignore"):
        source = Arrays({"x": (values.astype(dtype), kind)}, None)
    if "max_error" in mode:
        mode = {"max_error": mode["max_error"] * scale}
    out = io.BytesIO()
    encode(source, out, Quality(**mode))
    verify(source, Memory(out.getvalue()), Quality(**mode))


# --- what is wrong ------------------------------------------------------------------------------


def other_source(change: Callable[[dict[str, np.ndarray]], Any]) -> Callable[..., Any]:
    """Return an encoder that encodes a dump which differs from the one it is given."""

    def wrong(source: Dump, out: BinaryIO, *arguments: Any, **options: Any) -> Any:
        tensors = load_file(source.path)
        kinds = {t.name: t.dtype for t in source.tensors}
        metadata = {"note": "here"}
        tensors = {t.name: tensors[t.name] for t in source.tensors}
        changed = change(tensors)
        if isinstance(changed, dict):
            metadata = changed
        stored = {
            name: (a, kinds.get(name, {"f": "F32", "i": "I64"}[a.dtype.kind]))
            for name, a in tensors.items()
        }
        return encode(Arrays(stored, metadata), out, *arguments, **options)

    return wrong


def a_number(tensors: dict[str, np.ndarray]) -> None:
    tensors["labels"][123] += 1


def a_scalar(tensors: dict[str, np.ndarray]) -> None:
    tensors["scalar"][()] = -3


def a_value(tensors: dict[str, np.ndarray]) -> None:
    tensors["features"][150, 3] += 30


def a_little_noise(tensors: dict[str, np.ndarray]) -> None:
    rng, x = np.random.default_rng(5), tensors["features"]
    x += (0.5 * x.std() * rng.normal(size=x.shape)).astype(np.float32)


def a_nan(tensors: dict[str, np.ndarray]) -> None:
    tensors["odd"].ravel()[7] = 1


def an_infinity(tensors: dict[str, np.ndarray]) -> None:
    tensors["odd"].ravel()[900] = -np.inf


def a_massive_value(tensors: dict[str, np.ndarray]) -> None:
    tensors["odd"].ravel()[2500] *= np.float32(1.001)


def rows_in_another_order(tensors: dict[str, np.ndarray]) -> None:
    tensors["maps"][:] = tensors["maps"][::-1].copy()


def a_name(tensors: dict[str, np.ndarray]) -> None:
    tensors["more"] = tensors.pop("features")


def the_order(tensors: dict[str, np.ndarray]) -> None:
    for name in list(tensors)[::-1]:
        tensors[name] = tensors.pop(name)


def a_shape(tensors: dict[str, np.ndarray]) -> None:
    tensors["features"] = tensors["features"].reshape(150, 2, 16)


def a_tensor_less(tensors: dict[str, np.ndarray]) -> None:
    del tensors["nothing"]


def the_metadata(tensors: dict[str, np.ndarray]) -> dict[str, str]:
    return {"note": "there"}


def more_metadata(tensors: dict[str, np.ndarray]) -> dict[str, str]:
    return {"note": "here", "more": ""}


OF_FEATURES = [
    a_value, a_little_noise, a_nan, an_infinity, a_massive_value, rows_in_another_order,
]  # fmt: skip
OF_ALL_ELSE = [  # which is the same for all qualities
    a_number, a_scalar, a_name, the_order, a_shape, a_tensor_less, the_metadata, more_metadata,
]  # fmt: skip
WRONG = [(change, mode) for change in OF_FEATURES for mode in (MODES[0], *MODES[3:])]
WRONG += [(change, MODES[0]) for change in OF_ALL_ELSE]


def refused(dump: Path, mode: dict[str, Any]) -> str:
    """Encode, which must fail, leaving what was there; return what is said."""
    out = dump.with_suffix(".fcz")
    out.write_bytes(b"before")
    with pytest.raises(VerificationFailed) as error:
        encode_file(dump, out, Quality(**mode), overwrite=True, verify=True)
    assert out.read_bytes() == b"before"
    assert {path.name for path in dump.parent.iterdir()} == {dump.name, out.name}
    return str(error.value)


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "mode"), WRONG, ids=lambda one: getattr(one, "__name__", str(one))
)
def test_a_file_of_another_dump_is_found(
    dump: Path, monkeypatch: pytest.MonkeyPatch, change: Callable, mode: dict[str, Any]
) -> None:
    monkeypatch.setattr(encoder, "encode", other_source(change))
    assert refused(dump, mode).startswith("what was written has")


@pytest.mark.parametrize(
    ("field", "by", "mode", "said"),
    [
        ("snr_db", 0.1, {"snr": 12}, "an SNR of 12.* stated are 12"),
        ("snr_db", 0.1, {"max_error": 0.05}, "stated are"),
        ("snr_db", -0.5, {"snr": 12}, "asked for were 12.00"),
        ("max_error", -0.001, {"max_error": 0.05}, "an error of .* stated is"),
    ],
)
def test_a_header_that_states_too_much_is_found(
    dump: Path, headers_written: Callable, field: str, by: float, mode: dict, said: str
) -> None:
    headers_written(
        lambda header: replace(
            header, **{field: getattr(header, field) + by} if header.lossy else {}
        )
    )
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(refused(dump, mode))


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.8, 0.95, 0.999])
def test_a_file_that_is_damaged_as_it_is_written_is_found(
    dump: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    def damaging(source: Any, out: BinaryIO, *arguments: Any, **options: Any) -> Any:
        report = encode(source, out, *arguments, **options)
        out.seek(int(share * report.output_bytes))
        byte = out.read(1)
        out.seek(-1, io.SEEK_CUR)
        out.write(bytes((byte[0] ^ 16,)))
        return report

    monkeypatch.setattr(encoder, "encode", damaging)
    assert "cannot be decoded" in refused(dump, {"snr": 12})


def values_that_are_no_numbers(piece: Any) -> Any:
    return replace(piece, values=np.full_like(piece.values, np.nan))


def values_without_bounds(piece: Any) -> Any:
    return replace(piece, values=np.full_like(piece.values, np.inf))


@pytest.mark.parametrize("change", [values_that_are_no_numbers, values_without_bounds])
@pytest.mark.parametrize("mode", [MODES[0], MODES[3]], ids=str)
def test_nonsense_is_no_match(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable, mode: dict[str, Any]
) -> None:
    save_file({"x": features()}, tmp_path / "x.safetensors")
    pieces = Decoder.pieces
    monkeypatch.setattr(Decoder, "pieces", lambda *a: [change(p) for p in pieces(*a)])
    assert "what was written has, in x" in refused(tmp_path / "x.safetensors", mode)


def test_a_dump_that_changes_is_not_blamed_on_the_file(
    dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touching(*arguments: Any, **options: Any) -> Any:
        report = encode(*arguments, **options)
        os.utime(dump, (1, 1))
        return report

    monkeypatch.setattr(encoder, "encode", touching)
    with pytest.raises(InvalidInput, match="has changed while it was read"):
        encode_file(dump, dump.with_suffix(".fcz"), verify=True)


# --- the command line ---------------------------------------------------------------------------


def run(arguments: Sequence[object]) -> int:
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return int(exit_.value.code or 0)


@pytest.mark.long
def test_the_command_verifies_before_anything_takes_its_name(
    dump: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    out = tmp_path / "out.fcz"
    assert run(["encode", dump, "-o", out, "--verify", "-q"]) == 0
    decode_file(out, tmp_path / "back")
    monkeypatch.setattr(encoder, "encode", other_source(a_number))
    assert run(["encode", dump, "-o", tmp_path / "wrong.fcz", "--verify"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"featcodec: {dump}: what was written has, in labels, other bits")
    assert said.count("\n") == 1
    assert not (tmp_path / "wrong.fcz").exists()


@pytest.mark.long
def test_nothing_wrong_goes_to_standard_output(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for found, status in ((encode, 0), (other_source(a_number), 1)):
        monkeypatch.setattr(encoder, "encode", found)
        stream = io.TextIOWrapper(io.BytesIO())
        monkeypatch.setattr(sys, "stdout", stream)
        assert run(["encode", dump, "-o", "-", "--verify", "-q"]) == status
        assert bool(stream.buffer.getvalue()) == (status == 0)  # type: ignore[attr-defined]
