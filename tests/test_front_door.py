"""What a stranger types on the first day: each mistake is answered with what to type instead."""

import errno
import json
import os
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from featcodec import Profile, Writer, encode_file, safe_open
from featcodec.errors import InvalidInput, NotFeatcodec
from featcodec.files import decode_file
from featcodec.numpy import load_file, save_file

from .test_cli import run, start


@pytest.fixture(autouse=True)
def folder(folder_of_an_array: Path) -> Path:
    return folder_of_an_array


@pytest.fixture
def file() -> str:
    """n.npy encoded."""
    assert run("encode", "n.npy").status == 0
    return "n.fcz"


# --- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", [["encode", ""], ["encode", "n.npy", "-o", ""], ["encode", "n.npy", "--output-dir", ""]]
)
def test_an_empty_path_is_said_to_be_empty(line: list[str]) -> None:
    assert "is empty" in run(*line).misused()


@pytest.mark.parametrize("line", [["append", "", "n.npy"], ["train", "", "-o", "p.fcp"]])
def test_so_it_is_by_commands_that_open_it(line: list[str]) -> None:
    assert "the path is empty" in run(*line).failed(1)


def test_so_it_is_in_python(file: str) -> None:
    for source, target in (("", "x"), ("n.npy", "")):
        with pytest.raises(InvalidInput, match="is empty"):
            encode_file(source, target)
    with pytest.raises(InvalidInput, match="is empty"):
        decode_file(file, "")


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".npy", ".pt", ".pth", ".ckpt"])
def test_neither_files_nor_profiles_are_called_like_dumps(file: str, suffix: str) -> None:
    out = f"q{suffix}"
    assert "call it .fcz" in run("encode", "n.npy", "-o", out).misused()
    assert "call it .fcz" in run("concat", file, "-o", out).misused()
    assert "call it .fcz" in run("recover", "n.fcz.part", "-o", out).misused()
    assert "call it .fcp" in run("train", "n.npy", "-o", out).misused()
    assert not Path(out).exists()


def test_nor_are_they_called_like_one_another(file: str) -> None:
    said = run("train", "n.npy", "-o", "p.fcz").misused()
    assert "p.fcz has the suffix of an encoded file, and is to be a profile; call it .fcp" in said
    assert "call it .fcz" in run("encode", "n.npy", "-o", "n.fcp").misused()


def test_so_they_are_not_in_python(file: str) -> None:
    before = Path("n.npy").read_bytes()
    for write in (partial(save_file, {"x": np.ones(3)}), Writer, partial(encode_file, file)):
        with pytest.raises(InvalidInput, match=r"n.npy has the suffix of a dump.*call it .fcz"):
            write("n.npy")
    assert Path("n.npy").read_bytes() == before
    with pytest.raises(InvalidInput, match=r"d.fcz .* is to be a dump"):
        decode_file(file, "d.fcz")


def test_a_file_that_is_not_there_is_one_in_python_too() -> None:
    for read in (load_file, safe_open, partial(encode_file, destination="x.fcz")):
        with pytest.raises(FileNotFoundError, match="gone: No such file"):
            read("gone")


def test_other_suffixes_are_free_but_dumps_are_not_called_like_files(file: str) -> None:
    assert run("encode", "n.npy", "-o", "q.bin").status == 0
    for suffix in (".fcz", ".fcp"):
        assert "is to be a dump" in run("decode", file, "-o", f"d{suffix}").misused()


@pytest.mark.parametrize(
    "line", [["encode", "nope.npy"], ["encode", "."], ["decode", "nope.fcz"], ["decode", "n.npy"]]
)
def test_a_folder_that_no_output_came_to_does_not_stay(line: list[str], folder: Path) -> None:
    assert run(*line, "--output-dir", "o/deep").status in (1, 2)
    assert [path.name for path in folder.iterdir()] == ["n.npy"]


def test_a_folder_stays_that_was_there_or_has_an_output(folder: Path) -> None:
    (folder / "o").mkdir()
    assert run("encode", "nope.npy", "--output-dir", "o/deep").status == 1
    assert run("encode", "nope.npy", "n.npy", "--output-dir", "some").status == 1
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) == [
        "n.npy", "o", "some", "some/n.fcz"
    ]  # fmt: skip


def test_an_input_named_twice_is_said_to_be(folder: Path) -> None:
    assert "n.npy is named twice" in run("encode", "n.npy", "n.npy").misused()
    (folder / "a").mkdir()
    shutil.copy("n.npy", "a/n.npy")
    said = run("encode", "n.npy", "a/n.npy", "--output-dir", "o").misused()
    assert "names of their own" in said


