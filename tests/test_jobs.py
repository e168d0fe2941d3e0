"""Several processes code one file: to the same bytes, and with the same errors."""

import multiprocessing
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import featcodec.numpy as fc
from featcodec import Profile, decode_jobs
from featcodec.cli.main import main
from featcodec.dumps import Dump
from featcodec.errors import Corrupt, ProfileMissing
from featcodec.files import decode_file, encode_file
from featcodec.outputs import PROCESS
from featcodec.pool import WorkerDied
from featcodec.request import Options, Quality
from featcodec.training.linear import train

from . import internals

RNG = np.random.default_rng(11)
TENSORS = {
    "maps": RNG.normal(size=(30, 8, 6, 6)).cumsum(axis=3).astype(np.float32),
    "relu": np.maximum(RNG.normal(size=(20, 8, 8, 8)) - 1, 0).astype(np.float16),
    "tokens": RNG.normal(size=(30, 17, 16)).astype(np.float32),
    "labels": np.arange(5000),
    "empty": np.zeros((0, 8, 6, 6), np.float32),
}
LAYOUTS = {"maps": "NCHW", "relu": "NCHW", "tokens": "NLD:1+4x4", "empty": "NCHW"}


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Dumps that are quick to code are large enough here."""
    with internals.workers_always():
        yield


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of many row groups."""
    path = tmp_path_factory.mktemp("jobs") / "x.fcz"
    with internals.row_groups(1 << 11, exact=1 << 10):
        fc.save_file(TENSORS, path, layout=LAYOUTS, snr=12)
    return path


@pytest.mark.long
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    jobs=st.integers(2, 4),
    names=st.sets(st.sampled_from(sorted(TENSORS))),
    dtype=st.sampled_from([None, "F16", "F64"]),
)
def test_the_dump_is_the_same_for_any_number_of_processes(
    packed: Path, tmp_path: Path, jobs: int, names: set[str], dtype: str | None
) -> None:
    found = []
    for number in (1, jobs):
        out = tmp_path / f"{number}.safetensors"
        decode_file(packed, out, tensors=sorted(names), dtype=dtype, overwrite=True, jobs=number)
        found.append(out.read_bytes())
    assert found[0] == found[1]
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors"}


@pytest.mark.parametrize("jobs", [2, 3])
@pytest.mark.parametrize("folder", [decode_jobs.SHARED, "/nowhere"])
def test_arrays_are_the_same_for_any_number_of_processes(
    packed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jobs: int, folder: str
) -> None:
    """Wherever the memory is that they share; nothing of it is left behind."""
    monkeypatch.setattr(decode_jobs, "SHARED", folder)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found, alone = fc.load_file(packed, jobs=jobs), fc.load_file(packed)
    assert list(found) == list(alone)
    for name, array in alone.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
        assert found[name].flags.aligned and found[name].flags.writeable
    assert not list(Path(folder).glob(f"*{PROCESS}*")) and not list(tmp_path.iterdir())


def test_profiles_go_to_all_processes(tmp_path: Path) -> None:
    dump, packed = tmp_path / "x.safetensors", tmp_path / "x.fcz"
    save_file({"maps": TENSORS["maps"]}, dump)
    options = Options("linear", {"": "NCHW"})
    with Dump(dump) as source:
        profile = Profile.parse(Profile.pack(train([source], options)))
    with internals.row_groups(1 << 11):
        encode_file(dump, packed, Quality(snr=8), profile=profile, options=options)
    outs = [tmp_path / "1", tmp_path / "3"]
    for out, jobs in zip(outs, (1, 3), strict=True):
        decode_file(packed, out, profile=[profile], jobs=jobs)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    with pytest.raises(ProfileMissing):
        decode_file(packed, tmp_path / "none", jobs=2)


@pytest.mark.parametrize("place", [0.05, 0.2, 0.4])
def test_damage_is_reported_whoever_finds_it_and_nothing_is_left(
    packed: Path, tmp_path: Path, place: float
) -> None:
    data = bytearray(packed.read_bytes())
    data[int(place * len(data))] ^= 16
    broken, out = tmp_path / "broken.fcz", tmp_path / "out.safetensors"
    broken.write_bytes(data)
    with pytest.raises(Corrupt):
        decode_file(broken, out, jobs=2)
    assert list(tmp_path.iterdir()) == [broken]
    with pytest.raises(SystemExit) as ended:
        main(["decode", "-q", "-j", "2", str(broken), "-o", str(out)])
    assert ended.value.code == 3
    assert list(tmp_path.iterdir()) == [broken]


SCALES = np.exp2(np.arange(3))[:, None, None]  # of layers
LARGE = {
    **TENSORS,
    "layers": (RNG.normal(size=(30, 3, 9, 16)) * SCALES).astype(np.float32),
    "repeated": np.repeat(RNG.normal(size=(20, 40)), 3, axis=0).astype(np.float16),
}
RULES = {"relu": "max-error:0.05", "tokens": "row-snr:12", "repeated": "snr:30"}


@pytest.mark.long
def test_the_file_is_the_same_for_any_number_of_processes(tmp_path: Path) -> None:
    """Maps, layers with gains, bounded errors, SNRs of rows, repeated rows."""
    dump, found = tmp_path / "x.safetensors", []
    save_file(LARGE, dump)
    layouts = {**LAYOUTS, "layers": "NNLD", "repeated": "LD"}
    for number in (1, 3):
        out = tmp_path / f"{number}.fcz"
        options = Options("auto", layouts, rules=RULES, jobs=number)
        with internals.row_groups(1 << 10):
            encode_file(dump, out, Quality(snr=12), options=options)
        found.append(out.read_bytes())
    assert found[0] == found[1]
    assert not multiprocessing.active_children()


def test_a_process_that_is_killed_ends_the_encoding_and_nothing_is_left(tmp_path: Path) -> None:
    dump = tmp_path / "x.safetensors"
    save_file({"maps": TENSORS["maps"]}, dump)

    def kill(_: int) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    options = Options(jobs=2)
    with internals.row_groups(1 << 10), pytest.raises(WorkerDied, match="killed, signal 9"):
        encode_file(dump, tmp_path / "x.fcz", Quality(snr=12), options=options, progress=kill)
    assert list(tmp_path.iterdir()) == [dump]
