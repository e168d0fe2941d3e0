"""`verify --against`: a file that is there already, beside its dump."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from featcodec.numpy import load_file as load_features

from .test_cli import run
from .test_verify import features


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A dump of features and labels."""
    save_file({"x": features(), "labels": np.arange(300)}, tmp_path / "plain.safetensors")
    return tmp_path / "plain.safetensors"


def test_a_file_is_compared_with_its_dump_at_any_time(plain: Path, tmp_path: Path) -> None:
    file = tmp_path / "plain.fcz"
    assert run("encode", plain, "--snr", "10").status == 0
    done = run("verify", file, "--against", plain)
    assert done.status == 0, done.err
    before, after = load_file(plain)["x"].astype(np.float64), load_features(file)["x"]
    snr = 10 * np.log10(before.var() / np.mean((before - after) ** 2))
    said = f"{snr:.2f} dB, no value off by more than {np.abs(before - after).max():.4g}"
    assert done.err == f"{file}: sound, and as {plain}: {said}\n"
    each = run("verify", "-v", file, "--against", plain).err
    assert f"  x: {said}\n" in each and "  labels: bit for bit\n" in each
    assert run("encode", plain, "-f", "--lossless").status == 0
    exact = run("verify", file, "--against", plain).err
    assert exact == f"{file}: sound, and bit for bit as {plain}\n"


def test_another_dump_is_none_of_a_file(plain: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "plain.fcz", tmp_path / "other.safetensors"
    assert run("encode", plain, "--snr", "10").status == 0
    tensors = load_file(plain)
    for wrong, why in (
        ({**tensors, "x": tensors["x"] + 1}, "has, in x"),
        ({**tensors, "y": np.zeros(3)}, "'y' is missing, in the dump F64 [3]"),
        ({"x": tensors["x"]}, "'labels' is I64 [300], in the dump missing"),
    ):
        save_file(wrong, other)
        assert why in run("verify", file, "--against", other).failed(1)
    assert "No such file" in run("verify", file, "--against", tmp_path / "no.npy").failed(1)


def test_a_tree_is_compared_with_the_tree_of_its_dumps(plain: Path, tmp_path: Path) -> None:
    dumps, packed = tmp_path / "dumps", tmp_path / "packed"
    (dumps / "a").mkdir(parents=True)
    plain.rename(dumps / "a" / "x.safetensors")
    np.save(dumps / "y.npy", features())
    assert run("encode", "-r", dumps, "--output-dir", packed, "--snr", "10").status == 0
    done = run("verify", "-r", packed, "--against", dumps)
    assert done.status == 0 and "2 of 2 sound" in done.err
    one = run("verify", "-r", packed, "--against", dumps / "y.npy").misused()
    assert "--against takes a folder" in one
    (dumps / "y.npy").unlink()
    assert "y.safetensors: No such file" in run("verify", "-r", packed, "--against", dumps).err
