"""A writer of features as they are made: what it writes, and what a killed one leaves."""

import copy
import errno
import multiprocessing
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec import Writer, safe_open
from featcodec.cli.main import main
from featcodec.container import journal
from featcodec.container.journal import Journal
from featcodec.container.sections import JOURNAL
from featcodec.container.source import File
from featcodec.errors import FeatcodecError, InvalidInput, NotFeatcodec, ProfileMissing, Truncated
from featcodec.pool import WorkerDied
from featcodec.writing import growth
from featcodec.writing.recovery import recover_file

from .internals import row_groups

Arrays = dict[str, np.ndarray]
FIRST = 1 << 15  # bytes


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Choose models from few bytes, so that a test need not have many."""
    monkeypatch.setattr(growth, "FIRST", FIRST)
    monkeypatch.setattr(growth, "TOGETHER", 4 * FIRST)
    monkeypatch.setattr(growth, "MOST", 16 * FIRST)
    with row_groups(values=2000):
        yield


def mixed(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Correlated channels along the last axis, the same mixture for every seed."""
    width = shape[-1]
    mixing = (
        np.random.default_rng(99).normal(size=(width, width)) * 0.7 ** np.arange(width)[:, None]
    )
    return (np.random.default_rng(seed).normal(size=shape) @ mixing).astype(np.float32)


def maps(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=shape).cumsum(2).cumsum(3)
    return np.maximum(x, 0).astype(np.float32)


def batches(tensors: Mapping[str, np.ndarray], size: int) -> Iterator[Arrays]:
    longest = max(len(x) for x in tensors.values())
    for first in range(0, longest, size):
        yield {name: x[first : first + size] for name, x in tensors.items()}


