"""Qualities by name: the first pattern that matches a name says what comes back."""

import io
import math
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import featcodec.numpy as fc
from featcodec import Quality, encode_file, rules
from featcodec.container.source import Memory
from featcodec.encoding.dump import encode
from featcodec.errors import InvalidInput, VerificationFailed
from featcodec.request import Options
from featcodec.verification import verify

ASKED = {"snr:25": 25.0, "snr:12": 12.0, "max-error:0.05": None, "lossless": None, "drop": None}
NAMES = [f"{kind}.{i}" for kind in ("k", "v") for i in range(2)]


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(16, 24)).astype(np.float32) for name in NAMES}


def snr(values: np.ndarray, decoded: np.ndarray) -> float:
    noise = float(((values - decoded).astype(np.float64) ** 2).sum())
    return 10 * math.log10(float(((values - values.mean()) ** 2).sum()) / noise)


# --- what is asked for is what comes back -------------------------------------------------------

patterns = st.sampled_from(["k.*", "v.*", "*.0", "[kv].1", "k.0", "?.?", "*", "w*"])


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:no tensor has a name like")
@settings(max_examples=30)
@given(asked=st.dictionaries(patterns, st.sampled_from(sorted(ASKED)), max_size=3))
def test_the_first_pattern_that_matches_holds(asked: dict[str, str]) -> None:
    given = tensors()
    if all(_quality(name, asked) == "drop" for name in given):
        with pytest.raises(InvalidInput, match="nothing is left"):
            fc.save(given, rules=asked)
        return
    back = fc.load(fc.save(given, rules=asked, snr=6, layout="LD"))
    for name, values in given.items():
        text = next((text for p, text in asked.items() if fnmatchcase(name, p)), "snr:6")
        if text == "drop":
            assert name not in back
        elif text == "lossless":
            assert back[name].tobytes() == values.tobytes()
        elif text.startswith("max-error"):
            assert np.abs(back[name] - values).max() <= 0.05
        else:
            same = [n for n in back if _quality(n, asked) == text]
            ours, theirs = (np.concatenate([d[n] for n in same]) for d in (given, back))
            wanted = float(text.partition(":")[2])
            assert wanted - 0.02 <= snr(ours, theirs) <= wanted + 1.5


def _quality(name: str, asked: dict[str, str]) -> str:
    return next((text for p, text in asked.items() if fnmatchcase(name, p)), "snr:6")


def test_what_is_lossless_has_loss_where_it_is_asked_for() -> None:
    given = tensors()
    back = fc.load(fc.save(given, rules={"k.*": "snr:10"}, lossless=True))
    for name, values in given.items():
        assert (back[name].tobytes() == values.tobytes()) == name.startswith("v")


@pytest.mark.parametrize(
    ("axes", "usual", "asked"),
    [
        ("KLD", {"lossless": True}, "snr:10"),
        ("NKLD", {"lossless": True}, "max-error:0.1"),
        ("KLD", {"snr": 30.0}, "max-error:0.1"),
    ],
)
def test_layers_have_a_quality_of_their_own_in_any_file(axes: str, usual: dict, asked: str) -> None:
    layers = tensors()["k.0"] * np.array([1, 3, 9], np.float32)[:, None, None]
    given = {"kv": layers if axes == "KLD" else np.stack([layers, -layers]), **tensors()}
    dump = fc.Arrays({name: fc.to_stored(x) for name, x in given.items()}, None)
    options = Options(layouts={"kv": axes}, rules={"kv": asked}, effort="fast")
    quality = Quality(**usual)
    out = io.BytesIO()
    encode(dump, out, quality, None, options)
    verify(dump, Memory(out.getvalue()), quality, rules=options.rules)
    back = fc.load(out.getvalue())
    assert back["kv"].tobytes() != given["kv"].tobytes()
    assert (back["k.1"].tobytes() == given["k.1"].tobytes()) == ("lossless" in usual)


def test_a_rate_is_that_of_the_file_with_what_is_exact() -> None:
    data = fc.save(tensors(), rules={"k.0": "lossless"}, bpfp=10)
    assert 9.8 <= 8 * len(data) / (4 * 16 * 24) <= 10
    assert fc.load(data)["k.0"].tobytes() == tensors()["k.0"].tobytes()


def test_a_vector_that_is_named_is_features() -> None:
    scores = np.random.default_rng(1).normal(size=2000).astype(np.float32)
    given = {"x": np.random.default_rng(0).normal(size=(2000, 8)).astype("f4"), "scores": scores}
    for asked, exact in (({}, True), ({"s*": "snr:10"}, True), ({"scores": "snr:10"}, False)):
        back = fc.load(fc.save(given, rules=asked))["scores"]
        assert (back.tobytes() == scores.tobytes()) == exact


@pytest.mark.filterwarnings("ignore:no tensor has a name like")
def test_without_rules_nothing_changes() -> None:
    assert fc.save(tensors(), rules={"w*": "drop"}) == fc.save(tensors())


