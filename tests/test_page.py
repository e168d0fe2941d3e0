"""`featcodec info --html`: one page that shows whatever tensors there are."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from featcodec import Codec, Profile

from .test_cli import run

pytest.importorskip("matplotlib")

rng = np.random.default_rng(0)
NAME = "<b>$x$ & ü"  # to be drawn and written as it is
TENSORS = {
    NAME: rng.normal(size=(20, 8, 6, 6)).astype(np.float16),
    "tokens": rng.normal(size=(4, 17, 32)).astype(np.float32).cumsum(axis=1),
    "heads": (rng.normal(size=(9, 3, 24)) * [[1], [9], [80]]).astype(np.float32),
    "broken": np.where(rng.random((30, 12)) < 0.1, np.nan, rng.normal(size=(30, 12))),
    "endless": np.full((16, 8), np.inf, np.float32),
    "constant": np.ones((40, 16), np.float32),
    "huge": rng.normal(size=(30, 12)) * 1e200,
    "empty": np.zeros((0, 4), np.float32),
    "scores": rng.normal(size=20).astype(np.float32),
    "labels": np.arange(20),
}


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    save_file(TENSORS, tmp_path / "x.safetensors", {"model": "<script>"})
    return tmp_path / "x.safetensors"


def test_a_page_shows_every_tensor_of_a_file_and_of_a_dump(dump: Path) -> None:
    coded, out = dump.with_suffix(".fcz"), dump.with_name("x.html")
    assert run("encode", dump, "-o", coded).status == 0
    done = run("info", "--html", "-v", coded, dump, "-o", out)
    assert done.status == 0 and done.err == "" and done.out == b""
    page = out.read_text()
    for outside in ("<script", "<link", "<img", "@import", 'src="', "<b>"):
        assert outside not in page
    assert page.count("&lt;b&gt;$x$ &amp; ü") >= 5  # in tables, headings and a drawing
    for name in TENSORS.keys() - {NAME}:
        assert page.count(name) >= 2
    said = (json.loads(run("info", "--json", path).out)["tensors"] for path in (coded, dump))
    groups = sum(len({one["group"] for one in ts if one["layout"]}) for ts in said)
    assert page.count("share of values") == page.count("<h3>") == groups > 3
    assert "error, 20.0 dB" in page and page.count("Bytes of tensors") == 1
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(set(ids)) == len(ids)
    used = set(re.findall(r'(?:url\(|href=")#([^")]*)', page))
    assert used <= set(ids)


def test_a_page_goes_to_standard_output_and_comes_from_a_pipe(dump: Path) -> None:
    done = run("info", "--html", "-", stdin=dump.read_bytes())
    assert done.status == 0 and done.out.startswith(b"<!DOCTYPE html>")


def test_what_cannot_be_shown_leaves_no_page(dump: Path, profile: Profile) -> None:
    out, message, coder = (dump.with_name(name) for name in ("x.html", "m", "p.fcp"))
    coder.write_bytes(Profile.pack(profile.entries))
    values = rng.normal(size=(1, *TENSORS["tokens"].shape[1:])).astype(np.float32)
    message.write_bytes(Codec(profile, lossless=True).encode(values))
    for path, said in (
        (coder, "is a profile"),
        (message, "is not a featcodec file"),
        (dump.with_name("none"), "no such file"),
    ):
        done = run("info", "--html", path, "-o", out)
        assert done.status and said in done.err.lower() and done.err.count("\n") == 1
        assert not out.exists()
    out.write_bytes(b"mine")
    done = run("info", "--html", dump, "-o", out)
    assert done.status == 1 and "use --force" in done.err and out.read_bytes() == b"mine"
    for words in (
        ["--html", "--json", dump], ["--html", "--message", message], ["-o", out, dump],
        ["--html", dump, "-o", dump, "-f"],
    ):  # fmt: skip
        assert run("info", *words).status == 2
    assert run("info", "--html", dump, "-o", out, "-f").status == 0
    assert out.read_bytes().startswith(b"<!DOCTYPE html>")
