"""The command line as its users meet it: outputs, exit statuses, one line for each failure."""

import contextlib
import io
import json
import os
import pty
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open as open_dump
from safetensors.numpy import load_file, save_file

import featcodec
from featcodec.cli.main import main

COMMAND = [sys.executable, "-m", "featcodec"]
TENSOR_KEYS = {
    "name", "dtype", "shape", "layout", "architecture", "transform", "truncation", "normalization",
    "step", "snr_db", "bytes", "bpfp",
}  # fmt: skip


@dataclass
class Result:
    """What a command wrote and how it ended."""

    status: int
    out: bytes
    err: str

    def failed(self, status: int) -> str:
        """Return the one line on standard error of a command that must have failed."""
        assert self.status == status, self.err
        assert self.err.startswith("featcodec: ") and self.err.count("\n") == 1, self.err
        assert self.out == b""
        return self.err

    def misused(self) -> str:
        """Return what a command says that was called in a way it cannot be."""
        assert self.status == 2, self.err
        assert self.err.startswith("Usage: ") and "\nfeatcodec: " in self.err
        assert "Traceback" not in self.err and self.out == b""
        return self.err


def run(*arguments: object, stdin: bytes = b"") -> Result:
    """Run a command in this process."""
    streams = [io.TextIOWrapper(io.BytesIO(data), "utf-8") for data in (stdin, b"", b"")]
    saved = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = streams
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        status = int(exit_.code or 0)
    finally:
        sys.stdin, sys.stdout, sys.stderr = saved
    _, out, err = streams
    out.flush()
    err.flush()
    return Result(status, out.buffer.getvalue(), err.buffer.getvalue().decode())  # type: ignore[attr-defined]


def start(*arguments: object, **options: object) -> subprocess.Popen:
    """Start a command in a process of its own."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(  # type: ignore[call-overload]
        [*COMMAND, *map(str, arguments)], **{**pipes, **options}
    )


def finish(process: subprocess.Popen) -> Result:
    with process:
        try:
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    return Result(process.returncode, out or b"", (err or b"").decode())


@pytest.fixture(scope="module")
def maps(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump of some maps and labels, with its file beside it."""
    with open_dump(digits / "cnn_eval.safetensors", "numpy") as source:
        metadata = source.metadata()
    tensors = load_file(digits / "cnn_eval.safetensors")
    path = tmp_path_factory.mktemp("maps") / "maps.safetensors"
    save_file({name: array[:40] for name, array in tensors.items()}, path, metadata)
    assert run("encode", path, "--snr", 10).status == 0
    return path


@pytest.fixture
def dump(maps: Path, tmp_path: Path) -> Path:
    """A dump of some maps and labels."""
    return Path(shutil.copy(maps, tmp_path))


@pytest.fixture
def other(digits: Path, tmp_path: Path) -> Path:
    """A dump of some tokens."""
    tokens = load_file(digits / "vit_eval.safetensors")["features"][:40]
    path = tmp_path / "tokens.safetensors"
    save_file({"features": tokens}, path, {"layout": "NLD"})
    return path


@pytest.fixture
def encoded(maps: Path, dump: Path) -> Path:
    """The file of the dump at 10 dB, beside it."""
    return Path(shutil.copy(maps.with_suffix(".fcz"), dump.parent))


@pytest.fixture
def junk(tmp_path: Path) -> Path:
    path = tmp_path / "junk"
    path.write_bytes(b"not what you think\n" * 20)
    return path


def described(file: Path, name: str = "features") -> dict:
    """Return what `info --json` says of a tensor."""
    found = json.loads(run("info", "--json", file).out)
    return next(tensor for tensor in found["tensors"] if tensor["name"] == name)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# --- what is written where ----------------------------------------------------------------------


