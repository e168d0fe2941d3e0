"""Task metrics: error where an output does not react to it, and what the file says of that."""

import io
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import featcodec.numpy as fc
from featcodec import Codec, Profile
from featcodec.cli.main import main
from featcodec.coding.model import GridModel
from featcodec.container.reader import Reader
from featcodec.container.source import Memory
from featcodec.dumps import Dump
from featcodec.encoding.choice import LONGER
from featcodec.encoding.dump import encode
from featcodec.encoding.tensors.grouping import group_tensors
from featcodec.errors import InvalidInput, VerificationFailed
from featcodec.numpy import Arrays
from featcodec.request import Options, Quality
from featcodec.training.contexts import RANGES
from featcodec.training.gradients import draws_of
from featcodec.training.linear import train
from featcodec.training.metric import TaskGradients
from featcodec.training.stated import StatedMetric
from featcodec.training.strength import START
from featcodec.training.verdict import bytes_at
from featcodec.transform.weighted import Weighing, Weighted
from featcodec.verification import verify

VECTORS = Path(__file__).parents[1] / "bitstream_spec" / "vectors"
CHANNELS, TOKENS = 8, 6
rng = np.random.default_rng


@pytest.fixture(scope="module")
def task() -> Profile:
    return Profile.load(VECTORS / "task.fcp")


