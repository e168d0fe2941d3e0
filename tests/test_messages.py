"""What is said of mistakes: in Python of arguments, in the shell of options, and of the files."""

import ast
import io
import pydoc
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file as load_dump
from safetensors.numpy import save as safetensors_bytes
from safetensors.numpy import save_file as dump_file

import featcodec
from featcodec.cli import render
from featcodec.cli.failures import as_typed
from featcodec.dumps import Dump
from featcodec.errors import FeatcodecError, InvalidInput
from featcodec.functions import named
from featcodec.joining import append_file, concat_files
from featcodec.numpy import load, load_file, save, save_file
from featcodec.request import Options, Quality
from featcodec.saving import FOREIGN

from .test_cli import run, start

PACKAGE = Path(featcodec.__file__).parent
NOT_OF_THE_SHELL = [  # training is of the shell alone
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.relative_to(PACKAGE).parts[0] not in ("cli", "training", "evaluate")
]
X = np.random.default_rng(0).normal(size=(60, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with dumps, files and profiles."""
    here: Path = tmp_path_factory.mktemp("messages")
    dump_file({"x": X}, here / "x.safetensors")
    dump_file({"x": X, "y": X}, here / "two.safetensors")
    np.savez(here / "text.npz", x=X, words=np.array(["a"]))
    for number in (0, 1):
        dump_file({"x": X * (1 + number)}, here / f"{number}.safetensors")
        profile = here / "apart" / str(number) / "p.fcp"
        profile.parent.mkdir(parents=True)
        run("train", here / f"{number}.safetensors", "-o", profile, "-q")
    for name, more in (("x", []), ("two", []), ("needy", ["-p", here / "apart" / "0" / "p.fcp"])):
        source = here / f"{'x' if more else name}.safetensors"
        assert (
            run(
                "encode", source, "-o", here / f"{name}.fcz", "--snr", "9" if more else "1", *more
            ).status
            == 0
        )
    return here


def mistakes(here: Path) -> Iterator[Callable[[], object]]:
    """Yield calls that fail, each by a mistake of a user."""
    other = featcodec.Profile.load(here / "apart" / "1" / "p.fcp")
    yield lambda: save({"x": X}, snr=0)
    yield lambda: save({"x": X}, snr="10")
    yield lambda: save({"x": X}, max_error=float("nan"))
    yield lambda: save({"x": X}, row_snr=1, max_error=1)
    yield lambda: save_file({"x": X}, here)
    yield lambda: featcodec.encode_file(here / "x.safetensors", here / "x.fcz")
    yield lambda: featcodec.encode_file(here / "text.npz", here / "text.fcz")
    yield lambda: featcodec.decode_file(here / "two.fcz", here / "two.npy")
    yield lambda: featcodec.decode_file(here / "two.fcz", here / "two.npz", dtype="BF16")
    yield lambda: featcodec.decode_file(here / "two.fcz", here / "two.npz", dtype="float32")
    yield lambda: featcodec.decode_file(here / "needy.fcz", here / "back", profile=[other])
    yield lambda: featcodec.Profile.load("nothing")
    yield lambda: save({"x": X}, profile=other, transform="neural", max_error=1)
    yield lambda: save({"x": X}, task_snr=3)
    yield lambda: save({"x": X}, layout={"z": "ND"})
    yield lambda: save({"x": X}, layout="QQ")
    yield lambda: save({"x": X}, rules={"*": "drop"})
    yield lambda: featcodec.decode_file(here / "two.fcz", here / "two.h5")
    yield lambda: featcodec.decode_file(here / "two.fcz", here / "no" / "two.npz")


def test_errors_in_python_name_no_options_of_the_shell(folder: Path) -> None:
    for mistake in mistakes(folder):
        with pytest.raises(FeatcodecError) as caught:
            mistake()
        assert "--" not in re.sub("`featcodec .*?`", "", str(caught.value))


@pytest.mark.parametrize("path", NOT_OF_THE_SHELL, ids=lambda path: path.stem)
def test_no_error_outside_the_shell_names_its_options(path: Path) -> None:
    raised = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Raise)]
    texts = [
        part.value
        for error in raised
        for part in ast.walk(error)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    assert [t for t in texts if re.search("(?<!`)--[a-z]", re.sub("`featcodec .*?`", "", t))] == []


@pytest.mark.long
def test_remarks_name_arguments_in_python_and_options_in_the_shell(folder: Path) -> None:
    rows = np.random.default_rng(4).normal(size=(600, 32)) * np.geomspace(0.02, 1, 600)[:, None]
    dump_file({"x": rows.astype(np.float32)}, folder / "uneven.safetensors", {"layout": "LD"})
    report = featcodec.encode_file(
        folder / "uneven.safetensors", folder / "uneven.fcz", Quality(snr=20)
    )
    assert all("--" not in remark for remark in report.remarks)
    assert "with row_snr every row" in str(report.remarks)
    assert "with --row-snr every row" in run("encode", folder / "uneven.safetensors", "-f").err


def test_errors_in_the_shell_name_its_options(folder: Path) -> None:
    here = folder
    said = run("encode", here / "x.safetensors").failed(1)
    assert said.endswith("x.fcz exists; use --force to overwrite it\n")
    said = run("encode", here / "text.npz").failed(1)
    assert said.endswith("or leave it out with --drop words\n")
    said = run("decode", here / "two.fcz", "-o", here / "two.npy").failed(1)
    assert "choose one with --tensor NAME" in said
    said = run("decode", here / "two.fcz", "-o", here / "two.npz", "--dtype", "BF16").failed(1)
    assert "add --dtype F32" in said
    said = run("decode", here / "needy.fcz", "-o", here / "back").failed(4)
    assert "name its file with --profile" in said


@pytest.mark.long
@given(st.text(min_size=1))
def test_any_tensor_can_be_dropped_as_an_error_says(name: str) -> None:
    said = as_typed(f"x.npz: it holds text; or leave it out with rules={{{name!r}: 'drop'}}")
    assert said == f"x.npz: it holds text; or leave it out with --drop {shlex.quote(name)}"


@pytest.mark.parametrize("command", ["decode", "embed"])
def test_a_profile_that_is_not_the_one_needed_is_said_to_be_another(
    command: str, folder: Path
) -> None:
    other = folder / "apart" / "1" / "p.fcp"
    sha256 = featcodec.Profile.load(other).digest.hex()
    assert f"what was given has {sha256};" in run(
        command, folder / "needy.fcz", "-p", other
    ).failed(4)
    said = run(command, folder / "needy.fcz", "-p", "nothing").misused()
    assert "--profile nothing: " in said and "`featcodec profiles` lists" in said


def test_files_of_the_other_kind_are_called_what_they_are(folder: Path) -> None:
    with pytest.raises(FeatcodecError, match=r"x\.fcz holds features, not a profile"):
        featcodec.Profile.load(folder / "x.fcz")
    with pytest.raises(FeatcodecError, match=r"p\.fcp holds a profile, not features"):
        featcodec.safe_open(folder / "apart" / "0" / "p.fcp")
    with pytest.raises(FeatcodecError, match="the data is empty"):
        load(b"")


def test_an_argument_that_is_none_is_named() -> None:
    with pytest.raises(TypeError, match=r"'colour'; it takes .* layout, .* snr, bpfp, max_error"):
        save({"x": X}, colour="ND")
    assert Options().rules == {} and Quality.choose(snr=np.float32(3)).snr == 3


def test_one_of_a_thing_is_singular(folder: Path) -> None:
    dump_file({"x": np.ones(1, np.float32)}, folder / "one.safetensors")
    assert run("encode", folder / "one.safetensors", "-f").status == 0
    assert b" 1 tensor, 1 value, " in run("info", folder / "one.fcz").out
    assert b" 2 tensors, 1,920 values, " in run("info", folder / "two.fcz").out
    with pytest.raises(InvalidInput, match="layout 'D' has 1 axis, the tensor 2"):
        save({"x": X}, layout={"x": "D"})


def test_a_long_name_leaves_the_lines_of_others_alone(folder: Path) -> None:
    dump_file({"n" * 3000: X, "x": X}, folder / "long.safetensors")
    assert run("encode", folder / "long.safetensors", "-f").status == 0
    lines = run("info", folder / "long.fcz").out.decode().splitlines()
    assert all(len(line) < 200 for line in lines if "nnn" not in line)


def test_what_there_is_is_listed_before_it_is_used() -> None:
    assert {"Codec", "encode_file", "numpy", "errors", "joining"} <= set(dir(featcodec))
    assert all(hasattr(featcodec, name) for name in dir(featcodec))
    assert "encode_file(" in pydoc.render_doc(featcodec)


def test_a_layout_that_no_tensor_has_the_rank_of_is_said(folder: Path) -> None:
    said = run("encode", folder / "x.safetensors", "-f", "--layout", "NCHW").err
    assert "layout 'NCHW' is ignored: it has 4 axes" in said
    for fitting in ("ND", "x=ND"):
        said = run("encode", folder / "x.safetensors", "-f", "--layout", fitting).err
        assert "ignored" not in said


def test_outputs_of_one_name_are_said_with_the_inputs(folder: Path) -> None:
    dumps = [folder / "apart" / str(number) / "x.safetensors" for number in (0, 1)]
    said = run("encode", *dumps, "--output-dir", folder / "out").misused()
    assert all(str(dump) in said for dump in dumps)


@given(length=st.integers(0, 4000), more=st.binary(min_size=1, max_size=9))
def test_a_dump_that_is_cut_off_or_longer_is_said_to_be(length: int, more: bytes) -> None:
    whole = safetensors_bytes({"x": X})
    data = whole[:length] if length < len(whole) else whole + more
    with pytest.raises(InvalidInput) as caught:
        Dump(io.BytesIO(data))
    says = "is empty" if not data else "is not a dump" if len(data) < 9 else "is not a sound"
    assert says in str(caught.value)
    assert len(data) < 9 or f"it has {len(data):,} bytes" in str(caught.value)


@pytest.mark.parametrize("data", [b"hello\n" * 30, b"[1, 2]", bytes(range(200)), b"\0" * 100])
def test_what_is_no_dump_is_called_so(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="is not a dump: neither safetensors"):
        Dump(io.BytesIO(data))


def test_what_is_no_dictionary_or_no_file_is_refused_in_words(folder: Path, tmp_path: Path) -> None:
    with featcodec.Writer(tmp_path / "w.fcz") as writer:
        for keep in (save, writer.add):
            for given, why in (
                (X, "as in {'features': x}, and not as ndarray"),
                ([X], "and not as list"),
                ({1: X}, "the name 1 is no text"),
            ):
                with pytest.raises(InvalidInput, match=why):
                    keep(given)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="a bytes is no file; give a path"):
        load_file((folder / "x.fcz").read_bytes())  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="a list is no file; give a path"):
        save_file({"x": X}, [folder])  # type: ignore[arg-type]


def test_a_path_alone_is_one_of_a_list(folder: Path, tmp_path: Path) -> None:
    size = concat_files(folder / "x.fcz", tmp_path / "x.fcz")
    assert size == (tmp_path / "x.fcz").stat().st_size
    assert len(append_file(tmp_path / "x.fcz", str(folder / "x.safetensors"))) == 1
    assert load_file(tmp_path / "x.fcz")["x"].shape == (120, 16)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "choose a quality: snr, "),
        ({"snr": 1, "bpfp": 2}, "not snr and bpfp"),
        ({"max_error": 1, "lossless": True}, "not max_error and lossless"),
        ({"snr": -1}, "snr must be a positive number, not -1"),
    ],
)
def test_a_quality_is_one_and_makes_sense(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        featcodec.Quality(**asked)


def test_a_tensor_that_there_is_not_is_said_beside_those_that_there_are(folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"holds no tensor 'z'; it has 'x', 'y'$"):
        featcodec.decode_file(folder / "two.fcz", folder / "z.npy", tensors=["z"])
    data = save({str(number): X[:2] for number in range(30)})
    with (
        featcodec.safe_open(io.BytesIO(data)) as file,
        pytest.raises(InvalidInput, match=r"holds no tensor 'z'; it has '0', .*'7' and 22 more$"),
    ):
        file.get_tensor("z")


def test_mistakes_of_usage_are_told_apart_from_inputs_that_fail(folder: Path) -> None:
    x = folder / "x.safetensors"
    assert "no_list: No such file" in run("encode", "--files-from", folder / "no_list").misused()
    assert "x.fcz is a file" in run("encode", x, "--output-dir", folder / "x.fcz").misused()
    assert "Did you mean 'encode'?" in run("encod").misused()
    assert "does not end in .fcz: encode a dump first" in run("decode", x).misused()
    assert "every tensor is dropped" in run("encode", x, "-f", "--drop", "*").failed(1)
    assert "there is no folder" in run("encode", x, "-o", folder / "no" / "x.fcz").failed(1)
    assert not (folder / "no").exists()
    assert "no name that `featcodec profiles` lists" in run("profiles", "show", "nothing").failed(1)


def test_a_function_that_is_named_in_another_way_is_answered_with_the_way_to_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("of_mine.py").write_text("def f(): return 1\nclass C: pass\n")
    Path("broken_one.py").write_text("1 / 0\n")
    assert named("of_mine:f", "--task")() == 1
    for text, said in (
        ("of_mine.py:f", "without .py, of_mine:f"),
        ("of_mine.f", "MODULE:FUNCTION, of_mine:f"),
        ("of_mine", "write MODULE:FUNCTION$"),
        ("of_mine:g", "has no attribute 'g'; it has f$"),
        ("not_mine:f", "No module named 'not_mine'; .* current folder"),
        ("broken_one:f", "broken_one fails: ZeroDivisionError"),
    ):
        with pytest.raises(InvalidInput, match=said):
            named(text, "--task")
    with pytest.raises(InvalidInput, match=r"has no attribute 'g'; it has C$"):
        named("of_mine:g", "codec", "CLASS")


@pytest.mark.parametrize("suffix", FOREIGN)
def test_kinds_that_are_not_written_are_answered_with_those_that_are(
    suffix: str, folder: Path
) -> None:
    out = folder / f"out{suffix}"
    said = run("decode", folder / "x.fcz", "-o", out).failed(1)
    assert f"{suffix} files are not written" in said and ".npz" in said and not out.exists()


def test_numbers_as_text_are_answered_with_the_line_that_makes_a_dump(tmp_path: Path) -> None:
    table = tmp_path / "a table.csv"
    table.write_text("1,2\n3,4.5\n")
    said = run("encode", table).failed(1)
    command = shlex.split(said[said.index("python -c") :])
    subprocess.run([sys.executable, *command[1:]], check=True)
    assert load_dump(tmp_path / "a table.safetensors")["features"].tolist() == [[1, 2], [3, 4.5]]


def test_a_message_of_a_list_is_of_its_numbers(folder: Path) -> None:
    codec = featcodec.Codec(folder / "apart" / "0" / "p.fcp", snr=10)
    assert codec.decode(codec.encode(X.tolist())).shape == X.shape
    with pytest.raises(InvalidInput, match="a message holds floats, not int64"):
        codec.encode([1, 2])
    with pytest.raises(InvalidInput, match="encode its real and imaginary parts"):
        codec.encode(X + 1j)
    assert re.fullmatch(r"Codec\(.* channels; snr=10, effort='fast'\)", repr(codec))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_a_full_standard_output_is_named(folder: Path) -> None:
    for command in (["encode", folder / "x.safetensors"], ["decode", folder / "x.fcz"]):
        with Path("/dev/full").open("wb") as full:
            process = start(*command, "-o", "-", stdout=full)
        said = process.communicate()[1].decode()
        assert process.returncode == 1 and "standard output: No space left on device" in said


def test_quality_is_never_minus_nothing() -> None:
    assert render.decibels(-1e-9) == render.decibels(0.0) == "0.00 dB"