def test_a_dump_goes_there_and_back(dump: Path) -> None:
    done = run("encode", dump)
    assert done.status == 0 and done.out == b""
    assert done.err.count("\n") == 1
    for word in (str(dump), "kB", "x", "bpfp", "dB"):
        assert word in done.err
    file, back = dump.with_suffix(".fcz"), dump.with_name("back.safetensors")
    assert run("decode", file, "-o", back).status == 0
    before, after = load_file(dump), load_file(back)
    assert list(after) == list(before)
    np.testing.assert_array_equal(after["labels"], before["labels"])
    wanted, found = before["features"].astype(float), after["features"].astype(float)
    noise = ((wanted - found) ** 2).sum()
    assert 20 <= 10 * np.log10(((wanted - wanted.mean()) ** 2).sum() / noise) < 20.06
    with open_dump(dump, "numpy") as one, open_dump(back, "numpy") as two:
        assert one.metadata() == two.metadata()


def test_the_whole_way_with_a_profile_in_processes_of_their_own(
    digits: Path, dump: Path, tmp_path: Path
) -> None:
    profile, file, back = tmp_path / "p.fcp", tmp_path / "x.bin", tmp_path / "back.safetensors"
    for arguments in (
        ["train", digits / "cnn_train.safetensors", "-o", profile],
        ["encode", dump, "-o", file, "--snr", 10, "-p", profile],
        ["info", file],
        ["verify", file],
        ["decode", file, "-o", back, "-p", profile],
    ):
        done = finish(start(*arguments))
        assert done.status == 0, done.err
    assert back.stat().st_size == dump.stat().st_size


def test_lossless_gives_the_same_tensors(dump: Path) -> None:
    file = dump.with_suffix(".fcz")
    assert "exact" in run("encode", dump, "--lossless").err
    done = run("decode", file, "-o", "-")
    assert done.status == 0 and done.err == ""
    back = dump.with_name("back")
    back.write_bytes(done.out)
    for name, array in load_file(dump).items():
        np.testing.assert_array_equal(load_file(back)[name], array)


def test_streams_take_the_place_of_files(dump: Path) -> None:
    done = run("encode", "-", "--lossless", stdin=dump.read_bytes())
    assert done.status == 0 and done.out.startswith(b"\x89FCZ")
    assert run("encode", dump, "--lossless", "-o", "-").out == done.out
    back = run("decode", "-", stdin=done.out)
    assert back.status == 0 and len(back.out) == dump.stat().st_size
    for command in ("info", "verify"):
        assert run(command, "-", stdin=done.out).status == 0


def test_pipes_take_the_place_of_files(dump: Path, tmp_path: Path) -> None:
    with dump.open("rb") as source:
        first = start("encode", "-", stdin=source)
        second = start("decode", "-", "--dtype", "F32", stdin=first.stdout)
        first.stdout.close()  # type: ignore[union-attr]
        done = finish(second)
    assert done.status == 0
    assert first.wait(20) == 0
    first.stderr.close()  # type: ignore[union-attr]
    back = tmp_path / "back"
    back.write_bytes(done.out)
    assert load_file(back)["features"].dtype == np.float32


def test_an_existing_output_is_left_alone_without_force(dump: Path, encoded: Path) -> None:
    before = encoded.read_bytes()
    assert str(encoded) in run("encode", dump, "--lossless").failed(1)
    assert "--force" in run("decode", encoded).failed(1)
    assert encoded.read_bytes() == before
    assert run("encode", dump, "--lossless", "--force").status == 0
    assert encoded.read_bytes() != before


def test_an_existing_output_is_passed_over_when_asked(
    dump: Path, other: Path, encoded: Path
) -> None:
    assert run("encode", dump, "-f", "--skip-existing").status == 0
    before = encoded.read_bytes()
    done = run("encode", dump, other, "--skip-existing")
    assert done.status == 0
    skipped, said, total = done.err.splitlines()
    assert skipped == f"{dump}: skipped, {encoded} is complete"
    made = other.with_suffix(".fcz")
    assert said.startswith(f"{other} -> {made}: ") and total.endswith("; 1 skipped")
    assert encoded.read_bytes() == before
    assert other.with_suffix(".fcz").exists()


