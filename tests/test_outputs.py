"""What is written never destroys what is read, and goes where a shell expects it."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from featcodec import decode_file, encode_file
from featcodec.cli.main import main
from featcodec.errors import InvalidInput
from featcodec.outputs import complete, descriptor, identity

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are those of POSIX")


def featcodec(*arguments: object, **options: Any) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "featcodec", *map(str, arguments)],
        **{"capture_output": True, "text": True, **options},
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, profile_file: Path) -> Path:
    """Two dumps, a file and a profile."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("made")
    for name in "ab":
        values = rng.normal(size=(400, 12)).astype(np.float32)
        save_file({"x": values}, folder / f"{name}.safetensors")
    encode_file(folder / "b.safetensors", folder / "b.fcz")
    shutil.copy(profile_file, folder / "p.fcp")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of these to work in, with links to the dumps."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    (tmp_path / "sym-a").symlink_to("a.safetensors")
    os.link(tmp_path / "b.safetensors", tmp_path / "hard-b")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "same.fcz").symlink_to("a.fcz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def misused(words: str, capsys: pytest.CaptureFixture) -> str:
    """Run a command that must be a usage error, and return what it says."""
    with pytest.raises(SystemExit) as exit_:
        main(words.split())
    said = capsys.readouterr().err
    assert exit_.value.code == 2, said
    return said


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


CLASHES = [
    "encode a.safetensors -o a.safetensors",
    "encode a.safetensors -o sym-a",
    "encode sym-a -o a.safetensors",
    "encode b.safetensors -o hard-b",
    "encode a.safetensors -o sub/../a.safetensors",
    "encode a.safetensors -p p.fcp -o p.fcp",
    "encode a.safetensors --report a.safetensors",
    "encode a.safetensors --report sym-a",
    "encode a.safetensors -o out.fcz --report out.fcz",
    "encode a.safetensors --report a.fcz",
    "encode a.safetensors -p p.fcp --report p.fcp",
    "encode a.safetensors b.safetensors --output-dir sub --report sub/b.fcz",
    "encode a.safetensors a.safetensors --output-dir sub",
    "encode a.safetensors sub/../a.safetensors",
    "encode a.safetensors -o b.fcz --report b.fcz -j 2",
    "decode b.fcz -o b.fcz",
    "decode b.fcz -p p.fcp -o p.fcp",
    "decode b.fcz sub/../b.fcz --output-dir sub",
    "train a.safetensors -o a.safetensors",
    "train a.safetensors b.safetensors -o hard-b",
    "train a.safetensors --transform neural --from p.fcp -o p.fcp",
]


@posix
@pytest.mark.parametrize("words", CLASHES)
def test_a_file_that_is_used_is_never_written(
    folder: Path, words: str, capsys: pytest.CaptureFixture
) -> None:
    before = contents(folder)
    assert "is the same file as" in misused(f"{words} -f", capsys)
    assert contents(folder) == before


@posix
def test_outputs_that_links_make_one_are_refused(
    folder: Path, capsys: pytest.CaptureFixture
) -> None:
    (folder / "sub" / "a.fcz").symlink_to("b.fcz")
    before = contents(folder)
    words = "encode a.safetensors b.safetensors --output-dir sub"
    assert "output sub/b.fcz is the same file as" in misused(words, capsys)
    assert contents(folder) == before


def test_a_device_may_be_named_more_than_once(folder: Path) -> None:
    done = featcodec("encode", folder / "a.safetensors", "-o", os.devnull, "--report", os.devnull)
    assert done.returncode == 0, done.stderr


def test_a_function_never_replaces_what_it_reads(folder: Path) -> None:
    before = contents(folder)
    with pytest.raises(InvalidInput, match="the input itself"):
        encode_file(folder / "a.safetensors", folder / "sym-a", overwrite=True)
    with pytest.raises(InvalidInput, match="the input itself"):
        decode_file(folder / "b.fcz", folder / "b.fcz", overwrite=True)
    assert contents(folder) == before


# --- pipes, devices and what is open already ----------------------------------------------------


@posix
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("encode a.safetensors -o /dev/stdout | cat > out", b""),
        ("encode a.safetensors -o /dev/stdout > out", b""),
        ("encode a.safetensors -o /dev/fd/1 >> log", b"kept\n"),
        ("encode a.safetensors -o /dev/stdout -f >> log", b"kept\n"),
        ("encode a.safetensors -o /proc/self/fd/1 -f | cat > out", b""),
        ("encode a.safetensors -o >(cat > out); sleep 0.5", b""),
        ("encode a.safetensors -o /dev/fd/3 3>> log", b"kept\n"),
        ("encode a.safetensors -o - --report /dev/stderr 2> report > out", b""),
    ],
)
def test_what_is_open_is_written_as_it_stands(folder: Path, line: str, kept: bytes) -> None:
    if "/proc/" in line and not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc")
    wanted = featcodec("encode", folder / "a.safetensors", "-o", "-", text=False).stdout
    (folder / "log").write_bytes(b"kept\n")
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m featcodec {line}"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = (folder / ("log" if "log" in line else "out")).read_bytes()
    assert out == kept + wanted
    if "report" in line:
        last = (folder / "report").read_text().splitlines()[-1]
        assert json.loads(last)["output_bytes"] == len(wanted)


