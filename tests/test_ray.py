"""Ray: many files on many workers, none lost and none twice, whoever dies on the way."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file as load_dump
from safetensors.numpy import save_file as save_dump

import featcodec
from featcodec.cli.main import main
from featcodec.dumps import Dump
from featcodec.errors import InvalidInput
from featcodec.ext import manifest
from featcodec.ext.manifest import Manifest
from featcodec.numpy import load_file
from featcodec.pool import WorkerDied
from featcodec.request import Options
from featcodec.training.linear import train

ray = pytest.importorskip("ray", reason="ray is not installed")
pytest.importorskip("pyarrow")
pytestmark = pytest.mark.filterwarnings("ignore")  # of what Ray itself uses

from featcodec.ext.ray import Decoder, Encoder, results, sha256_of  # noqa: E402

FILES = 12


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster of two workers on this machine."""
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": paths}
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


@pytest.fixture
def dumps(tmp_path: Path) -> list[Path]:
    """Dumps in two folders."""
    rng, found = np.random.default_rng(3), []
    for number in range(FILES):
        path = tmp_path / "dumps" / f"part{number % 2}" / f"{number}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = rng.normal(size=(40, 16)) @ rng.normal(size=(16, 16))
        save_dump({"x": values.astype(np.float32)}, path)
        found.append(path)
    return found


def snr(path: Path, back: Path) -> float:
    a, b = (load_dump(one)["x"].astype(float) for one in (path, back))
    return 10 * np.log10(np.square(a - a.mean()).sum() / np.square(a - b).sum())


def rows_of(data: Any) -> dict[str, dict]:
    found = list(data.iter_rows())
    assert len({row["input"] for row in found}) == len(found)
    return {row["input"]: row for row in found}


def test_files_of_a_data_set_are_encoded_and_decoded(
    cluster: None, dumps: list[Path], tmp_path: Path
) -> None:
    quality = featcodec.Quality(snr=15)
    there = {"folder": str(tmp_path / "coded"), "root": str(tmp_path / "dumps"), "quality": quality}
    data = ray.data.from_items([{"path": str(path)} for path in dumps])
    made = data.map_batches(Encoder, fn_constructor_kwargs=there, concurrency=2, batch_size=2)
    rows = rows_of(made.materialize())
    assert rows.keys() == set(map(str, dumps))
    for row in rows.values():
        assert row["status"] == "done" and row["snr_db"] >= 15
        assert row["sha256"] == sha256_of(Path(row["output"]))
        assert row["output_bytes"] == Path(row["output"]).stat().st_size
    back = {"folder": str(tmp_path / "back"), "root": str(tmp_path / "coded")}
    coded = ray.data.from_items([{"path": row["output"]} for row in rows.values()])
    again = coded.map_batches(Decoder, fn_constructor_kwargs=back, concurrency=2, batch_size=2)
    assert {row["status"] for row in again.iter_rows()} == {"done"}
    for path in dumps:
        here = tmp_path / "back" / path.relative_to(tmp_path / "dumps")
        assert snr(path, here) >= 15


def test_what_is_read_as_bytes_is_encoded_and_what_is_no_dump_fails_alone(
    cluster: None, dumps: list[Path], tmp_path: Path
) -> None:
    dumps[5].write_bytes(b"no dump")
    data = ray.data.read_binary_files(list(map(str, dumps)), include_paths=True)
    profile = ray.put(trained(dumps[0], tmp_path))
    there = {"folder": str(tmp_path / "c"), "root": str(tmp_path / "dumps"), "profile": profile}
    made = data.map_batches(Encoder, fn_constructor_kwargs=there, concurrency=1)
    rows = rows_of(made.materialize())
    assert rows.keys() == set(map(str, dumps))
    failed = rows.pop(str(dumps[5]))
    assert failed["status"] == "failed" and not Path(failed["output"]).exists()
    assert {row["status"] for row in rows.values()} == {"done"}


def trained(dump: Path, folder: Path) -> featcodec.Profile:
    path = folder / "x.fcp"
    with Dump(dump) as source:
        path.write_bytes(featcodec.Profile.pack(train([source], Options())))
    return featcodec.Profile.load(path)