def test_several_inputs_go_to_a_folder_that_is_made(
    dump: Path, other: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "deep" / "er"
    assert run("encode", dump, other, "--output-dir", folder).status == 0
    assert names(folder) == {"maps.fcz", "tokens.fcz"}
    back = tmp_path / "back"
    assert run("decode", *folder.iterdir(), "--output-dir", back).status == 0
    assert names(back) == {dump.name, other.name}


@pytest.mark.long
def test_files_do_not_depend_on_the_run_or_the_number_of_processes(
    dump: Path, other: Path, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in "abc"]
    for jobs, folder in zip((1, 2, 1), folders, strict=True):
        done = finish(start("encode", dump, other, "--output-dir", folder, "-j", jobs))
        assert done.status == 0, done.err
        *lines, total = done.err.splitlines()
        assert [line.partition(" -> ")[0] for line in lines] == [str(dump), str(other)]
        assert total.startswith("2 of 2 encoded: ")
    for name in names(folders[0]):
        assert len({(folder / name).read_bytes() for folder in folders}) == 1


def test_a_file_decodes_alike_with_any_number_of_threads(encoded: Path, tmp_path: Path) -> None:
    found = []
    for threads in "12":
        back = tmp_path / threads
        limits = {f"{name}_NUM_THREADS": threads for name in ("OMP", "OPENBLAS", "MKL")}
        done = finish(start("decode", encoded, "-o", back, env={**os.environ, **limits}))
        assert done.status == 0, done.err
        found.append(load_file(back)["features"].astype(np.float32))
    np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-5)


def test_quiet_says_nothing_and_verbose_says_what_was_chosen(dump: Path, encoded: Path) -> None:
    assert run("encode", dump, "-f", "-q").err == ""
    assert run("decode", encoded, "-o", dump.with_name("x"), "-q").err == ""
    assert run("verify", encoded, "-q").err == ""
    done = run("encode", dump, "-f", "-v")
    assert done.status == 0 and done.err.count("\n") > 1


def test_a_report_has_a_line_for_each_input(dump: Path, junk: Path, tmp_path: Path) -> None:
    report, folder = tmp_path / "report.jsonl", tmp_path / "out"
    for _ in range(2):
        done = run("encode", dump, junk, "--output-dir", folder, "--report", report, "-f")
        assert done.status == 1
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert len(lines) == 4 and lines[:2] == lines[2:]
    assert lines[0]["input"] == str(dump) and lines[0]["output"] == str(folder / "maps.fcz")
    assert lines[0]["input_bytes"] == dump.stat().st_size
    assert lines[0]["output_bytes"] == (folder / "maps.fcz").stat().st_size
    assert lines[0]["snr_db"] == pytest.approx(20, abs=0.06)
    assert lines[1]["input"] == str(junk) and "junk" in lines[1]["error"]


# --- quality, transforms, layouts ---------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.5, 2, 6])
def test_the_rate_is_that_of_the_whole_file(dump: Path, rate: float) -> None:
    assert run("encode", dump, "--bpfp", rate).status == 0
    values = sum(array.size for array in load_file(dump).values())
    assert 8 * dump.with_suffix(".fcz").stat().st_size / values <= rate


def test_no_value_errs_by_more_than_the_bound(dump: Path, tmp_path: Path) -> None:
    file, back = dump.with_suffix(".fcz"), tmp_path / "back"
    before = load_file(dump)["features"].astype(float)
    for bound in (2, 0.1, 1e-4, 1e-30):
        done = run("encode", dump, "--max-error", bound, "-f")
        assert done.status == 0 and done.err.count("\n") == 1
        assert run("decode", file, "-o", back, "-f").status == 0
        assert np.abs(load_file(back)["features"].astype(float) - before).max() <= bound