@pytest.fixture(scope="module")
def maps(digits: Path) -> np.ndarray:
    return load_file(digits / "cnn_eval.safetensors")["features"][:80]


Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs a command, which ends with a status, and returns what it says."""

    def command(*args: object, status: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        assert ended.value.code == status
        said = capsys.readouterr()
        return said.out + said.err

    return command


def headers(data: bytes) -> list:
    return Reader(Memory(data), "file").groups()


def metric(seed: int, bands: np.ndarray) -> Weighted:
    """Return a metric of random axes and weights."""
    chance = rng(seed)
    count = int(bands.max()) + 1

    def turn() -> np.ndarray:
        return np.linalg.qr(chance.normal(size=(CHANNELS, CHANNELS)))[0]

    weighings = [
        Weighing(turn(), 2.0 ** chance.uniform(-3, 3, CHANNELS), turn()) for _ in range(count)
    ]
    gains = 2.0 ** chance.uniform(-3, 3, bands.shape)
    return Weighted(chance.normal(size=CHANNELS), weighings, bands, gains, "float64")


# ---- The transform ------------------------------------------------------------------------------


@given(st.integers(0, 999), st.sampled_from([(4, 4), (3, 4), (1, 2)]), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_the_inverse_undoes_a_metric(seed: int, sizes: tuple[int, ...], count: int) -> None:
    bands = (np.arange(16) % count).reshape(4, 4)
    transform = metric(seed, bands)
    values = rng(seed).normal(size=(CHANNELS, sizes[0] * sizes[1], 3))
    back = transform.inverse(transform.forward(values.copy(), sizes), sizes)
    np.testing.assert_allclose(back, values, atol=1e-9)


@given(st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_gradients_by_latents_meet_errors_of_latents_as_gradients_meet_errors(seed: int) -> None:
    transform = metric(seed, (np.arange(16) % 3).reshape(4, 4))
    change, gradient = rng(seed).normal(size=(2, CHANNELS, 16, 2))
    start = rng(seed + 1).normal(size=(CHANNELS, 16, 2))
    after = transform.forward(start + change, (4, 4)) - transform.forward(start.copy(), (4, 4))
    given_gradient = gradient.copy()
    found = np.vdot(transform.gradient(gradient, (4, 4)), after)
    np.testing.assert_allclose(found, np.vdot(gradient, change), rtol=1e-9)
    np.testing.assert_array_equal(gradient, given_gradient)


# ---- Encoding -----------------------------------------------------------------------------------


@pytest.mark.parametrize("snr", [3.0, 8.0, 15.0])
def test_a_task_snr_is_reached_and_stated_beside_the_snr(
    task: Profile, maps: np.ndarray, snr: float
) -> None:
    data = fc.save({"features": maps}, {"layout": "NCHW"}, profile=task, task_snr=snr)
    (header,) = headers(data)
    assert header.lossy.transform == "weighted"
    assert snr <= header.task_snr < snr + 0.2
    back = fc.load(data, profile=task)["features"].astype(np.float64)
    found = 10 * np.log10(maps.astype(np.float64).var() / np.mean((maps - back) ** 2))
    assert abs(found - header.snr_db) < 0.02


def test_other_qualities_mean_what_they_say(task: Profile, maps: np.ndarray) -> None:
    data = fc.save({"features": maps}, {"layout": "NCHW"}, profile=task, snr=10)
    (header,) = headers(data)
    assert header.lossy.transform != "weighted" and header.task_snr is None
    assert 10 <= header.snr_db < 10.2
    data = fc.save({"features": maps}, {"layout": "NCHW"}, profile=task, max_error=0.1)
    back = fc.load(data, profile=task)["features"].astype(np.float64)
    assert np.abs(back - maps).max() <= 0.1


def test_a_rate_is_spent_where_the_task_reacts(task: Profile, maps: np.ndarray) -> None:
    data = fc.save({"features": maps}, {"layout": "NCHW"}, profile=task, bpfp=0.3)
    assert 8 * len(data) / maps.size <= 0.3
    assert headers(data)[0].task_snr is not None


def test_values_far_out_are_kept_exactly(task: Profile, maps: np.ndarray) -> None:
    odd = maps.astype(np.float32)
    odd[0, 0, 0, 0], odd[1, 2, 3, 1], odd[2, 3, 0, 0] = np.nan, np.inf, 90_000
    data = fc.save({"features": odd}, {"layout": "NCHW"}, profile=task, task_snr=8)
    back = fc.load(data, profile=task)["features"]
    assert headers(data)[0].lossy.transform == "weighted"
    for place in ((0, 0, 0, 0), (1, 2, 3, 1), (2, 3, 0, 0)):
        np.testing.assert_array_equal(back[place], odd[place])


def test_features_without_a_metric_take_the_snr(task: Profile) -> None:
    other = rng(1).normal(size=(50, 24)).astype(np.float32)
    (header,) = headers(fc.save({"x": other}, {"layout": "ND"}, profile=task, task_snr=9))
    assert header.task_snr is None and header.snr_db >= 9


def test_it_is_told_which_features_have_no_metric(task: Profile) -> None:
    other = rng(1).normal(size=(50, 24)).astype(np.float32)
    source = Arrays({"x": (other, "F32")}, {"layout": "ND"})
    report = encode(source, io.BytesIO(), Quality(task_snr=9), task)
    assert any("x: the profile has no metric" in said and "9 dB" in said for said in report.remarks)


def test_row_groups_are_longer_where_a_task_needs_few_bits(
    task: Profile, maps: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featcodec.encoding.choice.ROW_GROUP_VALUES", 1 << 14)

    def per_row_group(values: np.ndarray, **quality: float) -> int:
        (header,) = headers(fc.save({"x": values}, {"layout": "NCHW"}, profile=task, **quality))
        return int(header.slabs_per_row_group)

    assert per_row_group(maps, task_snr=1) == LONGER * per_row_group(maps, task_snr=20)
    assert per_row_group(maps, snr=1) == per_row_group(maps, snr=20)


@pytest.mark.long
def test_a_metric_that_weighs_all_alike_takes_no_more_bytes_than_none() -> None:
    values, profile = sparse(5, 40), alike()
    data = fc.save({"x": values}, {"layout": "NCHW"}, profile=profile, task_snr=10)
    (header,) = headers(data)
    assert header.task_snr >= 10 and header.lossy.transform != "weighted"
    error = np.square(fc.load(data, profile=profile)["x"] - values).sum()
    energy = np.square(values - values.mean(axis=(0, 2, 3), keepdims=True)).sum()
    assert 10 * np.log10(energy / error) == pytest.approx(header.task_snr, abs=0.2)


def test_a_task_snr_needs_a_profile_with_a_metric(maps: np.ndarray, profile: Profile) -> None:
    for known in (None, profile):
        with pytest.raises(InvalidInput, match="a task SNR needs a profile"):
            fc.save({"features": maps}, profile=known, task_snr=9)
    with pytest.raises(InvalidInput, match="not snr and task_snr"):
        fc.save({"features": maps}, profile=profile, snr=3, task_snr=9)


def test_a_task_snr_is_asked_for_by_name_and_verified(
    task: Profile, profile: Profile, maps: np.ndarray
) -> None:
    arrays, rules = {"a": maps, "b": maps[:60]}, {"a": "task-snr:9"}
    with pytest.raises(InvalidInput, match="a task SNR needs a profile"):
        fc.save(arrays, {"layout": "NCHW"}, profile=profile, rules=rules)
    data = fc.save(arrays, {"layout": "NCHW"}, profile=task, rules=rules, snr=5)
    assert [header.task_snr is None for header in headers(data)] == [False, True]
    source = Arrays({name: (values, "F16") for name, values in arrays.items()}, {"layout": "NCHW"})
    verify(source, Memory(data), Quality(snr=5), [task], rules)
    with pytest.raises(VerificationFailed, match=r"a task SNR of 9\.\d\d dB, asked for were 12"):
        verify(source, Memory(data), Quality(snr=5), [task], {"a": "task-snr:12"})


def test_values_of_another_scale_take_the_snr(task: Profile, maps: np.ndarray) -> None:
    faint = maps.astype(np.float32) / 1000
    (header,) = headers(fc.save({"x": faint}, {"layout": "NCHW"}, profile=task, task_snr=9))
    assert header.task_snr is None and header.snr_db >= 9


def test_rows_are_left_out_and_constant_channels_kept_for_a_task(
    task: Profile, maps: np.ndarray
) -> None:
    values = np.concatenate([maps, maps])
    values[:, 3] = 0.25
    data = fc.save({"x": values}, {"layout": "NCHW"}, profile=task, task_snr=9)
    (header,) = headers(data)
    assert header.repeats and header.lossy.constants and header.task_snr is not None
    back = fc.load(data, profile=task)["x"]
    np.testing.assert_array_equal(back[: len(maps)], back[len(maps) :])
    np.testing.assert_array_equal(back[:, 3], values[:, 3])


def test_messages_are_of_entries_without_a_metric(task: Profile, maps: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="messages take no task_snr"):
        Codec(task, task_snr=10)
    codec = Codec(task, snr=10)
    assert codec.decode(codec.encode(maps[:2])).shape == maps[:2].shape


@pytest.mark.long
@pytest.mark.parametrize("name", ["cnn", "vit"])
def test_less_of_the_output_is_lost_at_no_more_bytes(
    task: Profile, digits: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(digits))
    from tails import logits

    dump = Dump(digits / f"{name}_eval.safetensors")
    features = {"features": load_file(dump.path)["features"][:120]}

    def loss(data: bytes) -> float:
        found = logits(name, fc.load(data, profile=task)["features"])
        return float(np.mean((logits(name, features["features"]) - found) ** 2))

    remaining = []
    for snr in (4, 6, 8):
        plain = fc.save(features, dump.metadata, profile=task, snr=snr)
        rate = 8 * len(plain) / features["features"].size
        of_task = fc.save(features, dump.metadata, profile=task, bpfp=rate)
        assert len(of_task) <= len(plain)
        remaining.append(loss(of_task) / loss(plain))
    assert max(remaining) < 0.85


# ---- Training -----------------------------------------------------------------------------------


def trained(gradients: np.ndarray, features: np.ndarray, layout: str = "NLD") -> Profile:
    source = Arrays({"x": (features, "F32")}, {"layout": layout, "model": "m"})
    found = Arrays({"x": (gradients, "F32")}, None)
    task = TaskGradients("of a test", lambda *_: ("gradients", found))
    return Profile.parse(Profile.pack(train([source], Options(), task)))


def features(seed: int, samples: int = 300) -> np.ndarray:
    return rng(seed).normal(size=(samples, TOKENS, CHANNELS)).astype(np.float32)


def test_dumps_of_other_lengths_share_a_metric() -> None:
    sources = [
        Arrays(
            {"x": (rng(n).normal(size=(n, CHANNELS)).astype(np.float32), "F32")}, {"layout": "LD"}
        )
        for n in (30, 50)
    ]

    def gradients(source: Arrays, _groups: object) -> tuple[str, Arrays]:
        found = np.zeros(source.tensors[0].shape, np.float32)
        found[:, 0] = rng(3).normal(size=len(found))
        return "gradients", Arrays({"x": (found, "F32")}, None)

    task = TaskGradients("of a test", gradients)
    entries = train(sources, Options(), task)
    assert [e.task for e in entries] == [None, "of a test"]


@pytest.mark.parametrize("draws", [(), (3,)])
def test_errors_go_where_gradients_are_not(draws: tuple[int, ...]) -> None:
    values = features(1)
    gradients = rng(2).normal(size=(*draws, *values.shape)).astype(np.float32)
    gradients[..., 1:] *= 0.03
    profile = trained(gradients, values)
    assert [e.task for e in profile.entries] == [None, "of a test"]
    other = features(3)
    data = fc.save({"x": other}, {"layout": "NLD", "model": "m"}, profile=profile, task_snr=12)
    error = np.square(fc.load(data, profile=profile)["x"] - other).mean(axis=(0, 1))
    assert 8 * error[0] < error[1:].min()


def test_what_a_pooling_drops_takes_hardly_any_bits_however_fine_the_rest() -> None:
    maps, other = rng(1).normal(size=(2, 400, CHANNELS, 4, 4)).astype(np.float32)
    pooled = rng(2).normal(size=(len(maps), CHANNELS, 1, 1)).astype(np.float32)
    gradients = np.broadcast_to(pooled, maps.shape).copy()
    profile = trained(gradients, maps, "NCHW")
    data = fc.save({"x": other}, {"layout": "NCHW", "model": "m"}, profile=profile, task_snr=36)
    of_means = CHANNELS * 36 / 6.02  # bits a sample, of Gaussian values at that SNR
    assert 8 * len(data) / len(other) < 1.2 * of_means
    error = (fc.load(data, profile=profile)["x"] - other).mean(axis=(2, 3))
    assert np.square(error).mean() < 2 * np.square(other.mean(axis=(2, 3))).mean() / 10**3.6


def test_places_that_outputs_hardly_react_to_are_kept_alive_unless_none_reads_them() -> None:
    unread, rounding, hardly, little, usual = START.of_places(np.array([0, 1e-14, 1e-6, 1e-4, 1.0]))
    assert unread == rounding < hardly <= little < usual
    assert usual - hardly < (usual - unread) / 2


@pytest.mark.parametrize("draws", [(), (3,)])
def test_gradients_of_a_tensor_are_cut_as_it_is(draws: tuple[int, ...]) -> None:
    scales = np.array([1, 2, 3], np.float32)[:, None, None]
    values = rng(1).normal(size=(100, 3, TOKENS, CHANNELS)).astype(np.float32) * scales
    gradients = rng(2).normal(size=(*draws, *values.shape)).astype(np.float32)
    gradients[..., 1:] *= 0.03
    source = Arrays({"x": (values, "F32")}, {"layout": "NKLD"})
    found = Arrays({"x": (gradients, "F32")}, None)
    entries = train([source], Options(), TaskGradients("t", lambda *_: ("gradients", found)))
    assert [e.task for e in entries] == [None, "t"]
    profile = Profile.parse(Profile.pack(entries))
    data = fc.save({"x": values}, {"layout": "NKLD"}, profile=profile, task_snr=12)
    error = np.square(fc.load(data, profile=profile)["x"] - values).mean(axis=(0, 1, 2))
    assert 8 * error[0] < error[1:].min()


def sparse(seed: int, samples: int) -> np.ndarray:
    """Return maps (samples, 8, 8, 8) of a few flat patches, whose channels have nothing in common.

    Contexts code them in fewer bytes than any transform.
    """
    chance = rng(seed)
    patches = chance.random((samples, CHANNELS, 4, 4)) < 0.1
    found: np.ndarray = np.kron(patches, np.ones((2, 2))).astype(np.float32)
    return found * (1 + chance.random(found.shape, np.float32) / 8)


def of_maps(gradients: np.ndarray, needed: bool) -> Profile:
    source = Arrays({"x": (sparse(1, len(gradients)), "F32")}, {"layout": "NCHW"})
    found = Arrays({"x": (gradients, "F32")}, None)
    task = TaskGradients("t", lambda *_: ("gradients", found), needed=needed)
    return Profile.parse(Profile.pack(train([source], Options(), task)))


@cache
def alike() -> Profile:
    """Return a profile with a metric that weighs all errors alike."""
    return of_maps(rng(2).normal(size=(64, CHANNELS, 8, 8)).astype(np.float32), needed=True)


@pytest.mark.long
def test_a_metric_is_left_out_where_contexts_save_more_though_it_saves_bits_behind_a_transform(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gradients = rng(2).normal(size=(64, CHANNELS, 8, 8)).astype(np.float32)
    gradients[:, : CHANNELS // 2] *= 0.01
    assert {e.task for e in of_maps(gradients, needed=False).entries} == {None}
    monkeypatch.setattr("featcodec.training.metric.pays", lambda *_: True)
    # Beside the plain entries of sparse features, whose axes do worse than none.
    plain = [None for _ in RANGES]
    assert [e.task for e in of_maps(gradients, needed=False).entries] == [*plain, "t"]


@pytest.mark.long
def test_of_fewer_samples_than_channels_channels_are_the_axes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gradients = rng(2).normal(size=(4, 300, TOKENS, CHANNELS)).astype(np.float32)
    gradients[..., 1:] *= 0.03
    turn = np.linalg.qr(rng(4).normal(size=(CHANNELS, CHANNELS)))[0].astype(np.float32)

    def axes(most: int) -> np.ndarray:
        monkeypatch.setattr("featcodec.training.weighing.ONE_BAND", most)
        found = trained(gradients[:, :samples] @ turn, features(1, samples)).entries[1].model
        bases: np.ndarray = GridModel.unpack(found, CHANNELS).bases
        return bases

    samples = CHANNELS - 1
    assert np.array_equal(np.abs(axes(CHANNELS - 1)[0]), np.eye(CHANNELS))
    assert not np.array_equal(np.abs(axes(CHANNELS)[0]), np.eye(CHANNELS))
    samples = 300
    assert not np.array_equal(np.abs(axes(CHANNELS - 1)[0]), np.eye(CHANNELS))


points = st.lists(
    st.tuples(st.floats(1e-6, 1e3), st.floats(1, 1e9)),
    min_size=1,
    max_size=6,
    unique_by=lambda point: point[0],
)


@given(points)
def test_bytes_at_a_loss_are_those_known_and_lie_between_them(
    known: list[tuple[float, float]],
) -> None:
    sizes = [size for _, size in known]
    for lost, size in known:
        assert bytes_at(known, lost) == pytest.approx(size)
    for lost in (1e-9, 0.01, 1e6):
        assert min(sizes) * 0.999 <= bytes_at(known, lost) <= max(sizes) * 1.001


def test_without_any_gradient_there_is_no_metric() -> None:
    values = features(1)
    assert [e.task for e in trained(np.zeros_like(values), values).entries] == [None]


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        ("ND", (300, 16)),
        ("NC", (300, 16)),
        ("NLC", (90, 9, 16)),
        ("NCL", (90, 16, 9)),
        ("NCHW", (50, 16, 4, 5)),
        ("NHWC", (50, 4, 5, 16)),
        ("NTHWC", (30, 3, 4, 4, 16)),
        ("NHLD", (30, 2, 9, 16)),
    ],
)
def test_features_of_any_layout_have_a_metric(layout: str, shape: tuple[int, ...]) -> None:
    values = rng(3).normal(size=shape).astype(np.float32)
    gradients = rng(4).normal(size=shape).astype(np.float32)
    gradients[..., shape[-1] // 4 :] *= 0.01  # the task sees a quarter of the last axis
    profile = trained(gradients, values, layout)
    assert [e.task is None for e in profile.entries] == [True, False]  # a plain one, and it


def test_a_metric_that_saves_nothing_is_left_out() -> None:
    values = features(1)
    gradients = rng(2).normal(size=(4, *values.shape)).astype(np.float32)
    assert [e.task for e in trained(gradients, values).entries] == [None]


@pytest.mark.parametrize(
    ("gradients", "message"),
    [
        ({"y": np.zeros((300, 6, 8), np.float32)}, "no gradients of tensor 'x'"),
        ({"x": np.zeros((299, 6, 8), np.float32)}, r"must be floats of shape \[300, 6, 8\]"),
        ({"x": np.zeros((300, 6, 8), np.int32)}, "must be floats"),
        ({"x": np.zeros((0, 300, 6, 8), np.float32)}, "draws"),
        ({"x": np.full((300, 6, 8), np.nan, np.float32)}, "not finite"),
    ],
)
def test_gradients_that_do_not_fit_are_named(
    tmp_path: Path, run: Run, gradients: dict[str, np.ndarray], message: str
) -> None:
    save_file({"x": features(1)}, tmp_path / "x.safetensors", {"layout": "NLD"})
    save_file(gradients, tmp_path / "g.safetensors")
    dump, found, out = (str(tmp_path / name) for name in ("x.safetensors", "g.safetensors", "p"))
    assert re.search(message, run("train", dump, "--gradients", found, "-o", out, status=1))
    assert not Path(out).exists()


def test_draws_are_read_from_a_file_one_after_the_other(tmp_path: Path) -> None:
    values = features(1, 5)
    gradients = np.stack([values + i for i in range(3)])
    save_file({"x": values}, tmp_path / "x.safetensors", {"layout": "NLD"})
    save_file({"x": gradients}, tmp_path / "g.safetensors")
    (group,) = group_tensors(Dump(tmp_path / "x.safetensors"), Options(), lossless=False)
    draws = list(draws_of(group, Dump(tmp_path / "g.safetensors"), "g"))
    for draw, wanted in zip(draws, gradients, strict=True):
        np.testing.assert_array_equal(np.asarray(draw.tensor(0)), wanted)


def products(found: np.ndarray, channel: int) -> np.ndarray:
    """Return the mean product (channels, channels) of gradients with an axis of channels."""
    flat = np.moveaxis(found, channel, -1).reshape(-1, found.shape[channel]).astype(np.float64)
    return flat.T @ flat / len(flat)


@given(st.integers(0, 99), st.booleans(), st.sampled_from([("NCHW", 1), ("NLD", 2), ("DL", 0)]))
@settings(max_examples=20, deadline=None)
def test_a_metric_given_outright_is_that_of_its_gradients(
    seed: int, matrix: bool, layout: tuple[str, int]
) -> None:
    text, axis = layout
    shape = tuple({"N": 60, "C": CHANNELS, "D": CHANNELS, "L": 900}.get(a, 8) for a in text)
    weights = rng(seed).uniform(0, 3, CHANNELS)
    turn = np.linalg.qr(rng(seed).normal(size=(CHANNELS, CHANNELS)))[0]
    metric = (turn * weights) @ turn.T if matrix else weights
    given_ = Arrays({"any": (metric.astype(np.float32), "F32")}, None)
    source = Arrays({"x": (rng(1).normal(size=shape).astype(np.float32), "F32")}, {"layout": text})
    groups = group_tensors(source, Options(), lossless=False)
    _, found = StatedMetric(given_, "m")(source, groups)
    (tensor,) = found.tensors
    assert tensor.shape[1:] == shape
    wanted = metric if matrix else np.diag(metric)
    atol = 6 * wanted.max() / (tensor.array().size / CHANNELS) ** 0.5
    np.testing.assert_allclose(products(tensor.array(), 1 + axis), wanted, atol=atol)


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=4), st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_heads_count_as_their_weights_say(weights: list[float], scale: float) -> None:
    pytest.importorskip("torch")
    from featcodec.training.head import balanced

    heads = [{"x": scale**i * features(i, 4), "y": features(9 + i, 3)} for i in range(len(weights))]
    found = balanced(heads, weights)
    squares = [sum(float(np.vdot(a, a)) for a in each.values()) for each in found]
    shares = np.array(squares) / sum(squares)
    np.testing.assert_allclose(shares, weights / np.sum(weights), rtol=1e-4)


# ---- The command line ---------------------------------------------------------------------------


@pytest.mark.long
def test_a_profile_of_a_task_from_the_shell(digits: Path, tmp_path: Path, run: Run) -> None:
    dump, folder = digits / "cnn_train.safetensors", tmp_path / "gradients"
    folder.mkdir()
    values = load_file(dump)["features"]
    mean = np.zeros(values.shape, np.float32)
    mean += rng(1).normal(size=(len(values), 64, 1, 1))  # an output that reads means alone
    save_file({"features": mean}, folder / dump.name)
    run("train", dump, "--gradients", folder, "-o", tmp_path / "p.fcp")
    assert "for gradients" in run("info", tmp_path / "p.fcp")
    entries = json.loads(run("info", "--json", tmp_path / "p.fcp"))["entries"]
    assert [entry["task"] for entry in entries] == [None, "gradients"]
    file = tmp_path / "x.fcz"
    run("encode", dump, "-p", tmp_path / "p.fcp", "--task-snr", 20, "-o", file, "--verify")
    assert "task SNR 20." in run("info", file)
    tensors = json.loads(run("info", "--json", file))["tensors"]
    found = next(t for t in tensors if t["name"] == "features")
    assert found["task_snr_db"] >= 20 > found["snr_db"]
    run("decode", file, "-p", tmp_path / "p.fcp", "-o", tmp_path / "back.safetensors")
    back = load_file(tmp_path / "back.safetensors")["features"].astype(np.float64)
    error = (back - values).mean(axis=(2, 3))
    assert error.var() < 0.02 * values.astype(np.float64).mean(axis=(2, 3)).var()


def test_a_metric_given_outright_from_the_shell(tmp_path: Path, run: Run) -> None:
    values, weights = features(1), np.full(CHANNELS, 0.001, np.float32)
    weights[0] = 1
    paths = [str(tmp_path / name) for name in ("x.safetensors", "w.safetensors", "p.fcp")]
    save_file({"x": values}, paths[0], {"layout": "NLD", "model": "m"})
    save_file({"weights": weights}, paths[1])
    run("train", paths[0], "--metric", paths[1], "-o", paths[2])
    profile = Profile.load(paths[2])
    assert [e.task for e in profile.entries] == [None, "w.safetensors"]
    other = features(3)
    data = fc.save({"x": other}, {"layout": "NLD", "model": "m"}, profile=profile, task_snr=12)
    error = np.square(fc.load(data, profile=profile)["x"] - other).mean(axis=(0, 1))
    assert 8 * error[0] < error[1:].min()


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ({"w": np.ones(7, np.float32)}, r"is F32 \[7\]; for 'x' it must be floats of shape \[8\]"),
        ({"w": np.ones((8, 7), np.float32)}, r"shape \[8\] or \[8, 8\]"),
        ({"w": np.arange(8)}, "it must be floats"),
        ({"a": np.ones(8, np.float32), "b": np.ones(8, np.float32)}, "no metric of tensor 'x'"),
        (
            {"w": np.linspace(-1, 1, 8, dtype=np.float32)},
            "weights from -1 to 1; none may be below 0",
        ),
        ({"w": np.zeros(8, np.float32)}, "one must be above"),
        ({"w": np.triu(np.ones((8, 8), np.float32))}, "must be finite and symmetric"),
        ({"w": np.full(8, np.inf, np.float32)}, "must be finite"),
    ],
)
def test_a_metric_that_does_not_fit_is_told_in_one_line(
    tmp_path: Path, run: Run, metric: dict[str, np.ndarray], message: str
) -> None:
    save_file({"x": features(1, 40)}, tmp_path / "x.safetensors", {"layout": "NLD"})
    save_file(metric, tmp_path / "w.safetensors")
    dump, found, out = (tmp_path / name for name in ("x.safetensors", "w.safetensors", "p"))
    said = run("train", dump, "--metric", found, "-o", out, status=1)
    assert re.search(message, said) and said.count("\n") == 1
    assert not out.exists()


def test_several_heads_share_a_profile(
    digits: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    (tmp_path / "means.py").write_text("def means(dump, x):\n    return x.mean((2, 3))\n")
    monkeypatch.syspath_prepend(str(digits))
    monkeypatch.chdir(tmp_path)
    heads = ["--head", "heads:logits", "--head", "means:means=0.5"]
    kinds = ["--outputs", "classes", "--outputs", "embedding"]
    run("train", digits / "cnn_train.safetensors", *heads, *kinds, "--draws", 1, "-o", "p.fcp")
    assert Profile.load("p.fcp").entries[1].task == "heads:logits, means:means=0.5"


@pytest.mark.parametrize(
    "options",
    [
        ["--gradients", "g", "--head", "a:b"],
        ["--metric", "g", "--head", "a:b"],
        ["--head", "a:b=0"],
        ["--head", "a:b=much"],
        ["--head", "a:b", *["--outputs", "classes"] * 2],
        ["--gradients", "no-folder"],
    ],
)
def test_options_that_do_not_go_together_are_refused(
    digits: Path, run: Run, options: list[str]
) -> None:
    dumps = [str(digits / f"{name}_train.safetensors") for name in ("cnn", "vit")]
    run("train", *dumps, "-o", "p.fcp", *options, status=2)
