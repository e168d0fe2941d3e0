"""Where profiles are found: beside a file, on a search path, in the user's folder, built in.

All that is asked for by its SHA-256 is the same wherever it lies; the order is that of the places.
"""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from .. import stores
from ..errors import FeatcodecError

NEURAL = "caufc"  # what the neural transform takes when no profile is named
SUFFIX = ".fcp"
SEARCH_PATH = "FEATCODEC_PROFILE_PATH"  # folders, files and URIs, separated as in PATH

Place = Path | str  # the path of a file, or its URI

_found: dict[bytes, Place] = {}  # where a profile was found last: a folder may hold very many files


def built_in() -> dict[str, Path]:
    """Return the files of the built-in profiles by name."""
    return _in(Path(__file__).parent)


def user_folder() -> Path:
    """Return the folder of the user's profiles, which may not exist yet."""
    if sys.platform == "win32":
        data = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    else:
        data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "featcodec" / "profiles"


def named() -> dict[str, Path]:
    """Return all profiles that have a name, by it: built-in ones, and those of the places named."""
    found = built_in()
    for place in _places():
        found |= {name: path for name, path in _in(place).items() if name not in found}
    return found


def place_of(profile: str | os.PathLike[str]) -> Place:
    """Return where the profile lies that has a name, or that a path or a URI is of."""
    given = os.fspath(profile)
    return named().get(given) or (given if stores.is_uri(given) else Path(given))


def read(place: Place) -> bytes:
    """Return the bytes of a profile; InvalidInput or OSError where it cannot be read."""
    if isinstance(place, Path):
        return place.read_bytes()
    file = stores.StoredFile(place, f"profile {place}")
    return file.read(0, file.size)


def find(digest: bytes, beside: str | os.PathLike[str] | None = None) -> Place | None:
    """Return the file of the profile with a SHA-256, or None.

    `beside` is the file that needs it, or its URI: the profile may lie in its folder. Stores are
    asked last, and where one has it, it is not asked again.
    """
    for path in _candidates(digest, beside):
        if digest_of(path) == digest:
            _found[digest] = path
            return path
    return None


def digest_of(path: Place) -> bytes | None:
    """Return the SHA-256 of a file, or None when it cannot be read."""
    try:
        if isinstance(path, str):
            return _digest_in_store(path)
        known = path.stat()
        return _digest(path, known.st_size, known.st_mtime_ns)
    except (OSError, FeatcodecError):
        return None


@lru_cache(4096)
def _digest(path: Path, _size: int, _changed: int) -> bytes:
    import hashlib  # slow to load

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@lru_cache(4096)
def _digest_in_store(uri: str) -> bytes:
    import hashlib

    return hashlib.sha256(read(uri)).digest()


def _candidates(digest: bytes, beside: str | os.PathLike[str] | None) -> Iterator[Place]:
    if digest in _found:
        yield _found[digest]
    if beside is not None and not stores.is_uri(beside):
        yield from _in(Path(beside).parent).values()
    for place in _places():
        yield from _in(place).values()
    yield from built_in().values()
    for uri in (str(beside), *_listed()):
        if stores.is_uri(uri):
            yield from _in_store(uri)


def _listed() -> list[str]:
    """Return what the search path lists; on POSIX, URIs are not cut at their colons."""
    found = os.environ.get(SEARCH_PATH, "")
    return [one for one in re.split(f"{os.pathsep}(?!//)", found) if one]


def _places() -> list[Path]:
    return [*(Path(one) for one in _listed() if not stores.is_uri(one)), user_folder()]


def _in_store(uri: str) -> Iterator[str]:
    """Yield the profile that a URI is of, or those in the folder that it ends with."""
    if uri.endswith(SUFFIX):
        yield uri
        return
    with contextlib.suppress(FeatcodecError):  # a store that may not be listed
        yield from stores.beside(uri, SUFFIX)


def _in(place: Path) -> dict[str, Path]:
    """Return the profiles of a folder by name, or the one that a path is of."""
    try:
        paths = sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else [place]
        return {path.stem: path for path in paths if path.is_file()}
    except OSError:  # a folder that may not be read
        return {}
