"""Training a network: what is exported is what was trained, and interruptions cost nothing."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from featcodec import Profile
from featcodec.dumps import Dump
from featcodec.errors import InvalidInput
from featcodec.request import Options

torch = pytest.importorskip("torch")
try:
    import featcodec.training.network.hyperprior  # noqa: F401
except ImportError:
    pytest.skip("compressai is not installed", allow_module_level=True)
torch.set_num_threads(1)

from featcodec.training.metric import TaskGradients  # noqa: E402
from featcodec.training.network import crops, export, loop  # noqa: E402
from featcodec.training.network.hyperprior import (  # noqa: E402
    Hyperprior,
    Shape,
    distortion,
)
from featcodec.training.network.warm_start import warm_start  # noqa: E402

rng = np.random.default_rng
SMALL = Shape(width=4, latents=6, stages=2, levels=3)


@pytest.fixture(scope="module")
def features(digits: Path) -> list[crops.Features]:
    dumps = [Dump(digits / f"{task}_train.safetensors") for task in ("cnn", "vit")]
    return crops.collect(dumps, Options())


@pytest.fixture(scope="module")
def trained(features: list[crops.Features], tmp_path_factory: pytest.TempPathFactory) -> Hyperprior:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    return loop.train(features, loop.Plan(steps=60), folder / "c", Hyperprior(SMALL))


def profile_of(model: Hyperprior, features: list[crops.Features]) -> Profile:
    metadata = export.metadata("small", features, {})
    return Profile.parse(Profile.pack([], export.export(model, features, metadata)))


def test_features_are_tokens_of_unit_variance(features: list[crops.Features]) -> None:
    assert [f.tokens.shape[1] for f in features] == [64, 64]
    for group in features:
        tokens = group.tokens.astype(np.float64)
        assert abs(tokens.mean()) < 0.01
        assert abs(tokens.std() - 1) < 0.01


def test_what_is_exported_is_what_was_trained(
    trained: Hyperprior, features: list[crops.Features]
) -> None:
    network = profile_of(trained, features).neural
    picture = features[0].tokens[:40, :52].astype(np.float32)
    with torch.no_grad():
        latents = trained.analysis(torch.from_numpy(picture)[None, None])
        np.testing.assert_allclose(
            network.network.analysis(picture), latents[0].numpy(), rtol=0.02, atol=0.02
        )
        back = trained.synthesis(latents)[0, 0].numpy()
        np.testing.assert_allclose(
            network.network.synthesis(latents[0].numpy(), picture.shape), back, rtol=0.02, atol=0.02
        )
        hyper = torch.randint(-6, 7, (1, 4, 3, 3)).float()
        numbers = trained.hyper_synthesis(hyper)[0].numpy()
        exact = network.hyper_synthesis(hyper[0].numpy().astype(np.int64), (12, 12))
        assert np.abs(np.maximum(numbers, 0) - exact).max() <= 0.51


def test_training_lowers_the_loss(features: list[crops.Features], tmp_path: Path) -> None:
    pictures = torch.from_numpy(crops.batch(features, 16, rng(5))[0])[:, None]
    levels = torch.full((16,), 2)

    def loss(model: Hyperprior) -> float:
        with torch.no_grad():
            rates = model(pictures, levels)
        return float((rates.bits + 4 * loop.LOWEST_LAMBDA * rates.error).mean())

    model = Hyperprior(SMALL)
    before = loss(model)
    assert loss(loop.train(features, loop.Plan(steps=100), tmp_path / "c", model)) < 0.9 * before


def with_gradients(digits: Path, kind: str, of: str) -> crops.Features:
    """Return features with the dump `of` as their gradients."""
    task = TaskGradients("own", lambda _source, _groups: (of, Dump(digits / of)))
    (found,) = crops.collect([Dump(digits / f"{kind}.safetensors")], Options(), task=task)
    return found


@pytest.mark.parametrize("kind", ["cnn_train", "vit_train"])
def test_gradients_lie_where_features_lie(digits: Path, kind: str) -> None:
    found = with_gradients(digits, kind, f"{kind}.safetensors")
    assert found.gradients is not None
    assert found.gradients.shape == (1, *found.tokens.shape)
    for first in range(0, len(found.tokens) - 64, 640):
        own, other = (a[first : first + 64].ravel() for a in (found.tokens, found.gradients[0]))
        own, other = own.astype(np.float64), other.astype(np.float64)
        inside = np.abs(own) < 4  # not truncated
        scale, shift = np.polyfit(other[inside], own[inside], 1)
        np.testing.assert_allclose(own[inside], (scale * other + shift)[inside], atol=0.02)
        assert np.mean(other**2) == pytest.approx(1, abs=0.01)
    same = replace(found, gradients=found.tokens[None])
    pictures, gradients = crops.batch([same], 5, rng(0))
    assert gradients is not None
    np.testing.assert_array_equal(pictures, gradients[:, 0])


def test_errors_count_as_outputs_react_to_them() -> None:
    torch.manual_seed(0)
    noise = torch.randn(400, 1, 8, 8)
    weights = torch.linspace(0, 1, 8)
    gradients = torch.randn(400, 4, 8, 8) * weights
    gradients /= (gradients**2).mean().sqrt()
    plain, weighed = (distortion(noise, g).mean().item() for g in (None, gradients))
    assert weighed == pytest.approx(plain, rel=0.1)
    unseen, seen = (
        distortion(noise * (weights > 0.5).logical_xor(torch.tensor(flip)), gradients).mean()
        for flip in (True, False)
    )
    assert 0 < unseen < 0.3 * seen


def test_a_network_learns_to_err_where_outputs_do_not_react(
    features: list[crops.Features], tmp_path: Path
) -> None:
    plain = features[0]
    tokens, channels = plain.tokens.shape
    signs = rng(0).choice([-1, 1], (2, 1, channels)).astype(np.float16)
    pooled = crops.Features("", "cnn", plain.tokens, np.repeat(signs, tokens, axis=1))
    pictures, gradients = map(torch.from_numpy, crops.batch([pooled], 16, rng(5)))
    losses = []
    for of in (plain, pooled):
        torch.manual_seed(0)
        plan = loop.Plan(steps=80)
        model = loop.train([of], plan, tmp_path / f"{len(losses)}", Hyperprior(SMALL))
        with torch.no_grad():
            rates = model(pictures[:, None], torch.full((16,), 2), gradients)
        losses.append(float((rates.bits + 4 * loop.LOWEST_LAMBDA * rates.error).mean()))
    assert losses[1] < 0.9 * losses[0]


@pytest.mark.parametrize(("value", "message"), [(0.0, "all zero"), (np.nan, "not finite")])
def test_gradients_that_say_nothing_are_refused(
    digits: Path, tmp_path: Path, value: float, message: str
) -> None:
    dump = load_file(digits / "cnn_eval.safetensors")
    dump["features"] = np.full_like(dump["features"], value)
    save_file(dump, tmp_path / "g.safetensors")
    with pytest.raises(InvalidInput, match=f"gradients of 'features' are {message}"):
        with_gradients(digits, "cnn_eval", str(tmp_path / "g.safetensors"))


def test_an_interrupted_run_ends_as_if_it_had_not_been(
    features: list[crops.Features], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY", 0)
    plan = loop.Plan(steps=12)

    def start() -> Hyperprior:
        torch.manual_seed(1)
        return Hyperprior(SMALL)

    def interrupt(now: loop.Progress) -> None:
        if now.step == 10:
            raise KeyboardInterrupt

    whole = loop.train(features, plan, tmp_path / "one", start())
    with pytest.raises(KeyboardInterrupt):
        loop.train(features, plan, tmp_path / "two", start(), interrupt)
    rest = loop.train(features, plan, tmp_path / "two", start())
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, rest.state_dict()[name]), name


def test_the_checkpoint_of_another_run_is_refused(
    features: list[crops.Features], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY", 0)
    loop.train(features, loop.Plan(steps=1), tmp_path / "c", Hyperprior(SMALL))
    with pytest.raises(InvalidInput, match="other options"):
        loop.train(features, loop.Plan(steps=1, seed=3), tmp_path / "c", Hyperprior(SMALL))
    with pytest.raises(InvalidInput, match="or features"):
        loop.train(features[:1], loop.Plan(steps=1), tmp_path / "c", Hyperprior(SMALL))
    (tmp_path / "c").write_bytes(b"junk")
    with pytest.raises(InvalidInput, match="no checkpoint"):
        loop.train(features, loop.Plan(steps=1), tmp_path / "c", Hyperprior(SMALL))


def test_training_goes_on_from_a_profile(
    trained: Hyperprior, features: list[crops.Features]
) -> None:
    again = warm_start(profile_of(trained, features).neural.weights)
    pictures = torch.from_numpy(crops.batch(features, 4, rng(0))[0])[:, None]
    with torch.no_grad():
        levels = torch.tensor([0, 1, 2, 2])
        one, other = (model.eval()(pictures, levels).error for model in (trained, again))
    np.testing.assert_allclose(one, other, rtol=0.1)


def test_a_profile_says_what_it_was_trained_on(
    trained: Hyperprior, features: list[crops.Features]
) -> None:
    network = profile_of(trained, features).network
    assert network is not None
    assert network.name == "small"
    assert [entry["architecture"] for entry in network.record["trained_on"]] == [
        "cnn",
        "transformer",
    ]


def test_a_profile_from_the_command_line_codes_what_it_was_trained_on(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(digits), prepend=os.pathsep)
    dump, profile = str(digits / "vit_train.safetensors"), str(tmp_path / "mine.fcp")
    run = [sys.executable, "-m", "featcodec"]
    train = [*run, "train", "--transform", "neural", dump, "-o", profile, "--steps", "2"]
    options = ["--from", "caufc", "--head", "heads:logits", "--draws", "1"]
    done = subprocess.run([*train, *options], capture_output=True, text=True, check=True)
    assert "step 2 of 2" in done.stderr
    said = subprocess.run([*run, "info", profile], capture_output=True, text=True, check=True)
    assert ", for heads:logits: 2 steps" in said.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["mine.fcp"]
    coded = [dump, "-o", str(tmp_path / "x.fcz"), "-p", profile, "--snr", "4"]
    subprocess.run([*run, "encode", "--transform", "neural", *coded], check=True)
    subprocess.run(
        [*run, "decode", str(tmp_path / "x.fcz"), "-p", profile, "-o", str(tmp_path / "y")],
        check=True,
    )
    wrong = [*train, "-f", "-q", "--device", "nowhere"]
    failed = subprocess.run(wrong, capture_output=True, text=True)
    assert failed.returncode == 1
    assert failed.stderr.startswith("featcodec: --device nowhere")
    assert failed.stderr.count("\n") == 1
