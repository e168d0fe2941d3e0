"""What a user of cp, git and zstd takes for granted of the command line."""

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

import featcodec
from featcodec import Codec, Writer, encode_file, safe_open
from featcodec.errors import InvalidInput
from featcodec.functions import named
from featcodec.numpy import load, load_file, save_file

from .test_cli import finish, run, start


@pytest.fixture(autouse=True)
def folder(folder_of_an_array: Path) -> Path:
    return folder_of_an_array


def test_it_is_said_where_the_output_lies(folder: Path) -> None:
    assert run("encode", "n.npy").err.startswith("n.npy -> n.fcz: ")
    assert "n.npy -> o/n.fcz: " in run("encode", "n.npy", "--output-dir", "o").err
    assert run("encode", "n.npy", "-o", "-").err.startswith("n.npy: ")


@pytest.mark.parametrize("command", ["append x.fcz", "train -o p.fcp", "suggest -q"])
def test_folders_are_taken_where_dumps_are(folder: Path, command: str) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    for at in ("deep/a.npy", "deep/er/b.npy"):
        np.save(at, np.load("n.npy"))
    if command.startswith("append"):
        run("encode", "n.npy", "-o", "x.fcz")
    assert "add -r for the files in it" in run(*command.split(), "deep").failed(1)
    assert run(*command.split(), "-r", "deep").status == 0
    if command.startswith("append"):
        assert b"120x8" in run("info", "x.fcz").out


def test_so_files_in_folders_are_joined(folder: Path) -> None:
    run("encode", "n.npy", "-o", "n.fcz")
    for one in ("a", "b"):
        run("encode", "n.npy", "--output-dir", f"packed/{one}")
    assert run("concat", "-r", "packed", "n.fcz", "-o", "all.fcz").status == 0
    assert b"120x8" in run("info", "all.fcz").out


@pytest.mark.parametrize("command", ["encode n.npy", "decode n.fcz", "encode n.npy n.npy"])
def test_an_output_in_a_folder_is_asked_for_by_the_option_of_folders(command: str) -> None:
    run("encode", "n.npy")
    for name in ("new/", "."):
        said = run(*command.split(), "-o", name).failed(1)
        assert f"-o {name} is a directory; use --output-dir {name}" in said
    assert not Path("new").exists()


def test_a_name_with_a_slash_at_its_end_is_none_of_a_file(folder: Path) -> None:
    x = {"x": np.zeros((4, 8), np.float32)}
    for write in (lambda to: save_file(x, to), lambda to: encode_file("n.npy", to), Writer):
        with pytest.raises(InvalidInput, match="new/ is a directory; name a file in it"):
            write("new/")
    assert "new/ is a directory" in run("train", "n.npy", "-o", "new/").failed(1)
    assert [path.name for path in folder.iterdir()] == ["n.npy"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("encode n.npy -o --snr 10", "-o needs a value, and --snr is an option"),
        ("encode n.npy --exact -o x.fcz", "--exact needs a value, and -o is an option"),
        ("train n.npy -o -q", "-o needs a value, and -q is an option"),
    ],
)
def test_an_option_is_no_value_of_the_one_before(line: str, said: str) -> None:
    assert said in run(*line.split()).misused()


def test_what_is_called_like_an_option_can_be_a_value(folder: Path) -> None:
    assert run("encode", "n.npy", "--output=-f").status == 0
    assert (folder / "-f").exists()


def test_help_is_a_command_too() -> None:
    assert run("help").out == run("--help").out
    assert run("help", "encode").out == run("encode", "--help").out
    assert run("help", "profiles", "add").out == run("profiles", "add", "--help").out


@pytest.mark.parametrize(
    ("typed", "meant"), [("compress", "encode"), ("ls", "info"), ("test", "verify")]
)
def test_commands_of_other_programs_name_ours(typed: str, meant: str) -> None:
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in run(typed, "n.npy").misused()


def test_a_message_and_a_file_are_told_apart(folder: Path) -> None:
    run("train", "n.npy", "-o", "n.fcp", "-q")
    message = Codec("n.fcp", snr=10).encode(np.load("n.npy"))
    Path("m.bin").write_bytes(message)
    said = run("decode", "m.bin", "-o", "m.npy").failed(3)
    assert "a message is decoded by featcodec.Codec" in said
    assert "--salvage" not in said
    run("encode", "n.npy")
    for name in ("n.fcz", "n.fcp"):
        said = run("info", "--message", name).failed(3)
        assert "is not a message but" in said and said.endswith("leave out --message\n")


def test_verify_says_that_the_rest_of_a_damaged_file_can_be_had(folder: Path) -> None:
    run("encode", "n.npy", "--lossless")
    data = bytearray(Path("n.fcz").read_bytes())
    data[len(data) // 4] ^= 1
    Path("n.fcz").write_bytes(data)
    said = run("verify", "n.fcz").failed(3)
    assert said.endswith("; `featcodec decode --salvage` decodes the rest\n")


@pytest.mark.long
def test_an_interrupted_batch_says_how_far_it_came(folder: Path) -> None:
    shutil.copy("n.npy", "a.npy")
    os.mkfifo("b.npy")  # which nobody writes to
    process = start("encode", "a.npy", "b.npy", "--output-dir", "o")
    assert process.stderr.readline().startswith(b"a.npy -> o/a.fcz: ")
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.status == 130
    assert done.err.startswith("1 of 2 encoded: ")
    assert done.err.endswith("featcodec: interrupted\n")


def test_a_full_disk_is_that_of_standard_output(folder: Path) -> None:
    run("encode", "n.npy")
    with Path("/dev/full").open("wb") as full:
        process = start("info", "n.fcz", stdout=full)
        assert "standard output: No space" in finish(process).err


def test_bytes_and_paths_are_told_apart(folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"load_file reads 'x\.fcz'"):
        load("x.fcz")
    with pytest.raises(InvalidInput, match="not an int"):
        load(3)
    for read in (load_file, safe_open):
        with pytest.raises(InvalidInput, match=r"a bytes is no file; .*; load takes the bytes"):
            read(b"...")


def test_what_is_asked_of_the_package_is_where_it_says() -> None:
    with pytest.raises(AttributeError, match=r"load_file'; featcodec\.numpy and featcodec\.torch"):
        featcodec.load_file  # noqa: B018
    assert featcodec.ext.__name__ == "featcodec.ext"
    try:
        assert featcodec.torch.load_file
    except ImportError as error:
        assert "pip install 'featcodec[torch]'" in str(error)


def test_a_function_that_is_none_of_a_module_is_answered_with_those_that_are(
    folder: Path,
) -> None:
    Path("heads_of_mine.py").write_text(
        "def logits(dump, features): ...\nfrom pathlib import Path\n"
    )
    with pytest.raises(InvalidInput, match=r"no attribute .logit.; it has logits$"):
        named("heads_of_mine:logit", "--head")
    Path("heads_of_none.py").write_text("")
    with pytest.raises(InvalidInput, match=r"no attribute .logit.$"):
        named("heads_of_none:logit", "--head")


def test_an_amount_of_memory_has_a_unit() -> None:
    run("encode", "n.npy")
    for amount in ("4", "4G", "1KB"):
        said = run("decode", "n.fcz", "--memory", amount).misused()
        assert "a unit is one of B, kB, MB, GB, TB" in said