def test_a_rate_that_cannot_be_met_is_said(dump: Path) -> None:
    assert "bpfp" in run("encode", dump, "--bpfp", 1e-6).failed(1)
    assert names(dump.parent) == {dump.name}


@pytest.mark.parametrize("transform", ["auto", "none", "linear"])
def test_the_transform_is_the_one_asked_for(dump: Path, transform: str) -> None:
    assert run("encode", dump, "--transform", transform).status == 0
    used = described(dump.with_suffix(".fcz"))["transform"]
    assert used in (["none", "linear"] if transform == "auto" else [transform])


@pytest.mark.parametrize("layout", ["NCHW", "features=NCHW", "nhwc", "features=NNLD", "NLD"])
def test_a_layout_is_taken_for_tensors_of_its_rank(dump: Path, layout: str) -> None:
    assert run("encode", dump, "--layout", layout).status == 0
    asked = layout.rpartition("=")[2].upper()
    found = described(dump.with_suffix(".fcz"))["layout"].partition(":")[0]
    assert found == (asked if len(asked) == 4 else "NCHW")


@pytest.mark.parametrize(
    "option",
    [
        ["--layout", "features=NLD"],
        ["--layout", "features=NLD:1+4x4"],
        ["--layout", "nothing=NCHW"],
        ["--architecture", "nothing=cnn"],
    ],
    ids=" ".join,
)
def test_a_layout_that_does_not_fit_is_refused(dump: Path, option: Sequence[str]) -> None:
    run("encode", dump, *option).failed(1)
    assert names(dump.parent) == {dump.name}


def test_tokens_behind_a_prefix_lie_on_their_grid(other: Path) -> None:
    assert run("encode", other, "--layout", "NLD:1+4x4", "--architecture", "generic").status == 0
    tensor = described(other.with_suffix(".fcz"))
    assert tensor["layout"] == "NLD:1+4x4" and tensor["architecture"] == "generic"
    for layout in ("NLD:2+4x4", "NLD:0+0x0"):
        run("encode", other, "--layout", layout, "-f").failed(1)


def test_some_tensors_and_another_type_can_be_asked_for(encoded: Path, tmp_path: Path) -> None:
    back = tmp_path / "back"
    assert run("decode", encoded, "--tensor", "labels", "-o", back).status == 0
    assert list(load_file(back)) == ["labels"]
    assert "'nothing'" in run("decode", encoded, "--tensor", "nothing", "-o", back, "-f").failed(1)
    for dtype in ("F32", "f64", "BF16", "F16", "F8_E4M3", "F8_E5M2"):
        assert run("decode", encoded, "--dtype", dtype, "-o", back, "-f").status == 0
        with open_dump(back, "numpy") as file:
            assert file.get_slice("features").get_dtype() == dtype.upper()
            assert file.get_slice("labels").get_dtype() == "I64"
    for dtype in ("I64", "nothing"):
        run("decode", encoded, "--dtype", dtype, "-o", tmp_path / "none").misused()
    assert not (tmp_path / "none").exists()


# --- profiles -----------------------------------------------------------------------------------


def test_a_file_that_needs_a_profile_says_which(
    dump: Path, profile_file: Path, digits: Path, tmp_path: Path
) -> None:
    file, back, wrong = dump.with_suffix(".fcz"), tmp_path / "back", tmp_path / "wrong.fcp"
    assert run("encode", dump, "-p", profile_file, "--snr", 8).status == 0
    digest = json.loads(run("info", "--json", file).out)["profile"]
    assert digest == json.loads(run("info", "--json", profile_file).out)["sha256"]
    assert digest in run("decode", file, "-o", back).failed(4)
    assert run("train", digits / "vit_train.safetensors", "-o", wrong, "-q").status == 0
    assert digest in run("decode", file, "-o", back, "-p", wrong).failed(4)
    assert not back.exists()
    assert run("verify", file).status == 0
    assert digest in run("verify", "--decode", file).failed(4)
    assert run("verify", "--decode", "-p", profile_file, file).status == 0
    assert run("decode", file, "-o", back, "-p", wrong, "-p", profile_file).status == 0