@posix
def test_a_reader_that_leaves_is_said_in_one_line(folder: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m featcodec encode a.safetensors -o >(exit)"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode in (0, 1) and done.stderr.count("\n") == 1, done.stderr


@posix
def test_the_number_of_a_descriptor_is_found_behind_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    (tmp_path / "again").symlink_to("link")
    (tmp_path / "loop").symlink_to("loop")
    for path, number in (
        ("/dev/stdin", 0), ("/dev/stdout", 1), ("/dev/stderr", 2), ("/dev/fd/63", 63),
        (tmp_path / "again", 1), (tmp_path / "loop", None), (tmp_path / "none", None),
        ("1", None), ("/dev/null", None), ("/dev/fd/x", None),
    ):  # fmt: skip
        assert descriptor(path) == number
    assert identity(tmp_path / "none") == identity(tmp_path / "." / "none")


# --- files that are replaced --------------------------------------------------------------------


@posix
@given(mode=st.sampled_from([0o600, 0o640, 0o644, 0o664, 0o444, 0o755, 0o400]))
def test_a_file_that_is_replaced_passes_on_its_mode(
    tmp_path_factory: pytest.TempPathFactory, mode: int
) -> None:
    path = tmp_path_factory.mktemp("mode") / "x"
    path.write_bytes(b"before")
    path.chmod(mode)
    with complete(path, overwrite=True) as out:
        temporary = Path(out.name)
        assert stat.S_IMODE(temporary.stat().st_mode) & ~mode == 0  # never open to more
        out.write(b"after")
    assert path.read_bytes() == b"after"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert not temporary.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="for the superuser")
def test_a_file_that_is_replaced_passes_on_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"before")
    os.chown(path, 1234, 5678)
    with complete(path, overwrite=True) as out:
        out.write(b"after")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)


@posix
def test_a_new_file_has_the_mode_of_new_files(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with complete(tmp_path / "x", overwrite=False) as out:
        out.write(b"new")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "usual").stat().st_mode


@posix
def test_links_are_followed_and_other_names_keep_what_they_have(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).write_bytes(b"before")
    (tmp_path / "link").symlink_to("x")
    os.link(tmp_path / "y", tmp_path / "other")
    for name in ("link", "y"):
        with complete(tmp_path / name, overwrite=True) as out:
            out.write(b"after")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "x").read_bytes() == b"after"
    assert (tmp_path / "y").read_bytes() == b"after"
    assert (tmp_path / "other").read_bytes() == b"before"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError, OSError, ValueError])
@pytest.mark.parametrize("there", [False, True])
def test_nothing_is_left_of_what_fails(tmp_path: Path, error: type, there: bool) -> None:
    path = tmp_path / "x"
    if there:
        path.write_bytes(b"before")
    with pytest.raises((error, InvalidInput)), complete(path, overwrite=True) as out:
        out.write(b"half")
        raise error
    assert [p.name for p in tmp_path.iterdir()] == ["x"] * there
    assert not there or path.read_bytes() == b"before"
