"""Files of stores by URI, and open files: what is read of them, and when outputs appear."""

import io
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featcodec import (
    Profile,
    Quality,
    Writer,
    decode_file,
    encode_file,
    profiles,
    safe_open,
    stores,
)
from featcodec import numpy as fn
from featcodec.cli.main import main
from featcodec.dumps import Dump
from featcodec.errors import InvalidInput, Truncated
from featcodec.outputs import PROCESS
from featcodec.request import Options

fsspec = pytest.importorskip("fsspec")
memory = pytest.importorskip("fsspec.implementations.memory")

ROWS, ROW_GROUP = 192, 16
TAIL = 1 << 12
REQUESTS: list[tuple[Any, ...]] = []


class Counted(memory.MemoryFileSystem):
    """A store in memory that notes what it is asked for."""

    protocol = "counted"
    store: dict = {}  # noqa: RUF012 - as its parent has it
    pseudo_dirs = [""]  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return super()._strip_protocol(path.removeprefix("counted://"))

    def info(self, path: str, **options: Any) -> Any:
        REQUESTS.append(("info",))
        return super().info(path, **options)

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        REQUESTS.append(("ls",))
        return super().ls(path, detail, **options)

    def cat_file(self, path: str, start: Any = None, end: Any = None, **options: Any) -> Any:
        REQUESTS.append((start, end))
        path = self._strip_protocol(path)
        return self.store[path].getvalue()[start:end]


fsspec.register_implementation("counted", Counted, clobber=True)


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    for kind in (memory.MemoryFileSystem, Counted):
        kind.store.clear()
    yield


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ROWS, 32, 4, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def packed(features: np.ndarray) -> bytes:
    arrays = {"features": features, "labels": np.arange(ROWS)}
    return fn.save(arrays, layout={"features": "NCHW"}, snr=30, row_group=str(ROW_GROUP))


