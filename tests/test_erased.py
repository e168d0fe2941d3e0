"""Channels of which next to nothing is left are told of, however good the mean is."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from featcodec import encode_file
from featcodec.container.reader import Reader
from featcodec.numpy import load_file
from featcodec.request import Quality

from .test_cli import run


def unlike(large: int, times: float, rows: int = 400) -> np.ndarray:
    """Channels of which some are larger than the others."""
    x = np.random.default_rng(0).normal(size=(rows, 32)).astype(np.float32)
    x[:, :large] *= times
    return x


def erased(x: np.ndarray, y: np.ndarray) -> int:
    """Count the channels with less than 1 dB."""
    noise = np.square(x.astype(float) - y).sum(axis=0)
    return int((noise > np.square(x - x.mean(axis=0)).sum(axis=0) / 10**0.1).sum())


@settings(max_examples=8)
@given(st.integers(1, 31), st.sampled_from([1.0, 50.0]), st.sampled_from([5.0, 10.0, 40.0]))
def test_the_warning_counts_the_channels_that_are_lost(
    tmp_path_factory: pytest.TempPathFactory, large: int, times: float, snr: float
) -> None:
    folder = tmp_path_factory.mktemp("dump")
    x = unlike(large, times)
    save_file({"x": x}, folder / "x.safetensors", {"layout": "ND"})
    report = encode_file(folder / "x.safetensors", folder / "x.fcz", Quality(snr=snr))
    lost = erased(x, load_file(folder / "x.fcz")["x"])
    said = [line for line in report.remarks if "channels of x" in line]
    assert len(said) == (lost > 16)
    assert all(line.startswith(f"{lost} of 32 channels of x come back") for line in said)


@pytest.mark.parametrize("constant", [0, 3])
def test_constant_channels_are_not_counted(tmp_path: Path, constant: int) -> None:
    x = unlike(16, 1.0)
    x[:, :20] = constant
    save_file({"x": x}, tmp_path / "x.safetensors", {"layout": "ND"})
    assert not encode_file(tmp_path / "x.safetensors", tmp_path / "x.fcz", Quality(snr=10)).remarks


@pytest.mark.parametrize("shape", [(64,), (1, 64)])
def test_channels_of_a_single_row_are_not_counted(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    save_file({"x": x}, tmp_path / "x.safetensors", {"layout": "ND"[-len(shape) :]})
    report = encode_file(tmp_path / "x.safetensors", tmp_path / "x.fcz", Quality(snr=10))
    assert not any("channels of x" in line for line in report.remarks)


def test_the_shell_warns_and_info_shows_it_of_small_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", unlike(2, 50, 4000))
    np.save("even.npy", unlike(2, 1))
    assert "channels of features come back" in run("encode", "x.npy", "--snr", 10).err
    assert "channels" not in run("encode", "even.npy", "--snr", 10).err
    shown = run("info", "x.fcz").out.decode()
    assert Path("x.fcz").stat().st_size < 5000 and "a tenth of the channels" in shown
    with io.BytesIO(Path("even.fcz").read_bytes()) as file:
        assert Reader(file, "even").qualities() is None  # which would be bytes for nothing


def test_what_a_task_does_not_react_to_is_left_out_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    x, weights = unlike(0, 1.0, 4000), np.array([1.0] * 4 + [0.0] * 28, np.float32)
    np.save("x.npy", x)
    np.save("weights.npy", weights)
    assert run("train", "x.npy", "--metric", "weights.npy", "-o", "p.fcp").status == 0
    done = run("encode", "x.npy", "-p", "p.fcp", "--task-snr", 10)
    assert done.status == 0 and "come back" not in done.err and "rows of" not in done.err
    assert erased(x, load_file("x.fcz")["features"]) == 28
