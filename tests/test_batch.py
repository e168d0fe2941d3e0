"""Batches: what goes wrong with one input, or with its process, is its own affair."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from featcodec import files, outputs, pool
from featcodec.cli import batch
from featcodec.cli.failures import InternalError
from featcodec.cli.main import main
from featcodec.errors import Corrupt, InvalidInput

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
linux = pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="no list of processes")


@pytest.fixture(autouse=True)
def _workers_find_this_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))


@dataclass(frozen=True)
class Task:
    """What is to become of a task."""

    number: int
    fate: str
    target: str


def work(task: Task) -> int:
    """Begin an output, then do, fail or die."""
    fates = {
        "unforeseen": ZeroDivisionError("no\nsuch\x1b[2J luck"),
        "memory": MemoryError(),
        "damaged": Corrupt("damaged"),
        "system": PermissionError(13, "Permission denied", "x"),
    }
    with outputs.complete(task.target, overwrite=True) as out:
        out.write(b"half")
        if task.fate in fates:
            raise fates[task.fate]
        if task.fate == "slow":
            time.sleep(0.2)
        if task.fate == "exit":
            os._exit(7)
        if task.fate.startswith("signal"):
            os.kill(os.getpid(), int(task.fate.split()[1]))
            time.sleep(60)
    return task.number


def check(task: Task, result: Any) -> None:
    expected = {
        "unforeseen": (InternalError, "internal error: ZeroDivisionError: no"),
        "memory": (MemoryError, ""),
        "damaged": (Corrupt, "damaged"),
        "system": (PermissionError, "Permission denied: 'x'"),
        "exit": (pool.WorkerDied, "its worker ended, status 7"),
        "signal 9": (pool.WorkerDied, "killed, signal 9; perhaps memory ran out"),
        "signal 11": (pool.WorkerDied, "killed, signal 11"),
    }
    if task.fate == "done":
        assert result == task.number and Path(task.target).read_bytes() == b"half"
        return
    kind, text = expected[task.fate]
    assert type(result) is kind and text in str(result)
    assert not Path(task.target).exists()


FATES = [
    "done",
    "done",
    "unforeseen",
    "memory",
    "damaged",
    "system",
    "exit",
    "signal 9",
    "signal 11",
]


@pytest.mark.long
@posix
@settings(max_examples=3)
@given(st.permutations(FATES), st.integers(2, 3))
def test_each_task_has_a_result_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, fates: Sequence[str], jobs: int
) -> None:
    folder = tmp_path_factory.mktemp("batch")
    tasks = [Task(i, fate, str(folder / f"{i}")) for i, fate in enumerate(fates)]
    found = list(batch.run(work, tasks, jobs, fail_fast=False))
    assert [task for task, _ in found] == tasks
    for task, result in found:
        check(task, result)
    assert len(list(folder.iterdir())) == fates.count("done")  # nothing half done is left


@pytest.mark.parametrize("jobs", [1, 2])
def test_fail_fast_drops_what_is_not_done(tmp_path: Path, jobs: int) -> None:
    fates = ["done", "damaged", *["slow"] * 20]
    tasks = [Task(i, fate, str(tmp_path / f"{i}")) for i, fate in enumerate(fates)]
    found = list(batch.run(work, tasks, jobs, fail_fast=True))
    assert [type(result) for _, result in found] == [int, Corrupt]
    assert len(list(tmp_path.iterdir())) < 20
    assert not list(tmp_path.glob(".featcodec-*"))


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture
def dumps(tmp_path: Path) -> list[str]:
    """Three dumps."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.safetensors" for name in "abc"]
    for path in paths:
        save_file({"x": rng.normal(size=(300, 16)).astype(np.float32)}, path)
    return list(map(str, paths))


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("why\x1b[2J\r"), RecursionError(), KeyError("x\ny"), AssertionError()],
)
def test_an_error_nobody_foresaw_is_that_of_its_input(
    dumps: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    error: Exception,
    verbose: bool,
) -> None:
    encoding = files.encoding

    def failing(source: Any, *arguments: Any, **options: Any) -> Any:
        if str(source) == dumps[1]:
            raise error
        return encoding(source, *arguments, **options)

    monkeypatch.setattr(files, "encoding", failing)
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as exit_:
        main(["encode", *dumps, "--output-dir", str(out), "-q", *["-v"] * verbose])
    said = capsys.readouterr().err
    assert exit_.value.code == 1
    first = f"featcodec: {dumps[1]}: internal error: {type(error).__name__}: "
    assert said.startswith(first) and "please report" in said.splitlines()[0]
    assert ("Traceback" in said) == verbose and (said.count("\n") > 1) == verbose
    assert "\x1b" not in said and "\r" not in said
    assert {path.name for path in out.iterdir()} == {"a.fcz", "c.fcz"}


