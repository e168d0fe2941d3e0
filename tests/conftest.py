"""Fixtures: real features of two small networks, and a profile trained on them."""

from pathlib import Path

import pytest
from hypothesis import settings

from featcodec import Profile
from featcodec.dumps import Dump
from featcodec.pipeline.grouping import Options
from featcodec.pipeline.training import train

settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def digits() -> Path:
    """The folder with the dumps."""
    return Path(__file__).parent / "digits"


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
