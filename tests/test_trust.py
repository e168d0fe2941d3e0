"""Nothing is lost, whatever happens: short forms of what `tests/trust` does for hours."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from featcodec import encode_file
from featcodec.errors import InvalidInput
from featcodec.joining import append_file
from featcodec.leftovers import hold, leftovers, sweep, temporary_name
from featcodec.numpy import load_file
from featcodec.outputs import complete

from .test_cli import run

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="locks and signals are those of POSIX")


def harness(name: str, *words: object) -> str:
    """Run one of `tests/trust`; return what it found."""
    command = [sys.executable, "-m", f"tests.trust.{name}", *map(str, words), "--seed", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.long
def test_a_kill_at_any_instant_loses_nothing() -> None:
    found = harness("kill", "--kills", "18", "--only", "encode", "append", "writer")
    assert found.count("6 kills") == 3 and "old" in found


@pytest.fixture(scope="module")
def mounts() -> bool:
    """Whether a process may mount file systems of its own."""
    if not (shutil.which("unshare") and shutil.which("mount")):
        return False
    command = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.long
def test_a_full_disk_loses_nothing(mounts: bool) -> None:
    words = [] if mounts else ["--quota"]  # files of a limited size instead
    found = harness("full", "--times", "2", "--only", "decode", "writer", *words)
    assert "old" in found


@pytest.mark.long
def test_where_nothing_can_be_written_one_line_names_the_output(
    mounts: bool, tmp_path: Path
) -> None:
    if not mounts:
        pytest.skip("no file systems of our own")
    save_file({"x": np.ones((40, 8), np.float32)}, tmp_path / "x.safetensors")
    encode_file(tmp_path / "x.safetensors", tmp_path / "x.fcz")
    (tmp_path / "disk").mkdir()
    script = f"""
        mount -t tmpfs none disk && cp x.fcz disk && mount -o remount,ro disk || exit 9
        for words in "encode x.safetensors -o disk/y.fcz" "append disk/x.fcz x.safetensors" \\
            "decode x.fcz -o disk/y.npz" "decode x.fcz -o disk/y.safetensors" \\
            "concat x.fcz -o disk/y.fcz" "train x.safetensors -o disk/y.fcp"
        do {sys.executable} -m featcodec $words; echo status $? >&2; done"""
    command = ["unshare", "-rm", "bash", "-c", script]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stderr
    lines = said.splitlines()
    assert lines[1::2] == ["status 1"] * 6, said
    assert all("Read-only file system" in line and "disk/" in line for line in lines[::2]), said
    assert ".featcodec" not in said and "/tmp" not in said


@pytest.mark.long
def test_inputs_that_change_end_in_one_line_or_the_right_file() -> None:
    assert harness("changes", "--times", "4", "--only", "encode", "append")


@pytest.mark.long
def test_whatever_is_read_is_refused_or_read_alike(tmp_path: Path) -> None:
    found = harness("fuzz", "message", "dump", "--seconds", "1", "--folder", tmp_path)
    assert found.count(", 0 found") == 2, found


# --- leftovers ----------------------------------------------------------------------------------


@pytest.fixture
def left(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """Temporary files and folders: left over, in use, and what only looks like them."""
    found = {name: tmp_path / temporary_name() for name in ("file", "folder", "used", "link")}
    found["file"].write_bytes(b"half")
    found["folder"].mkdir()
    (found["folder"] / "input").write_bytes(b"half")
    found["used"].write_bytes(b"half")
    found["link"].symlink_to("kept")
    for name in ("kept", ".featcodec-notes.part", "x.fcz.part"):
        found[name] = tmp_path / name
        found[name].write_bytes(b"mine")
    with found["used"].open("rb") as used:
        hold(used.fileno())
        yield found


def test_leftovers_are_those_that_no_process_holds(left: dict[str, Path], tmp_path: Path) -> None:
    assert {*leftovers(tmp_path)} == {left["file"], left["folder"]}
    shown = run("clean", "--dry-run", tmp_path).err
    assert shown.count("would be removed") == 2 and left["file"].exists()
    assert run("clean", tmp_path).err.count(", removed") == 2
    assert {*tmp_path.iterdir()} == {*left.values()} - {left["file"], left["folder"]}
    assert "nothing is left over" in run("clean", "-r", tmp_path).err
    assert "is not a folder" in run("clean", left["kept"]).failed(1)


def test_the_next_output_in_a_folder_sweeps_it(left: dict[str, Path], tmp_path: Path) -> None:
    with complete(tmp_path / "x", overwrite=False) as out:
        assert not left["file"].exists() and not left["folder"].exists() and left["used"].exists()
        sweep(tmp_path)
        assert not [*leftovers(tmp_path)], "what is being written is no leftover"
        out.write(b"whole")
    assert (tmp_path / "x").read_bytes() == b"whole"


# --- several at once ----------------------------------------------------------------------------


def test_an_output_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with (
        pytest.raises(InvalidInput, match="exists; use overwrite=True"),
        complete(path, overwrite=False) as late,
    ):
        late.write(b"late")
        with complete(path, overwrite=False) as early:
            early.write(b"early")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("x", b"early")]


def test_what_two_append_at_once_is_all_there(tmp_path: Path) -> None:
    path = tmp_path / "x.fcz"
    dumps = [tmp_path / f"{number}.safetensors" for number in range(5)]
    for number, dump in enumerate(dumps):
        save_file({"labels": np.full(10, number)}, dump)
    encode_file(dumps[0], path)
    threads = [threading.Thread(target=append_file, args=(path, [one])) for one in dumps[1:3]]
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=append_file, args=(path, [one])) for one in dumps[3:]]
    for one in (*threads, *others):
        one.start()
    for one in (*threads, *others):
        one.join()
    assert sorted(load_file(path)["labels"].tolist()) == sorted([*range(5)] * 10)
