"""`featcodec eval`: other codecs' round trips, what is measured, resuming, what is written."""

import importlib.util
import itertools
import json
import math
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from featcodec.align import layout as layouts
from featcodec.align.numbers import STORED, from_float
from featcodec.cli import eval as eval_
from featcodec.cli.main import main
from featcodec.dumps import Dump
from featcodec.errors import InvalidInput, Unreachable
from featcodec.evaluate import codecs, deltas, judged, measure, peers, pictures, tables
from featcodec.evaluate.coders import Step
from featcodec.evaluate.equal_divergence import rate_at
from featcodec.evaluate.features import Alignment, Features
from featcodec.evaluate.packers import Raw
from featcodec.evaluate.results import Journal, Measurement
from featcodec.evaluate.run import Evaluation
from featcodec.evaluate.sufficient import sufficient
from featcodec.numpy import Arrays


@pytest.fixture
def dump(digits: Path, tmp_path: Path) -> Path:
    """A few samples of real features with their labels."""
    tensors = {
        name: tensor[:60] for name, tensor in load_file(digits / "vit_eval.safetensors").items()
    }
    save_file(tensors, tmp_path / "vit.safetensors", {"layout": "NLD"})
    return tmp_path / "vit.safetensors"


def evaluation(dump: Path, *specifications: str) -> Evaluation:
    parsed = [codecs.parse(text) for text in specifications]
    return Evaluation([dump], parsed, [10.0, 20.0], dump.parent / "out")


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time one run only."""
    monkeypatch.setattr(measure, "RUNS", 1)


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command; returns its exit status and what it writes to both streams."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        return (int(stop.value.code or 0), *capsys.readouterr())

    return run


def silent(_: str) -> None:
    """Show no progress."""


# --- other codecs -------------------------------------------------------------------------------

SHAPES = [
    ("NCHW", [(3, 8, 5, 4)]),
    ("NHWC", [(3, 5, 4, 8), (2, 5, 4, 8)]),
    ("NCHW", [(1, 8, 5, 4), (2, 8, 3, 6)]),
    ("CHW", [(8, 6, 6)]),
    ("NLD:1+4x4", [(3, 17, 8)]),
    ("LD", [(7, 8), (3, 8)]),
    ("ND", [(9, 8)]),
    ("NCTHW", [(2, 8, 3, 4, 5)]),
]


@pytest.mark.parametrize(("text", "shapes"), SHAPES)
@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16", "F64"])
def test_planes_become_the_tensors_they_came_from(
    text: str, shapes: list[tuple[int, ...]], dtype: str
) -> None:
    rng = np.random.default_rng(0)
    tensors = [from_float(rng.normal(size=shape), dtype) for shape in shapes]
    alignment = Alignment(dtype, layouts.parse(text), shapes)
    planes = alignment.planes(tensors.__getitem__)
    assert [plane.shape for plane in planes] == alignment.plane_shapes()
    assert {plane.shape[0] for plane in planes} == {8}
    for tensor, back in zip(tensors, alignment.tensors(planes), strict=True):
        assert np.array_equal(tensor, back)


def smooth(shape: tuple[int, ...]) -> np.ndarray:
    """Values with a spike, unlike from channel to channel."""
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32).cumsum(axis=-1)
    return np.where(values < 0, 0, values)


def peer(kind: str) -> peers.Peer:
    """Return a peer; the test is skipped where what it needs is missing."""
    try:
        return peers.peer(kind, kind)
    except InvalidInput as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("kind", [*peers.PEERS, *peers.VIDEO])
@pytest.mark.parametrize("shape", [(6, 40, 4, 5), (6, 300), (6, 5, 3, 4, 5)])
def test_a_peer_decodes_to_what_it_was_tuned_on(kind: str, shape: tuple[int, ...]) -> None:
    codec = peer(kind)
    layout = {2: "DL", 4: "CNHW", 5: "CNTHW"}[len(shape)]
    source = Arrays({"x": (smooth(shape), "F32")}, {"layout": layout})
    features = Features(source)
    snr = None if codec.fixed else 15.0
    back = codec.decode(codec.encode(features, codec.tune(features, snr)))["x"]
    assert back.shape == shape and back.dtype == np.float32
    assert features.snr({"x": back}) >= (snr or 30)


@pytest.mark.parametrize(
    "shape", [(6, 40, 4, 5), (7, 13), (1, 1, 3, 2), (6, 5, 3, 4, 5), (2, 9, 4)]
)
@pytest.mark.parametrize("arrange", [pictures.strips, pictures.mosaic])
def test_pictures_hold_each_value_once(arrange: pictures.Arrange, shape: tuple[int, ...]) -> None:
    plane = np.arange(math.prod(shape)).reshape(shape)
    picture = arrange(plane)
    assert picture.ndim == 2 and sorted(picture.ravel()) == list(range(plane.size))
    assert np.array_equal(pictures.plane_of(picture, arrange, shape), plane)


def test_tiles_lie_whole_in_a_picture() -> None:
    plane = np.arange(6 * 40 * 4 * 5).reshape(6, 40, 4, 5)
    tall, square = pictures.strips(plane), pictures.mosaic(plane)
    assert tall.shape == (40 * 4, 6 * 5) and np.array_equal(tall[4:8, 10:15], plane[2, 1])
    assert square.shape == (3 * 8 * 4, 2 * 5 * 5) and np.array_equal(square[:4, 5:10], plane[0, 1])


@pytest.mark.parametrize("kind", peers.VIDEO)
def test_a_picture_meets_the_snr_though_its_quantiser_is_a_whole_number(kind: str) -> None:
    codec = peer(kind)
    features = Features(Arrays({"x": (smooth((8, 6, 16, 16)), "F32")}, {"layout": "CNHW"}))
    for snr in (7.0, 13.0, 22.0):
        back = codec.decode(codec.encode(features, codec.tune(features, snr)))
        assert snr <= features.snr(back) <= snr + 0.2
    with pytest.raises(Unreachable, match="12 bits"):
        codec.tune(features, 120.0)


@pytest.mark.parametrize("rounding", [1 / 2, 1 / 3])
def test_a_dead_zone_takes_more_values_to_zero(rounding: float) -> None:
    coder = Step(Raw(), rounding)
    plane = np.array([[0.4, 0.6, -0.6, 0.7, -1.7, 1e-9, 0]], np.float32)
    wanted = [0, rounding == 0.5, -(rounding == 0.5), 1, -2, 0, 0]
    assert coder.lossy(plane, 1.0).tolist() == [wanted]
    assert coder.decode(coder.encode(plane, 1.0), plane.shape, 1.0).tolist() == [wanted]


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16", "F8_E4M3"])
def test_a_step_is_as_coarse_as_the_snr_allows(dtype: str) -> None:
    stored = from_float(smooth((40, 6, 30)), dtype)
    features = Features(Arrays({"x": (stored, dtype)}, {"layout": "NLD"}))
    codec = peers.Peer("step", "step", {}, Step(Raw()))
    back = codec.decode(codec.encode(features, codec.tune(features, 15.0)))
    assert back["x"].dtype == STORED[dtype]
    assert 15 <= features.snr(back) <= (16 if dtype == "F8_E4M3" else 15.05)


def test_massive_values_have_no_part_in_the_snr_and_nan_is_refused() -> None:
    x = smooth((50, 40))
    x[3, 4] = 1e6
    features = Features(Arrays({"x": (x, "F32")}, {"layout": "LD"}))
    off = x + np.float32(0.1)
    off[3, 4] = 0
    usual = np.delete(x.ravel(), 3 * 40 + 4).astype(np.float64)
    assert features.snr({"x": off}) == pytest.approx(10 * math.log10(usual.var() / 0.01), abs=0.01)
    x[0, 0] = np.nan
    with pytest.raises(Unreachable, match="NaN"):
        peers.peer("fp16", "fp16").tune(Features(Arrays({"x": (x, "F32")}, None)), None)


def test_the_largest_setting_is_found_from_far_away() -> None:
    for guess in (1e-3, 1.0, 1e3):
        found = peers.largest(lambda setting: -20 * math.log10(setting), 20.0, guess)
        assert found == pytest.approx(0.1, rel=0.006) and found <= 0.1
    with pytest.raises(Unreachable):
        peers.largest(lambda _: 3.0, 20.0, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        *("nothing", "featcodec:speed=9", "fp16:profile=x", "fp16:name=", "fp16:name=a,name=b"),
        *("fp16:level=3", "fp16:profile", "featcodec:embed=yes", "featcodec:embed=maybe"),
        *("step+zstd:level=0", "step+zstd:level=fast", "step+jxl:level=3", "nowhere:Mine"),
        *("json:Nothing", "json:JSONDecoder", "json:JSONDecoder:speed=3"),
    ],
)
def test_a_codec_that_is_none_is_refused(text: str, dump: Path, run: Command) -> None:
    with pytest.raises(InvalidInput, match="codec"):
        codecs.parse(text)
    pytest.importorskip("bjontegaard")
    status, _, said = run("eval", dump, "--codec", text, "-o", dump.parent / "out")
    assert status == 2 and "featcodec: " in said


@pytest.mark.parametrize("kind", [name for name, one in peers.PEERS.items() if one.options])
def test_a_peer_takes_its_options_and_is_told_apart_by_them(kind: str, dump: Path) -> None:
    needed = peers.PEERS[kind].package
    assert needed
    pytest.importorskip(needed)
    [(option, allowed)] = peers.PEERS[kind].options.items()
    low, high = (codecs.parse(f"{kind}:{option}={n}") for n in (allowed[0], allowed[-1]))
    assert low.identity != high.identity != codecs.parse(kind).identity
    features = Features(Dump(dump))
    setting = None if low.fixed else 10.0
    sizes = [len(c.encode(features, c.tune(features, setting))) for c in (low, high)]
    assert sizes[0] != sizes[1]


MINE = """
import numpy as np, zlib
class Rounded:
    def __init__(self, level=6):
        self.level = level
    def encode(self, features, step):
        symbols = np.rint(features / step).astype("<i2")
        features *= 0  # what it does to its own is no matter
        return zlib.compress(symbols.tobytes(), self.level)
    def decode(self, data, shape, step):
        symbols = np.frombuffer(zlib.decompress(data), "<i2")
        return symbols.reshape(shape) * np.float32(step)
