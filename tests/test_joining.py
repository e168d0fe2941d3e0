"""Files that grow: appended to, and joined without coding anew."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec import Profile, encode_file, safe_open
from featcodec.cli.info import describe
from featcodec.cli.main import main
from featcodec.joining import append_file, concat_files
from featcodec.request import Options

from .internals import row_groups

Arrays = dict[str, np.ndarray]
LAYOUTS = ["NNLD", "NLCD", "LNCD", "CDLN", "NKLD", "KNLD", "NCHW", "DLHW"]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def features(count: int, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3, 12, 8)).cumsum(3).astype(np.float32)
    return {"x": x, "y": rng.integers(0, 9, count), "s": np.ones((count, 2), np.float16)}


def joined(files: list[bytes], folder: Path) -> bytes:
    paths = [folder / f"{i}.fcz" for i in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    size = concat_files(paths, folder / "all.fcz", overwrite=True)
    found = (folder / "all.fcz").read_bytes()
    assert len(found) == size
    return found


def assert_joined(data: bytes, files: list[bytes]) -> None:
    """Assert that a file has what others have one after the other, bit for bit."""
    back, dump = fc.load(data), reference.decode(data)
    parts = [fc.load(one) for one in files]
    for name in dict.fromkeys(name for part in parts for name in part):
        whole = np.concatenate([part[name] for part in parts if name in part])
        np.testing.assert_array_equal(back[name], whole)
        assert list(back) == list(dump.tensors)
        theirs = np.frombuffer(dump.tensors[name].data, whole.dtype).reshape(whole.shape)
        np.testing.assert_allclose(theirs, whole, rtol=1e-2, atol=1e-3)


# ---- Files joined --------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("quality", [{"snr": 12}, {"max_error": 0.1}, {"lossless": True}])
def test_joined_files_have_the_tensors_one_after_the_other(
    layout: str, quality: dict, tmp_path: Path
) -> None:
    with row_groups(values=700, exact=500):
        files = [fc.save(features(n, n), layout={"x": layout}, **quality) for n in (5, 1, 8)]
    data = joined(files, tmp_path)
    assert_joined(data, files)
    assert len(data) < sum(map(len, files)) + 64
    with safe_open(tmp_path / "all.fcz") as file:
        whole, rows = file.get_tensor("x"), file.get_slice("x")
        for index in (0, 5, -1, slice(3, 7), slice(4, 6), slice(None)):
            np.testing.assert_array_equal(rows[index], whole[index])


DUMPS = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 4), min_size=1), min_size=1, max_size=4
)


@settings(max_examples=25, deadline=None)
@given(dumps=DUMPS)
def test_names_and_lengths_of_any_kind_are_joined(
    dumps: list[dict[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(0)
    kinds = {"a": np.float32, "b": np.int64, "c": np.int64, "d": np.float16}
    files = [
        fc.save(
            {k: rng.integers(0, 9, (n, 3)).astype(kinds[k]) for k, n in sorted(dump.items())},
            lossless=True,
        )
        for dump in dumps
    ]
    assert_joined(joined(files, tmp_path_factory.mktemp("files")), files)


def test_one_file_alone_stays_as_it_is(tmp_path: Path) -> None:
    data = fc.save(features(9), {"a": "b"}, snr=12)
    assert joined([data], tmp_path) == data


def test_joined_files_are_joined_again(tmp_path: Path) -> None:
    files = [fc.save(features(n, n), layout={"x": "NLCD"}, snr=12) for n in (5, 1, 8)]
    twice = joined([joined(files[:2], tmp_path), files[2]], tmp_path)
    assert twice == joined(files, tmp_path)


def test_metadata_of_the_first_file_stay(tmp_path: Path) -> None:
    files = [
        fc.save(features(2), metadata)
        for metadata in (None, {"a": "1", "b": "2"}, {"b": "3", "c": "4"})
    ]
    joined(files, tmp_path)
    with safe_open(tmp_path / "all.fcz") as file:
        assert file.metadata() == {"a": "1", "b": "2", "c": "4"}


def test_profiles_in_files_stay_in_them(tmp_path: Path, digits: Path, profile_file: Path) -> None:
    [alone, twice] = [tmp_path / "alone.fcz", tmp_path / "twice.fcz"]
    options = Options(embed=True)
    profile = Profile.load(profile_file)
    encode_file(digits / "vit_eval.safetensors", alone, profile=profile, options=options)
    concat_files([alone, alone], twice)
    append_file(alone, [digits / "vit_eval.safetensors"])
    for path in (alone, twice):
        assert len(fc.load_file(path)["features"]) == 720
        assert path.stat().st_size > 2 * profile_file.stat().st_size


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        ({"x": np.ones((3, 4))}, {"x": np.ones((3, 5))}, "is F64 [3, 4] in a.fcz and F64 [3, 5]"),
        ({"x": np.ones((3, 4))}, {"x": np.ones((3, 4), "f4")}, "only the leading axis may differ"),
        ({"x": np.ones((3, 4))}, {"x": np.ones((3, 4, 1))}, "give one of them another name"),
        ({"x": np.float32(1)}, {"x": np.float32(1)}, "is F32 [] in a.fcz and F32 [] in b.fcz"),
        (
            {"x": np.arange(3), "y": np.arange(4)},
            {"y": np.arange(4), "x": np.arange(3)},
            "stand in one order in one file and in another in the next",
        ),
    ],
)
def test_what_cannot_be_joined_is_said_in_one_line(
    one: Arrays,
    two: Arrays,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    fc.save_file(one, "a.fcz", lossless=True)
    fc.save_file(two, "b.fcz", lossless=True)
    assert run("concat", "a.fcz", "b.fcz", "-o", "c.fcz") == 1
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.fcz", "b.fcz"]


def test_a_damaged_file_is_not_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = fc.save(features(9), snr=12)
    Path("a.fcz").write_bytes(data)
    for faulty in (data[:-1], data[:40] + bytes((data[40] ^ 1,)) + data[41:]):
        Path("b.fcz").write_bytes(faulty)
        assert run("concat", "a.fcz", "b.fcz", "-o", "c.fcz") == 3
        assert not Path("c.fcz").exists()


# ---- Files appended to ---------------------------------------------------------------------------


def test_what_is_appended_is_coded_as_the_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kinds = {"a": {"snr": 12.0}, "b": {"max_error": 0.1}, "c": {"lossless": True}}
    for name, quality in kinds.items():
        first, more = features(40), {**features(30, 1), "z": features(20, 2)["x"]}
        fc.save_file(first, f"{name}.fcz", layout={"x": "NLCD"}, **quality)
        before = fc.load_file(f"{name}.fcz")
        save_file(more, "more.safetensors")
        assert run("append", f"{name}.fcz", "more.safetensors", "-q") == 0
        back = fc.load_file(f"{name}.fcz")
        np.testing.assert_array_equal(back["x"][:40], before["x"])
        np.testing.assert_array_equal(back["y"], np.append(first["y"], more["y"]))
        for mine, theirs in ((more["x"], back["x"][40:]), (more["z"], back["z"])):
            error = np.abs(mine - theirs)
            assert error.max() <= quality.get("max_error", 0.0 if name == "c" else 99)
            if name == "a":
                reached = 10 * np.log10(mine.var() / np.square(error).mean())
                assert 12 <= reached < 12.5
        described = {one["name"]: one for one in describe(f"{name}.fcz")["tensors"]}
        assert described["x"]["shape"] == [70, 3, 12, 8] and described["x"]["parts"] == 2
        assert described["x"]["layout"] == (None if name == "c" else "NLCD")


def test_a_quality_that_is_told_holds_for_what_is_appended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fc.save_file(features(40), "a.fcz", snr=12)
    save_file(features(30, 1), "more.safetensors")
    assert run("append", "a.fcz", "more.safetensors", "--exact", "x") == 0
    np.testing.assert_array_equal(fc.load_file("a.fcz")["x"][40:], features(30, 1)["x"])
    assert run("append", "a.fcz", "more.safetensors", "--max-error", "0.01") == 0
    error = fc.load_file("a.fcz")["x"][70:] - features(30, 1)["x"]
    assert np.abs(error).max() <= 0.01


@pytest.mark.long
def test_layers_that_are_cut_apart_stay_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 3, 32, 8)) @ rng.normal(size=(8, 8))
    x *= 8.0 ** np.arange(3)[:, None, None]
    fc.save_file({"x": x}, tmp_path / "a.fcz", layout="NKLD", snr=12)
    save_file({"x": x[:, ::-1].copy()}, tmp_path / "more.safetensors")
    append_file(tmp_path / "a.fcz", [tmp_path / "more.safetensors"] * 2)
    [tensor] = describe(str(tmp_path / "a.fcz"))["tensors"]
    assert (tensor["parts"], tensor["layout"]) == (9, "NKLD")
    assert fc.load_file(tmp_path / "a.fcz")["x"].shape == (36, 3, 32, 8)


@pytest.mark.parametrize(
    ("dump", "status", "message"),
    [
        ({"x": np.ones((3, 4), np.float32)}, 1, "only the leading axis may differ"),
        (None, 1, "none.safetensors: No such file"),
    ],
)
def test_a_file_stays_whole_where_nothing_can_be_appended(
    dump: Arrays | None,
    status: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    fc.save_file(features(4), "a.fcz", snr=12)
    before = Path("a.fcz").read_bytes()
    name = "none.safetensors" if dump is None else "more.safetensors"
    if dump is not None:
        save_file(dump, name)
    assert run("append", "a.fcz", name) == status
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert Path("a.fcz").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {"a.fcz", "more.safetensors"}
