"""Vectors as they are stored: what lies in the folder of one, and what writes it."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from featcodec import Profile
from featcodec.files import decode_file

VECTORS = Path(__file__).parents[2] / "bitstream_spec" / "vectors"


@dataclass(frozen=True)
class Vector:
    """The files of a vector, except for what a valid one decodes to."""

    path: str  # of its folder below VECTORS
    files: Mapping[str, bytes]


def stored(path: str) -> bytes:
    """Return a file below VECTORS."""
    return (VECTORS / path).read_bytes()


def sound(name: str) -> bytes:
    """Return the file of a valid vector."""
    return stored(f"valid/{name}/in.fcz")


def valid(name: str, data: bytes, *profiles: str) -> Vector:
    """Return a vector that decodes with profiles below VECTORS (`digits.fcp` alone is true)."""
    needed = True if profiles == ("digits.fcp",) else list(profiles) or False
    return Vector(f"valid/{name}", {"in.fcz": data, "expect.json": as_json(profile=needed)})


def fault(
    name: str,
    reason: str,
    data: bytes,
    profile: str | bytes | None = None,
    kind: str = "faulty",
    beside: str = "profile.fcp",
) -> Vector:
    """Return a vector that is refused, with a profile below VECTORS or one stored beside it."""
    path, files, expected = f"{kind}/{name}", {"in.fcz": data}, {"reason": reason}
    if isinstance(profile, bytes):
        files[beside] = profile
        profile = f"{path}/{beside}"
    if profile is not None:
        expected |= {"profile": [profile]}
    return Vector(path, files | {"expect.json": as_json(**expected)})


def as_json(**fields: object) -> bytes:
    return (json.dumps(fields) + "\n").encode()


def profiles_of(expected: Mapping[str, object]) -> list[str]:
    """Return the paths below VECTORS of the profiles that `expect.json` names."""
    needed = expected.get("profile")
    return ["digits.fcp"] if needed is True else list(needed or ())  # type: ignore[call-overload]


def write(vector: Vector, folder: Path) -> bool:
    """Write a vector, whole or not at all, unless there is one of its name; return whether."""
    target = folder / vector.path
    if target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as temporary:
        made = Path(temporary) / "vector"
        made.mkdir()
        for name, data in vector.files.items():
            (made / name).write_bytes(data)
        if vector.path.startswith("valid/"):
            names = profiles_of(json.loads(vector.files["expect.json"]))
            known = [Profile.load(folder / name) for name in names]
            decode_file(made / "in.fcz", made / "out.safetensors", profile=known)
        made.rename(target)
    return True
