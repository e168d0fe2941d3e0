"""Batches of thousands: what their inputs are, what may stand, what is said, and nothing lost."""

import contextlib
import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from featcodec import outputs
from featcodec.cli import existing, gather, render, targets
from featcodec.cli.batch import Skipped
from featcodec.cli.gather import Gathering
from featcodec.cli.progress import Progress
from featcodec.errors import InvalidInput

from .test_batch import linux, start, wait_for, workers
from .test_cli import finish, names, run

RNG = np.random.default_rng(0)
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
NAMES = NAMES.filter(lambda name: name not in (".", "..") and len(name.encode()) < 100)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def dump(path: Path, rows: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"x": RNG.normal(size=(rows, 8)).astype(np.float32)}, path)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Dumps in folders."""
    top = tmp_path / "feats"
    for name in ("a/x.safetensors", "a/b/y.safetensors", "z.safetensors"):
        dump(top / name)
    (top / "a" / "notes.txt").write_text("not a dump")
    return top


def found(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# --- inputs -------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.sets(PATHS, max_size=8))
def test_a_folder_is_all_files_below_it_that_have_the_suffix(
    tmp_path_factory: pytest.TempPathFactory, paths: set[str]
) -> None:
    top = tmp_path_factory.mktemp("tree")
    made = set()
    for number, path in enumerate(sorted(paths)):
        target = top / f"{number}" / path  # so that no file is where a folder is to be
        target.parent.mkdir(parents=True)
        target.with_name(target.name + ".fcz").touch()
        target.touch()
        made.add(f"{number}/{path}.fcz")
    inputs = Gathering((".fcz",), recursive=True).all([str(top)], None)
    if not made:
        assert "holds no file that ends in .fcz" in inputs[0].error
        return
    assert {one.place for one in inputs} == made and len(inputs) == len(made)
    assert all(Path(one.path) == top / one.place and not one.error for one in inputs)
    listing = top / "list"
    listing.write_bytes(b"".join(os.fsencode(one.path) + b"\0" for one in inputs))
    listed = Gathering((".fcz",), null=True).all([], str(listing))
    assert [one.path for one in listed] == [one.path for one in inputs]
    assert all(one.path.endswith(one.place) for one in listed)


@given(PATHS, st.sampled_from(["", "/", "./", "../", "../../", "//", "a/../../"]))
def test_what_is_listed_stays_below_the_output_folder(path: str, before: str) -> None:
    place = gather.relative(before + path)
    assert not Path(place).is_absolute() and ".." not in Path(place).parts
    assert Path(place).name == Path(path).name


@given(st.sets(PATHS, min_size=1, max_size=30), st.sets(PATHS), st.integers(1, 5))
def test_shards_are_parts_that_do_not_change_when_files_come(
    paths: set[str], more: set[str], parts: int
) -> None:
    def shards(given: set[str]) -> list[set[str]]:
        return [
            {one.path for one in Gathering((), shard=(i, parts)).all(sorted(given), None)}
            for i in range(parts)
        ]

    first, later = shards(paths), shards(paths | more)
    assert set.union(*first) == paths and sum(map(len, first)) == len(paths)
    assert all(one <= other for one, other in zip(first, later, strict=True))


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "/", "a/b", "-1/3", "1/3/4", ""])
def test_a_shard_that_makes_no_sense_is_a_usage_error(tree: Path, text: str) -> None:
    assert "--shard takes I/N" in run("encode", "-r", tree, "--shard", text).misused()


def test_a_tree_is_mirrored_there_and_back(tree: Path, tmp_path: Path) -> None:
    packed, back = tmp_path / "packed", tmp_path / "back"
    done = run("encode", "-r", tree, "--output-dir", packed, "--lossless")
    assert done.status == 0, done.err
    assert found(packed) == {"a/x.fcz", "a/b/y.fcz", "z.fcz"}
    listing = b"".join(os.fsencode(p) + b"\0" for p in sorted(packed.rglob("*.fcz")))
    options = ["--files-from", "-", "--null", "--output-dir", back]
    assert run("decode", *options, stdin=listing).status == 0
    mirrored = back / gather.relative(str(packed))
    for path in ("a/x", "a/b/y", "z"):
        one, other = (load_file(top / f"{path}.safetensors") for top in (tree, mirrored))
        np.testing.assert_array_equal(one["x"], other["x"])
    assert run("verify", "-r", packed).status == 0
    assert run("info", "--json", "-r", packed).out.count(b"\n") == 3


def test_without_a_folder_for_outputs_they_lie_beside_their_inputs(tree: Path) -> None:
    assert run("encode", "-r", tree).status == 0
    assert {"a/x.fcz", "a/b/y.fcz", "z.fcz"} < found(tree)


@pytest.mark.parametrize(
    "arguments",
    [["--null", "x"], [], ["--files-from", "-", "-"]],
)
def test_inputs_that_make_no_sense_are_a_usage_error(
    tree: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree.parent)
    run("encode", *arguments).misused()
    assert names(tree.parent) == {"feats"}


# --- one that fails -----------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("jobs", [1, 2])
def test_whatever_is_wrong_with_some_the_others_are_done(
    tree: Path, tmp_path: Path, jobs: int
) -> None:
    packed, report = tmp_path / "packed", tmp_path / "report"
    (tree / "junk.safetensors").write_bytes(b"junk")
    (tree / "gone.safetensors").symlink_to("nowhere")
    (tree / "pipe.safetensors").symlink_to(tree)  # a folder
    packed.mkdir()
    (packed / "b").write_text("a file where a folder is to be")
    dump(tree / "b" / "c.safetensors")
    (tree / "empty").mkdir()
    listing = tmp_path / "list"
    listing.write_text(f"nowhere.safetensors\n{'long' * 100}.safetensors\n")
    done = finish(
        start_cli("encode", "-r", tree, tree / "empty", "--files-from", listing, "--output-dir",
                  packed, "-j", jobs, "--report", report)
    )  # fmt: skip
    assert done.status == 1
    assert found(packed) == {"a/x.fcz", "a/b/y.fcz", "z.fcz", "b"}
    *said, total = done.err.splitlines()
    assert total.startswith("3 of 9 encoded: ") and total.endswith("6 failed"), done.err
    wrong = [line for line in said if line.startswith("featcodec: ")]
    for name in ("junk", "gone", "b/c", "empty", "nowhere", "longlong"):
        assert sum(name in line for line in wrong) == 1
    entries = [json.loads(line) for line in report.read_text().splitlines()]
    assert sum("error" in entry for entry in entries) == 6 and len(entries) == 9


def start_cli(*arguments: object, **options: Any) -> subprocess.Popen:
    command = [sys.executable, "-m", "featcodec", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **{**pipes, **options})


def test_a_name_that_is_no_output_s_is_a_failure_of_its_input(tree: Path, tmp_path: Path) -> None:
    assert run("encode", tree / "z.safetensors").status == 0
    done = run("decode", tree / "z.fcz", tree / "a" / "notes.txt", "--output-dir", tmp_path / "out")
    assert done.status == 1 and "notes.txt does not end in .fcz" in done.err
    assert names(tmp_path / "out") == {"z.safetensors"}


# --- the report ---------------------------------------------------------------------------------


def test_the_line_of_an_output_is_there_before_the_output(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, seen = tmp_path / "report", []
    rename = outputs._rename

    def watched(temporary: Path, target: Path, overwrite: bool) -> None:
        last = report.read_text().splitlines()[-1]
        seen.append(json.loads(last)["output"] == str(target))
        rename(temporary, target, overwrite)

    monkeypatch.setattr(outputs, "_rename", watched)
    run("encode", "-r", tree, "--output-dir", tmp_path / "out", "--report", report)
    assert seen == [True] * 3


@linux
def test_no_file_lacks_its_line_whatever_is_killed(tmp_path: Path) -> None:
    for number in range(30):
        dump(tmp_path / "feats" / f"{number}.safetensors", 2000)
    out, report = tmp_path / "out", tmp_path / "report"
    command = [
        "encode",
        "-r",
        tmp_path / "feats",
        "--output-dir",
        out,
        "-j",
        "2",
        "--report",
        report,
    ]
    with start(*command, "-q") as process:
        wait_for(lambda: out.is_dir() and len(list(out.glob("*.fcz"))) >= 3)
        for worker in workers(process.pid):
            os.kill(worker, signal.SIGKILL)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    time.sleep(0.2)
    noted = {json.loads(line).get("output") for line in report.read_text().splitlines()}
    assert {str(path) for path in out.glob("*.fcz")} <= noted


def test_a_line_that_was_cut_off_is_ended(tree: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.write_text('{"input": "x", "out')
    dumped = tree / "z.safetensors"
    assert run("encode", dumped, "--report", report).status == 0
    assert json.loads(report.read_text().splitlines()[1])["input"] == str(dumped)


# --- outputs that exist -------------------------------------------------------------------------

SETTINGS = [
    ["--snr", "10"],
    ["--snr", "11"],
    ["--lossless"],
    ["--snr", "10", "--transform", "none"],
    ["--snr", "10", "--quality", "y=snr:20", "--quality", "x=snr:12"],
    ["--snr", "10", "--quality", "x=snr:12", "--quality", "y=snr:20"],
    ["--snr", "10", "--layout", "x=ND"],
    ["--snr", "10", "--row-group", "16"],
    ["--snr", "10", "--pool"],
]


@pytest.mark.parametrize("made", range(len(SETTINGS)))
def test_a_file_stands_that_was_made_with_the_same_settings(tree: Path, made: int) -> None:
    source = tree / "z.safetensors"
    assert run("encode", source, "--skip-existing", *SETTINGS[made]).status == 0
    before = (tree / "z.fcz").read_bytes()
    for number, options in enumerate(SETTINGS):
        done = run("encode", source, "--skip-existing", *options)
        assert (done.status == 0) == (number == made)
        assert ("skipped, " if number == made else "was made with") in done.err
    assert (tree / "z.fcz").read_bytes() == before
    assert run("encode", source, "--skip-existing", "-f", *SETTINGS[made - 1]).status == 0
    assert (tree / "z.fcz").read_bytes() != before


@settings(max_examples=40)
@given(cut=st.integers(0, 1000))
def test_a_file_that_is_cut_off_never_stands(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = standing_file(tmp_path_factory)
    (folder / "z.fcz").write_bytes(whole[: cut % len(whole)])
    for force in (False, True):
        if force:
            assert existing.encoded("-", str(folder / "z.fcz"), NOTE, force) is None
        else:
            with pytest.raises(InvalidInput, match="not complete"):
                existing.encoded("-", str(folder / "z.fcz"), NOTE, force)


NOTE = '{"snr":20.0,"input_bytes":1376}'
WHOLE: list[bytes] = []


def standing_file(folders: pytest.TempPathFactory) -> bytes:
    """Return a file that notes NOTE, made once."""
    if not WHOLE:
        source = dump(folders.mktemp("whole") / "z.safetensors")
        assert run("encode", source, "--skip-existing").status == 0
        path = source.with_suffix(".fcz")
        note = NOTE.replace("1376", str(source.stat().st_size))
        assert existing.encoded(str(source), str(path), note, False) == Skipped(
            f"{path} is complete"
        )
        WHOLE.append(path.read_bytes())
    return WHOLE[0]


def test_a_file_that_notes_nothing_or_is_of_another_dump_does_not_stand(tree: Path) -> None:
    source = tree / "z.safetensors"
    assert run("encode", source).status == 0
    assert "does not note how" in run("encode", source, "--skip-existing").failed(1)
    assert run("encode", source, "--skip-existing", "-f").status == 0
    dump(source, 50)
    os.utime(source, (0, 0))
    assert "input bytes" in run("encode", source, "--skip-existing").failed(1)


def test_a_file_older_than_its_dump_is_made_again(tree: Path) -> None:
    source, target = tree / "z.safetensors", tree / "z.fcz"
    command = ["encode", source, "--skip-existing", "--lossless"]
    assert run(*command).status == 0
    for rows in (0, 20):  # of the same size, and of another
        if rows:
            dump(source, rows)
        else:
            source.write_bytes(source.read_bytes()[:-4] + b"\0\0\x80\x3f")
        os.utime(target, (1, 1))
        assert "skipped" not in run(*command, "--dry-run").err
        assert run(*command).status == 0
        assert "skipped, " in run(*command).err
        assert run("decode", target, "-o", tree / "back.safetensors", "-f").status == 0
        assert load_file(tree / "back.safetensors")["x"].tobytes() in source.read_bytes()


def test_an_older_file_of_other_settings_stays(tree: Path) -> None:
    source, target = tree / "z.safetensors", tree / "z.fcz"
    assert run("encode", source, "--skip-existing").status == 0
    os.utime(target, (1, 1))
    assert "was made with" in run("encode", source, "--skip-existing", "--snr", 9).failed(1)


def test_a_dump_older_than_its_file_is_made_again(tree: Path) -> None:
    source, target = tree / "z.safetensors", tree / "out.safetensors"
    command = ["decode", tree / "z.fcz", "-o", target, "--skip-existing"]
    assert run("encode", source, "--lossless").status == 0 and run(*command).status == 0
    before = target.read_bytes()
    target.write_bytes(before[:-4] + b"\0\0\x80\x3f")
    assert "skipped, " in run(*command).err
    os.utime(target, (1, 1))
    assert run(*command).status == 0 and target.read_bytes() == before


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".npy"])
def test_a_dump_stands_that_holds_the_tensors_that_are_wanted(
    tree: Path, tmp_path: Path, suffix: str
) -> None:
    assert run("encode", tree / "z.safetensors", "--lossless").status == 0
    command = ["decode", tree / "z.fcz", "-o", tmp_path / f"out{suffix}", "--skip-existing"]
    assert run(*command).status == 0
    assert "skipped, " in run(*command).err
    assert "holds other tensors" in run(*command, "--dtype", "f16").failed(1)
    target = tmp_path / f"out{suffix}"
    whole = target.read_bytes()
    target.write_bytes(whole[:-200])
    assert "is not complete" in run(*command).failed(1)
    assert run(*command, "-f").status == 0 and target.read_bytes() == whole


# --- what is said -------------------------------------------------------------------------------


def test_a_line_each_is_said_of_few_and_of_many_when_asked(tree: Path, tmp_path: Path) -> None:
    few = run("encode", "-r", tree, "--output-dir", tmp_path / "few", "--lossless")
    assert few.err.count("\n") == 4
    for number in range(30):
        shutil.copy(tree / "z.safetensors", tree / f"z{number}.safetensors")
    (tree / "junk.safetensors").write_bytes(b"junk")
    many = run("encode", "-r", tree, "--output-dir", tmp_path / "many", "--lossless")
    wrong, total, listed = many.err.splitlines()
    assert wrong.startswith("featcodec: ") and listed == f"failed: {tree / 'junk.safetensors'}"
    assert re.fullmatch(
        r"33 of 34 encoded: [\d.]+ kB -> [\d.]+ kB  [\d.]+x; [\d.]+ s, [\d.]+ .B/s; 1 failed", total
    )
    told = run("encode", "-r", tree, "--output-dir", tmp_path / "told", "--lossless", "-v")
    assert told.err.count(": 1.3") >= 33


def test_what_is_the_same_of_all_is_said_once(tree: Path, tmp_path: Path) -> None:
    done = run("encode", "-r", tree, "--output-dir", tmp_path / "out", "--drop", "nothing*")
    assert done.err.count("no tensor has a name like 'nothing*'") == 2
    assert "so of 2 more: no tensor has" in done.err


STEPS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000)), max_size=40)


@given(STEPS, st.lists(st.integers(1, 2000), min_size=10, max_size=10))
def test_progress_never_goes_back_nor_beyond_all(
    steps: list[tuple[int, int]], sizes: list[int]
) -> None:
    progress = Progress(len(sizes), sum(sizes), None)
    shown, finished = [0], set()
    for position, count in steps:
        if position in finished:
            continue
        if count % 5 == 0:
            finished.add(position)
            progress.finish(position, sizes[position], skipped=count % 2 == 0)
        else:
            progress.advance(position, count, sizes[position])
        shown.append(int(progress.line().split(" %")[0]))
    for position in set(range(10)) - finished:
        progress.finish(position, sizes[position])
    shown.append(int(progress.line().split(" %")[0]))
    assert shown == sorted(shown) and shown[-1] == 100
    assert f"10 of 10 files  {render.size(sum(sizes))} of" in progress.line()


@linux
@pytest.mark.parametrize("command", ["encode", "decode"])
def test_one_line_tells_of_all_processes(tree: Path, tmp_path: Path, command: str) -> None:
    if command == "decode":
        assert run("encode", "-r", tree, "--output-dir", tmp_path / "packed").status == 0
        tree = tmp_path / "packed"
    ours, theirs = pty.openpty()
    words = [command, "-r", tree, "--output-dir", tmp_path / "out", "-j", "2"]
    with start_cli(*words, stderr=theirs) as process:
        process.wait()
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):  # what a terminal says at its end
        while piece := os.read(ours, 1 << 16):
            said += piece
    os.close(ours)
    assert process.returncode == 0 and b" %  " in said and b" of 3 files  " in said
    assert b" left" in said and said.decode().splitlines()[-1].startswith("3 of 3 ")


@pytest.mark.parametrize("files", [1000, 10_000])
def test_the_time_left_is_told_when_enough_is_done_to_tell(files: int) -> None:
    progress = Progress(files, 100 * files, None)
    for position in range(files):
        progress.finish(position, 100)
        line = progress.line()
        assert (" left" in line) == (100 * (position + 1) >= files)
        assert line.startswith("100 %") == (position + 1 == files)


def test_the_progress_line_goes_before_anything_else_is_said() -> None:
    stream = io.StringIO()
    progress = Progress(2, 100, stream)
    progress.advance(0, 10, 50)
    assert stream.getvalue().startswith("\r 10 %  0 of 2 files  10 B of 100 B")
    progress.clear()
    assert stream.getvalue().endswith(" \r")
    before = stream.getvalue()
    progress.clear()
    assert stream.getvalue() == before


@given(st.floats(0, 1e7))
def test_a_duration_is_short_and_of_the_right_order(seconds: float) -> None:
    number, unit = render.duration(seconds).split()
    units = {"s": 1, "min": 60, "h": 3600, "days": 86400}
    assert float(number) * units[unit] == pytest.approx(seconds, rel=0.17, abs=0.051)


# --- what would be done -------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_a_dry_run_writes_nothing_and_estimates(tmp_path: Path, command: str) -> None:
    top = tmp_path / "in"
    for number in range(6):
        dump(top / f"{number}.safetensors", 400)
    if command == "decode":
        assert run("encode", "-r", top, "--output-dir", tmp_path / "in2").status == 0
        top = tmp_path / "in2"
    before = found(tmp_path)
    out = tmp_path / "out"
    planned = run(command, "-r", top, "--output-dir", out, "--dry-run")
    assert planned.status == 0 and found(tmp_path) == before and not out.exists()
    assert planned.out.decode().count(" -> ") == 6
    size = re.search(r"about ([\d.]+) (k?)B.* in [\d.]+ \w+, by .*B of \d inputs", planned.err)
    assert size, planned.err
    run(command, "-r", top, "--output-dir", out)
    actual = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    assert float(size[1]) * (1000 if size[2] else 1) == pytest.approx(actual, rel=0.1)


def test_a_dry_run_says_what_would_fail_or_be_skipped(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["encode", "-r", tree, "--output-dir", out]
    assert run(*command, "--skip-existing").status == 0
    assert run(*command, "--dry-run").err.count("exists; use --force") == 3
    again = run(*command, "--dry-run", "--skip-existing")
    assert again.out.decode().count("skipped, ") == 3 and "3 skipped" in again.err
    (tree / "gone.safetensors").symlink_to("nowhere")
    assert "1 cannot be done" in run(*command, "--dry-run", "--skip-existing").err


# --- cost ---------------------------------------------------------------------------------------


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def test_the_cost_is_linear_in_the_number_of_inputs(tmp_path: Path) -> None:
    def plan(count: int) -> Any:
        paths = [str(tmp_path / f"{i}.safetensors") for i in range(count)]
        inputs = Gathering(()).all(paths, None)
        where = targets.Where(None, str(tmp_path / "out"), False, False)
        return targets.outputs(inputs, where, lambda path: path + ".fcz")

    plan(100)
    few, many = (min(seconds(lambda n=n: plan(n)) for _ in range(3)) for n in (200, 1600))
    assert many < 8 * 2 * few
