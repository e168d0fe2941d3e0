"""Profiles that are found without being named: where they lie, and in the file itself."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file as load_dump
from safetensors.numpy import save_file

from featcodec import Profile, Quality, encode_file, profiles, safe_open
from featcodec.cli.profiles import own
from featcodec.errors import InvalidInput, ProfileMissing
from featcodec.numpy import load, load_file
from featcodec.profiles import find, named, user_folder
from featcodec.request import Options

from .test_cli import run
from .vectors.store import VECTORS

DIGITS, BANDED = VECTORS / "digits.fcp", VECTORS / "banded.fcp"


@pytest.fixture(autouse=True)
def _nothing_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    monkeypatch.delenv(profiles.SEARCH_PATH, raising=False)
    monkeypatch.setattr(profiles, "_found", {})


@pytest.fixture
def packed(digits: Path, tmp_path: Path) -> Path:
    """A file that needs a profile."""
    tensors = load_dump(digits / "cnn_eval.safetensors")
    folder = tmp_path / "files"
    folder.mkdir()
    dump = folder / "maps.safetensors"
    save_file({"features": tensors["features"][:20]}, dump, {"layout": "NCHW"})
    encode_file(dump, folder / "maps.fcz", Quality(snr=10), profile=Profile.load(DIGITS))
    return folder / "maps.fcz"


def beside(packed: Path, _: pytest.MonkeyPatch) -> Path:
    return packed.with_name("any.fcp")


def in_a_folder_listed(packed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(profiles.SEARCH_PATH, f"/nowhere:{packed.parents[1] / 'shared'}:")
    return packed.parents[1] / "shared" / "any.fcp"


def a_file_listed(packed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    target = packed.parents[1] / "under-any-name"
    monkeypatch.setenv(profiles.SEARCH_PATH, str(target))
    return target


def of_the_user(_packed: Path, _: pytest.MonkeyPatch) -> Path:
    return user_folder() / "any.fcp"


def built_in(packed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = packed.parents[1] / "package"
    monkeypatch.setattr(profiles, "__file__", str(folder / "__init__.py"))
    return folder / "any.fcp"


PLACES = [beside, in_a_folder_listed, a_file_listed, of_the_user, built_in]


@pytest.mark.parametrize("place", PLACES)
def test_a_profile_is_found_where_it_lies(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Callable[..., Path]
) -> None:
    target = place(packed, monkeypatch)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(BANDED, target)  # another one, for now
    out = tmp_path / "out.safetensors"
    assert "profiles add" in run("decode", packed, "-o", out).failed(4)
    assert "found nowhere" in run("info", packed).out.decode()
    with pytest.raises(ProfileMissing):
        load_file(packed)
    shutil.copy(DIGITS, target)
    assert run("decode", packed, "-o", out).status == 0
    assert str(target) in run("info", packed).out.decode()
    assert json.loads(run("info", "--json", packed).out)["profile_at"] == str(target)
    assert run("verify", "--decode", packed).status == 0
    wanted = load_file(packed, profile=DIGITS)["features"]
    np.testing.assert_array_equal(load_dump(out)["features"], wanted)
    np.testing.assert_array_equal(load_file(packed)["features"], wanted)
    with safe_open(packed) as file:
        again = pickle.loads(pickle.dumps(file))
        np.testing.assert_array_equal(again.get_tensor("features"), wanted)
    target.unlink()
    assert run("decode", packed, "-o", out, "-f").status == 4


def test_a_profile_is_looked_for_once_however_many_files_lie_around(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(DIGITS, packed.with_name("p.fcp"))
    digest = Profile.load(DIGITS).digest
    assert find(digest, packed) == packed.with_name("p.fcp")
    looked: list[Path] = []
    monkeypatch.setattr(profiles, "_in", lambda place: looked.append(place) or {})
    assert find(digest, packed) == packed.with_name("p.fcp") and not looked
    packed.with_name("p.fcp").write_bytes(BANDED.read_bytes())  # no longer what it was
    assert find(digest, packed) is None and looked


# --- in the file --------------------------------------------------------------------------------


def test_a_file_with_its_profile_decodes_anywhere(packed: Path, tmp_path: Path) -> None:
    whole, dump = tmp_path / "whole.fcz", packed.with_suffix(".safetensors")
    command = ["encode", dump, "--snr", "10", "-p", DIGITS]
    assert run(*command, "--embed-profile", "-o", whole).status == 0
    added = whole.stat().st_size - packed.stat().st_size
    assert DIGITS.stat().st_size <= added <= DIGITS.stat().st_size + 40
    assert json.loads(run("info", "--json", whole).out)["profile_at"] == "embedded"
    wanted = load_file(packed, profile=DIGITS)["features"]
    np.testing.assert_array_equal(load_file(whole)["features"], wanted)
    np.testing.assert_array_equal(load(whole.read_bytes())["features"], wanted)
    assert run("embed", packed, "-p", DIGITS).status == 0
    assert packed.read_bytes() == whole.read_bytes()
    assert "it holds its profiles" in run("embed", packed).err
    assert packed.read_bytes() == whole.read_bytes()


def test_the_rate_counts_the_profile(packed: Path, tmp_path: Path) -> None:
    dump, out = packed.with_suffix(".safetensors"), tmp_path / "out.fcz"
    values = 20 * 64 * 4 * 4
    bpfp = 8 * 14000 / values
    options = ["--bpfp", bpfp, "-p", DIGITS, "--embed-profile"]
    assert run("encode", dump, "-o", out, *options).status == 0
    assert out.stat().st_size <= 14000 and b"prof" in out.read_bytes()


def test_a_file_that_needs_none_gets_none(packed: Path, tmp_path: Path) -> None:
    dump, out = packed.with_suffix(".safetensors"), tmp_path / "out.fcz"
    options = Options(embed=True)
    encode_file(dump, out, Quality(lossless=True), profile=Profile.load(DIGITS), options=options)
    before = out.read_bytes()
    assert b"prof" not in before
    assert "it needs no profile" in run("embed", out).err and out.read_bytes() == before


def test_what_cannot_be_embedded_is_said_and_nothing_changes(packed: Path, tmp_path: Path) -> None:
    before = packed.read_bytes()
    assert "needs the profile" in run("embed", packed).failed(4)
    assert "needs the profile" in run("embed", packed, "-p", BANDED).failed(4)
    cut = tmp_path / "cut.fcz"
    cut.write_bytes(before[:-1])
    run("embed", cut, "-p", DIGITS).failed(3)
    assert packed.read_bytes() == before and cut.read_bytes() == before[:-1]
    assert "standard input" in run("embed", "-", stdin=before).failed(1)


# --- the command --------------------------------------------------------------------------------


def test_a_profile_is_added_listed_shown_named_and_removed(packed: Path, tmp_path: Path) -> None:
    assert "added as digits" in run("profiles", "add", DIGITS).err
    assert "there already" in run("profiles", "add", DIGITS).err
    listed = [line.split()[0] for line in run("profiles").out.decode().splitlines()]
    assert listed == ["caufc", "digits"]
    found = [json.loads(line) for line in run("profiles", "list", "--json").out.splitlines()]
    assert [one["name"] for one in found] == listed
    assert found[1]["sha256"] == Profile.load("digits").digest.hex()
    shown = run("profiles", "show", "digits").out.decode()
    assert found[1]["sha256"] in shown and str(user_folder()) in shown
    dump, out = packed.with_suffix(".safetensors"), tmp_path / "named.fcz"
    assert run("encode", dump, "-p", "digits", "--snr", "10", "-o", out).status == 0
    assert out.read_bytes() == packed.read_bytes()
    assert "--name" in run("profiles", "add", BANDED, "--name", "digits").failed(1)
    assert run("profiles", "add", BANDED, "--name", "digits", "-f").status == 0
    assert (user_folder() / "digits.fcp").read_bytes() == BANDED.read_bytes()
    assert run("profiles", "remove", "digits").status == 0
    assert not list(user_folder().iterdir())
    assert "'digits'" in run("profiles", "remove", "digits").failed(1)


def test_what_is_no_profile_is_not_added(packed: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.fcp"
    data = bytearray(DIGITS.read_bytes())
    data[200] ^= 1
    damaged.write_bytes(data)
    for path in (packed, damaged, tmp_path / "none.fcp", tmp_path):
        assert str(path) in run("profiles", "add", path, "--name", "x").failed(1)
    assert not user_folder().exists() or not list(user_folder().iterdir())
    run("profiles", "add", DIGITS, BANDED, "--name", "x").misused()
    run("profiles", "show", packed).failed(1)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "-x", "a\nb", "caufc", "/x"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="--name"):
        own(name)


@given(st.text(max_size=20))
def test_a_profile_never_lands_outside_of_the_user_s_folder(name: str) -> None:
    try:
        target = own(name)
    except InvalidInput:
        return
    assert target.parent == user_folder() and target.name == f"{name}.fcp"


def test_a_built_in_name_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(DIGITS, tmp_path / "caufc.fcp")
    monkeypatch.setenv(profiles.SEARCH_PATH, str(tmp_path))
    assert named()["caufc"] == profiles.built_in()["caufc"]
    assert find(Profile.load(DIGITS).digest) == tmp_path / "caufc.fcp"