def test_a_profile_that_does_not_fit_is_not_needed(
    profile_file: Path, tmp_path: Path, dump: Path
) -> None:
    values = np.random.default_rng(0).normal(size=(400, 7)).astype(np.float32)
    source = tmp_path / "strange.safetensors"
    save_file({"x": values}, source)
    assert run("encode", source, "-p", profile_file).status == 0
    assert run("decode", source.with_suffix(".fcz"), "-o", tmp_path / "back").status == 0


@pytest.mark.parametrize("kind", ["missing", "junk", "features", "folder"])
@pytest.mark.parametrize("command", ["encode", "decode"])
def test_what_is_no_profile_is_refused(
    dump: Path, encoded: Path, junk: Path, tmp_path: Path, kind: str, command: str
) -> None:
    profile = {"missing": "no.fcp", "junk": junk, "features": encoded, "folder": tmp_path}[kind]
    source = dump if command == "encode" else encoded
    done = run(command, source, "-o", tmp_path / "out", "-p", profile)
    status = 1 if kind == "folder" else 3
    assert "profile" in (done.misused() if kind == "missing" else done.failed(status))
    assert not (tmp_path / "out").exists()


def test_training_refuses_what_it_cannot_use(
    dump: Path, junk: Path, tmp_path: Path, digits: Path
) -> None:
    out = tmp_path / "p.fcp"
    for source in (junk, tmp_path, tmp_path / "nothing"):
        run("train", source, "-o", out).failed(1)
    save_file({"labels": np.arange(9)}, tmp_path / "labels.safetensors")
    run("train", tmp_path / "labels.safetensors", "-o", out).failed(1)
    assert not out.exists()
    assert run("train", dump, "-o", out).status == 0
    before = out.read_bytes()
    run("train", dump, "-o", out).failed(1)
    assert run("train", dump, "-o", out, "-f", "-q").err == ""
    assert out.read_bytes() == before


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, junk: Path, command: str) -> None:
    (tmp_path / "empty").touch()
    out = tmp_path / "out"
    for source in (tmp_path / "missing", tmp_path, junk, tmp_path / "empty", junk / "below"):
        line = run(command, source, "-o", out).failed(1 if command == "encode" or
                   source not in (junk, tmp_path / "empty") else 3)  # fmt: skip
        assert str(source) in line
    assert names(tmp_path) == {"junk", "empty"}


@pytest.mark.parametrize("command", ["info", "verify"])
def test_info_and_verify_say_what_cannot_be_read(
    tmp_path: Path, junk: Path, dump: Path, command: str
) -> None:
    unread = [(dump, 3)] if command == "verify" else []  # info shows how it would be coded
    for source, status in ((tmp_path / "missing", 1), (tmp_path, 1), (junk, 3), *unread):
        assert str(source) in run(command, source).failed(status)