def test_inputs_that_would_become_one_file_cost_themselves_alone(folder: Path) -> None:
    (folder / "tree").mkdir()
    np.save("tree/c.npy", np.load("n.npy"))
    np.savez("tree/c.npz", c=np.load("n.npy"))
    shutil.copy("n.npy", "tree/d.npy")
    done = run("encode", "-r", "tree", "--output-dir", "o")
    assert done.status == 1 and "1 of 3 encoded" in done.err and "2 failed" in done.err
    said = "tree/c.npy and tree/c.npz would both become o/c.fcz: give them folders or names"
    assert said in done.err and "tree/c.npz and tree/c.npy would" in done.err
    assert [path.name for path in Path("o").iterdir()] == ["d.fcz"]
    assert said in run("encode", "-r", "tree", "--output-dir", "o", "-f", "--dry-run").err
    for many in (2, 3, 50):  # and no two shards write it
        shards = [("--shard", f"{i + 1}/{many}", "--dry-run") for i in range(many)]
        all_of_them = [run("encode", "-r", "tree", "--output-dir", "p", *one) for one in shards]
        assert sum("would both become" in one.err for one in all_of_them) == 1


def test_a_shard_without_inputs_says_how_many_there_are() -> None:
    said = [run("encode", "n.npy", "--shard", f"{i}/2", "--output-dir", "o").err for i in (1, 2)]
    assert sum("0 of 1 input is in this shard" in one for one in said) == 1
    for name in "abcd":
        shutil.copy("n.npy", f"{name}.npy")
    said = [
        run("verify", *"abcd", "--shard", f"{i}/99", "-q").err
        + run("info", *"abcd", "--shard", f"{i}/99").err
        for i in range(90, 93)
    ]
    assert said.count("0 of 4 inputs are in this shard\n") == 3


def test_a_list_that_names_nothing_is_said_to(folder: Path) -> None:
    (folder / "list").touch()
    done = run("encode", "--files-from", "list", "--output-dir", "o")
    assert done.status == 0 and done.err == "--files-from list names no file\n"
    assert run("encode", "--files-from", "list", "-q").err == ""
    assert not (folder / "o").exists()


def test_standard_input_may_be_joined(file: str) -> None:
    assert run("concat", "-", file, "-o", "two.fcz", stdin=Path(file).read_bytes()).status == 0
    assert "  80x8 " in run("info", "two.fcz").out.decode()
    assert "once only" in run("concat", "-", "-", "-o", "x.fcz").misused()


# --- what is no featcodec file ------------------------------------------------------------------


def test_a_profile_in_place_of_a_dump_is_said_to_be_one(digits: Path) -> None:
    assert run("train", digits / "vit_train.safetensors", "-o", "p.fcp").status == 0
    said = run("encode", "p.fcp").failed(1)
    assert "a featcodec profile: name a dump, and give the profile by -p" in said
    for quality in (["--lossless"], ["--max-error", "0.1"]):
        assert "profile is not used" in run("encode", "n.npy", "-p", "p.fcp", *quality, "-f").err


def test_a_dump_in_place_of_a_profile_is_answered_with_train() -> None:
    for line in (["profiles", "add", "n.npy"], ["encode", "n.npy", "-p", "n.npy"]):
        assert "`featcodec train` makes profiles of" in run(*line).err
    with pytest.raises(NotFeatcodec, match="not a profile but a NumPy file"):
        Profile.load("n.npy")


def test_info_says_of_a_broken_dump_what_encode_does(folder: Path) -> None:
    for suffix in (".safetensors", ".npy", ".pt"):
        (folder / f"junk{suffix}").write_bytes(b"junk" * 9)
        for command in ("info", "encode"):
            said = run(command, f"junk{suffix}").err
            assert "whatever its name says: make or download it again" in said


def test_a_damaged_signature_is_salvaged_and_a_guess_is_said_to_be_one(
    file: str, folder: Path
) -> None:
    whole = (folder / file).read_bytes()
    for at in range(8):
        (folder / "x.fcz").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        said = run("decode", "x.fcz", "-f").failed(3)
        assert said.endswith("; --salvage decodes the rest\n")
        assert "text mode" not in said or "perhaps" in said
        assert run("decode", "x.fcz", "--salvage", "-f").status == 0


def test_what_a_writer_left_is_answered_with_recover() -> None:
    assert "featcodec recover killed.fcz.part" in run("decode", "killed.fcz.part").misused()


