"""`featcodec suggest`: one quality, what it goes by, and that it keeps what it says."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from featcodec.training import measured

from .test_cli import run

ROOT = Path(__file__).parents[1]


@pytest.fixture
def dump(digits: Path, tmp_path: Path) -> Path:
    """A few samples of real features with their labels."""
    found = {n: t[:40] for n, t in load_file(digits / "vit_eval.safetensors").items()}
    save_file(found, tmp_path / "vit_eval.safetensors", {"layout": "NLD"})
    return tmp_path / "vit_eval.safetensors"


@given(st.floats(0.005, 1))
def test_all_measured_tasks_kept_up_at_the_least_snr_and_at_no_lower_one(keep: float) -> None:
    least = measured.least(keep)
    assert least is not None and all(max(pair) <= keep for pair in least.losses)
    below = [one for one in measured.measured() if one.snr < least.snr]
    assert all(one.kept(keep) < len(one.losses) and one.worst > keep for one in below)


def test_what_tasks_lost_is_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tests" / "benchmarks")
    results = importlib.import_module("results")
    assert measured.DATA.read_text() == results.lost(), "run tests/benchmarks/results.py"


def test_without_a_task_it_is_said_that_others_were_measured(dump: Path) -> None:
    done = run("suggest", dump)
    least = measured.least(0.01)
    assert least is not None and done.status == 0 and done.out == f"--snr {least.snr:g}\n".encode()
    [chosen] = [line for line in done.err.splitlines() if line.endswith("<-")]
    assert chosen.split()[:2] == [f"{least.snr:g}", "dB"]
    assert f"{len(least.losses)} of {len(least.losses)}" in chosen
    assert "features of other networks" in done.err and "--task or --head" in done.err
    again = run("suggest", "-q", dump)
    assert (again.out, again.err) == (done.out, "")
    assert run("encode", dump, *done.out.decode().split()).status == 0


@pytest.mark.long
def test_rates_are_those_of_readme_and_the_same_with_any_number_of_processes(dump: Path) -> None:
    one, two = (run("suggest", dump, "-j", jobs) for jobs in (1, 2))
    assert one.status == 0 and (one.out, one.err) == (two.out, two.err)
    least = measured.least(0.01)
    assert least is not None
    shown = [line.split()[0] for line in one.err.splitlines()[1:-2]]
    assert shown == [f"{snr:g}" for snr in sorted({5, 10, 20, 30, least.snr})]
    [rate] = [line.split()[2] for line in one.err.splitlines() if line.endswith("<-")]
    encoded = run("encode", dump, *one.out.decode().split(), "-o", dump.with_name("x.fcz"))
    assert f"  {rate} bpfp  " in encoded.err


def test_without_the_table_nothing_is_encoded(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("featcodec.encoding.dump.encode", None)
    assert run("suggest", "-q", dump).status == 0
    assert "internal error" in run("suggest", "-j", "1", dump).failed(1)


def test_the_quality_of_a_task_keeps_it_and_the_next_lower_tried_does_not(
    dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    (dump.parent / "rest_of_it.py").write_text(
        "import torch\n"
        "weights = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))\n"
        "def logits(stem, x):\n    return x.float().mean(1) @ weights\n"
        "def agrees(stem, tensors):\n"
        "    return tensors['features'].float().std().item()\n"
        "def none(stem, tensors):\n    return None\n"
    )
    monkeypatch.chdir(dump.parent)
    for how in (["--head", "rest_of_it:logits"], ["--task", "rest_of_it:agrees"]):
        done = run("suggest", dump, *how, "--keep", "0.02")
        assert done.status == 0, done.err
        lost = {}
        for line in done.err.splitlines()[1:-1]:
            snr, _, _, _, most, *_ = line.split()
            lost[float(snr)] = float(most)
        assert list(lost) == sorted(lost)
        found = float(done.out.split()[1])
        assert lost[found] <= 0.02
        assert max((lost[snr] for snr in lost if snr < found), default=1.0) > 0.02
    assert "it returns None" in run("suggest", dump, "--task", "rest_of_it:none").failed(1)


@pytest.mark.parametrize(
    ("keep", "meant"), [("0.99", "0.01"), ("0.6", "0.4"), ("1", "0.01"), ("95", "0.01")]
)
def test_a_share_that_is_to_stay_is_not_taken_for_a_loss_in_silence(keep: str, meant: str) -> None:
    asked = f"{keep} is most of a score, or all: to lose at most {meant}, give --keep {meant}"
    train = ("train", "nothing.npy", "-o", "p.fcp", "--head", "no:such", "--keep", keep)
    for line in (("suggest", "nothing.npy", "--keep", keep), train):
        assert run(*line).err.count(asked) == 1
        assert asked not in run(*line, "-q").err


@pytest.mark.parametrize("line", [["--keep", "0.5"], ["--keep", "5", "--task", "no:such"], []])
def test_a_loss_that_may_be_meant_is_taken_as_it_is(line: list[str]) -> None:
    assert "most of a score" not in run("suggest", "nothing.npy", *line).err


def test_what_makes_no_sense_is_refused(dump: Path, tmp_path: Path) -> None:
    assert "choose one" in run("suggest", dump, "--task", "a:b", "--head", "c:d").misused()
    assert "--keep must be a positive number" in run("suggest", dump, "--keep", "0").misused()
    assert "Missing argument" in run("suggest").misused()
    assert "is of --head" in run("suggest", dump, "--outputs", "embedding").misused()
    assert "nothing.safetensors" in run("suggest", tmp_path / "nothing.safetensors").failed(1)
    save_file({"ids": np.arange(9)}, tmp_path / "ids.safetensors")
    for how in ([], ["-q"]):
        assert "no features" in run("suggest", tmp_path / "ids.safetensors", *how).failed(1)
    assert "-j takes a number" in run("suggest", dump, "-j", "-1").misused()
