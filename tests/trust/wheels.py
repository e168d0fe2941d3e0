"""Supply: wheel and source archive are built twice to the same bytes, and the wheel works alone.

    python -m tests.trust.wheels

The wheel is installed into new environments, with the lowest versions that it states and with the
newest; features go through the command line there, with no checkout in sight and no network. Ends
with status 1 when builds differ, metadata are missing, or anything fails.
"""

import argparse
import email
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .machines import ROOT, dependencies, interpreters

WANTED = ("Name", "Version", "Summary", "Requires-Python", "License-Expression", "License-File")
WANTED += ("Keywords", "Classifier", "Requires-Dist", "Description-Content-Type")

# As a user would: encode, look, decode, check; and nothing is asked of any network.
USE = """
import socket, subprocess, sys
def refuse(*_, **__): raise OSError("the network is used")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import numpy as np, featcodec, featcodec.numpy as fc
from featcodec import Codec, Profile
from featcodec.__main__ import main
x = np.random.default_rng(0).normal(size=(300, 32)).cumsum(axis=1).astype(np.float32)
from safetensors.numpy import load_file, save_file
save_file({"x": x}, "x.safetensors", {"layout": "ND"})
for words in ("encode x.safetensors -o x.fcz --snr 20", "info x.fcz", "verify --decode x.fcz",
              "decode x.fcz -o back.safetensors", "train x.safetensors -o x.fcp",
              "guide security", "profiles"):
    sys.argv = ["featcodec", *words.split()]
    try: main()
    except SystemExit as ended: assert not ended.code, words
back = load_file("back.safetensors")["x"]
assert 10 * np.log10(x.var() / np.mean((x - back) ** 2)) > 19.9
codec = Codec(Profile.load("x.fcp"), snr=10)
assert codec.decode(codec.encode(x[:8])).shape == (8, 32)
assert "site-packages" in featcodec.__file__
print("works", featcodec.__version__, np.__version__)
"""


def build(folder: Path, source: Path) -> dict[str, Path]:
    """Build a wheel and a source archive from a copy of the tree; return them by kind."""
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return {path.suffix: path for path in folder.iterdir() if path.suffix in (".whl", ".gz")}


def tracked(folder: Path) -> Path:
    """Return a copy of what git tracks, of other times than the checkout has."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    for name in names.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def complaints(wheel: Path, archive: Path) -> Iterator[str]:
    """Yield what is missing in the metadata, or in the files that are to travel."""
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        [place] = [name for name in names if name.endswith(".dist-info/METADATA")]
        stated = email.message_from_bytes(opened.read(place))
        held = {one.removeprefix("featcodec/") for one in names if one.startswith("featcodec/")}
    yield from (f"the metadata lack {field}" for field in WANTED if not stated[field])
    for path in (ROOT / "featcodec").rglob("*"):
        name = path.relative_to(ROOT / "featcodec").as_posix()
        if path.is_file() and "__pycache__" not in name and name not in held:
            yield f"the wheel lacks {name}"
    with tarfile.open(archive) as opened:
        roots = {name.split("/")[1] for name in opened.getnames() if "/" in name}
    yield from (
        f"the archive lacks {one}" for one in ("tests", "bitstream_spec") if one not in roots
    )


def lowest(needed: Sequence[str]) -> list[str]:
    """Return requirements at the lowest versions that they allow.

    >>> lowest(["click>=8.1", "constriction>=0.5,<0.6"])
    ['click==8.1', 'constriction==0.5']
    """
    return [re.sub(r">=([\d.]+).*", r"==\1", one) for one in needed]


def use(python: str, wheel: Path, pins: Sequence[str], folder: Path) -> str:
    """Install a wheel into a new environment, and use it there; return what it says last."""
    subprocess.run([python, "-m", "venv", str(folder / "venv")], check=True)
    inside = str(folder / "venv" / "bin" / "python")
    pip = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(wheel), *pins], check=True, capture_output=True)
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([inside, "-c", USE], cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout.splitlines()[-1]


def main() -> int:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="featcodec-wheels-") as room:
        made = []
        for name in ("first", "second"):
            source = tracked(Path(room) / name / "source")
            made.append(build(Path(room) / name / "dist", source))
        for kind, path in made[0].items():
            one, other = digest(path), digest(made[1][kind])
            print(f"{path.name}: {one}")
            wrong += [f"{path.name}: two builds differ, {one} and {other}"] * (one != other)
        wrong += complaints(made[0][".whl"], made[0][".gz"])
        found = interpreters()
        versions = sorted(found, key=lambda version: int(version.split(".")[1]))
        for version, pins in ((versions[0], lowest(dependencies())), (versions[-1], [])):
            folder = Path(room) / f"use-{len(pins)}"
            folder.mkdir()
            said = use(found[version], made[0][".whl"], pins, folder)
            print(f"Python {version}, {', '.join(pins) or 'newest dependencies'}: {said}")
    print(*wrong, sep="\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