def written(path: Path, tensors: Mapping[str, np.ndarray], size: int, **options: object) -> bytes:
    with Writer(path, **options) as writer:  # type: ignore[arg-type]
        for batch in batches(tensors, size):
            writer.add(batch)
    return path.read_bytes()


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def snr(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype(np.float64), y.astype(np.float64)
    return float(10 * np.log10(x.var() / np.square(x - y).mean()))


# ---- What is written -----------------------------------------------------------------------------


def test_what_is_less_than_models_need_is_what_save_file_writes(tmp_path: Path) -> None:
    x = {"features": mixed((100, 8)), "labels": np.arange(100)}
    written(tmp_path / "w.fcz", x, 10, snr=10)
    fc.save_file(x, tmp_path / "s.fcz", snr=10)
    assert (tmp_path / "w.fcz").read_bytes() == (tmp_path / "s.fcz").read_bytes()


KINDS: dict[str, tuple[np.ndarray, dict]] = {
    "samples": (mixed((4000, 8)), {"layout": "ND"}),
    "lines": (mixed((4003, 8)).cumsum(0) % 7, {"layout": "LD"}),
    "tokens": (mixed((300, 17, 8)), {"layout": "NLD:1+4x4"}),
    "maps": (maps((150, 6, 8, 8)), {"layout": "NCHW"}),
    "rows of maps": (mixed((400, 12, 8)), {"layout": "HWC"}),
    "half": (mixed((4000, 8)).astype(np.float16), {"layout": "ND"}),
    "whatever": (mixed((4000, 8)), {}),
    "channels lead": (mixed((4000, 8)), {"layout": "DN"}),
    "layers": (np.stack([mixed((2000, 8), i) * 9**i for i in range(2)], 1), {"layout": "NKD"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_of_any_layout_come_back_at_the_quality(kind: str, tmp_path: Path) -> None:
    x, options = KINDS[kind]
    y = np.arange(len(x))
    data = written(tmp_path / "w.fcz", {"x": x, "y": y}, 70, snr=12, **options)
    back = fc.load(data)
    assert back["x"].shape == x.shape and back["x"].dtype == x.dtype
    assert snr(x, back["x"]) > 11.99
    np.testing.assert_array_equal(back["y"], y)
    theirs = np.frombuffer(reference.decode(data).tensors["x"].data, x.dtype).reshape(x.shape)
    np.testing.assert_allclose(theirs, back["x"], rtol=1e-2, atol=1e-4)
    with safe_open(tmp_path / "w.fcz") as file:
        rows = file.get_slice("x")
        for index in (0, len(x) - 1, slice(len(x) // 2 - 3, len(x) // 2 + 3)):
            np.testing.assert_array_equal(rows[index], back["x"][index])


@pytest.mark.parametrize(
    "quality", [{"lossless": True}, {"max_error": 0.05}, {"bpfp": 4.0}, {"row_snr": 12}]
)
def test_every_quality_holds(quality: dict, tmp_path: Path) -> None:
    x = mixed((1200, 8))
    back = fc.load(written(tmp_path / "w.fcz", {"x": x}, 100, **quality))["x"]
    assert np.abs(x - back).max() <= quality.get("max_error", 0.0 if "lossless" in quality else 9)
    if "bpfp" in quality:
        assert 8 * (tmp_path / "w.fcz").stat().st_size <= 4.04 * x.size
    if "row_snr" in quality:
        assert snr(x, back) > 10


@pytest.mark.long
def test_one_group_grows_without_further_models(tmp_path: Path) -> None:
    x = mixed((20_000, 8))
    data = written(tmp_path / "w.fcz", {"x": x}, 100, snr=12)
    assert len(data) < 1.05 * len(fc.save({"x": x}, snr=12))


def test_what_is_unlike_the_first_rows_gets_models_of_its_own(tmp_path: Path) -> None:
    x = mixed((6000, 8))
    x[:3000, 5] = 1.5  # which the first rows have all over
    x[4000:] *= 1e-3  # hardly any of the signal
    x[7] = np.nan
    x[5007, 3] = np.inf
    back = fc.load(written(tmp_path / "w.fcz", {"x": x}, 100, snr=12, layout="ND"))["x"]
    np.testing.assert_array_equal(np.isfinite(back), np.isfinite(x))
    finite = np.isfinite(x)
    assert snr(x[finite], back[finite]) > 11.99


@pytest.mark.long
def test_every_name_and_type_is_taken(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with Writer(tmp_path / "w.fcz", snr=12, metadata={"model": "m"}, rules={"debug*": "drop"}) as w:
        sent: Arrays = {"scale": np.float32(3.0), "none": np.zeros((0, 4), np.float32)}
        w.add({**sent, "debug": np.ones(3)})
        for i in range(60):
            one = {f"sentence.{i:02}": mixed((20 + i, 8), i), "ids": rng.integers(0, 99, 20 + i)}
            w.add(one)
            w.add({"none": sent["none"], "debug": np.ones(3)})
            sent = {**sent, **one, "ids": np.append(sent.get("ids", []), one["ids"])}
    back = fc.load_file(tmp_path / "w.fcz")
    assert set(back) == set(sent)
    for name, x in sent.items():
        assert back[name].shape == x.shape
        if not name.startswith("sentence"):
            np.testing.assert_array_equal(back[name], x)
    joint = np.concatenate([x for name, x in sent.items() if name.startswith("sentence")])
    theirs = np.concatenate([x for name, x in back.items() if name.startswith("sentence")])
    assert snr(joint, theirs) > 11.9
    with safe_open(tmp_path / "w.fcz") as file:
        assert file.metadata() == {"model": "m"}


def test_what_is_added_may_change_behind(tmp_path: Path) -> None:
    x, room = mixed((4000, 8)), np.zeros((50, 8), np.float32)
    with Writer(tmp_path / "w.fcz", snr=12) as writer:
        for first in range(0, len(x), 50):
            room[:] = x[first : first + 50]
            writer.add({"x": room})
    assert snr(x, fc.load_file(tmp_path / "w.fcz")["x"]) > 11.99


def test_a_process_of_its_own_writes_the_same(tmp_path: Path) -> None:
    x = {"x": mixed((4000, 8)), "y": np.arange(4000)}
    with Writer(tmp_path / "apart.fcz", snr=12, jobs=1) as writer:
        for batch in batches(x, 500):
            writer.add(batch)
    back = fc.load_file(tmp_path / "apart.fcz")
    assert snr(x["x"], back["x"]) > 11.99 and (back["y"] == x["y"]).all()
    with pytest.raises(InvalidInput, match="is there: a writer is at work"):
        (tmp_path / "b.fcz.part").touch()
        Writer(tmp_path / "b.fcz", snr=12, jobs=1)


def test_a_profile_serves_and_is_needed_to_recover(
    tmp_path: Path, few_digits: Path, profile_file: Path
) -> None:
    x = load_file(few_digits / "vit_eval.safetensors")["features"].astype(np.float32)
    with Writer(tmp_path / "w.fcz", snr=10, profile=profile_file, layout="NLD:1+4x4") as writer:
        for first in range(0, len(x), 40):
            writer.add({"features": x[first : first + 40]})
        writer.flush()
        with pytest.raises(ProfileMissing, match="give it as profile"):
            recover_file(tmp_path / "w.fcz.part", tmp_path / "r.fcz")
    back = fc.load_file(tmp_path / "w.fcz", profile=profile_file)["features"]
    assert snr(x, back) > 9.99
    with pytest.raises(ProfileMissing):
        fc.load_file(tmp_path / "w.fcz")


@pytest.mark.parametrize("jobs", [0, 1])
def test_a_model_is_recorded_as_it_runs(jobs: int, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from featcodec.torch import record

    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.LSTM(16, 4))
    seen: dict[str, list] = {"relu": [], "lstm": []}
    layers = {"1": "relu", "2": "lstm"}
    with Writer(tmp_path / "w.fcz", lossless=True, jobs=jobs) as writer:
        with record(model, layers, writer) as same, torch.no_grad():
            assert same is writer
            for _ in range(5):
                out, _ = model(torch.randn(6, 8))
                seen["lstm"].append(out)
        model(torch.randn(6, 8))
        with (
            pytest.raises(InvalidInput, match="has no layer 'head'"),
            record(model, {"1": "relu", "head": "x"}, writer),
        ):
            pass
        listed: Any = ["1", "2"]
        with pytest.raises(InvalidInput, match="is a list; give"), record(model, listed, writer):
            pass
        model(torch.randn(6, 8))
    back = fc.load_file(tmp_path / "w.fcz")
    assert back["relu"].shape == (30, 16) and back["relu"].min() == 0
    np.testing.assert_array_equal(back["lstm"], torch.cat(seen["lstm"]).numpy())


# ---- What is refused -----------------------------------------------------------------------------


def test_what_does_not_fit_is_refused_and_nothing_of_it_taken(tmp_path: Path) -> None:
    with Writer(tmp_path / "w.fcz", snr=12) as writer:
        writer.add({"x": mixed((10, 8)), "s": np.float32(1)})
        for wrong, message in (
            ({"y": np.ones(3), "x": mixed((10, 7))}, r"'x' is F32 of shape \[\*, 8\]; what is"),
            ({"y": np.ones(3), "x": mixed((10, 7))}, "of shape .*: pad it, or add it by a name of"),
            ({"y": np.ones(3), "x": np.ones((10, 8))}, "is F64 of shape .*: convert it, or add it"),
            ({"y": np.ones(3), "x": np.float32(1)}, r"is F32 of shape \[\]: reshape it, or add it"),
            ({"y": np.ones(3), "s": np.float32(1)}, "'s' is a scalar, and is there already"),
            ({"y": np.ones(3), "x": "text"}, "give a NumPy array"),
        ):
            with pytest.raises(InvalidInput, match=message):
                writer.add(wrong)
    assert set(fc.load_file(tmp_path / "w.fcz")) == {"x", "s"}
    with pytest.raises(InvalidInput, match="is closed"):
        writer.add({"x": mixed((10, 8))})
    with pytest.raises(InvalidInput, match="choose one quality"):
        Writer(tmp_path / "v.fcz", snr=12, bpfp=1)
    with pytest.raises(InvalidInput, match="there is no folder"):
        Writer(tmp_path / "nowhere" / "v.fcz")
    with pytest.raises(InvalidInput, match="jobs=3"):
        Writer(tmp_path / "v.fcz", jobs=3)
    assert [path.name for path in tmp_path.iterdir()] == ["w.fcz"]


def test_no_writer_takes_the_place_of_another(tmp_path: Path) -> None:
    with Writer(tmp_path / "w.fcz", snr=12) as writer:
        writer.add({"x": np.arange(3)})
        with pytest.raises(InvalidInput, match=r"w\.fcz\.part is there: a writer is at work"):
            Writer(tmp_path / "w.fcz")
        assert not (tmp_path / "w.fcz").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["w.fcz"]


def test_an_error_leaves_what_was_added_before(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as raised, Writer(tmp_path / "w.fcz", snr=12) as writer:
        writer.add({"y": np.arange(9)})
        writer.add({"y": np.arange(9 // 0)})
    assert raised.value.__notes__ == [
        f"{tmp_path / 'w.fcz.part'} has what was flushed; featcodec recover makes a file of it"
    ]
    assert recover_file(tmp_path / "w.fcz.part", tmp_path / "w.fcz") == {"y": (9,)}
    with pytest.raises(ZeroDivisionError), Writer(tmp_path / "v.fcz", snr=12):
        1 // 0  # noqa: B018 - raises
    assert not (tmp_path / "v.fcz.part").exists()


def test_a_coding_process_that_is_killed_leaves_what_was_flushed(tmp_path: Path) -> None:
    with pytest.raises(WorkerDied, match="was killed"), Writer(tmp_path / "w", jobs=1) as writer:
        writer.add({"y": np.arange(9)})
        writer.flush()
        [process] = multiprocessing.active_children()
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        for _ in range(3):
            writer.add({"y": np.arange(9)})
            time.sleep(0.1)
    assert recover_file(tmp_path / "w.part", tmp_path / "w") == {"y": (9,)}


def test_no_flush_follows_one_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InvalidInput, match="could not be written to"), Writer(tmp_path / "w") as w:
        w.add({"y": np.arange(9)})
        w.flush()
        w.add({"y": np.arange(9)})
        with monkeypatch.context() as patch, pytest.raises(InvalidInput, match="No space"):
            patch.setattr(journal, "write_section", full)
            w.flush()
        w.flush()
    assert recover_file(tmp_path / "w.part", tmp_path / "w") == {"y": (9,)}


def test_what_cannot_be_coded_is_not_lost(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(20_000, 1)).astype(np.float32)
    with pytest.raises(FeatcodecError), Writer(tmp_path / "w", bpfp=1e-4) as writer:
        for batch in batches({"x": x}, 2000):
            writer.add(batch)
    stored = Journal(File.open(tmp_path / "w.part"))
    assert sum(one.shape[0] for one in stored.waiting["x"]) >= 10_000


def test_recovering_says_how_many_samples_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    writer = Writer("w.fcz", snr=12)
    assert run("recover", "w.fcz.part") == 3
    assert capsys.readouterr().err.endswith("w.fcz.part ends before its first flush; remove it\n")
    writer.add({"x": mixed((50, 8)), "y": np.arange(40)})
    writer.flush()
    assert run("info", "w.fcz.part") == 3
    made = "make a file of it by featcodec recover w.fcz.part -o FILE\n"
    assert capsys.readouterr().err.endswith(made)
    assert run("recover", "w.fcz.part") == 0
    said = capsys.readouterr().err.splitlines()
    rows = ["w.fcz: x: 50 samples", "w.fcz: y: 40 samples"]
    assert said == [*rows, "remove w.fcz.part when you do not need it"]
    assert run("recover", "w.fcz.part") == 1 and "--force" in capsys.readouterr().err
    assert run("recover", "w.fcz", "-o", "v.fcz") == 3
    assert run("recover", "w.fcz") == 2
    assert Path("w.fcz.part").exists()
    writer.close()


@pytest.mark.parametrize("bytes_left", range(10))
def test_what_a_full_disk_cut_off_before_the_first_flush_is_known_as_such(
    bytes_left: int, tmp_path: Path
) -> None:
    part = tmp_path / "w.part"
    with part.open("wb") as file:
        file.write((JOURNAL + b"WISH")[:bytes_left])
    with pytest.raises(Truncated, match="ends before its first flush; remove it"):
        recover_file(part, tmp_path / "w")
    part.write_bytes(part.read_bytes()[:7] + b"?")
    with pytest.raises(NotFeatcodec):
        recover_file(part, tmp_path / "w")


# ---- What is left --------------------------------------------------------------------------------

ADDS = 10
SENT = {"x": mixed((300 * ADDS, 8)), "t": mixed((300 * ADDS, 8), 1), "y": np.arange(300 * ADDS)}
SENT |= {"z": np.where(np.arange(300 * ADDS) % 9, 0, np.arange(300 * ADDS))}
ASKED: dict = {"snr": 12, "layout": {"x": "ND", "t": "LD"}, "metadata": {"a": "b"}}


def sent(writer: Writer, first: int, told: int = -1) -> None:
    """Add the batches from a number on, flush each, and tell of that by an open file."""
    for number, batch in enumerate(batches(SENT, 300)):
        if number >= first:
            writer.add(batch)
            writer.flush()
            if told >= 0:
                os.write(told, bytes((number,)))


@pytest.fixture(scope="module")
def flushed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    """The journal behind each flush, and the file that is made of it."""
    folder = tmp_path_factory.mktemp("flushed")
    found: dict[str, list[bytes]] = {"parts": [], "files": []}
    with pytest.MonkeyPatch.context() as patch, row_groups(values=2000):
        patch.setattr(growth, "FIRST", FIRST)
        writer = Writer(folder / "w.fcz", **ASKED)
        for number in range(ADDS + 1):
            if number:
                writer.add({name: x[300 * (number - 1) : 300 * number] for name, x in SENT.items()})
            writer.flush()
            found["parts"].append((folder / "w.fcz.part").read_bytes())
            recover_file(folder / "w.fcz.part", folder / "r.fcz", overwrite=True)
            found["files"].append((folder / "r.fcz").read_bytes())
        writer.close()
        assert (folder / "w.fcz").read_bytes() == found["files"][-1]
    return found


@pytest.mark.long
@pytest.mark.parametrize("adds", [0, 3, ADDS // 2, ADDS])
def test_a_flush_holds_what_a_file_that_ends_there_has(
    adds: int, flushed: dict[str, list[bytes]], tmp_path: Path
) -> None:
    with Writer(tmp_path / "w.fcz", **ASKED) as writer:
        for _, batch in zip(range(adds), batches(SENT, 300), strict=False):
            writer.add(batch)
    assert (tmp_path / "w.fcz").read_bytes() == flushed["files"][adds]
    back = fc.load(flushed["files"][adds])
    assert all(len(x) == 300 * adds for x in back.values())
    for name in back:
        mine = SENT[name][: 300 * adds]
        assert snr(mine, back[name]) > 11.99 if name in "xt" else (mine == back[name]).all()


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_of_any_part_of_a_journal_the_last_flush_comes_back(
    data: st.DataObject, flushed: dict[str, list[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = flushed["parts"][-1]
    size = data.draw(st.integers(len(flushed["parts"][0]), len(whole)))
    (folder / "w.fcz.part").write_bytes(whole[:size] + data.draw(st.binary(max_size=20)))
    recover_file(folder / "w.fcz.part", folder / "w.fcz")
    last = max(i for i, part in enumerate(flushed["parts"]) if len(part) <= size)
    assert (folder / "w.fcz").read_bytes() == flushed["files"][last]


@dataclass
class Killer:
    """Kills writers at random, and counts what comes of it."""

    folder: Path
    files: list[bytes]  # that may come of it, by the number of batches
    begin: Callable[[Path], Writer]
    begun: int  # batches that a writer has to begin with
    found: Counter[str] = field(default_factory=Counter)

    def kill(self, count: int) -> None:
        start = time.monotonic()
        self._run(self.folder, -1)
        longest = time.monotonic() - start
        for number, delay in enumerate(np.random.default_rng(0).uniform(0, longest, count)):
            folder = self.folder / f"{number}"
            folder.mkdir()
            self.found[self._killed(folder, delay)] += 1

    def _run(self, folder: Path, told: int) -> None:
        with self.begin(folder) as writer:
            sent(writer, self.begun, told)

    def _killed(self, folder: Path, delay: float) -> str:
        """Return what came of a writer that was killed after a while."""
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            self._run(folder, writing)
            os._exit(0)
        os.close(writing)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as pipe:
            told = len(pipe.read())
        if (folder / "w.fcz").exists():
            assert (folder / "w.fcz").read_bytes() == self.files[-1]
            return "complete"
        try:
            recover_file(folder / "w.fcz.part", folder / "w.fcz")
        except FeatcodecError:  # it had not begun, or not flushed
            assert told == 0
            return "nothing"
        assert (folder / "w.fcz").read_bytes() in self.files[self.begun + told :]
        return "recovered"


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills processes that are forked")
def test_killed_writers_leave_what_they_flushed(
    flushed: dict[str, list[bytes]], tmp_path: Path
) -> None:
    (tmp_path / "begun").mkdir()
    begun = Writer(tmp_path / "begun" / "w.fcz", **ASKED)
    for _, batch in zip(range(ADDS // 2), batches(SENT, 300), strict=False):
        begun.add(batch)
    begun.flush()

    def goes_on(folder: Path) -> Writer:
        """Return a copy of the writer, which need not choose its models once more."""
        writer = copy.copy(begun)
        writer.path, writer._part = folder / "w.fcz", folder / "w.fcz.part"
        shutil.copy(begun._part, writer._part)
        assert isinstance(begun._growth, growth.Growth)
        out = begun._growth.journal._out
        writer._growth = copy.deepcopy(begun._growth, {id(out): out})
        writer._growth.journal._out = writer._part.open("ab")
        return writer

    killer = Killer(tmp_path, flushed["files"], goes_on, ADDS // 2)
    killer.kill(25)
    assert killer.found["recovered"] > 5 and killer.found.total() == 25
    begun.close()


@pytest.mark.slow
def test_many_killed_writers_leave_what_they_flushed(
    flushed: dict[str, list[bytes]], tmp_path: Path
) -> None:
    killer = Killer(tmp_path, flushed["files"], lambda f: Writer(f / "w.fcz", **ASKED), 0)
    killer.kill(200)
    print(killer.found)
    assert killer.found["recovered"] > 100