@pytest.fixture
def counted(packed: bytes, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of a file whose end is a small part of it, in a store that counts."""
    for name in ("LEAST_TAIL", "MOST_TAIL"):
        monkeypatch.setattr(stores, name, TAIL)
    monkeypatch.setattr(stores, "GAP", 0)
    assert len(packed) > 10 * TAIL
    Counted().pipe("/x.fcz", packed)
    return "counted://x.fcz"


def put(uri: str, data: bytes) -> str:
    with fsspec.open(uri, "wb") as out:
        out.write(data)
    return uri


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


# --- what is read -------------------------------------------------------------------------------


def test_opening_takes_three_requests(counted: str) -> None:
    REQUESTS.clear()
    safe_open(counted)
    assert len(REQUESTS) <= 3


@pytest.mark.parametrize("embedded", [False, True])
def test_headers_larger_than_the_tail_take_one_more(
    embedded: bool, digits: Path, profile_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = "counted://x.fcz"
    if embedded:
        dump, profile = digits / "vit_eval.safetensors", Profile.load(profile_file)
        encode_file(dump, uri, Quality(snr=10), profile=profile, options=Options(embed=True))
    else:
        x = np.random.default_rng(0).normal(size=(40, 64)).astype(np.float32)
        fn.save_file({f"x{i}": x[:, : 4 + 6 * i] for i in range(10)}, uri, snr=10)  # ten groups
    size, index = Counted().info("/x.fcz")["size"], 600

    @given(st.integers(index, size))
    def check(tail: int) -> None:
        for name in ("LEAST_TAIL", "MOST_TAIL"):
            monkeypatch.setattr(stores, name, tail)
        REQUESTS.clear()
        file = safe_open(uri)
        assert len(REQUESTS) <= 4
        ranges = sorted(request for request in REQUESTS if request != ("info",))
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ranges))
        assert file.keys()

    check()


def test_the_tail_grows_with_the_file() -> None:
    Counted().pipe("/x.fcz", bytes(1 << 24))
    taken = []
    for size in (1 << 16, 1 << 20, 1 << 22, 1 << 24):
        Counted().pipe("/x.fcz", bytes(size))
        REQUESTS.clear()
        stores.StoredFile("counted://x.fcz").read(size - 10, 10)
        taken.append(REQUESTS[-1][1] - REQUESTS[-1][0])
    assert taken == [1 << 16, 1 << 18, 1 << 19, 1 << 20]


def test_rows_take_one_request_and_no_more_than_their_row_groups(
    counted: str, features: np.ndarray
) -> None:
    bound = len(Counted().cat("/x.fcz")) * ROW_GROUP // ROWS

    @given(st.integers(0, ROWS - 1), st.integers(1, ROWS))
    def check(first: int, count: int) -> None:
        rows = safe_open(counted, cache=0).get_slice("features")
        last = min(first + count, ROWS)
        touched = -(-last // ROW_GROUP) - first // ROW_GROUP
        REQUESTS.clear()
        found = rows[first:last]
        assert np.abs(found - features[first:last]).max() < 0.5
        assert len(REQUESTS) == 1  # neighbours together
        [(start, end)] = REQUESTS
        assert end - start < 1.5 * touched * bound

    check()


def test_rows_far_apart_take_one_request_a_row_group(counted: str) -> None:
    rows = safe_open(counted).get_slice("features")
    REQUESTS.clear()
    for row in (3, 60, 4, 61, 120):
        assert rows[row].shape == (32, 4, 4)
    assert len(REQUESTS) == 3  # row groups stay in the cache


def test_info_reads_headers_alone(counted: str, capsys: pytest.CaptureFixture[str]) -> None:
    REQUESTS.clear()
    assert run("info", counted) == 0
    assert "features" in capsys.readouterr().out and len(REQUESTS) <= 3


def test_decoding_one_tensor_reads_no_other(counted: str, tmp_path: Path) -> None:
    REQUESTS.clear()
    assert run("decode", counted, "--tensor", "labels", "-o", str(tmp_path / "x.npy")) == 0
    assert (np.load(tmp_path / "x.npy") == np.arange(ROWS)).all()
    ranges = [request for request in REQUESTS if request != ("info",)]
    assert sum(end - start for start, end in ranges) < 3 * TAIL


def test_many_row_groups_are_read_in_blocks(counted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "BLOCK", 1 << 14)
    file = safe_open(counted)
    REQUESTS.clear()
    whole = file.get_tensor("features")
    assert all(end - start <= 1 << 14 for start, end in REQUESTS)
    assert np.array_equal(whole, safe_open(counted).get_slice("features")[:])


def test_a_change_is_noticed(counted: str, packed: bytes, tmp_path: Path) -> None:
    source = stores.StoredFile(counted)
    Counted().pipe("/x.fcz", packed + b"more")
    with pytest.raises(InvalidInput, match=r"counted://x.fcz has changed while"):
        source.check()
    with pytest.raises(InvalidInput, match=r"counted://x.fcz has changed since"):
        rebuild, state = source.__reduce__()
        rebuild(*state)


def test_a_server_without_byte_ranges_is_told_of(
    counted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Counted().store["/x.fcz"].getvalue()
    monkeypatch.setattr(Counted, "cat_file", lambda *_, **__: whole)
    with pytest.raises(InvalidInput, match="whole files alone; copy it, or name simplecache::"):
        safe_open(counted)
    assert len(safe_open(f"simplecache::{counted}").keys()) == 2


def test_an_epoch_takes_a_request_a_row_group(counted: str) -> None:
    pytest.importorskip("torch")
    from featcodec import torch

    dataset = torch.FeatureDataset([counted] * 2, keys=["features", "labels"])
    REQUESTS.clear()
    stream = torch.FeatureStream(dataset, 50)
    assert sum(len(batch["labels"]) for batch in stream) == 2 * ROWS
    opening, row_groups = 2 * 3, 2 * ROWS // ROW_GROUP
    assert len(REQUESTS) <= opening + row_groups


# --- profiles beside files ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def needing(digits: Path, profile_file: Path) -> bytes:
    """A file that needs a profile."""
    out = io.BytesIO()
    profile = Profile.load(profile_file)
    encode_file(digits / "vit_eval.safetensors", out, Quality(snr=10), profile=profile)
    return out.getvalue()


@pytest.fixture
def nothing_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv(profiles.SEARCH_PATH, raising=False)
    monkeypatch.setattr(profiles, "_found", {})
    profiles._digest_in_store.cache_clear()


@pytest.mark.usefixtures("nothing_found")
@pytest.mark.parametrize("folder", ["", "deep/", "a b/c+d/"])
def test_a_profile_beside_a_file_of_a_store_is_found(
    folder: str,
    needing: bytes,
    profile_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    uri = put(f"memory://{folder}x.fcz", needing)
    put(f"memory://{folder}below/any.fcp", profile_file.read_bytes())  # is not beside it
    decode = ("decode", uri, "-o", str(tmp_path / "x.safetensors"))
    assert run(*decode) == 4 and run("info", uri) == 0
    capsys.readouterr()
    put(f"memory://{folder}another.fcp", b"no profile")
    put(f"memory://{folder}one.fcp", profile_file.read_bytes())
    assert run("info", uri) == 0
    assert f"memory://{folder}one.fcp" in capsys.readouterr().out
    assert run(*decode) == 0 and run("verify", uri, "--decode") == 0
    assert fn.load_file(uri)["labels"].shape == (360,)


@pytest.mark.usefixtures("nothing_found")
def test_a_profile_of_a_store_is_read_once(needing: bytes, profile_file: Path) -> None:
    for name in ("a.fcz", "b.fcz"):
        put(f"counted://{name}", needing)
    put("counted://one.fcp", profile_file.read_bytes())
    safe_open("counted://a.fcz")
    REQUESTS.clear()
    safe_open("counted://b.fcz")
    assert len(REQUESTS) <= 3


@pytest.mark.usefixtures("nothing_found")
def test_a_store_is_asked_for_profiles_last(
    needing: bytes, profile_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("counted://a.fcz", needing)
    monkeypatch.setenv(profiles.SEARCH_PATH, str(profile_file))
    REQUESTS.clear()
    safe_open("counted://a.fcz")
    assert ("ls",) not in REQUESTS


@pytest.mark.usefixtures("nothing_found")
@pytest.mark.parametrize("listed", ["memory://shared/", "memory://shared/one.fcp"])
def test_a_store_on_the_search_path_has_profiles(
    listed: str,
    needing: bytes,
    profile_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put("memory://shared/one.fcp", profile_file.read_bytes())
    (tmp_path / "x.fcz").write_bytes(needing)
    places = ("/nowhere", "memory://nothing/", listed, str(tmp_path))
    monkeypatch.setenv(profiles.SEARCH_PATH, os.pathsep.join(places))
    assert profiles.find(Profile.load(profile_file).digest) == "memory://shared/one.fcp"
    assert fn.load_file(tmp_path / "x.fcz")["labels"].shape == (360,)


@pytest.mark.usefixtures("nothing_found")
def test_a_store_that_may_not_be_listed_has_no_profile(
    needing: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("access denied")

    put("counted://a.fcz", needing)
    monkeypatch.setattr(Counted, "ls", refuse)
    assert run("decode", "counted://a.fcz", "-o", "memory://x.safetensors") == 4
    assert capsys.readouterr().err.count("\n") == 1


def test_files_made_with_another_profile_of_a_store_are_not_skipped(
    digits: Path, profile_file: Path, tmp_path: Path
) -> None:
    profile = put("memory://in/p.fcp", profile_file.read_bytes())
    command = ("encode", str(digits / "vit_eval.safetensors"), "-o", str(tmp_path / "x.fcz"))
    assert run(*command, "--skip-existing", "-q") == 0
    assert run(*command, "--skip-existing", "-q", "-p", profile) == 1  # exists, and is another
    assert run(*command, "--skip-existing", "-q", "-p", profile, "-f") == 0
    assert run(*command, "--skip-existing", "-q", "-p", str(profile_file)) == 0


# --- there and back -----------------------------------------------------------------------------


def test_every_path_may_be_a_uri(digits: Path, profile_file: Path, tmp_path: Path) -> None:
    dump = put("memory://in/vit.safetensors", (digits / "vit_eval.safetensors").read_bytes())
    profile = put("memory://in/p.fcp", profile_file.read_bytes())
    here = tmp_path / "vit.fcz"
    encode_file(digits / "vit_eval.safetensors", here, Quality(snr=10))
    encode_file(dump, "memory://out/vit.fcz", Quality(snr=10))
    assert fsspec.open("memory://out/vit.fcz").open().read() == here.read_bytes()
    assert Profile.load(profile).digest == Profile.load(profile_file).digest
    assert run("encode", dump, "-p", profile, "--output-dir", "memory://shell", "-q") == 0
    assert run("verify", "memory://shell/vit.fcz", "--decode", "-p", profile) == 0
    command = ("decode", "memory://shell/vit.fcz", "-p", profile, "-o", "memory://back.safetensors")
    assert run(*command) == 0
    with Dump("memory://back.safetensors") as back:
        assert {tensor.name for tensor in back.tensors} == {"features", "labels"}
    assert run(*command, "--skip-existing") == 0
    assert run(*command) == 1  # exists
    assert run("train", dump, "-o", "memory://new.fcp", "-q") == 0
    assert run("info", "memory://new.fcp") == 0


def test_uris_are_listed_and_mirrored_below_a_folder(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put("memory://in/deep/vit.safetensors", (digits / "vit_eval.safetensors").read_bytes())
    (tmp_path / "list").write_text("memory://in/deep/vit.safetensors\n")
    for folder in (str(tmp_path / "out"), "memory://out"):
        command = ("encode", "--files-from", str(tmp_path / "list"), "--output-dir", folder)
        assert run(*command, "--dry-run") == 0
        assert f"{folder}/in/deep/vit.fcz" in capsys.readouterr().out
        assert run(*command, "-q") == 0
        assert run("info", f"{folder}/in/deep/vit.fcz") == 0


def test_files_of_stores_are_joined(digits: Path, tmp_path: Path) -> None:
    dump = put("memory://vit.safetensors", (digits / "vit_eval.safetensors").read_bytes())
    encode_file(dump, "memory://a.fcz", Quality(snr=10))
    assert run("concat", "memory://a.fcz", "memory://a.fcz", "-o", "memory://b.fcz") == 0
    assert run("append", "memory://b.fcz", dump) == 0
    assert fn.load_file("memory://b.fcz")["labels"].shape == (3 * 360,)
    with pytest.raises(InvalidInput, match="needs a folder of this machine"):
        Writer("memory://c.fcz")


def test_arrays_go_to_a_store_and_come_back(features: np.ndarray) -> None:
    fn.save_file({"x": features}, "memory://x.fcz", layout="NCHW", snr=20)
    assert fn.load_file("memory://x.fcz")["x"].shape == features.shape


def test_an_output_appears_when_it_is_complete_or_not_at_all(
    digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(_: int) -> None:
        seen.append(stores.exists("memory://x.fcz"))

    dump = digits / "vit_eval.safetensors"
    encode_file(dump, "memory://x.fcz", progress=look)
    assert seen and not any(seen) and stores.exists("memory://x.fcz")
    before = fsspec.open("memory://x.fcz").open().read()

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    for target in ("memory://x.fcz", "memory://y.fcz"):
        with pytest.raises(KeyboardInterrupt):
            encode_file(dump, target, overwrite=True, progress=fail)
    assert fsspec.open("memory://x.fcz").open().read() == before
    assert not stores.exists("memory://y.fcz")
    with pytest.raises(InvalidInput, match=r"memory://x.fcz exists"):
        encode_file(dump, "memory://x.fcz")
    assert not list(Path(tempfile.gettempdir()).glob(f".featcodec-{PROCESS}-*"))


def test_where_files_can_be_renamed_they_are(
    packed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.fcz").write_bytes(packed)
    local = type(fsspec.filesystem("file"))
    copied, put_file = [], local.put_file
    seen = lambda *a, **k: (copied.append(a[2]), put_file(*a, **k))  # noqa: E731
    monkeypatch.setattr(local, "put_file", seen)
    stores.upload(tmp_path / "x.fcz", f"file://{tmp_path}/y.fcz")
    assert (tmp_path / "y.fcz").read_bytes() == packed and copied[0].endswith(".part")

    def fail(*a: Any, **k: Any) -> None:
        put_file(*a, **k)
        raise OSError("no room")

    monkeypatch.setattr(local, "put_file", fail)
    with pytest.raises(InvalidInput, match=r"z.fcz: no room"):
        stores.upload(tmp_path / "x.fcz", f"file://{tmp_path}/z.fcz")
    assert {path.name for path in tmp_path.iterdir()} == {"x.fcz", "y.fcz"}


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("memory://nothing.fcz", "no such file"),
        ("nosuch://bucket/x.fcz", "Protocol not known"),
        ("https://127.0.0.1:1/x.fcz", ""),
        ("memory://folder", "is a directory"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    uri: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put("memory://folder/x.fcz", b"x")
    assert run("info", uri) == 1
    said = capsys.readouterr().err
    assert uri in said and says in said and said.count("\n") == 1


def test_a_web_server_is_no_output(packed: bytes) -> None:
    put("memory://x.fcz", packed)
    with pytest.raises(InvalidInput, match="are read and not written"):
        decode_file("memory://x.fcz", "https://127.0.0.1:1/x.safetensors")


def test_a_file_cut_off_is_known(packed: bytes) -> None:
    put("memory://cut.fcz", packed[: len(packed) // 2])
    with pytest.raises(Truncated, match=r"memory://cut.fcz"):
        safe_open("memory://cut.fcz")
    assert run("info", "memory://cut.fcz") == 3


def test_without_fsspec_one_line_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['fsspec'] = None\n"
        "from featcodec.cli.main import main\nmain(['info', 's3://bucket/x.fcz'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "pip install 'featcodec[remote]'" in done.stderr


# --- open files ---------------------------------------------------------------------------------


@pytest.fixture(params=["bytes", "file", "buffer", "fsspec"])
def opened(request: pytest.FixtureRequest, packed: bytes, tmp_path: Path) -> Any:
    path = tmp_path / "x.fcz"
    path.write_bytes(packed)
    if request.param == "bytes":
        return io.BytesIO(packed)
    if request.param == "fsspec":
        return fsspec.open(put("memory://x.fcz", packed)).open()
    return path.open("rb", buffering=0 if request.param == "file" else -1)


def test_an_open_file_is_read(opened: Any, features: np.ndarray) -> None:
    with opened, safe_open(opened) as file:
        assert np.abs(file.get_slice("features")[40:44] - features[40:44]).max() < 0.5
        assert (fn.load_file(opened)["labels"] == np.arange(ROWS)).all()
        out = io.BytesIO()
        assert decode_file(opened, out) == len(out.getvalue())
        assert len(Dump(io.BytesIO(out.getvalue())).tensors) == 2
        again = io.BytesIO()
        encode_file(out, again, Quality(snr=10))
        assert fn.load(again.getvalue())["features"].shape == features.shape


def test_what_an_open_file_cannot_do_is_said(packed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.fcz"
    path.write_bytes(packed)
    with path.open("r", encoding="latin-1") as text, pytest.raises(InvalidInput, match="mode 'rb'"):
        safe_open(text)  # type: ignore[arg-type]
    stream = path.open("rb")
    file = safe_open(stream)
    with pytest.raises(InvalidInput, match="in this process alone"):
        file._file.__reduce__()
    stream.close()
    with pytest.raises(InvalidInput, match=r"x.fcz: .*closed"):
        file.get_tensor("features")
    with pytest.raises(InvalidInput, match="the input itself"):
        encode_file(stream, stream)