def test_the_neural_transform_bounds_no_single_error() -> None:
    with pytest.raises(InvalidInput, match="bounds no single error"):
        fc.save(tensors(), transform="neural", rules={"k.*": "max-error:1"})


def test_verification_knows_the_rules() -> None:
    given, out = fc.Arrays({n: (v, "F32") for n, v in tensors().items()}, None), io.BytesIO()
    asked = {"k.*": "snr:20", "v.1": "drop", "v.*": "lossless"}
    encode(given, out, Quality(snr=5), options=Options(rules=asked))
    written = Memory(out.getvalue())
    verify(given, written, Quality(snr=5), rules=asked)
    for other in ({}, {**asked, "k.*": "snr:21"}, {**asked, "k.*": "lossless"}, {"k.*": "snr:20"}):
        with pytest.raises(VerificationFailed):
            verify(given, written, Quality(snr=5), rules=other)


def test_a_pattern_that_matches_nothing_is_said(tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "x.safetensors")
    asked = {"k.*": "lossless", "k.0": "drop", "w*": "snr:3"}
    options = Options(rules=asked)
    report = encode_file(tmp_path / "x.safetensors", tmp_path / "x.fcz", options=options)
    assert report.remarks == ("no tensor has a name like 'w*'",)


# --- files --------------------------------------------------------------------------------------


def test_a_file_of_rules_is_looked_up_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('drop = ["d*"]\nexact = ["m*"]\n[quality]\n"k.*" = "snr:30"\n"*" = "snr:9"\n')
    found = rules.load(str(path))
    assert list(found.items()) == [
        ("d*", "drop"), ("m*", "lossless"), ("k.*", "snr:30"), ("*", "snr:9"),
    ]  # fmt: skip


WRONG = {
    '[quality]\n"a" = 3': "quality.'a' must be a text, snr:DB, .* not 3",
    '[quality]\n"a" = "snr"': "quality.'a': snr takes a positive number, not ''",
    '[quality]\n"a" = "snr:0"': "quality.'a': snr takes a positive number, not '0'",
    '[quality]\n"a" = "bpfp:1"': "quality.'a': a rate is that of the whole file",
    '[quality]\n"a" = "best"': "quality.'a' must be snr:DB, .* not 'best'",
    '[quality]\n"a" = best': "line 2",
    "[qualities]": "unknown key 'qualities'; use exact, drop, quality",
    'exact = "a"': "exact must be a list of patterns, not 'a'",
    "drop = [1]": "drop must be a list of patterns",
    "quality = 1": "quality must be a table",
    'drop = ["a"]\nexact = ["a"]': "exact: 'a' is given twice",
    "\xff": "it is no text",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_of_rules_is_one_line_that_names_the_key(text: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidInput, match=WRONG[text]) as error:
        rules.load(str(path))
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


# --- the shell ----------------------------------------------------------------------------------


def shell(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "featcodec", "encode", "x.safetensors", "-f", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_order_of_options_is_that_of_the_rules(tmp_path: Path) -> None:
    given = tensors()
    save_file(given, tmp_path / "x.safetensors")
    (tmp_path / "rules.toml").write_text('exact = ["k.1", "v.0"]\n[quality]\n"v.1" = "snr:40"\n')
    done = shell(
        tmp_path, "--exact=k.0", "--quality", "v.0=snr:10", "--drop", "[v]*0", "--drop", "[k]*0",
        "--rules", "rules.toml", "--verify",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    back = fc.load_file(tmp_path / "x.fcz")
    assert sorted(back) == sorted(given)
    assert back["k.0"].tobytes() == given["k.0"].tobytes()
    assert back["k.1"].tobytes() == given["k.1"].tobytes()
    assert 10 <= snr(given["v.0"], back["v.0"]) < 12
    assert 40 <= snr(given["v.1"], back["v.1"]) < 42


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--quality", "a"], "--quality takes PATTERN=QUALITY, such as 'features=snr:30', not 'a'"),
        (["--quality", "a=snr:x"], "--quality a=snr:x: snr takes a positive number, not 'x'"),
        (["--quality", "a=bpfp:1"], "a rate is that of the whole file"),
        (["--exact", "a", "--drop", "a"], "two qualities are asked for 'a'"),
        (["--exact"], "requires an argument"),
        (["--rules", "none.toml"], "none.toml: No such file"),
    ],
)
def test_wrong_rules_are_a_usage_error(arguments: list[str], says: str, tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "x.safetensors")
    done = shell(tmp_path, *arguments)
    assert done.returncode == 2 and says in done.stderr
    assert not (tmp_path / "x.fcz").exists()


def test_dropped_tensors_are_gone(tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "x.safetensors")
    assert shell(tmp_path, "--quality", "k.0=lossless", "--drop", "*").returncode == 0
    command = [sys.executable, "-m", "featcodec", "decode", "x.fcz", "-o", "y.safetensors"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert list(load_file(tmp_path / "y.safetensors")) == ["k.0"]
