"""The quality that a profile recommends: found on samples held out, taken when none is asked."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import featcodec.numpy as fc
from featcodec import Profile
from featcodec.cli.main import main
from featcodec.container.reader import Reader
from featcodec.container.source import Memory
from featcodec.numpy import Arrays
from featcodec.request import Options, Quality

pytest.importorskip("torch")
import torch

from featcodec.encoding.tensors.group import Group
from featcodec.encoding.tensors.grouping import group_tensors
from featcodec.errors import InvalidInput
from featcodec.fidelity import Outputs
from featcodec.sensitivity import sensitivity
from featcodec.training.halves import PARTS, Divided
from featcodec.training.head import Head
from featcodec.training.judges import ByHeads, ByScore
from featcodec.training.linear import train
from featcodec.training.metric import TaskGradients
from featcodec.training.recommend import (
    FINE,
    HIGHEST,
    LOWEST,
    Loss,
    Recommendation,
    bound,
    joined,
    least_that,
)

rng = np.random.default_rng
Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs a command, which ends with a status, and returns what it says."""

    def command(*args: object, status: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        said = capsys.readouterr()
        assert ended.value.code == status, said.err
        return said.out + said.err

    return command


# ---- The search ---------------------------------------------------------------------------------


@given(st.floats(0, HIGHEST - 8))
def test_the_least_quality_that_keeps_a_task_is_found(threshold: float) -> None:
    asked: list[float] = []

    def keeps(snr: float) -> bool:
        asked.append(snr)
        return snr >= threshold

    found = least_that(keeps)
    assert found is not None and keeps(found)
    assert found == LOWEST or found - FINE < threshold
    assert len(asked) <= 22


def test_what_is_kept_by_luck_is_not_taken() -> None:
    assert least_that(lambda snr: snr == 5.0 or snr > 20) == pytest.approx(20.5, abs=FINE)
    assert least_that(lambda snr: False) is None


@given(st.floats(0, 0.1), st.floats(1e-4, 0.1), st.integers(1, 5))
def test_more_dumps_need_less_margin(mean: float, error: float, count: int) -> None:
    one = Loss(mean, error, 100)
    assert mean < bound([one] * (count + 1)) < bound([one] * count)


# ---- Halves of samples --------------------------------------------------------------------------


def divided(arrays: dict[str, np.ndarray], layout: str, place: float = 0.0) -> Divided:
    source = Arrays({name: (a, "F32") for name, a in arrays.items()}, {"layout": layout})
    groups = group_tensors(source, Options(), lossless=False)
    return Divided.of(source, [g for g in groups if isinstance(g, Group)], place)


def features(seed: int, *shape: int) -> np.ndarray:
    return rng(seed).normal(size=shape).astype(np.float32)


def tensors(half: object) -> dict[str, torch.Tensor]:
    return {t.name: torch.from_numpy(np.array(t.array())) for t in half.tensors}  # type: ignore


@given(st.lists(st.integers(2, 70), min_size=1, max_size=3))
@settings(max_examples=20, deadline=None)
def test_each_sample_lies_in_one_half(rows: list[int]) -> None:
    arrays = {str(i): features(i, n, 3, 8) for i, n in enumerate(rows)}
    dump = divided(arrays, "NLD")
    first, second = (tensors(dump.half(each)) for each in (False, True))
    for name, array in arrays.items():
        assert 0 < len(first[name]) < len(array)
        np.testing.assert_array_equal(joined([first, second])[name], array)
        np.testing.assert_array_equal(tensors(dump.whole)[name], array)


@given(st.integers(2, 50))
@settings(max_examples=20, deadline=None)
def test_tensors_without_an_axis_of_samples_are_samples(count: int) -> None:
    arrays = {f"{i:02}": features(i, 4, 8) for i in range(count)}
    dump = divided(arrays, "LD")
    first, second = (tensors(dump.half(each)) for each in (False, True))
    assert first and second and not first.keys() & second.keys()
    assert tensors(dump.whole).keys() == arrays.keys()
    assert joined([first, second]).keys() == arrays.keys()


def test_a_dump_of_one_sample_goes_to_a_half_of_its_own() -> None:
    dumps = [divided({"x": features(i, 30, 8)}, "LD", place=i / 4) for i in range(4)]
    assert [len(dump.half(True).tensors) for dump in dumps] == [0, 0, 1, 1]


@pytest.mark.parametrize("draws", [(), (3,)])
def test_gradients_are_halved_as_features_are(draws: tuple[int, ...]) -> None:
    dump = divided({"x": features(1, 31, 4, 8)}, "NLD")
    gradients = features(2, *draws, 31, 4, 8)
    source = Arrays({"x": (gradients, "F32")}, None)
    halves = [tensors(dump.half(each).gradients(source))["x"] for each in (False, True)]
    np.testing.assert_array_equal(torch.cat(halves, len(draws)), gradients)


def test_parts_decoded_one_by_one_are_all_that_is_decoded() -> None:
    dump = divided({"x": features(1, 45, 4, 8), "y": features(2, 45, 4, 8)}, "NLD")
    decoded = {name: tensor + 1 for name, tensor in dump.clean.items()}
    changed = {name: torch.zeros(tensor.shape) for name, tensor in decoded.items()}
    for part in dump.occupied:
        for name, tensor in dump.with_part(decoded, part).items():
            changed[name] += tensor - dump.clean[name]
    assert len(dump.occupied) == PARTS
    for tensor in changed.values():
        torch.testing.assert_close(tensor, torch.ones(tensor.shape), atol=1e-5, rtol=0)


# ---- What is lost -------------------------------------------------------------------------------


def test_without_labels_a_loss_is_that_of_labels_drawn_from_the_clean_outputs() -> None:
    outputs = Outputs(lambda x: x, "classes", {"x": True})
    clean, decoded = (torch.from_numpy(features(i, 400, 5)) for i in (1, 2))
    losses = outputs.losses(outputs.of({"x": clean}), outputs.of({"x": decoded}))
    told = torch.stack([clean.argmax(1), decoded.argmax(1)], 1)
    drawn = torch.multinomial(clean.softmax(1).gather(1, told), 2000, replacement=True)
    labels = told.gather(1, drawn)
    right = [(labels == x.argmax(1, keepdim=True)).double().mean() for x in (clean, decoded)]
    assert float(losses.mean()) == pytest.approx(float(right[0] - right[1]), abs=0.003)


@given(st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_kl_is_about_half_of_what_changes_squared_by_fisher_information(seed: int) -> None:
    logits = torch.from_numpy(features(seed, 50, 6)).double()
    change = 1e-3 * torch.from_numpy(features(seed + 1, 50, 6)).double()
    p = logits.softmax(1)
    wanted = ((p * change**2).sum(1) - (p * change).sum(1) ** 2) / 2
    outputs = Outputs(lambda x: x, "classes", {"x": True})
    pair = [outputs._divergence(*(torch.log_softmax(y, 1) for y in (logits, logits + change)))]
    torch.testing.assert_close(pair[0], wanted, rtol=0.02, atol=1e-9)


@given(st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_one_logit_is_that_of_yes_beside_0_for_no(seed: int) -> None:
    x, y = (torch.from_numpy(features(i, 60, 4)) for i in (seed, seed + 1))
    weights = torch.from_numpy(features(seed + 2, 4, 1))
    heads = [lambda x: x @ weights, lambda x: torch.nn.functional.pad(x @ weights, (1, 0))]
    one, two = (Outputs(head, "classes", {"x": True}) for head in heads)
    lost, wanted = ([o.of({"x": z}) for z in (x, y)] for o in (one, two))
    torch.testing.assert_close(one.divergences(*lost), two.divergences(*wanted))
    torch.testing.assert_close(one.losses(*lost), two.losses(*wanted))
    assert float(one.divergences(*lost).mean()) > 0.01
    found, same = (sensitivity(head, x, draws=2, seed=seed) for head in heads)
    torch.testing.assert_close(found, same)
    assert found.abs().mean() > 0.01


def test_a_score_and_its_head_tell_the_same_loss_and_error() -> None:
    dump = divided({"x": features(1, 400, 1, 8)}, "NLD")
    decoded = {"x": dump.clean["x"] + torch.from_numpy(features(2, 400, 1, 8))}

    def score(_stem: str, tensors: dict[str, torch.Tensor]) -> float:
        y, z = (torch.nn.functional.normalize(t["x"][:, 0], dim=1) for t in (dump.clean, tensors))
        return float((y * z).sum(1).mean())

    by_score = ByScore("t", score).loss(dump, decoded, 1.0)
    by_head = ByHeads("t", [Head(lambda _, x: x[:, 0], "embedding")]).loss(dump, decoded, 1.0)
    assert by_score is not None and by_head is not None
    assert by_score.mean == pytest.approx(by_head.mean, abs=1e-5)
    assert by_score.error == pytest.approx(by_head.error, rel=0.5)


# ---- As a user has it ---------------------------------------------------------------------------


@pytest.fixture
def few(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Some samples of a dump, others beside them, and heads and scores in reach.

    The network was trained on neither: of what it was trained on it is surer than of others.
    """
    monkeypatch.syspath_prepend(str(digits))
    arrays, about = load_file(digits / "cnn_eval.safetensors"), {"layout": "NCHW", "model": "cnn"}
    save_file({k: a[:160] for k, a in arrays.items()}, tmp_path / "cnn_few.safetensors", about)
    save_file({k: a[160:] for k, a in arrays.items()}, tmp_path / "cnn_other.safetensors", about)
    save_file({k: a[:30] for k, a in arrays.items()}, tmp_path / "cnn_fewer.safetensors", about)
    (tmp_path / "of_user.py").write_text(
        "def none(dump, tensors):\n    return None\n"
        "def never(dump, tensors):\n"
        "    global calls\n"
        "    calls = globals().get('calls', 0) + 1\n"
        "    return 1.0 if calls == 1 else 0.0\n"
        "def text(dump, tensors):\n    return 'high'\n"
        "def undefined(dump, tensors):\n    return float('nan')\n"
        "def infinite(dump, x):\n    return x.flatten(1)[:, :10] / 0\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cnn_few.safetensors"


@pytest.mark.parametrize("score", [(), ("--task", "score:top1")])
def test_a_recommended_quality_is_found_told_and_taken(
    few: Path, run: Run, score: tuple[str, ...]
) -> None:
    said = run("train", few, "--head", "heads:logits", *score, "--keep", 0.05, "-o", "p.fcp")
    assert "dB: at most 0.0" in said and "recommended task SNR" in said
    _, entry = json.loads(run("info", "--json", "p.fcp"))["entries"]
    named = "at most 0.05 of score:top1 lost" if score else "at most 0.05 lost"
    assert entry["task"] == f"heads:logits, {named}"
    assert f"task SNR {entry['recommended_db']:g} dB" in run("info", "p.fcp")
    dump = few.with_name("cnn_other.safetensors")
    said = run("encode", dump, "-p", "p.fcp", "-o", "x.fcz", "--verify")
    assert f"at the task SNR recommended for heads:logits, {named}" in said
    tensors = json.loads(run("info", "--json", "x.fcz"))["tensors"]
    reached = next(t["task_snr_db"] for t in tensors if t["name"] == "features")
    assert 0 <= reached - entry["recommended_db"] < 0.1
    assert f"dB for heads:logits, {named}" in run("info", "x.fcz")
    run("decode", "x.fcz", "-p", "p.fcp", "-o", "back.safetensors")
    from score import top1

    before, after = (top1("cnn_eval", load(path)) for path in (dump, "back.safetensors"))
    assert before - after < 0.05 + 2 * (0.05 / 200) ** 0.5  # for how few they are
    run("encode", dump, "-p", "p.fcp", "--snr", 9, "-o", "y.fcz", "--verify")
    tensors = json.loads(run("info", "--json", "y.fcz"))["tensors"]
    assert all(t["task_snr_db"] is None for t in tensors)


def load(path: object) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(a) for name, a in load_file(str(path)).items()}


def test_nothing_changes_where_nothing_is_recommended(digits: Path) -> None:
    task = Profile.load(Path(__file__).parents[1] / "bitstream_spec" / "vectors" / "task.fcp")
    maps = load_file(digits / "cnn_eval.safetensors")["features"][:40]
    asked, unasked = (fc.save({"x": maps}, profile=task, **q) for q in ({"snr": 20}, {}))
    assert asked == unasked
    assert Quality.choose().recommended and not Quality.choose(snr=20.0).recommended


def test_gradients_and_a_score_recommend_without_a_head(few: Path, run: Run) -> None:
    maps = load_file(few)["features"]
    gradients = np.zeros(maps.shape, np.float32) + features(1, len(maps), 64, 1, 1)
    save_file({"features": gradients}, "g.safetensors")
    score = ("--task", "score:top1", "--keep", 0.1)
    run("train", few, "--gradients", "g.safetensors", *score, "-o", "p.fcp")
    assert max(entry.recommended for entry in Profile.load("p.fcp").entries) > 0


def test_a_quality_is_recommended_though_no_metric_pays() -> None:
    values, gradients = features(1, 300, 6, 8), features(2, 4, 300, 6, 8)
    source = Arrays({"x": (values, "F32")}, {"layout": "NLD"})
    found = Arrays({"x": (gradients, "F32")}, None)
    task = TaskGradients("t", lambda *_: ("gradients", found), needed=True)

    def cosine(_stem: str, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)

    search = Recommendation(ByHeads("t", [Head(cosine, "embedding")]), 0.02, Options())
    entries = search.of([source], task, train([source], Options(), task))
    profile = Profile.parse(Profile.pack(entries))
    data = fc.save({"x": features(3, 300, 6, 8)}, {"layout": "NLD"}, profile=profile)
    (header,) = Reader(Memory(data), "file").groups()
    # Half of a cosine of 0.98 in error is about 14 dB.
    assert header.task_snr == pytest.approx(profile.entries[1].recommended, abs=0.1)
    assert header.task_snr == pytest.approx(14, abs=1.5)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--task", "score:top1", "--head", "heads:logits"], 2, "--task needs --keep"),
        (["--keep", "0.01"], 2, "add --head or --gradients"),
        (["--keep", "0.01", "--gradients", "g"], 2, "--keep needs --task"),
        (
            ["--keep", "0.01", "--head", "heads:logits", "--transform", "neural"],
            2,
            "--keep is for --transform linear",
        ),
        (["--keep", "-1", "--head", "heads:logits"], 2, "--keep must be a positive number"),
        (
            ["--keep", "0.01", "--head", "heads:logits", "--task", "of_user:none"],
            1,
            "of_user:none has no task on these dumps",
        ),
        (
            ["--keep", "0.01", "--head", "heads:logits", "--task", "of_user:never"],
            1,
            r"may lose 1.0000 at a task SNR of 61 dB still",
        ),
        (
            ["--keep", "0.01", "--head", "heads:logits", "--task", "of_user:text"],
            1,
            "--task of_user:text returns a str; it must be a number, or None without a task",
        ),
        (
            ["--keep", "0.01", "--head", "heads:logits", "--task", "of_user:undefined"],
            1,
            "--task of_user:undefined returns nan for features as dumped",
        ),
        (["--head", "of_user:infinite"], 1, "the head returns outputs that are not finite"),
    ],
)
def test_what_cannot_be_recommended_is_told_in_one_line(
    few: Path, run: Run, options: list[str], status: int, message: str
) -> None:
    fewer = few.with_name("cnn_fewer.safetensors")
    said = run("train", fewer, "-o", "p.fcp", "-q", *options, status=status)
    assert message in said
    assert not Path("p.fcp").exists()


def test_a_quality_is_recommended_for_sequences_of_any_length() -> None:
    arrays = {
        f"{i:02}": (features(i, 5 + i % 7, 8) * [4, *[1] * 7]).astype("f4") for i in range(40)
    }
    source = Arrays({name: (a, "F32") for name, a in arrays.items()}, {"layout": "LD"})
    gradients = {
        n: np.where(np.arange(8) < 1, 1, 0.03) * features(9, *a.shape) for n, a in arrays.items()
    }
    found = Arrays({n: (g.astype("f4"), "F32") for n, g in gradients.items()}, None)
    task = TaskGradients("t", lambda *_: ("gradients", found), needed=True)
    judge = ByHeads("t", [Head(lambda _, x: x.mean(0), "embedding")])
    search = Recommendation(judge, 0.1, Options())
    entries = search.of([source], task, train([source], Options(), task))
    assert max(entry.recommended for entry in entries) >= LOWEST


def test_a_single_sample_is_not_enough() -> None:
    dump = Arrays({"x": (features(1, 40, 8), "F32")}, {"layout": "LD"})
    task = TaskGradients("t", lambda *_: ("gradients", dump), needed=True)
    judge = ByHeads("t", [Head(lambda _, x: x.mean(0), "embedding")])
    search = Recommendation(judge, 0.01, Options())
    with pytest.raises(InvalidInput, match="at least two samples"):
        search.of([dump], task, train([dump], Options(), task))
