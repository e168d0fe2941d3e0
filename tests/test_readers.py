"""Readers shared by threads, forks and spawned workers, and files that change meanwhile."""

import gc
import multiprocessing
import os
import pickle
import sys
import threading
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import featcodec.numpy as fc
from featcodec import safe_open
from featcodec.container.source import File
from featcodec.encoding import choice, lossless
from featcodec.errors import FeatcodecError, InvalidInput

forks = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="forks are those of Linux")


@pytest.fixture(autouse=True)
def _workers_find_this_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    """Rows that tell where they are from: features, tokens on a grid, and numbers."""
    rng = np.random.default_rng(0)
    place = np.arange(400)[:, None] / 400
    return {
        "features": (rng.normal(size=(400, 24)) + 9 * place).astype(np.float32),
        "tokens": (rng.normal(size=(60, 17, 16)) + np.arange(60)[:, None, None]).astype("f2"),
        "numbers": rng.integers(0, 256, (3000, 512), dtype=np.uint8),
    }


@pytest.fixture(scope="module")
def packed(tensors: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of many row groups, those of numbers all of the same length."""
    path = tmp_path_factory.mktemp("readers") / "x.fcz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "ROW_GROUP_VALUES", 1 << 9)
        patch.setattr(lossless, "ROW_GROUP_VALUES", 1 << 14)
        fc.save_file(tensors, path, snr=25)
    return path


def reads(file: safe_open, right: dict[str, np.ndarray], seed: int, count: int) -> Counter:
    """Read rows anywhere, and say what came of it."""
    rng, found = np.random.default_rng(seed), Counter[str]()
    for _ in range(count):
        name = ("features", "tokens", "numbers")[rng.integers(3)]
        row = int(rng.integers(len(right[name])))
        try:
            same = np.array_equal(file.get_slice(name)[row], right[name][row])
            found["right" if same else "other rows"] += 1
        except FeatcodecError as error:
            found[type(error).__name__] += 1
    return found


_shared: list[Any] = []  # what a forked worker finds


def _in_fork(seed_and_count: tuple[int, int]) -> Counter:
    return reads(*_shared, *seed_and_count)


def _in_spawned(task: tuple[safe_open, dict[str, np.ndarray], int, int]) -> Counter:
    return reads(*task)


def shared_reads(file: safe_open, right: dict[str, np.ndarray], count: int) -> Counter:
    """Read `count` rows in each of three ways: by threads, forks and spawned workers."""
    found = Counter[str]()
    with ThreadPoolExecutor(12) as threads:
        each = [(seed, count // 12) for seed in range(12)]
        found.update(sum(threads.map(lambda t: reads(file, right, *t), each), Counter()))
    if sys.platform not in ("win32", "darwin"):
        _shared[:] = [file, right]
        with multiprocessing.get_context("fork").Pool(4) as pool:
            found.update(sum(pool.map(_in_fork, each), Counter()))
        _shared.clear()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        tasks = [(file, right, seed, count // 4) for seed in range(4)]
        found.update(sum(pool.map(_in_spawned, tasks), Counter()))
    return found


@pytest.mark.parametrize("count", [240, pytest.param(3600, marks=pytest.mark.slow)])
def test_a_reader_that_is_shared_returns_the_rows_asked_for(packed: Path, count: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        with safe_open(packed) as file:
            found = shared_reads(file, fc.load_file(packed), count)
    assert set(found) == {"right"}
    assert found["right"] >= 2 * count


def test_threads_share_a_reader_where_files_have_a_position_only(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pread", raising=False)
    right = fc.load_file(packed)
    with safe_open(packed) as file, ThreadPoolExecutor(8) as threads:
        found = sum(threads.map(lambda seed: reads(file, right, seed, 40), range(8)), Counter())
    assert found == {"right": 320}


@pytest.mark.parametrize("method", [pytest.param("fork", marks=forks), "spawn"])
def test_a_loader_of_torch_reads_in_workers(packed: Path, method: str) -> None:
    torch = pytest.importorskip("torch")
    right = fc.load_file(packed)["features"]
    with safe_open(packed, "torch") as file:
        loader = torch.utils.data.DataLoader(
            Rows(file), batch_size=16, shuffle=True, num_workers=2, multiprocessing_context=method
        )
        seen = 0
        for places, rows in loader:
            np.testing.assert_array_equal(rows.numpy(), right[places.numpy()])
            seen += len(places)
    assert seen == len(right)


class Rows:
    """A data set of torch that holds an open reader."""

    def __init__(self, file: safe_open) -> None:
        self.rows = file.get_slice("features")

    def __len__(self) -> int:
        return self.rows.get_shape()[0]

    def __getitem__(self, place: int) -> tuple[int, Any]:
        return place, self.rows[place]


def test_a_reader_travels_with_its_profile(
    digits: Path, profile_file: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    tensors = load_file(digits / "vit_eval.safetensors")
    fc.save_file({"x": tensors["features"]}, tmp_path / "x.fcz", snr=8, profile=profile_file)
    with safe_open(tmp_path / "x.fcz", profile=profile_file) as file:
        copy = pickle.loads(pickle.dumps(file))
        np.testing.assert_array_equal(copy.get_tensor("x"), file.get_tensor("x"))
        part = pickle.loads(pickle.dumps(file.get_slice("x")))
        np.testing.assert_array_equal(part[3], file.get_slice("x")[3])


def test_a_reader_travels_from_another_folder(
    packed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(packed.parent)
    with safe_open(packed.name) as file:
        monkeypatch.chdir(tmp_path)
        assert pickle.loads(pickle.dumps(file)).keys() == file.keys()


# --- files that change, and files that are closed -----------------------------------------------


def _replace(path: Path, data: bytes) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(data)
    other.replace(path)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as out:
        out.write(data[:1])


def _cut(path: Path, data: bytes) -> None:
    os.truncate(path, len(data) // 2)


def _rewrite(path: Path, data: bytes) -> None:
    with path.open("r+b") as out:
        out.write(data)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))  # sooner than the clock of a file system


def _remove(path: Path, data: bytes) -> None:
    path.unlink()


changes = [_replace, _append, _cut, _rewrite, _remove]


@pytest.mark.parametrize("change", changes)
def test_a_file_that_has_changed_is_not_opened_anew(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "x.fcz"
    fc.save_file({"x": np.arange(9)}, path)
    data = path.read_bytes()
    with safe_open(path) as file:
        state = pickle.dumps(file)
        change(path, data)
        with pytest.raises(InvalidInput, match=r"x\.fcz(: No such file| has changed)"):
            pickle.loads(state)


@pytest.mark.parametrize("change", changes)
def test_a_file_that_changes_while_it_is_open_is_refused_or_read_as_it_was(
    tmp_path: Path, change: Any
) -> None:
    path = tmp_path / "x.fcz"
    fc.save_file({"x": np.arange(9)}, path)
    data = path.read_bytes()
    with safe_open(path) as file:
        change(path, data)
        if change in (_replace, _remove):  # the open file is still the same
            np.testing.assert_array_equal(file.get_tensor("x"), np.arange(9))
        else:
            with pytest.raises(InvalidInput, match=r"x\.fcz has changed while it was read"):
                file.get_tensor("x")


def test_a_reader_that_is_closed_says_so(packed: Path) -> None:
    with safe_open(packed) as file:
        part = file.get_slice("features")
    for use in (lambda: file.get_tensor("tokens"), lambda: part[3], file.get_tensors):
        with pytest.raises(InvalidInput, match=r"x\.fcz: the file is closed"):
            use()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of open files")
def test_a_reader_that_is_dropped_is_closed_without_a_word(packed: Path) -> None:
    gc.collect()  # what other tests left
    before = len(list(Path("/proc/self/fd").iterdir()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(20):
            safe_open(packed).get_slice("features")[1]
        gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_closing_in_one_thread_is_an_error_in_the_others_never_other_bytes(
    packed: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(bytes(packed.stat().st_size))
    data = packed.read_bytes()
    for _ in range(50):
        file, wrong = File.open(packed), []

        def read(file: File = file, wrong: list[bytes] = wrong) -> None:
            try:
                while True:
                    if (piece := file.read(100, 4000)) != data[100:4100]:
                        wrong.append(piece)
            except InvalidInput:
                return

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        file.close()
        with other.open("rb"):  # takes the number of the file that was closed
            for thread in threads:
                thread.join()
        assert not wrong


@given(st.binary(max_size=60), st.integers(0, 80), st.integers(0, 80), st.booleans())
def test_reading_at_a_position_gives_what_there_is(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, offset: int, length: int, simple: bool
) -> None:
    path = tmp_path_factory.mktemp("at") / "x"
    path.write_bytes(data)
    file = File.open(path)
    wanted = data[offset : offset + length]
    assert file.read(offset, length) == wanted
    room = bytearray(length)
    with pytest.MonkeyPatch.context() as patch:
        if simple:
            patch.delattr(os, "preadv", raising=False)
        assert file.read_into(offset, memoryview(room)) == len(wanted)
    assert room[: len(wanted)] == wanted
    file.close()
