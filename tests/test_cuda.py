"""On a GPU: tensors of the device give the files of the CPU; heads, networks and loaders run there.

Skipped where there is none.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from featcodec import Codec, Profile, Writer, encode_file, safe_open
from featcodec.cli.main import cli
from featcodec.request import Quality

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("no GPU", allow_module_level=True)

from featcodec.torch import (  # noqa: E402
    FeatureDataset,
    FeatureStream,
    load_file,
    record,
    save,
    sensitivity,
)

TYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn]


def tokens(samples: int = 64) -> "torch.Tensor":
    return torch.randn(samples, 17, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_the_file_of_a_tensor_does_not_depend_on_its_device(dtype: "torch.dtype") -> None:
    there = {"features": tokens().to(dtype).cuda()}
    here = {"features": tokens().to(dtype)}
    assert save(there, snr=12, layout="NLD") == save(here, snr=12, layout="NLD")
    turned = {"features": there["features"].transpose(0, 1)}  # of other strides
    same = {"features": here["features"].transpose(0, 1).contiguous()}
    assert save(turned, snr=12, layout="LND") == save(same, snr=12, layout="LND")


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_tensors_come_back_on_the_device_that_is_asked_for(
    tmp_path: Path, dtype: "torch.dtype"
) -> None:
    path = tmp_path / "a.fcz"
    path.write_bytes(save({"features": tokens().to(dtype)}, snr=12, layout="NLD"))
    there, here = load_file(path, "cuda")["features"], load_file(path)["features"]
    assert there.device.type == "cuda"
    assert there.dtype == dtype
    assert torch.equal(there.cpu().view(torch.uint8), here.view(torch.uint8))
    with safe_open(path, "torch", "cuda:0") as file:
        part = file.get_slice("features")[5:9]
    assert part.device.type == "cuda"
    assert torch.equal(part.float(), there[5:9].float())


@pytest.mark.parametrize("effort", ["fast", "best"])
def test_messages_take_tensors_of_the_device_and_give_them(profile: Profile, effort: str) -> None:
    near = Codec(profile, snr=10, effort=effort)
    far = Codec(profile, snr=10, effort=effort, framework="torch", device="cuda")
    x = tokens(1)
    message = far.encode(x.cuda().requires_grad_())
    assert message == near.encode(x.detach().numpy())
    back = far.decode(message)
    assert back.device.type == "cuda"
    assert np.array_equal(back.cpu().numpy(), near.decode(message))


def test_a_recorded_layer_of_a_model_on_the_device_is_what_it_put_out(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.ReLU()).cuda()
    put_out = []
    with Writer(tmp_path / "a.fcz", lossless=True) as writer, record(model, {"1": "h"}, writer):
        for _ in range(4):
            put_out.append(model(torch.randn(8, 16, device="cuda")))
    back = load_file(tmp_path / "a.fcz", "cuda")["h"]
    assert torch.equal(back, torch.cat(put_out))


@pytest.mark.parametrize("outputs", ["classes", "embedding"])
def test_gradients_are_those_of_the_cpu(outputs: str) -> None:
    """Draws come from the same seed; classes are drawn alike unless a chance lies at an edge."""
    torch.manual_seed(0)
    rest = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(17 * 64, 10))
    here = sensitivity(rest, tokens(), outputs=outputs, draws=3)
    there = sensitivity(rest.cuda(), tokens().cuda(), outputs=outputs, draws=3)
    assert there.device.type == "cpu"
    alike = torch.isclose(here, there, rtol=1e-2, atol=1e-4).flatten(2).all(2).float().mean()
    assert alike > 0.98


def test_batches_of_a_loader_go_to_the_device(digits: Path, tmp_path: Path) -> None:
    path = tmp_path / "vit.fcz"
    encode_file(digits / "vit_train.safetensors", path, Quality(snr=10))
    stream = FeatureStream(FeatureDataset([path], keys=["features", "labels"]), batch_size=64)
    loader = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=2, pin_memory=True)
    moved = [{k: v.to("cuda", non_blocking=True) for k, v in batch.items()} for batch in loader]
    whole = load_file(path, "cuda")
    assert sum(len(batch["labels"]) for batch in moved) == len(whole["labels"])
    total = sum(batch["features"].double().sum() for batch in moved)
    assert torch.isclose(total, whole["features"].double().sum())


@pytest.fixture
def heads(digits: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The module of the heads, which puts the rest of the network on the GPU."""
    monkeypatch.syspath_prepend(str(digits))
    yield "heads"
    for name in ("heads", "train", "on_gpu"):
        sys.modules.pop(name, None)


def test_a_head_may_run_on_the_device(
    digits: Path, heads: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "on_gpu.py").write_text(
        f"from {heads} import tail\n"
        "def logits(dump, x):\n"
        "    return tail(dump.partition('_')[0]).cuda()(x.cuda())\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    dump, task = str(digits / "vit_train.safetensors"), str(tmp_path / "task.fcp")
    run = CliRunner().invoke(cli, ["train", dump, "--head", "on_gpu:logits", "-o", task])
    assert run.exit_code == 0, run.output
    coded = str(tmp_path / "task.fcz")
    words = ["encode", str(digits / "vit_eval.safetensors"), "-p", task, "--task-snr", "14"]
    run = CliRunner().invoke(cli, [*words, "-o", coded])
    assert run.exit_code == 0, run.output


def test_a_network_trains_on_the_device_and_goes_on_without_it(
    digits: Path, tmp_path: Path
) -> None:
    pytest.importorskip("compressai")
    dump, profile = str(digits / "vit_train.safetensors"), str(tmp_path / "net.fcp")
    words = ["train", "--transform", "neural", dump, "-o", profile, "--steps", "20"]
    run = CliRunner().invoke(cli, [*words, "--device", "cuda"])
    assert run.exit_code == 0, run.output
    coded, back = str(tmp_path / "net.fcz"), str(tmp_path / "back.safetensors")
    words = ["encode", str(digits / "vit_eval.safetensors"), "--transform", "neural"]
    run = CliRunner().invoke(cli, [*words, "-p", profile, "--snr", "3", "-o", coded])
    assert run.exit_code == 0, run.output
    run = CliRunner().invoke(cli, ["decode", coded, "-p", profile, "-o", back])
    assert run.exit_code == 0, run.output
