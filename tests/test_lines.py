"""What is printed: whatever a file holds, a line stays a line, and nothing moves the cursor."""

import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import featcodec.numpy as fc
from featcodec import Profile, encode_file
from featcodec.cli import render
from featcodec.cli.main import main

EVIL = "a\x1b[2J\x1b[31m\b\r\nb\x00\x07\x7f\x9b2J\u202e\u2028c"

LAYOUT = "\x1b\r"  # of two axes


def run(*arguments: object) -> tuple[int, str]:
    """Run a command; return its status and all that it says."""
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2)]
    saved = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = streams
    try:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
    finally:
        sys.stdout, sys.stderr = saved
    said = ""
    for stream in streams:
        stream.flush()
        said += stream.buffer.getvalue().decode()  # type: ignore[attr-defined]
    return int(exit_.value.code or 0), said


def check(said: str, lines: int | None = None) -> None:
    strange = {c for c in said if not c.isprintable()} - {"\n"}
    assert not strange, said
    if lines is not None:
        assert said.count("\n") == lines, said


@given(st.text())
def test_any_text_is_one_line_that_can_be_read_back(text: str) -> None:
    found = render.printable(text)
    assert found.isprintable()
    assert found == text or not text.isprintable()
    assert json.loads(render.as_json({text: text})) == {text: text}
    assert render.printable(render.as_json(text)) == render.as_json(text)


@pytest.fixture
def evil(tmp_path: Path, headers_written: Callable) -> Path:
    """A file with control characters wherever text can be."""
    headers_written(lambda h: replace(h, lossy=h.lossy and replace(h.lossy, layout=LAYOUT)))
    rng = np.random.default_rng(0)
    names = [f"{EVIL}{i}" for i in range(5)]
    dump = tmp_path / "x.safetensors"
    save_file({n: rng.normal(size=(90, 9)).astype("f4") for n in names}, dump, {EVIL: EVIL * 9})
    encode_file(dump, tmp_path / "x.fcz")
    return tmp_path / "x.fcz"


@pytest.mark.parametrize("options", [[], ["-v"], ["--json"]], ids=str)
def test_info_prints_no_control_characters(evil: Path, options: Sequence[str]) -> None:
    status, said = run("info", evil, *options)
    assert status == 0
    check(said)
    if "--json" in options:
        found = json.loads(said)
        assert found["metadata"] == {EVIL: EVIL * 9}
        assert {tensor["layout"] for tensor in found["tensors"]} == {LAYOUT}


def test_info_on_a_profile_prints_no_control_characters(profile: Profile, tmp_path: Path) -> None:
    entries = [replace(entry, name=EVIL, layout=LAYOUT) for entry in profile.entries]
    (tmp_path / "p.fcp").write_bytes(Profile.pack(entries))
    for options in ([], ["--json"]):
        status, said = run("info", tmp_path / "p.fcp", *options)
        assert status == 0
        check(said)


def test_errors_print_no_control_characters(evil: Path, tmp_path: Path) -> None:
    out, sound = tmp_path / "out", tmp_path / "sound.fcz"
    fc.save_file({"x": np.arange(3)}, sound)
    for words, status in (
        (["decode", evil, "-o", out], 3),  # of the layout
        (["verify", "--decode", evil], 3),
        (["decode", sound, "-o", out, "--tensor", EVIL], 1),
        (["encode", tmp_path / "no\x1b[2J\r.safetensors"], 1),
        (["encode", tmp_path / "x.safetensors", "-o", out, "--layout", f"{EVIL}0=NCHW"], 1),
        (["info", tmp_path / "no\x1b[2J"], 1),
        (["verify", evil.parent / "no\x1b[2J"], 1),
        (["train", tmp_path / "no\x1b[2J", "-o", out], 1),
    ):
        found, said = run(*words)
        assert found == status, said
        check(said, lines=1)
    for words in (
        ["decode", f"no{EVIL}"],
        ["decode", sound, "-o", out, "--dtype", EVIL],
        ["decode", evil, "-o", out, "-p", tmp_path / f"no\x1b{'x' * 20}"],
        ["encode", tmp_path / "x.safetensors", "-o", out, "--layout", EVIL],
        ["encode", evil, f"--{EVIL}"],
        [EVIL],
    ):
        found, said = run(*words)
        assert found == 2
        check(said)


def test_what_is_done_is_told_without_control_characters(tmp_path: Path) -> None:
    folder = tmp_path / "a\x1b[2Jb"
    folder.mkdir()
    values = np.random.default_rng(0).normal(size=(90, 9)).astype("f4")
    for i in range(2):
        save_file({f"x{EVIL}{i}": values}, folder / f"{i}.safetensors", {"model": EVIL})
    dumps = [folder / f"{i}.safetensors" for i in range(2)]
    for words, lines in (
        (["encode", *dumps, "-v"], 7),
        (["verify", folder / "0.fcz", "--decode"], 1),
        (["decode", folder / "0.fcz", "-o", folder / "back"], 1),
        (["train", *dumps, "-o", folder / "p.fcp"], 2),
    ):
        status, said = run(*words)
        assert status == 0
        check(said, lines)


def test_a_long_text_does_not_flood_a_terminal(tmp_path: Path) -> None:
    name = "n" * 60_000
    save_file({"x": np.ones((4, 4), np.float32)}, tmp_path / "x.safetensors")
    _, said = run("encode", tmp_path / "x.safetensors", "--layout", f"{name}=NCHW")
    check(said, lines=1)
    assert len(said) < 3000 and said.startswith("featcodec: ") and "holds no tensor" in said


def test_a_terminal_without_the_letters_still_shows_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fc.save_file({"größe": np.arange(3)}, tmp_path / "x.fcz")
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit) as exit_:
        main(["info", str(tmp_path / "x.fcz")])
    stream.flush()
    assert not exit_.value.code
    assert b"gr\\xf6\\xdfe" in stream.buffer.getvalue()  # type: ignore[attr-defined]


@given(
    count=st.integers(1, 6),
    shape=st.sampled_from([(0, 3), (0,), (3, 0, 2), (0, 0)]),
    kind=st.sampled_from(["f4", "i8", "f2", "?"]),
)
def test_info_shows_any_number_of_empty_tensors(
    tmp_path_factory: pytest.TempPathFactory, count: int, shape: tuple[int, ...], kind: str
) -> None:
    path = tmp_path_factory.mktemp("empty") / "x.fcz"
    fc.save_file({f"t{i}": np.zeros(shape, kind) for i in range(count)}, path)
    for options in ([], ["-v"], ["--json"]):
        status, said = run("info", path, *options)
        assert (status == 0 and "0.000" in said) or '"bpfp": 0.0' in said
