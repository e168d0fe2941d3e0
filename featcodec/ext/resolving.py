"""Profiles by the SHA-256 that chunks name them by."""

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ..coding.profile import Profile
from ..errors import ProfileMissing

PATH = "FEATCODEC_PROFILE_PATH"  # folders and files, as in PATH
KEPT = 32  # profiles


@lru_cache(KEPT)
def resolve(sha256: str) -> Profile:
    """Return the profile with a SHA-256, given in hexadecimal digits.

    Raises ProfileMissing when it is neither built in nor in the folders of FEATCODEC_PROFILE_PATH.
    """
    digest = bytes.fromhex(sha256)
    if found := Profile.built_in(digest):
        return found
    for path in _files():
        if hashlib.sha256(path.read_bytes()).digest() == digest:
            return Profile.load(path)
    raise ProfileMissing(
        f"no profile with SHA-256 {sha256}: name its folder in the environment variable {PATH}"
    )


def _files() -> Iterator[Path]:
    for name in filter(None, os.environ.get(PATH, "").split(os.pathsep)):
        path = Path(name)
        yield from sorted(path.glob("*.fcp")) if path.is_dir() else [path] * path.is_file()
