"""Arrays of zarr and codecs of numcodecs: what comes back, where profiles are found, sizes."""

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

zarr = pytest.importorskip("zarr", minversion="3")
numcodecs = pytest.importorskip("numcodecs")


from featcodec import numpy as fn  # noqa: E402
from featcodec.errors import Corrupt, InvalidInput, InvalidStream, ProfileMissing  # noqa: E402
from featcodec.ext import numcodecs as of_numcodecs  # noqa: E402
from featcodec.ext.chunks import ChunkCodec  # noqa: E402
from featcodec.ext.zarr import Featcodec  # noqa: E402
from featcodec.profiles import SEARCH_PATH as PATH  # noqa: E402

CHUNKS = (64, 17, 64)


@pytest.fixture(scope="module")
def tokens(digits: Path) -> np.ndarray:
    from safetensors.numpy import load_file

    return load_file(digits / "vit_eval.safetensors")["features"][:192].astype(np.float32)


@pytest.fixture
def path_of_profiles(profile_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where profiles are found, with one in it."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    shutil.copy(profile_file, folder / "digits.fcp")
    monkeypatch.setenv(PATH, f"{tmp_path / 'nothing'}{os.pathsep}{folder}")
    return folder


def snr(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype(np.float64), y.astype(np.float64)
    return float(10 * np.log10(np.sum((x - x.mean()) ** 2) / np.sum((x - y) ** 2)))


def create(store: Any, data: np.ndarray, codec: Any, **options: Any) -> Any:
    options = {"chunks": CHUNKS, "serializer": codec, "compressors": None, **options}
    return zarr.create_array(store, data=data, **options)


def in_a_fresh_process(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Read an array in a process that imports nothing of featcodec."""
    script = (
        "import sys, zarr, hashlib\n"
        f"x = zarr.open_array({str(path)!r}, mode='r')[:]\n"
        "print(hashlib.sha256(x.tobytes()).hexdigest())"
    )
    command, names = [sys.executable, "-c", script], {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=names)


registered = pytest.mark.skipif(
    not [e for e in importlib.metadata.entry_points(group="zarr.codecs") if e.name == "featcodec"],
    reason="featcodec is not installed with its entry points",
)


# --- what comes back ----------------------------------------------------------------------------


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("by_profile", [False, True])
@registered
def test_an_array_comes_back_in_a_fresh_process(
    tokens: np.ndarray,
    path_of_profiles: Path,
    profile_file: Path,
    tmp_path: Path,
    sharded: bool,
    by_profile: bool,
) -> None:
    codec = Featcodec(profile_file, snr=10) if by_profile else Featcodec(snr=10, layout="NLD:1+4x4")
    path = tmp_path / "x.zarr"
    shards = {"shards": (128, *CHUNKS[1:])} if sharded else {}
    create(path, tokens, codec, **shards)
    back = zarr.open_array(path, mode="r")[:]
    assert back.dtype == tokens.dtype and snr(tokens, back) > 9.9
    done = in_a_fresh_process(path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == hashlib.sha256(back.tobytes()).hexdigest()
    metadata = json.loads((path / "zarr.json").read_text())
    assert str(profile_file) not in json.dumps(metadata)  # the hash alone
    size = sum(file.stat().st_size for file in path.rglob("*") if file.name != "zarr.json")
    assert size < tokens.nbytes / 15


@given(
    hnp.arrays(
        st.sampled_from(["f2", "f4", "f8", "i1", "u2", "i8", "?", ">f4"]),
        hnp.array_shapes(min_dims=1, max_dims=4, max_side=5),
    )
)
@settings(max_examples=40)
def test_any_array_comes_back_bit_for_bit(array: np.ndarray) -> None:
    codec = Featcodec(lossless=True)
    found = create({}, array, codec, chunks=array.shape)[...]
    assert found.dtype == array.dtype and found.tobytes() == array.tobytes()
    again = of_numcodecs.Featcodec(lossless=True)
    little = array.astype(array.dtype.newbyteorder("<"))
    assert again.decode(again.encode(array)).tobytes() == little.tobytes()


@pytest.mark.long
@pytest.mark.parametrize(
    "quality", [{"snr": 15}, {"bpfp": 2.0}, {"max_error": 0.25}, {"lossless": True}]
)
def test_a_codec_keeps_its_quality_and_is_made_anew(
    tokens: np.ndarray, quality: dict[str, Any]
) -> None:
    tokens = tokens[:32]
    codec = of_numcodecs.Featcodec(layout="NLD:1+4x4", **quality)
    assert codec.get_config() == {"id": "featcodec", "layout": "NLD:1+4x4", **quality}
    again = type(codec).from_config({k: v for k, v in codec.get_config().items() if k != "id"})
    assert again == codec and again.encode(tokens) == codec.encode(tokens)
    out = np.empty_like(tokens)
    codec.decode(codec.encode(tokens), out)
    assert np.array_equal(out, codec.decode(codec.encode(tokens)))
    if "max_error" in quality:
        assert np.abs(out - tokens).max() <= 0.25
    if "lossless" in quality:
        assert np.array_equal(out, tokens)


@pytest.mark.long
@registered
def test_numcodecs_knows_the_codec_by_its_name(tokens: np.ndarray) -> None:
    codec = numcodecs.get_codec({"id": "featcodec", "snr": 10, "layout": "NLD:1+4x4"})
    assert isinstance(codec, of_numcodecs.Featcodec)
    group = zarr.open_group({}, mode="w", zarr_format=2)
    array = group.create_array(
        "x", shape=tokens.shape, dtype="f4", chunks=CHUNKS, compressors=codec
    )
    array[:] = tokens
    assert snr(tokens, array[:]) > 9.9


def test_a_message_is_smaller_than_a_file(tokens: np.ndarray, profile_file: Path) -> None:
    few = tokens[:4]
    file, message = ChunkCodec(snr=10), ChunkCodec(profile_file, snr=10)
    assert 2 * len(message.encode(few)) < len(file.encode(few))
    labels = np.arange(4)
    assert np.array_equal(message.decode(message.encode(labels)), labels)  # no floats: a file


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.long
@registered
def test_a_profile_that_is_missing_is_named(
    tokens: np.ndarray, path_of_profiles: Path, profile_file: Path, tmp_path: Path
) -> None:
    create(tmp_path / "x.zarr", tokens, Featcodec(profile_file, snr=10))
    done = in_a_fresh_process(tmp_path / "x.zarr", **{PATH: ""})
    sha256 = hashlib.sha256(profile_file.read_bytes()).hexdigest()
    assert f"ProfileMissing: chunks need the profile with SHA-256 {sha256}" in done.stderr
    assert PATH in done.stderr
    with pytest.raises(ProfileMissing, match="0" * 64):
        ChunkCodec("0" * 64).encode(tokens)


def test_what_makes_no_sense_is_said(profile_file: Path, tokens: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="choose one quality"):
        Featcodec(snr=10, bpfp=1)
    with pytest.raises(InvalidInput, match="states the layout"):
        Featcodec(profile_file, layout="NLD")
    with pytest.raises(InvalidInput, match=r"nothing.fcp"):
        Featcodec("nothing.fcp")
    with pytest.raises(InvalidInput, match="complex128"):
        create({}, tokens.astype("c16"), Featcodec())
    with pytest.raises(InvalidInput, match="no entry"):
        ChunkCodec(profile_file).encode(np.zeros((2, 17, 7), np.float32) + tokens[:2, :, :7])


@pytest.mark.long
def test_damaged_chunks_are_known(tokens: np.ndarray, profile_file: Path) -> None:
    codec = ChunkCodec(snr=10)
    data = codec.encode(tokens)
    with pytest.raises(InvalidStream):
        codec.decode(data[:-1])
    with pytest.raises(Corrupt, match=r"shape \[192, 17, 64\] where \[1, 2\]"):
        codec.decode(data, (1, 2))
    with pytest.raises(Corrupt, match="no featcodec file"):
        codec.decode(b"something else")
    with pytest.raises(Corrupt, match="it holds one"):
        codec.decode(fn.save({"a": tokens, "b": tokens}))
    with pytest.raises(InvalidStream):
        ChunkCodec(profile_file).decode(b"\xff" * 40)
