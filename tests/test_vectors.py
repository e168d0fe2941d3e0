"""The vectors of the format: package, reference decoder and Kaitai description agree."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open as open_safetensors
from safetensors.numpy import load_file

from bitstream_spec import reference_decoder as reference
from featcodec import Codec, Profile
from featcodec.align.numbers import STORED, stored_dtype, to_float
from featcodec.arrays import to_stored
from featcodec.dumps import Dump
from featcodec.elements import FLOATS
from featcodec.errors import InvalidStream, ProfileMissing
from featcodec.files import decode_file

from .vectors import messages
from .vectors.store import VECTORS, profiles_of

DECODER = VECTORS.parent / "reference_decoder.py"


def vectors(kind: str) -> list:
    found = sorted((VECTORS / kind).iterdir())
    return [pytest.param(folder, id=folder.name) for folder in found]


def profiles(folder: Path) -> list[Path]:
    expected = json.loads((folder / "expect.json").read_text())
    return [VECTORS / name for name in profiles_of(expected)]


def has_network(folder: Path) -> bool:
    held = [folder / "in.fcz"] if "embedded" in folder.name else []
    return any(b"NETW" in path.read_bytes() for path in [*profiles(folder), *held])


def known_to_the_package(folder: Path) -> list[Profile]:
    """The profiles that a vector names; the package needs torch for one with a network."""
    if has_network(folder):
        pytest.importorskip("torch")
    return [Profile.parse(path.read_bytes()) for path in profiles(folder)]


def same(
    dtype: str,
    found: np.ndarray,
    wanted: np.ndarray,
    lossy: bool,
    std: float,
    network: bool = False,
) -> None:
    """Compare stored elements: bit for bit, or within the tolerance of SPEC 6.1 or 9.5."""
    if not lossy:
        assert found.tobytes() == wanted.tobytes()
        return
    one, other = (to_float(a, dtype).astype(np.float64) for a in (found, wanted))
    np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
    finite = np.isfinite(other)
    np.testing.assert_array_equal(one[~finite], other[~finite])
    # One unit in the last place of the type, where a value lay between two of its numbers.
    unit = np.abs(other[finite]) * {"F16": 2**-10, "BF16": 2**-7}.get(dtype, 2**-22)
    unit = np.abs(other[finite]) * 2**-1.5 if dtype.startswith("F8") else unit
    size = np.abs(other[finite])
    allowed = 2**-12 * np.maximum(std, size) if network else 2**-15 * (std + size)
    assert (np.abs(one[finite] - other[finite]) <= unit + allowed).all()


def compare(found: Path, folder: Path) -> None:
    wanted, got = Dump(folder / "out.safetensors"), Dump(found)
    assert got.metadata == wanted.metadata
    assert [(t.name, t.dtype, t.shape) for t in got.tensors] == [
        (t.name, t.dtype, t.shape) for t in wanted.tensors
    ]
    for one, other in zip(got.tensors, wanted.tensors, strict=True):
        lossy = "lossless" not in folder.name and one.dtype in FLOATS
        a, b = (np.asarray(t.read()).view(stored_dtype(t.dtype)) for t in (one, other))
        values = to_float(b, one.dtype) if lossy else b
        std = float(np.std(values[np.isfinite(values)], dtype=np.float64)) if lossy else 0.0
        same(one.dtype, a, b, lossy, std, has_network(folder))


@pytest.mark.parametrize("folder", vectors("valid"))
def test_the_package_decodes_a_valid_file(folder: Path, tmp_path: Path) -> None:
    known = known_to_the_package(folder)
    decode_file(folder / "in.fcz", tmp_path / "out", profile=known)
    compare(tmp_path / "out", folder)


@pytest.mark.parametrize("folder", vectors("valid"))
def test_the_reference_decoder_decodes_it_alike(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [word for path in profiles(folder) for word in ("--profile", str(path))]
    command = [str(DECODER), str(folder / "in.fcz"), str(tmp_path / "out"), *options]
    monkeypatch.setattr(sys, "argv", command)
    assert reference.main() == 0
    with open_safetensors(tmp_path / "out", "numpy"):
        compare(tmp_path / "out", folder)


def test_the_reference_decoder_is_a_command_that_needs_no_package(tmp_path: Path) -> None:
    folder = VECTORS / "valid" / "001-cnn-map"
    command = [sys.executable, "-I", "-S", str(DECODER), str(folder / "in.fcz")]
    subprocess.run([*command, str(tmp_path / "out")], check=True)
    compare(tmp_path / "out", folder)


@pytest.mark.parametrize("folder", [*vectors("faulty"), *vectors("limits")])
def test_the_package_refuses_an_invalid_file(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidStream):
        known = known_to_the_package(folder)
        decode_file(folder / "in.fcz", tmp_path / "out", profile=known)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("folder", [*vectors("faulty"), *vectors("limits")])
def test_the_reference_decoder_refuses_it_too(folder: Path) -> None:
    known = [path.read_bytes() for path in profiles(folder)]
    with pytest.raises(reference.FormatError):
        reference.decode((folder / "in.fcz").read_bytes(), known)


@pytest.mark.parametrize("folder", vectors("messages"))
def test_both_decode_a_message(folder: Path) -> None:
    profile = VECTORS / messages.profile_of(folder.name)
    message, wanted = (folder / "in.msg").read_bytes(), np.load(folder / "out.npy")
    described = folder / "expect.json"
    dtype = json.loads(described.read_text())["dtype"] if described.exists() else "F16"
    values = to_float(wanted, dtype)
    finite = values[np.isfinite(values)]
    std = float(np.std(finite, dtype=np.float64)) if finite.size else 0.0
    back, found = to_stored(Codec(Profile.load(profile)).decode(message))
    assert (found, back.shape) == (dtype, wanted.shape)
    same(dtype, back, wanted, True, std)
    found, shape, data = reference.decode_message(message, profile.read_bytes())
    assert (found, tuple(shape)) == (dtype, wanted.shape)
    same(dtype, np.frombuffer(data, STORED[dtype]).reshape(shape), wanted, True, std)


@pytest.mark.parametrize("folder", vectors("faulty-messages"))
def test_both_refuse_a_faulty_message(folder: Path) -> None:
    message, profile = (folder / "in.msg").read_bytes(), VECTORS / messages.profile_of(folder.name)
    kind = ProfileMissing if folder.name == "330-other-profile" else InvalidStream
    with pytest.raises(kind):
        Codec(Profile.load(profile)).decode(message)
    with pytest.raises(reference.FormatError):
        reference.decode_message(message, profile.read_bytes())


@pytest.mark.parametrize("threads", ["1", "2"])
def test_symbols_do_not_depend_on_threads(threads: str, tmp_path: Path) -> None:
    """Each row group's CRC-32 holds on any number of threads, or decoding would fail."""
    script = (
        "import sys; from featcodec.files import decode_file\ndecode_file(sys.argv[1], sys.argv[2])"
    )
    folder = VECTORS / "valid" / "001-cnn-map"
    environment = {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
    command = [sys.executable, "-c", script, str(folder / "in.fcz"), str(tmp_path / "out")]
    subprocess.run(command, check=True, env=environment)
    compare(tmp_path / "out", folder)


def test_a_vector_holds_what_the_dump_had() -> None:
    tensors = load_file(VECTORS / "valid" / "010-lossless" / "out.safetensors")
    np.testing.assert_array_equal(tensors["i64"], np.arange(-5, 300))
