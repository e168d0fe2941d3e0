"""Memory: decoding takes what a file lets one expect, and no more than it may."""

import io
import pickle
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import featcodec.numpy as fc
from featcodec import Profile, decode_file, memory, safe_open
from featcodec.container.reader import Reader
from featcodec.decoding.decoder import Decoder
from featcodec.decoding.footprint import of_group
from featcodec.errors import InvalidInput, LimitExceeded

from .test_cli import run

FIXED = 1 << 18  # bytes that any row group takes, however small


def dumps() -> Iterator[tuple[str, np.ndarray, str, dict]]:
    """Yield features and qualities that many modes serve best."""
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(48, 48)) * np.exp(-np.arange(48) / 8)
    tokens = (rng.normal(size=(2000, 48)) @ basis).astype(np.float32)
    maps = np.maximum(rng.normal(size=(24, 16, 16, 16)).cumsum(2).cumsum(3) - 3, 0)
    yield "low-rank", tokens, "ND", {"snr": 10}
    yield "predicted", tokens, "ND", {"max_error": 0.02}
    yield "linear", maps.astype(np.float32), "NCHW", {"snr": 10}
    yield "context", maps.astype(np.float16), "NCHW", {"snr": 30}
    yield "split", maps.astype(np.float32), "NCHW", {"max_error": 0.02}
    yield "double", tokens.astype(np.float64), "ND", {"snr": 20}
    yield "exact", tokens, "ND", {"lossless": True}
    yield "integers", rng.integers(0, 99, 100_000), "N", {}


@pytest.mark.parametrize(
    ("array", "layout", "quality"), [pytest.param(*more, id=name) for name, *more in dumps()]
)
def test_a_row_group_takes_no_more_than_its_sizes_let_one_expect(
    array: np.ndarray, layout: str, quality: dict
) -> None:
    data = fc.save({"x": array}, layout=layout, effort="fast", **quality)
    tracemalloc.start()
    decoder = Decoder(Reader(io.BytesIO(data), "x"))
    for group in decoder.groups:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        decoder.pieces(group, 0)
        taken = tracemalloc.get_traced_memory()[1] - before
        assert taken < of_group(group) + FIXED
        assert of_group(group) < 100 * (array.nbytes + FIXED)
    tracemalloc.stop()


def test_models_of_profiles_count(profile: Profile, digits: Path) -> None:
    array = load_file(digits / "vit_eval.safetensors")["features"]
    data = fc.save({"x": array}, {"layout": "NLD"}, profile=profile, snr=10)
    [group] = Decoder(Reader(io.BytesIO(data), "x"), [profile]).groups
    assert group.header.lossy is not None and group.header.lossy.profile == 0
    assert group.model_numbers > 64 * 64


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.fcz"
    x = np.random.default_rng(0).normal(size=(4000, 64)).astype(np.float32)
    fc.save_file({"x": x}, path, layout="ND", snr=5, row_group="100", effort="fast")
    return path


def test_more_than_may_be_taken_is_refused_with_what_allows_it(file: Path) -> None:
    out = file.with_name("back.safetensors")
    said = run("decode", file, "-o", out, "--memory", "100kB").failed(3)
    assert "tensor 'x'" in said and "more than the limit of 100 kB" in said
    assert not out.exists()
    [enough] = re.findall(r"--memory '(\w+)'$", said.strip())
    run("decode", file, "-o", out, "--memory", enough)
    assert "limit of 100 kB" in run("verify", "--decode", file, "--memory", "100kB").failed(3)
    run("verify", "--decode", file, "--memory", enough)
    salvaged = ("decode", "--salvage", file, "-o", out, "-f", "--memory")
    assert "limit of 100 kB" in run(*salvaged, "100kB").failed(3)
    run(*salvaged, enough)


def test_arrays_count_and_parts_of_them_need_less(file: Path) -> None:
    whole = 4000 * 64 * 4
    for read in (
        lambda: fc.load_file(file, memory=whole),
        lambda: fc.load(file.read_bytes(), memory=whole),
        lambda: safe_open(file, memory=whole).get_tensor("x"),
        lambda: safe_open(file, memory=whole).get_slice("x")[:],
        lambda: pickle.loads(pickle.dumps(safe_open(file, memory=whole))).get_tensors(),
    ):
        tracemalloc.start()
        with pytest.raises(LimitExceeded, match=r"1 MB of arrays.*allow it with memory='2MB'"):
            read()
        assert tracemalloc.get_traced_memory()[1] < whole
        tracemalloc.stop()
    assert len(safe_open(file, memory=whole).get_slice("x")[10:20]) == 10
    assert fc.load_file(file, memory="2MB")["x"].nbytes == whole


def test_by_default_there_is_what_the_machine_has(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 1 << 26 < memory.installed() < 1 << 50
    assert fc.load_file(file)["x"].shape == (4000, 64)
    monkeypatch.setattr(memory, "installed", lambda: 1_000_000)
    with pytest.raises(LimitExceeded, match="more than the limit of 1 MB"):
        fc.load_file(file)
    decode_file(file, file.with_name("x.safetensors"))  # a row group at a time


def test_processes_take_a_row_group_each(file: Path) -> None:
    needed = of_group(Decoder(Reader(io.BytesIO(file.read_bytes()), "x")).groups[0])
    room = 4000 * 64 * 4 + needed
    with safe_open(file, memory=room) as opened:
        assert opened.get_tensors()["x"].shape == (4000, 64)
        with pytest.raises(LimitExceeded, match="2 x "):
            opened.get_tensors(jobs=2)


@pytest.mark.parametrize("given", ["4", "GB", "-1GB", "1.5.5GB", "0GB", 0, -1, True, "4gb"])
def test_what_is_no_amount_of_memory_is_refused(given: object, file: Path) -> None:
    with pytest.raises(InvalidInput, match=r"give bytes, or a text such as 500MB"):
        safe_open(file, memory=given)  # type: ignore[arg-type]
    if isinstance(given, str):
        refused = run("decode", file, f"--memory={given}")
        assert refused.status == 2 and "--memory" in refused.err


def test_what_is_for_decoding_is_refused_where_nothing_is_decoded(file: Path) -> None:
    for words in (("--memory", "1GB"), ("-p", "caufc")):
        refused = run("verify", file, *words)
        assert refused.status == 2
        assert "is for --decode" in refused.err


def test_a_profile_that_cannot_be_used_is_an_invalid_stream(file: Path, tmp_path: Path) -> None:
    draft = tmp_path / "draft.fcp"
    draft.write_bytes(b"no profile")
    for words in (("decode", file), ("verify", "--decode", file)):
        assert "draft.fcp cannot be used" in run(*words, "-p", draft).failed(3)
