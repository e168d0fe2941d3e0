"""What a user of cp, git and zstd takes for granted of the command line."""

from pathlib import Path

import numpy as np
import pytest

from .test_cli import run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with n.npy, where commands run, and one for profiles."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    np.save("n.npy", np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32))
    return tmp_path / "here"


def test_it_is_said_where_the_output_lies(folder: Path) -> None:
    assert run("encode", "n.npy").err.startswith("n.npy -> n.fcz: ")
    assert "n.npy -> o/n.fcz: " in run("encode", "n.npy", "--output-dir", "o").err
    assert run("encode", "n.npy", "-o", "-").err.startswith("n.npy: ")