@dataclass(frozen=True)
class Task:
    """A dump to encode, and whether its worker is killed: once, or always."""

    source: str
    target: str
    killed: str = ""


def work(folder: str, task: Task) -> Any:
    """Encode, or die: before, or when the output is there."""
    mark = Path(folder) / Path(task.source).name
    if task.killed == "always":
        os.kill(os.getpid(), signal.SIGKILL)
    if task.killed == "before" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    report = featcodec.encode_file(task.source, task.target, featcodec.Quality(snr=10))
    if task.killed == "after" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return report


def test_a_worker_that_is_killed_loses_nothing_and_nothing_comes_twice(
    cluster: None, dumps: list[Path], tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    kills = {1: "before", 4: "after", 6: "always"}
    tasks = [
        Task(str(path), str(path.with_suffix(".fcz")), kills.get(i, ""))
        for i, path in enumerate(dumps)
    ]
    found = list(results(partial(work, str(marks)), tasks))
    assert sorted(position for position, _ in found) == list(range(FILES))
    for position, result in found:
        target = Path(tasks[position].target)
        if kills.get(position) == "always":
            assert isinstance(result, WorkerDied) and not target.exists()
            continue
        assert result.output_bytes == target.stat().st_size
        values = load_file(target)["x"]
        assert values.shape == (40, 16)


def test_the_command_line_spreads_a_batch(
    cluster: None, dumps: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dumps[3].write_bytes(b"no dump")
    command = ["encode", "-r", str(tmp_path / "dumps"), "--output-dir", str(tmp_path / "coded")]
    command += ["--snr", "15", "--engine", "ray", "--skip-existing"]
    with pytest.raises(SystemExit, match="1"):
        main(command)
    assert f"{FILES - 1} of {FILES} encoded" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="1"):
        main(command)
    said = capsys.readouterr().err
    assert f"{FILES - 1} skipped" in said and str(dumps[3]) in said


def test_a_manifest_knows_what_is_done_as_it_is_now(dumps: list[Path], tmp_path: Path) -> None:
    inputs = list(map(str, dumps))
    with Manifest(tmp_path / "m", {"snr": 10}) as made:
        assert list(made.left(inputs)) == inputs
        for path in inputs[:7]:
            made.add({"input": path, "status": "done"})
        made.add({"input": inputs[7], "status": "failed", "error": "damaged"})
    again = Manifest(tmp_path / "m", {"snr": 10})
    assert list(again.left(inputs)) == inputs[7:]
    assert list(Manifest(tmp_path / "m", {"snr": 20}).left(inputs)) == inputs
    dumps[2].write_bytes(b"changed")
    assert list(again.left(inputs)) == [inputs[2], *inputs[7:]]


def test_inputs_whose_hashes_begin_or_end_alike_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(manifest, "_key", lambda path, _: bytes.fromhex(path))
    hashes = st.lists(st.sampled_from(b"\x00\x01\xff"), min_size=16, max_size=16).map(bytes)

    @settings(max_examples=30)
    @given(st.lists(hashes, unique=True, max_size=6), st.lists(hashes, unique=True, max_size=6))
    def check(done: list[bytes], asked: list[bytes]) -> None:
        asked = list(dict.fromkeys([*asked, *done[:2]]))
        with tempfile.TemporaryDirectory() as folder:
            with Manifest(folder, {}) as made:
                for key in done:
                    made.add({"input": key.hex(), "status": "done"})
            left = [
                bytes.fromhex(path) for path in Manifest(folder, {}).left(k.hex() for k in asked)
            ]
        assert left == [key for key in asked if key not in done]

    check()


def test_a_manifest_loses_no_more_than_what_is_not_written_yet(
    dumps: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featcodec.ext.manifest.PART_ROWS", 4)
    inputs = list(map(str, dumps))
    killed = Manifest(tmp_path / "m", {})
    for path in inputs[:6]:
        killed.add({"input": path, "status": "done"})
    assert list(Manifest(tmp_path / "m", {}).left(inputs)) == inputs[4:]
    (tmp_path / "m" / "part-x.parquet").write_bytes(b"no part")
    with pytest.raises(InvalidInput, match="no part of a manifest"):
        Manifest(tmp_path / "m", {})