@pytest.mark.parametrize("command", ["train", "info", "verify", "decode"])
def test_no_command_ends_in_a_traceback(
    dumps: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture, command: str,
) -> None:  # fmt: skip
    from featcodec.container import source

    def failing(*_: Any, **__: Any) -> Any:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(source.File, "open", failing)
    options = ["-o", str(tmp_path / "out")] if command in ("train", "decode") else []
    for verbose in (False, True):
        with pytest.raises(SystemExit) as exit_:
            main([command, dumps[0], *options, *["-v"] * verbose])
        said = capsys.readouterr().err
        assert exit_.value.code == 1
        assert "internal error: RuntimeError: unforeseen; please report" in said.splitlines()[0]
        assert ("Traceback" in said) == verbose


def start(*arguments: object, **options: Any) -> subprocess.Popen:
    command = [sys.executable, "-m", "featcodec", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)


def workers(parent: int) -> list[int]:
    """Return the processes of a batch that work."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            state, of = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if int(of) == parent and state != "Z" and b"--multiprocessing-fork" in words:
            found.append(int(folder.name))
    return found


def parts(folder: Path) -> list[Path]:
    return list(folder.glob(".featcodec-*.part"))


def wait_for(what: Any) -> Any:
    """Return what a function returns, once that is something."""
    for _ in range(3000):
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError("it never came")


@pytest.fixture
def large(tmp_path: Path) -> list[Path]:
    """Four dumps that take a while."""
    values = np.random.default_rng(0).normal(size=(50, 32, 16, 16)).astype(np.float32)
    paths = [tmp_path / f"{name}.safetensors" for name in "abcd"]
    for path in paths:
        save_file({"x": values}, path)
    return paths


@pytest.mark.long
@linux
def test_a_worker_that_is_killed_costs_its_input_alone(large: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with start("encode", *large, "--output-dir", out, "-j", "2", "-q") as process:
        wait_for(lambda: len(parts(out)) == 2)
        os.kill(workers(process.pid)[0], signal.SIGKILL)
        said = process.stderr.read().decode()  # type: ignore[union-attr]
    assert process.returncode == 1
    assert said.count("\n") == 1 and "its worker was killed, signal 9" in said
    lost = Path(said.split(": ")[1])
    assert {path.stem for path in large} - {lost.stem} == {path.stem for path in out.iterdir()}
    assert lost in large


@linux
def test_workers_end_with_the_process_they_work_for(large: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with start("encode", *large, "--output-dir", out, "-j", "2", "-q") as process:
        wait_for(lambda: parts(out))
        left = workers(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert left
        wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in left))
    assert not parts(out)


# --- interruptions ------------------------------------------------------------------------------

INTERRUPTED_AT = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from featcodec.__main__ import main
main()
"""


@posix
@pytest.mark.parametrize(
    "module",
    ["featcodec.cli.main", "click", "click.core", "featcodec.cli.encode", "featcodec.cli.batch",
     "featcodec.files", "numpy", "numpy._core.multiarray", "safetensors", "constriction",
     "featcodec.encoding.dump"],
)  # fmt: skip
def test_an_interruption_while_it_starts_is_quiet(
    dumps: list[str], tmp_path: Path, module: str
) -> None:
    script = INTERRUPTED_AT.replace("sys.argv[1]", repr(module))
    done = subprocess.run(
        [sys.executable, "-c", script, "encode", dumps[0], "-o", str(tmp_path / "out")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr.strip()) == (130, "featcodec: interrupted")
    assert not (tmp_path / "out").exists()


@pytest.mark.long
@posix
@pytest.mark.parametrize("wait", [0.15, 0.3, 0.45])
def test_an_interruption_while_workers_start_is_quiet(
    large: list[Path], tmp_path: Path, wait: float
) -> None:
    out = tmp_path / "out"
    with start("encode", *large, "--output-dir", out, "-j", "3", start_new_session=True) as process:
        time.sleep(wait)
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read().decode()  # type: ignore[union-attr]
    # Where the signal meets the making of a dataclass, CPython ends by the signal: to a shell, 130.
    status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    assert (status, said.strip()) == (130, "featcodec: interrupted")
    assert not out.exists() or not list(out.iterdir())


def test_the_input_is_named_however_short_its_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "is", "x"):
        Path(name).write_bytes(b"junk" * 20)
        for command in ("info", "verify", "decode -o out", "encode -o out"):
            with pytest.raises(SystemExit):
                main([*command.split(), name])
            assert capsys.readouterr().err.startswith(f"featcodec: {name}"), command


def test_what_is_damaged_is_told_apart_from_what_is_asked_wrongly(
    dumps: list[str], capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["encode", "no\x1b[2J.safetensors"])
    assert exit_.value.code == InvalidInput.exit_status
    assert "no\\x1b[2J.safetensors: No such file" in capsys.readouterr().err
    with pytest.raises(SystemExit) as exit_:
        main(["decode", "no\x1b[2J"])
    assert exit_.value.code == 2
    assert "no\\x1b[2J does not end" in capsys.readouterr().err