# --- profiles -----------------------------------------------------------------------------------


def test_another_profile_of_a_name_is_answered_with_a_name(folder: Path) -> None:
    (folder / "z").mkdir()
    assert run("train", "n.npy", "-o", "vit.fcp", "-q").status == 0
    np.save("m.npy", np.load("n.npy") ** 2)
    assert run("train", "m.npy", "-o", "z/vit.fcp", "-q").status == 0
    assert run("profiles", "add", "vit.fcp").status == 0
    said = run("profiles", "add", "z/vit.fcp").failed(1)
    assert "another profile called vit" in said and "--name" in said and "--force" not in said
    assert run("profiles", "add", "z/vit.fcp", "--name", "other").status == 0


def test_a_built_in_profile_is_not_removed() -> None:
    said = run("profiles", "remove", "caufc").failed(1)
    assert "built in" in said and "--name" not in said


# --- options ------------------------------------------------------------------------------------


def test_rules_that_are_no_text_or_lack_quotes_are_said_to(folder: Path) -> None:
    assert "it is no text" in run("encode", "n.npy", "--rules", "n.npy").misused()
    (folder / "r.toml").write_text('[quality]\nkv.0 = "snr:30"\n')
    assert 'is quoted: "kv.0"' in run("encode", "n.npy", "--rules", "r.toml").misused()


@pytest.mark.parametrize(
    "options", [["--task-snr", 3], ["--quality", "n=task-snr:3"], ["--embed-profile"]]
)
def test_what_only_a_profile_gives_a_meaning_needs_one(options: list[object]) -> None:
    assert "needs -p" in run("encode", "n.npy", *options).misused()


def test_help_and_pages_are_found_as_they_are_asked_for() -> None:
    assert run("-V").out == run("--version").out
    assert run("guide", "Quality").out == run("guide", "quality").out
    assert "`featcodec encode --help`" in run("guide", "encode").misused()
    kinds = ("snr:DB", "row-snr:DB", "task-snr:DB", "max-error:E", "lossless", "drop")
    shown = "".join(run("encode", "--help").out.decode().split())
    assert all(kind in shown for kind in kinds), shown
    assert "(20" not in run("append", "--help").out.decode()


# --- what cannot be coded with loss -------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "why"), [(1e300, "beyond the range of F64"), (1e-310, "whose squares are 0")]
)
def test_why_values_come_back_bit_for_bit_is_said_before_and_after(scale: float, why: str) -> None:
    np.save("x.npy", np.load("n.npy").astype(np.float64) * scale)
    assert "bit for bit: values" in run("info", "x.npy").out.decode()
    assert why in run("info", "x.npy").out.decode()
    assert why in run("encode", "x.npy").err


def test_tensors_without_values_are_said_to_have_none() -> None:
    n = np.load("n.npy")
    np.savez("x.npz", n=n, e=n[:0], s=n[0, 0], i=np.arange(3))
    shown = run("info", "x.npz").out.decode()
    assert "no values" in shown and "one value" in shown
    assert shown.count("no floats") == 1


# --- qualities ----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [["--lossless"], ["--snr", 30], ["--max-error", 0.001]])
def test_info_shows_the_lowest_snr_of_what_was_joined(first: list[object]) -> None:
    assert run("encode", "n.npy", *first).status == 0
    assert run("append", "n.fcz", "n.npy", "--snr", 10).status == 0
    [tensor] = json.loads(run("info", "n.fcz", "--json").out)["tensors"]
    assert 10 <= tensor["snr_db"] < 11 and tensor["transform"] != "lossless"
    error = np.abs(load_file("n.fcz")["features"] - np.tile(np.load("n.npy"), (2, 1))).max()
    assert tensor["max_error"] is None or tensor["max_error"] >= error
    assert "exact" not in run("info", "n.fcz").out.decode()


def test_a_rate_that_qualities_by_name_exceed_is_said_to_be_theirs() -> None:
    n = np.load("n.npy")
    np.savez("x.npz", a=np.tile(n, (4, 1)) + n.mean(), b=n)
    said = run("encode", "x.npz", "--bpfp", 1, "--quality", "a=max-error:1e-4").failed(1)
    assert "what is asked of tensors by name takes" in said and "less by name" in said


def test_a_quality_of_what_is_no_floats_is_said_to_do_nothing() -> None:
    np.savez("x.npz", n=np.load("n.npy"), ids=np.arange(40), mask=np.arange(40) > 9)
    done = run("encode", "x.npz", "--quality", "ids=snr:30", "--quality", "m*=max-error:1")
    assert done.status == 0
    assert "'ids' matches is no floats" in done.err and "'m*' matches is no floats" in done.err
    quiet = ("--quality", "*=snr:30", "--exact", "ids")
    assert "no floats" not in run("encode", "x.npz", "-f", *quiet).err