def test_a_truncated_dump_is_refused(dump: Path) -> None:
    data = dump.read_bytes()
    for length in (0, 1, 7, 8, 20, 300, len(data) // 2, len(data) - 1):
        dump.write_bytes(data[:length])
        assert str(dump) in run("encode", dump).failed(1)
    dump.write_bytes(data + b"more")
    run("encode", dump).failed(1)
    assert names(dump.parent) == {dump.name}


def test_standard_input_that_is_no_dump_is_refused(junk: Path) -> None:
    for data in (b"", junk.read_bytes()):
        assert "standard input" in run("encode", "-", stdin=data).failed(1)
        assert run("decode", "-", stdin=data).failed(3)


def test_one_bad_input_does_not_keep_the_others_from_being_done(
    dump: Path, other: Path, junk: Path, tmp_path: Path
) -> None:
    for jobs in (1, 2):
        folder = tmp_path / f"out{jobs}"
        done = finish(start("encode", dump, junk, other, "--output-dir", folder, "-j", jobs))
        assert done.status == 1
        *lines, total = done.err.splitlines()
        assert len(lines) == 3 and lines[1].startswith("featcodec: ")
        assert total.startswith("2 of 3 encoded: ") and total.endswith("; 1 failed")
        assert names(folder) == {"maps.fcz", "tokens.fcz"}


def test_fail_fast_stops_at_the_first_failure(dump: Path, junk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run("encode", junk, dump, "--output-dir", folder, "--fail-fast").failed(1)
    assert not folder.exists()


def test_the_status_of_several_is_theirs_when_they_agree(
    encoded: Path, junk: Path, tmp_path: Path
) -> None:
    assert run("verify", junk, junk).status == 3
    assert run("verify", encoded, junk).status == 1
    copy = tmp_path / "copy.fcz"
    shutil.copy(junk, copy)
    assert run("decode", copy, encoded, "--output-dir", tmp_path / "out").status == 1
    assert names(tmp_path / "out") == {"maps.safetensors"}


@pytest.mark.parametrize(
    "options",
    [
        ["--snr", "10", "--bpfp", "1"],
        ["--snr", "10", "--lossless"],
        ["--max-error", "1", "--lossless"],
        ["--snr", "0"],
        ["--snr", "-1"],
        ["--snr", "nan"],
        ["--bpfp", "inf"],
        ["--max-error", "0"],
        ["--snr", "ten"],
        ["--transform", "magic"],
        ["--layout", "NCHW", "--layout", "NLD"],
        ["--layout", "NCXW"],
        ["--layout", "CCLHWT"],
        ["--layout", "NCHW:2x2"],
        ["--layout", "NLD:1+4"],
        ["--layout", "NLD:x"],
        ["--architecture", "quantum"],
        ["--profile", "nothing"],
        ["-j", "-1"],
        ["--nothing"],
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense_are_a_usage_error(dump: Path, options: Sequence[str]) -> None:
    run("encode", dump, *options).misused()
    assert names(dump.parent) == {dump.name}


def test_outputs_that_would_collide_are_a_usage_error(
    dump: Path, other: Path, encoded: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run("encode", dump, other, "-o", out).misused()
    run("encode", dump, "-o", out, "--output-dir", out).misused()
    run("encode", dump, dump, "--output-dir", out).misused()
    run("encode", "-", "-").misused()
    run("encode", "-", dump).misused()
    run("decode", dump).misused()
    run("encode").misused()
    run("nothing").misused()
    assert not (tmp_path / "out.fcz").exists()


def test_an_output_that_cannot_be_written_is_said(dump: Path, encoded: Path, junk: Path) -> None:
    before = names(dump.parent)
    missing = dump.parent / "missing" / "x.fcz"
    for target in (dump.parent, missing, junk / "x.fcz", dump.with_name("x" * 300)):
        run("encode", dump, "-o", target).failed(1)
        back = target.with_suffix(".npz") if target.suffix else target
        run("decode", encoded, "-o", back).failed(1)
    run("encode", dump, "--output-dir", junk).misused()
    assert names(dump.parent) == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_without_permission_is_said(dump: Path, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    assert str(folder) in run("encode", dump, "-o", folder / "x").failed(1)


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of POSIX")
def test_no_room_for_the_output_leaves_nothing_behind(dump: Path, encoded: Path) -> None:
    import resource

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    before = names(dump.parent)
    out = dump.with_name("out")
    for arguments in (["encode", dump, "-o", out], ["decode", encoded, "-o", out]):
        done = finish(start(*arguments, preexec_fn=little_room))
        assert str(out) in done.failed(1)
    assert names(dump.parent) == before


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full")
def test_a_full_standard_output_is_said(dump: Path, encoded: Path) -> None:
    for arguments in (["encode", dump, "-o", "-"], ["decode", encoded, "-o", "-"],
                      ["info", encoded]):  # fmt: skip
        with Path("/dev/full").open("wb") as full:
            finish(start(*arguments, stdout=full)).failed(1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_what_is_no_regular_file_is_never_replaced(dump: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # so that opening it to write never waits
    try:
        finish(start("encode", dump, "-o", pipe, "--force"))
        assert stat.S_ISFIFO(pipe.stat().st_mode)
    finally:
        os.close(reader)


def test_a_report_that_cannot_be_written_is_said_before_work_begins(dump: Path) -> None:
    for report in (dump.parent, dump.parent / "missing" / "report"):
        assert str(report) in run("encode", dump, "--report", report).failed(1)
    assert names(dump.parent) == {dump.name}


# --- terminals, pipes, interruptions ------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are those of POSIX")
def test_binary_data_never_goes_to_a_terminal(dump: Path, encoded: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        for arguments in (["encode", dump, "-o", "-"], ["decode", encoded, "-o", "-"]):
            assert "terminal" in finish(start(*arguments, stdout=theirs)).misused()
        for arguments in (["encode", "-"], ["decode", "-"], ["info", "-"], ["verify", "-"]):
            assert "terminal" in finish(start(*arguments, stdin=theirs)).misused()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are those of POSIX")
def test_progress_is_shown_on_a_terminal_only(dump: Path) -> None:
    for options, shown in ([], True), (["--no-progress"], False), (["-q"], False):
        ours, theirs = pty.openpty()
        done = finish(start("encode", dump, "-f", *options, stderr=theirs))
        os.close(theirs)
        assert done.status == 0
        said = b""
        with contextlib.suppress(OSError):  # what a terminal says at its end
            while piece := os.read(ours, 1 << 16):
                said += piece
        os.close(ours)
        assert (b"%" in said) == shown
        assert (b"dB" in said) == ("-q" not in options)


def test_a_reader_that_leaves_is_no_cause_for_noise(encoded: Path) -> None:
    for arguments in (["decode", encoded, "-o", "-"], ["info", "--json", *[encoded] * 200]):
        with start(*arguments) as process:
            process.stdout.close()
            err = process.stderr.read()
        assert (process.returncode, err) == (1, b"")


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interruption_leaves_nothing_behind(tmp_path: Path, jobs: int) -> None:
    values = np.random.default_rng(0).normal(size=(200, 64, 32, 32)).astype(np.float32)
    folder = tmp_path / "out"
    sources = [tmp_path / f"{i}.safetensors" for i in range(2)]
    for source in sources:
        save_file({"x": values}, source)
    process = start("encode", *sources, "--output-dir", folder, "-j", jobs, start_new_session=True)
    limit = time.monotonic() + 120
    while not (folder.is_dir() and any(folder.iterdir())):  # it has begun to write
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    done = finish(process)
    assert done.status == 130
    assert done.err.strip() == "featcodec: interrupted"
    whole = names(folder) if folder.exists() else set()  # what was complete before may stay
    assert whole <= {"0.fcz", "1.fcz"}
    for name in whole:
        assert run("verify", folder / name).status == 0


# --- info ---------------------------------------------------------------------------------------


def test_info_says_nothing_of_a_profile_that_no_file_needs(encoded: Path) -> None:
    assert b"needs profile" not in run("info", encoded).out


def test_info_as_json_has_the_documented_keys(encoded: Path) -> None:
    done = run("info", "--json", encoded)
    assert done.status == 0 and done.out.count(b"\n") == 1
    found = json.loads(done.out)
    assert {"format_version", "file_bytes", "profile", "tensors"} <= found.keys()
    assert found["format_version"] == "7.0" and found["profile"] is None
    assert found["file_bytes"] == encoded.stat().st_size
    features, labels = sorted(found["tensors"], key=lambda tensor: tensor["name"])
    for tensor in (features, labels):
        assert tensor.keys() >= TENSOR_KEYS
    assert (features["name"], features["dtype"]) == ("features", "F16")
    assert (features["shape"], features["layout"]) == ([40, 64, 4, 4], "NCHW")
    assert features["architecture"] == "cnn"
    assert features["truncation"].keys() >= {"lower", "upper", "clipped"}
    assert features["normalization"].keys() >= {"mean", "std"}
    assert features["step"] > 0 and 10 <= features["snr_db"] < 10.06
    assert (labels["name"], labels["dtype"], labels["shape"]) == ("labels", "I64", [40])
    assert sum(t["bytes"] for t in found["tensors"]) <= found["file_bytes"]


def test_info_as_json_never_holds_what_json_lacks(tmp_path: Path) -> None:
    tensors = {
        "nan": np.full((5, 5), np.nan, np.float32),
        "constant": np.ones((5, 5), np.float32),
        "empty": np.zeros((0, 4), np.float32),
        "scalar": np.float32([1]).reshape(()),
        "massive": np.where(np.eye(40) > 0, 1e30, np.random.default_rng(0).normal(size=(40, 40))),
    }
    source = tmp_path / "x.safetensors"
    save_file(tensors, source)

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    for quality in (["--lossless"], ["--snr", "10"], ["--max-error", "0.5"]):
        assert run("encode", source, "-f", *quality).status == 0
        done = run("info", "--json", source.with_suffix(".fcz"))
        assert done.status == 0
        json.loads(done.out, parse_constant=refuse)
        assert run("info", source.with_suffix(".fcz")).status == 0


def test_info_sums_up_many_tensors(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    tensors = {f"sentence_{i:04}": generator.normal(size=(1 + i % 5, 12)).astype(np.float32)
               for i in range(150)}  # fmt: skip
    source = tmp_path / "x.safetensors"
    save_file(tensors, source)
    assert run("encode", source, "--layout", "LD").status == 0
    file = source.with_suffix(".fcz")
    short, long = run("info", file).out.decode(), run("info", "-v", file).out.decode()
    assert "150 tensors" in short and len(short.splitlines()) < 60
    assert all(name in long for name in tensors)
    assert len(json.loads(run("info", "--json", file).out)["tensors"]) == 150


def test_info_keeps_names_from_breaking_its_lines(tmp_path: Path) -> None:
    source = tmp_path / "x.safetensors"
    save_file({"two\nlines \x1b[31m": np.zeros(3, np.float32)}, source, {"a\nb": "\x1b[0m"})
    assert run("encode", source).status == 0
    out = run("info", source.with_suffix(".fcz")).out
    assert b"\x1b" not in out and b"two\nlines" not in out


def test_info_describes_a_profile(profile_file: Path) -> None:
    done = run("info", profile_file)
    assert done.status == 0
    for word in (b"profile", b"sha256", b"digits-vit", b"digits-resnet"):
        assert word in done.out
    entries = json.loads(run("info", "--json", profile_file).out)["entries"]
    assert {entry["architecture"] for entry in entries} == {"cnn", "transformer"}
    assert all(entry["channels"] == 64 for entry in entries)


# --- the command itself -------------------------------------------------------------------------


def test_without_a_command_the_help_is_shown_as_it_is_meant() -> None:
    done = run()
    assert (done.status, done.out) == (2, b"")
    assert "\\n" not in done.err
    assert done.err.splitlines()[0].startswith("Usage:") and "  encode  " in done.err


@pytest.mark.parametrize("command", ["encode", "decode", "info", "verify", "train"])
def test_every_command_has_help(command: str) -> None:
    done = run(command, "--help")
    assert done.status == 0 and done.out.startswith(b"Usage: featcodec " + command.encode())
    assert command.encode() in run("--help").out


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").out.decode().strip() == f"featcodec {featcodec.__version__}"