class Half:
    fixed = True
    def encode(self, features, step):
        return features.astype("<f2").tobytes()
    def decode(self, data, shape, step):
        return np.frombuffer(data, "<f2").reshape(shape)
class NoBytes(Half):
    def encode(self, features, step):
        return features
class WrongShape(Half):
    def decode(self, data, shape, step):
        return np.zeros(3)
class NoNumbers(Half):
    def decode(self, data, shape, step):
        return np.full(shape, np.nan)
"""


def test_a_codec_of_ones_own_is_measured_as_the_peers_are(
    dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dump.parent / "mine.py").write_text(MINE)
    monkeypatch.chdir(dump.parent)
    names = ["mine:Rounded:level=9,name=own", "mine:Rounded:level=1", "mine:Half"]
    wrong = ("mine:NoBytes", "mine:WrongShape", "mine:NoNumbers")
    found = evaluation(dump, *names, *wrong).measure(silent)
    table = {(m.codec, m.asked_db): m for m in found}
    for snr in (10.0, 20.0):
        point = table["own", snr]
        assert point.snr_db is not None and snr <= point.snr_db <= snr + 0.06
        assert point.size < table["mine:Rounded:level=1", snr].size  # type: ignore[operator]
    half = table["mine:Half", None]
    assert half.snr_db is None and 16 < (half.bpfp or 0) < 16.05
    assert table["mine:NoBytes", None].error == "encode returns an ndarray, not bytes"
    assert "decode returns an array of shape [3], not [64," in str(
        table["mine:WrongShape", None].error
    )
    assert table["mine:NoNumbers", None].error == "decode returns values that are not finite"


def test_what_another_version_of_ones_own_codec_measured_is_not_taken(
    dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(dump.parent)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it would serve for the same second
    before = []
    for text in (MINE, MINE.replace("<f2", "<f4")):
        Path("versions.py").write_text(text)
        monkeypatch.delitem(sys.modules, "versions", raising=False)
        importlib.invalidate_caches()
        before.append(evaluation(dump, "versions:Half").measure(silent)[-1].size)
    assert before[0] < before[1]


# --- measuring and resuming ---------------------------------------------------------------------


def test_rate_and_snr_are_those_of_the_bytes(dump: Path, profile_file: Path) -> None:
    trained = f"featcodec:profile={profile_file},name=trained"
    found = evaluation(dump, "featcodec", trained, "fp16", "int8").measure(silent)
    table = {(m.codec, m.asked_db): m for m in found}
    assert next(iter(table)) == ("uncompressed", None) and len(found) == 1 + 4 + 2
    assert all(m.values == 60 * 17 * 64 and m.error is None for m in found)
    for label, snr in itertools.product(["featcodec", "trained"], [10.0, 20.0]):
        point = table[label, snr]
        assert point.snr_db is not None and snr <= point.snr_db <= snr + 0.06
    sizes = [table[label, 10.0].size or 0 for label in ("trained", "featcodec")]
    assert sizes[0] < sizes[1]
    assert table["uncompressed", None].bpfp == 16
    half = table["fp16", None]
    assert half.snr_db is None and half.size is not None and half.bpfp is not None
    assert 16 < half.bpfp < 16.05  # exact, and all that is needed is counted
    assert half.encode_mb_s and half.decode_mb_s


def test_a_run_goes_on_where_it_stopped(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, float | None]] = []
    original = measure.Bench.measure

    def counted(self: measure.Bench, codec: codecs.Codec, snr: float | None) -> Measurement:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append((codec.label, snr))
        return original(self, codec, snr)

    monkeypatch.setattr(measure.Bench, "measure", counted)
    with pytest.raises(KeyboardInterrupt):
        evaluation(dump, "featcodec", "fp16").measure(silent)
    assert done == [("featcodec", 10.0), ("featcodec", 20.0)]
    journal = dump.parent / "out" / "results.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])  # what a crash leaves of the last line
    done.clear()
    found = evaluation(dump, "featcodec:name=ours", "fp16").measure(silent)
    assert done == [("ours", 20.0), ("fp16", None)]
    assert [m.codec for m in found] == ["uncompressed", "ours", "ours", "fp16"]
    assert evaluation(dump, "featcodec:name=ours", "fp16").measure(silent) == found
    assert len(done) == 2 and journal.read_bytes().count(b"\n") == 4


def test_a_profile_is_stated_and_counted_when_asked(dump: Path, profile_file: Path) -> None:
    beside, inside = (
        f"featcodec:profile={profile_file},name={name}{more}"
        for name, more in (("beside", ""), ("inside", ",embed=yes"))
    )
    found = {(m.codec, m.asked_db): m for m in evaluation(dump, beside, inside).measure(silent)}
    more = found["inside", 10.0].size - found["beside", 10.0].size  # type: ignore[operator]
    size = profile_file.stat().st_size
    assert size <= more <= size + 100
    assert codecs.parse(beside).beside == f"profile of {size:,} bytes, not counted"
    assert codecs.parse(inside).beside == f"profile of {size:,} bytes, in each file, and counted"
    assert codecs.parse("featcodec").beside == ""


def test_what_was_measured_on_another_dump_is_not_taken(dump: Path) -> None:
    before = evaluation(dump, "int8").measure(silent)
    tensors = load_file(dump)
    save_file({**tensors, "features": tensors["features"] * 2}, dump, {"layout": "NLD"})
    assert evaluation(dump, "int8").measure(silent) != before


def test_a_damaged_journal_is_refused_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("{}\n{}\n")
    with pytest.raises(InvalidInput, match="line 1"):
        Journal(path)
    assert path.read_text() == "{}\n{}\n"


def test_a_failure_is_recorded_and_the_others_go_on(
    dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = {10.0: Unreachable("too far"), 20.0: RuntimeError("broken")}

    def fail(self: codecs.Featcodec, features: Features, snr: float) -> None:
        raise errors[snr]

    monkeypatch.setattr(codecs.Featcodec, "tune", fail)
    first = evaluation(dump, "featcodec", "fp16")
    found = first.measure(silent)
    said = [m.error for m in found]
    assert said[:2] == [None, "too far"] and said[3] is None
    assert re.fullmatch(r"RuntimeError: broken \(.*test_eval\.py, line \d+\)", said[2] or "")
    assert first.unexpected == 1
    monkeypatch.undo()
    again = evaluation(dump, "featcodec", "fp16").measure(silent)  # only the answer was kept
    assert [m.error for m in again] == [None, "too far", None, None]


def test_names_are_told_apart_and_results_go_to_a_folder(dump: Path, run: Command) -> None:
    for package in eval_.PACKAGES:
        pytest.importorskip(package)
    for names in (["fp16", "int8:name=fp16"], ["fp16:name=uncompressed"]):
        asked = [word for name in names for word in ("--codec", name)]
        status, _, said = run("eval", dump, "--snr", "5", "-o", dump.parent / "out", *asked)
        assert status == 2 and "are called" in said
    status, _, said = run("eval", dump, "--snr", "5", "--codec", "fp16", "-o", dump)
    assert status == 2 and "is a file; name a folder" in said


def test_a_task_scores_decoded_tensors(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    (dump.parent / "scoring.py").write_text(
        "def half(stem, tensors):\n"
        "    assert stem == 'vit' and tensors['labels'].shape == (60,)\n"
        "    return tensors['features'].float().abs().mean().item()\n"
        "def none(stem, tensors):\n    return None\n"
        "def nan(stem, tensors):\n    return float('nan')\n"
        "def text(stem, tensors):\n    return '0.9'\n"
        "def alone(tensors):\n    return 1\n"
        "number = 1\n"
    )
    monkeypatch.chdir(dump.parent)
    parsed = [codecs.parse("fp16")]
    said = {
        "nan": "the score of the task is nan",
        "text": "returns a str; it must be a number",
        "alone": "it is given a dump's name and tensors",
    }
    for name, why in said.items():
        task = (f"scoring:{name}", judged.load_task(f"scoring:{name}"))
        with pytest.raises(InvalidInput, match=why):
            Evaluation([dump], parsed, [10.0], dump.parent / "out", task).measure(silent)
    for name, scored in (("half", True), ("none", False)):
        task = (f"scoring:{name}", judged.load_task(f"scoring:{name}"))
        found = Evaluation([dump], parsed, [10.0], dump.parent / "out", task).measure(silent)
        assert [m.metric is not None for m in found] == [scored, scored]
        assert found[0].metric == found[1].metric
    for text in ("scoring", "scoring:nothing", "nowhere:half", "scoring:number"):
        with pytest.raises(InvalidInput, match="--task"):
            judged.load_task(text)


def test_a_head_tells_how_far_outputs_are_off(
    dump: Path, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("torch", "matplotlib", "bjontegaard"):
        pytest.importorskip(package)
    (dump.parent / "rest.py").write_text(
        "import torch\n"
        "weights = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))\n"
        "def logits(stem, x):\n    return x.mean(1) @ weights\n"
        "def broken(stem, x):\n    return {}[stem]\n"
        "def nan(stem, x):\n    return logits(stem, x) * float('nan')\n"
    )
    monkeypatch.chdir(dump.parent)
    command = ["eval", dump, "--codec", "featcodec", "--codec", "fp16", "--snr", "2,5,10,30"]
    command += ["--no-progress"]  # which a busy machine shows
    status, text, said = run(*command, "--head", "rest:logits", "-o", "kl")
    assert (status, said) == (0, "")
    assert "divergence" in text and "bpfp at a divergence of 0.01" in text and "metric" not in text
    rows = json.loads(Path("kl/results.json").read_text())["measurements"]
    found = {(row["codec"], row["asked_db"]): row["divergence"] for row in rows}
    assert abs(found.pop(("uncompressed", None))) < 1e-9
    assert abs(found.pop(("fp16", None))) < 1e-9
    kept = [found["featcodec", snr] for snr in (2.0, 5.0, 10.0, 30.0)]
    assert kept == sorted(kept, reverse=True) and kept[0] > 0.001 > kept[-1] > 0
    assert "rest:logits" in Path("kl/report.html").read_text()
    status, text, _ = run(*command, "--head", "rest:logits", "--outputs", "embedding", "-o", "cos")
    assert status == 0 and "divergence" in text
    for other in (command, ["suggest", dump]):
        status, _, said = run(*other, "--head", "rest:nan", *(["-o", "nan"] * (other is command)))
        assert status == 1 and "outputs that are NaN, on features as dumped" in said
    status, _, said = run(*command, "--head", "rest:broken", "-o", "broken")
    assert status == 1 and said.count("\n") == 1 and "--head rest:broken fails: KeyError" in said
    assert re.search(r"rest\.py, line \d+\)", said)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 3), st.floats(0.004, 0.09))
def test_a_rate_at_a_divergence_lies_on_a_power_law(slope: float, level: float) -> None:
    points = [(rate, 0.1 * rate**-slope) for rate in (0.1, 1.0, 5.0, 1000.0)]
    found = rate_at(points, level)
    assert found is not None and 0.1 * found**-slope == pytest.approx(level)
    assert rate_at(points, 1e-12) is None
    worse = [*points, (2000.0, 2 * level)]  # where more bits lose more, no rate keeps the outputs
    assert rate_at(worse, level) is None


def test_a_codec_is_measured_at_task_snrs(dump: Path) -> None:
    task = Path(__file__).parents[1] / "bitstream_spec" / "vectors" / "task.fcp"
    found = evaluation(dump, f"featcodec:profile={task},quality=task-snr,name=task").measure(silent)
    snrs = [m.snr_db for m in found if m.codec == "task"]
    assert all(snr is not None and abs(snr - 10) > 0.2 for snr in snrs[:1])
    with pytest.raises(InvalidInput, match="quality is snr or task-snr"):
        codecs.parse("featcodec:quality=bpfp")


# --- what is written ----------------------------------------------------------------------------


def curve(codec: str, factor: float, snrs: list[float]) -> list[Measurement]:
    sizes = [round(1000 * factor * 2 ** (snr / 6)) for snr in snrs]
    return [Measurement("x", codec, s, 8, size, s) for s, size in zip(snrs, sizes, strict=True)]


def test_half_the_rate_is_minus_fifty_percent() -> None:
    pytest.importorskip("bjontegaard")
    snrs = [5.0, 10.0, 20.0, 30.0]
    found = deltas.deltas(
        [
            *curve("one", 1, snrs),
            *curve("half", 0.5, snrs),
            *curve("few", 1, snrs[:3]),
            *curve("far", 1, [40.0, 50.0, 60.0, 70.0]),
        ],
        ["one", "half", "few", "far"],
        "one",
    )
    assert [d.codec for d in found] == ["half", "few", "far"]
    assert found[0].rate_percent == pytest.approx(-50, abs=0.1)
    assert [d.rate_reason for d in found[1:]] == ["fewer than 4 points", "no overlap"]


def test_the_mean_of_deltas_is_that_of_the_dumps_that_have_one() -> None:
    def delta(dump: str, rate: float | None, metric: float | None = None) -> deltas.Delta:
        return deltas.Delta(dump, "test", "base", rate, "no overlap", metric, "")

    some = [delta("a", -10.0), delta("b", 30.0), delta("c", None)]
    [mean] = deltas.means(some)
    assert (mean.dump, mean.rate_percent, mean.metric) == ("mean of 2", 10.0, None)
    assert tables.compared(some)[-1] == ["mean of 2", "test", "base", "+10.0 %", "-"]
    assert deltas.means(some[1:]) == deltas.means(some[2:]) == []
    [mean] = deltas.means([delta("a", -10.0, 0.5), delta("b", 30.0)])
    assert (mean.dump, mean.rate_percent, mean.metric) == ("mean of 2", 10.0, None)
    assert tables.compared([delta("a", -10.0, 0.5), delta("b", 30.0)])[-1][-1] == "- (of 1 alone)"


@given(st.lists(st.lists(st.sampled_from(["-", "0", "x"]), min_size=3, max_size=3), max_size=4))
def test_columns_that_say_nothing_are_left_out(body: list[list[str]]) -> None:
    rows = [["dump", "codec", "a", "b", "c"], *(["d", "e", *row] for row in body or [["-"] * 3])]
    found = tables.filled(rows)
    assert found[0][:2] == ["dump", "codec"]
    for i, name in enumerate("abc", 2):
        assert (name in found[0]) == any(row[i] != "-" for row in rows[1:])


def test_lines_of_progress_come_at_times(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, 4.0, 12.0, 15.0, 30.0])
    monkeypatch.setattr(eval_.time, "monotonic", lambda: next(times))
    with eval_.progress(7, hidden=False) as advance:
        for number in range(4):
            advance(f"point {number}")
    assert capsys.readouterr().err.splitlines() == [
        "2 of 7 after 12 s: point 1",
        "4 of 7 after 30 s: point 3",
    ]


def test_the_least_rate_is_that_from_which_on_nothing_is_lost() -> None:
    def points(codec: str, metrics: list[float]) -> list[Measurement]:
        return [
            Measurement("x", codec, snr, 8, 10 * i, snr, metric)
            for i, (snr, metric) in enumerate(zip([1.0, 2.0, 3.0, 4.0], metrics), 1)
        ]

    found = sufficient(
        [
            Measurement("x", "uncompressed", None, 8, 99, metric=0.9),
            *points("late", [0.95, 0.88, 0.89, 0.9]),  # what was good by luck is not taken
            *points("always", [0.9, 0.9, 0.9, 0.9])[::-1],
            *points("never", [0.9, 0.9, 0.9, 0.8]),
            Measurement("x", "late", 5.0, error="out of reach"),
            Measurement("untasked", "late", 5.0, 8, 10, 5.0),
        ]
    )
    assert [(s.codec, s.bpfp, s.asked_db) for s in found] == [
        ("late", 30, 3.0),
        ("always", 10, 1.0),
        ("never", None, None),
    ]
    assert tables.enough(found)[1:] == [
        ["x", "late", "30.0000", "3", "0.8900", "0.9000"],
        ["x", "always", "10.0000", "1", "0.9000", "0.9000"],
        ["x", "never", "- (more is lost)", "-", "-", "0.9000"],
    ]


def test_the_command_writes_tables_plots_and_a_page(dump: Path, run: Command) -> None:
    for package in eval_.PACKAGES:
        pytest.importorskip(package)
    second = dump.with_name("other.safetensors")
    second.write_bytes(dump.read_bytes())
    out = dump.parent / "out"
    command = ["eval", dump, second, "--snr", "5,10,15,20", "-o", out, "--no-progress"]
    command += ["--codec", "featcodec:transform=none,name=<none>", "--codec", "featcodec"]
    status, text, said = first = run(*command, "--codec", "fp16")
    assert status == 0 and said == ""
    assert "exact" in text and " %" in text
    stems = ["vit", "other", "overview_snr_db"]
    names = ["results.csv", "results.json", "results.jsonl", "report.html"]
    names += [f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 2 and "&lt;none&gt;" in page
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(set(ids)) == len(ids)
    for outside in ("<script", "<link", "<img", "@import", 'src="'):
        assert outside not in page
    everything = json.loads((out / "results.json").read_text())
    assert len(everything["measurements"]) == 2 * (1 + 4 + 4 + 1)
    assert len((out / "results.csv").read_text().splitlines()) == 1 + 20
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    assert run(*command, "--codec", "fp16") == first
    assert {path.name: path.read_bytes() for path in out.iterdir()} == files


def test_a_missing_package_is_named_with_its_extra(
    dump: Path, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    if importlib.util.find_spec("matplotlib"):
        status, _, said = run("eval", dump, "--codec", "fp16", "-o", dump.parent / "out")
        assert status == 1 and said.count("\n") == 1
        assert "bjontegaard" in said and "featcodec[eval]" in said
    monkeypatch.setitem(sys.modules, "pysz", None)
    with pytest.raises(InvalidInput, match=r"sz3 needs pysz: pip install 'featcodec\[peers\]'"):
        codecs.parse("sz3")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(InvalidInput, match=r"needs zstandard: pip install 'featcodec\[eval\]'"):
        codecs.parse("step+zstd")


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidInput, match="av1 needs the program ffmpeg with libaom-av1"):
        codecs.parse("av1")
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho ' V..... libx265'\n")
    program.chmod(0o755)
    with pytest.raises(InvalidInput, match="av1 needs libaom-av1, which this ffmpeg lacks"):
        codecs.parse("av1")
    assert codecs.parse("hevc").label == "hevc"


def test_nonsense_is_a_usage_error(dump: Path, run: Command) -> None:
    status, _, said = run("eval", dump, "--codec", "fp16", "--snr", "5,x", "-o", "out")
    assert status == 2 and "--snr" in said


# --- scripts ------------------------------------------------------------------------------------


BENCHMARKS = Path(__file__).parent / "benchmarks"


def script(name: str, *arguments: object) -> str:
    """Run a script that measures; returns what it prints."""
    command = [sys.executable, BENCHMARKS / name, *arguments]
    return subprocess.run(
        [str(part) for part in command], check=True, capture_output=True, text=True
    ).stdout


def test_water_fills_the_weak_sources_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    fill = runpy.run_path(str(BENCHMARKS / "measure.py"))["water_filling"]
    variances = np.array([4.0, 1.0, 0.25, 0.0])
    assert fill(variances, 2.0) == 0  # more than all variance
    assert fill(variances, 0.25 / 4) == pytest.approx(0.5 * math.log2(4 * 1 * 0.25 * 12**3))
    assert fill(variances, (1.0 + 0.25 + 1.0) / 4) == pytest.approx(1)  # the first alone
    assert fill(variances, variances.mean()) == pytest.approx(0)


def test_the_bound_lies_below_the_rate(dump: Path) -> None:
    said = script("measure.py", "bound", "--snr", "5,20", dump)
    rows = [[float(cell) for cell in line.split()[-2:]] for line in said.splitlines()]
    assert len(rows) == 3
    for one, five, rate in zip(*rows):
        assert 0 < five <= one < rate


@pytest.mark.parametrize(("what", "tables"), [("bounded", 3), ("lossless", 3)])
def test_peers_are_compared_where_every_error_is_bounded(
    dump: Path, what: str, tables: int
) -> None:
    for package in ("pysz", "zfpy", "zstandard", "blosc2", "pcodec"):
        pytest.importorskip(package)
    x = np.cumsum(np.random.default_rng(0).normal(size=(40, 24)), axis=0).astype(np.float32)
    save_file({"x": x}, dump, {"layout": "LD"})
    said = script("compare_peers.py", what, dump)
    assert said.count("geometric mean") == tables and said.count("| vit |") == tables
    assert "nan" not in said and "inf" not in said
