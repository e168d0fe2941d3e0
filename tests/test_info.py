"""`featcodec info`: a dump as it would be coded, a message by its head, shares as bars."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import featcodec
from featcodec.cli import render

from .test_cli import run

rng = np.random.default_rng(0)
TENSORS = {
    "maps": rng.normal(size=(20, 8, 6, 6)).astype(np.float16),
    "tokens": rng.normal(size=(4, 17, 32)).astype(np.float32).cumsum(axis=1),
    "scores": rng.normal(size=20).astype(np.float32),
    "labels": np.arange(20),
    "mask": np.ones((20, 64), bool),
    "heads": (rng.normal(size=(9, 3, 24)) * [[1], [9], [80]]).astype(np.float32),
}


@pytest.mark.parametrize("metadata", [None, {"layout": "NLD"}, {"layout": "nonsense"}])
def test_a_dump_is_shown_as_it_is_coded(metadata: dict[str, str] | None, tmp_path: Path) -> None:
    dump = tmp_path / "x.safetensors"
    save_file(TENSORS, dump, metadata)
    assert run("encode", dump).status == 0
    said, coded = (
        {t["name"]: t for t in json.loads(run("info", "--json", path).out)["tensors"]}
        for path in (dump, tmp_path / "x.fcz")
    )
    assert said.keys() == coded.keys() == TENSORS.keys()
    for name, one in said.items():
        assert (one["dtype"], one["shape"]) == (coded[name]["dtype"], coded[name]["shape"])
        if coded[name]["transform"] != "rounded":  # to levels, which no layout tells of
            assert one["layout"] == coded[name]["layout"]
        assert (one["coded"] == "bit for bit") == (coded[name]["transform"] == "lossless")
    shown = run("info", dump).out.decode()
    assert all(name in shown for name in TENSORS) and "no floats" in shown


def test_what_of_a_dump_cannot_be_coded_is_shown(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", maps=TENSORS["maps"], words=np.array(["a"]))
    done = run("info", tmp_path / "x.npz")
    assert done.status == 0 and b"'words' cannot be coded" in done.out and b"maps" in done.out


def test_a_dump_of_a_store_or_a_pipe_is_shown_alike(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    save_file(TENSORS, tmp_path / "x.safetensors")
    data = (tmp_path / "x.safetensors").read_bytes()
    fsspec.filesystem("memory").pipe("/shown/x.safetensors", data)
    here, there, piped = (
        run("info", "--json", "memory://shown/x.safetensors" if n == 1 else path, stdin=data)
        for n, path in enumerate((tmp_path / "x.safetensors", "", "-"))
    )
    assert here.status == 0 and here.out == there.out == piped.out


def test_a_message_is_shown_by_its_head(profile_file: Path, tmp_path: Path) -> None:
    profile = tmp_path / "near.fcp"
    profile.write_bytes(profile_file.read_bytes())
    tokens = rng.normal(size=(2, 17, 64)).astype(np.float32)
    steps = []
    for quality in ({"step": 0.5}, {"step": 2.0}, {"lossless": True}):
        message = featcodec.Codec(profile, **quality).encode(tokens)
        (tmp_path / "m").write_bytes(message)
        found = json.loads(run("info", "--json", "--message", tmp_path / "m").out)
        assert (found["dtype"], found["shape"]) == ("F32", [2, 17, 64])
        assert found["bpfp"] == 8 * len(message) / tokens.size
        assert found["lossless"] == ("lossless" in quality)
        if not found["lossless"]:
            steps.append(found["step"])
            assert found["profile_at"] == str(profile)
        assert b"F32 2x17x64, 2,176 values" in run("info", "--message", tmp_path / "m").out
    assert steps[1] == pytest.approx(4 * steps[0], rel=1e-3)
    assert "--message" in run("info", tmp_path / "m").failed(3)
    for other, said in ((b"Junk", "is no message"), (b"hello", "is no message of version 2")):
        (tmp_path / "m").write_bytes(other)
        assert said in run("info", "--message", tmp_path / "m").failed(3)


@given(st.lists(st.integers(0, 1 << 40), min_size=1, max_size=9))
def test_bars_are_shares(sizes: list[int]) -> None:
    total = sum(sizes) or 1
    for size in sizes:
        bar = render.bar(size / total, 20)
        assert abs(len(bar) - 20 * size / total) <= 1 and bool(bar) == (size > 0)