def test_a_profile_that_is_not_put_into_the_file_is_said_to_be() -> None:
    assert run("train", "n.npy", "-o", "n.fcp", "-q").status == 0
    np.save("m.npy", np.random.default_rng(1).normal(size=(40, 6)).astype(np.float32) * 9)
    done = run("encode", "m.npy", "-p", "n.fcp", "--embed-profile")
    assert done.status == 0 and "the profile is not put into the file" in done.err


def test_a_file_that_may_not_be_written_is_not_appended_to(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Path(file).read_bytes()
    may = os.open  # the super-user may write everywhere

    def refused(path: object, flags: int, *rest: object, **named: object) -> int:
        if str(path).endswith("n.fcz") and flags & os.O_WRONLY:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return may(path, flags, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refused)
    assert "n.fcz: Permission denied" in run("append", file, "n.npy").failed(1)
    assert Path(file).read_bytes() == before


def test_options_of_other_programs_are_answered_with_ours() -> None:
    assert "--snr" in run("encode", "n.npy", "--level", 9).misused()
    for word, ours in (
        ("-9", "--snr"),
        ("--threads", "-j N"),
        ("-T", "-j N"),
        ("-c", "-o - is standard output"),
        ("--stdout", "-o - is standard output"),
        ("-k", "inputs always stay"),
        ("-d", "featcodec decode"),
    ):
        said = run("encode", "n.npy", word).misused()
        assert f"No such option: {word}; " in said and ours in said


def test_what_is_no_number_is_said_to_be_none() -> None:
    assert "'ten' is no number" in run("encode", "n.npy", "--snr", "ten").misused()
    assert "'two' is no whole number" in run("encode", "n.npy", "-j", "two").misused()


def test_text_that_comes_through_a_pipe_is_named_as_such() -> None:
    said = run("encode", "-", stdin=b"1,2\n").failed(1)
    assert "standard input is not a dump" in said and "it is text" in said
    assert "loadtxt" not in said  # which would read a file of that name


@pytest.mark.parametrize("word", ["-snr", "-snr=10", "-skip-existing"])
def test_a_long_option_with_one_dash_is_answered_with_two(word: str) -> None:
    said = run("encode", "n.npy", word).misused()
    assert f"No such option: {word.split('=')[0]}; write -{word.split('=')[0]}" in said


def test_an_output_named_as_for_cp_is_answered_with_o(file: str) -> None:
    said = run("encode", "n.npy", "m.fcz").misused()
    assert "m.fcz: no such file; an output is named with -o m.fcz" in said
    for name in ("back.npy", "back.safetensors"):
        assert f"named with -o {name}" in run("decode", file, name).misused()
    assert "No such file" in run("encode", "no.npy").failed(1)


def test_an_input_without_a_suffix_is_named_once(file: str) -> None:
    Path("y").write_bytes(Path(file).read_bytes())
    said = run("decode", "y", file, "--output-dir", "out").err
    assert "featcodec: y does not end in .fcz: encode a dump first" in said


def test_a_dump_of_no_values_has_no_rate() -> None:
    np.save("none.npy", np.zeros((0, 4), np.float32))
    assert "  no values  exact" in run("encode", "none.npy").err


@pytest.mark.long
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_a_command_is_named_and_leaves_nothing(name: str, folder: Path) -> None:
    number = getattr(signal, name)
    np.save("long.npy", np.random.default_rng(0).normal(size=(6000, 1000)).astype(np.float32))
    process = start("encode", "long.npy")
    deadline = time.monotonic() + 60
    while not list(folder.glob(".featcodec-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert err.decode() == f"featcodec: ended by {name}\n"
    assert not list(folder.glob(".featcodec-*")) and not Path("long.fcz").exists()


def test_a_signal_that_is_ignored_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    seen: list[object] = []
    monkeypatch.setattr(
        "featcodec.cli.main.cli.main",
        lambda *_, **__: seen.append(signal.getsignal(signal.SIGHUP)),
    )
    try:
        run("info")
        assert seen == [signal.SIG_IGN] == [signal.getsignal(signal.SIGHUP)]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_names_that_begin_with_a_blank_are_quoted() -> None:
    assert "featcodec: ' x.npy': No such file" in run("encode", " x.npy").failed(1)
