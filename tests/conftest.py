"""Fixtures: real features of two small networks, and a profile trained on them."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import settings
from safetensors import safe_open
from safetensors.numpy import save_file

from featcodec import Profile
from featcodec.container import writer
from featcodec.container.group import GroupHeader
from featcodec.dumps import Dump
from featcodec.request import Options
from featcodec.training.linear import train

SAMPLES = 60  # of a dump, where few do

# Half of the start of a process is compiling the package where what it compiles is not kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")


@pytest.fixture
def headers_written(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that makes encoders write other group headers than they made."""
    write = writer.write_section

    def alter(change: Callable[[GroupHeader], GroupHeader]) -> None:
        def altered(out: BinaryIO, kind: bytes, payload: bytes) -> int:
            if kind == b"GRUP":
                payload = change(GroupHeader.unpack(payload)).pack()
            return write(out, kind, payload)

        monkeypatch.setattr(writer, "write_section", altered)

    return alter


@pytest.fixture(scope="session")
def digits() -> Path:
    """The folder with the dumps."""
    return Path(__file__).parent / "digits"


@pytest.fixture(scope="session")
def few_digits(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same folder with the first samples of each dump, which takes far less time."""
    folder = tmp_path_factory.mktemp("few")
    for path in digits.iterdir():
        if path.stem.endswith(("_train", "_eval")):
            with safe_open(path, "numpy") as dump:
                few = {name: dump.get_slice(name)[:SAMPLES] for name in dump.keys()}  # noqa: SIM118
                save_file(few, folder / path.name, dump.metadata())
        else:
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="session")
def profile_file(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile of both networks, as a file."""
    dumps = [Dump(digits / f"{task}_train.safetensors") for task in ("cnn", "vit")]
    path = tmp_path_factory.mktemp("profile") / "digits.fcp"
    path.write_bytes(Profile.pack(train(dumps, Options())))
    return path


@pytest.fixture(scope="session")
def profile(profile_file: Path) -> Profile:
    return Profile.load(profile_file)


@pytest.fixture
def folder_of_an_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with n.npy, where commands run, and one for profiles."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    np.save("n.npy", np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32))
    return tmp_path / "here"
