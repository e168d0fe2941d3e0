"""A real S3 server on this machine: what is asked of it, and what it holds when."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from featcodec import Quality, encode_file, safe_open, stores
from featcodec import numpy as fn
from featcodec.errors import InvalidInput

s3fs = pytest.importorskip("s3fs", reason="needs s3fs")
moto_server = pytest.importorskip("moto.server", reason="needs moto[s3,server]")

Requests = list[tuple[str, str | None]]  # method and byte range of each


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Requests]]:
    """The address of a server with a bucket, and what was asked of it."""
    requests: Requests = []
    running = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    application = running._server.app

    def counting(environ: dict[str, Any], start: Any) -> Any:
        requests.append((environ["REQUEST_METHOD"], environ.get("HTTP_RANGE")))
        return application(environ, start)

    running._server.app = counting
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}", requests
    running.stop()


@pytest.fixture
def requests(server: tuple[str, Requests], monkeypatch: pytest.MonkeyPatch) -> Requests:
    """What is asked of the server from here on; there is a bucket, and a key to use it."""
    address, found = server
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    store = s3fs.S3FileSystem()
    if not store.exists("features"):
        store.mkdir("features")
    found.clear()
    return found


def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "featcodec", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))


def test_from_a_bucket_to_a_bucket_by_the_shell(
    requests: Requests, digits: Path, tmp_path: Path
) -> None:
    s3fs.S3FileSystem().put_file(str(digits / "vit_eval.safetensors"), "features/vit.safetensors")
    done = shell("encode", "s3://features/vit.safetensors", "--snr", "10")
    assert done.returncode == 0, done.stderr
    encode_file(digits / "vit_eval.safetensors", tmp_path / "vit.fcz", Quality(snr=10))
    found = s3fs.S3FileSystem().cat_file("features/vit.fcz")
    assert found == (tmp_path / "vit.fcz").read_bytes()
    done = shell(
        "decode", "s3://features/vit.fcz", "--tensor", "labels", "-o", "s3://features/x.npy"
    )
    assert done.returncode == 0, done.stderr
    assert s3fs.S3FileSystem().info("features/x.npy")["size"] == 128 + 360 * 8
    done = shell("encode", "s3://features/vit.safetensors")
    assert done.returncode == 1 and "s3://features/vit.fcz exists" in done.stderr
    done = shell("info", "s3://features/nothing.fcz")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_rows_take_a_request_a_row_group(
    requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(0).normal(size=(128, 64, 4, 4)).astype(np.float32)
    fn.save_file({"x": x}, "s3://features/x.fcz", layout="NCHW", snr=30, row_group="16")
    for name in ("LEAST_TAIL", "MOST_TAIL"):
        monkeypatch.setattr(stores, name, 1 << 12)
    monkeypatch.setattr(stores, "GAP", 0)
    requests.clear()
    file = safe_open("s3://features/x.fcz")
    assert [method for method, _ in requests] == ["HEAD", "GET", "GET"]
    requests.clear()
    rows = file.get_slice("x")
    for row in (0, 1, 100, 2, 101):
        assert rows[row].shape == (64, 4, 4)
    assert len(requests) == 2
    requests.clear()
    assert rows[20:80].shape == (60, 64, 4, 4)  # of row groups that follow each other
    [(method, _)] = requests
    assert method == "GET"


def test_what_fails_leaves_what_was_there(
    requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    fn.save_file({"x": x}, "s3://features/y.fcz", snr=10)
    before = s3fs.S3FileSystem().cat_file("features/y.fcz")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("the network is gone")

    with monkeypatch.context() as broken:
        broken.setattr(s3fs.S3FileSystem, "_call_s3", fail)
        with pytest.raises(InvalidInput, match=r"s3://features/y.fcz: the network is gone"):
            fn.save_file({"x": x + 1}, "s3://features/y.fcz", snr=10)
    assert s3fs.S3FileSystem().cat_file("features/y.fcz") == before
