"""What serving engines hand over: their interfaces as published, by stand-ins for them."""

import abc
import fcntl
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from featcodec import Profile  # noqa: E402
from featcodec.dumps import Dump  # noqa: E402
from featcodec.errors import InvalidInput, InvalidStream  # noqa: E402
from featcodec.request import Options  # noqa: E402
from featcodec.torch import load_file  # noqa: E402
from featcodec.training.linear import train  # noqa: E402

Install = Callable[..., None]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Install:
    """A function that puts a module of some names in the place of one that is not installed."""

    def install(path: str, **names: Any) -> None:
        parts = path.split(".")
        for i in range(1, len(parts) + 1):
            name = ".".join(parts[:i])
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        vars(sys.modules[path]).update(names)

    for module in ("featcodec.ext.lmcache", "featcodec.ext.vllm"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return install


# --- LMCache ------------------------------------------------------------------------------------


class Serializer(abc.ABC):
    @abc.abstractmethod
    def serialize(self, src: Any, dst: Any, key: Any) -> int: ...

    @abc.abstractmethod
    def estimate_serialized_size(self, layout_desc: Any) -> int: ...


class Deserializer(abc.ABC):
    @abc.abstractmethod
    def deserialize(self, src: Any, dst: Any, key: Any) -> None: ...


@pytest.fixture(scope="module")
def caches() -> Any:
    """Keys and values of two layers, tokens and channels, as LMCache has them."""
    draw = torch.Generator().manual_seed(0)
    mixed = torch.randn(32, 64, generator=draw)
    return (torch.randn(2, 2, 256, 32, generator=draw) @ mixed).to(torch.bfloat16)


@pytest.fixture(scope="module")
def kv_profile(caches: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("kv")
    save_file({"kv": caches}, folder / "kv.safetensors", {"layout": "NNLD"})
    with Dump(folder / "kv.safetensors") as dump:
        (folder / "kv.fcp").write_bytes(Profile.pack(train([dump], Options())))
    return folder / "kv.fcp"


@pytest.mark.parametrize("quality", [{"bpfp": 3.0}, {"snr": 15}, {"lossless": True}, {}])
def test_a_serde_of_lmcache_takes_what_it_estimates(
    caches: Any, kv_profile: Path, quality: dict[str, Any], stand_in: Install
) -> None:
    registered: dict[str, Any] = {}
    stand_in(
        "lmcache.v1.distributed.serde",
        AsyncSerdeProcessor=lambda *given, max_workers: (*given, max_workers),
        Serializer=Serializer,
        Deserializer=Deserializer,
        register_serde_factory=registered.__setitem__,
    )
    importlib.import_module("featcodec.ext.lmcache")
    options = {"profile": str(kv_profile), "max_workers": 2, **quality}
    serializer, deserializer, workers = registered["featcodec"](options)
    assert workers == 2
    layout = SimpleNamespace(shapes=[caches.shape], dtypes=[caches.dtype])
    room = serializer.estimate_serialized_size(layout)
    assert room <= 4 + caches.nbytes
    stored = SimpleNamespace(tensor=torch.full((room,), 7, dtype=torch.uint8))
    size = serializer.serialize(SimpleNamespace(tensor=caches), stored, None)
    assert size <= room
    for kept in (stored.tensor, stored.tensor[:size]):  # all that was estimated, or what is used
        back = SimpleNamespace(tensor=torch.zeros_like(caches))
        deserializer.deserialize(SimpleNamespace(tensor=kept), back, None)
        error = (back.tensor.float() - caches.float()).square().mean()
        assert 10 * torch.log10(caches.float().var() / error) > quality.get("snr", 12) - 0.1
    with pytest.raises(InvalidStream):
        deserializer.deserialize(SimpleNamespace(tensor=stored.tensor[: size // 2]), back, None)
    small = SimpleNamespace(tensor=torch.zeros(100, dtype=torch.uint8))
    with pytest.raises(InvalidInput, match="room for 100"):
        serializer.serialize(SimpleNamespace(tensor=caches), small, None)


# --- vLLM ---------------------------------------------------------------------------------------


class Connector:
    """What the connector of vLLM has that ours stands on."""

    def __init__(self, extra: dict[str, Any]) -> None:
        self._kv_transfer_config = SimpleNamespace(get_from_extra_config=extra.get)
        self._request_filenames: dict[str, str] = {}

    def build_connector_meta(self, scheduler_output: dict[str, str]) -> Any:
        self._request_filenames.update(scheduler_output)
        return SimpleNamespace(new_req_filenames=dict(scheduler_output))


@pytest.fixture
def vllm(stand_in: Install) -> Any:
    base = "vllm.distributed.kv_transfer.kv_connector.v1.example_hidden_states_connector"
    stand_in(base, ExampleHiddenStatesConnector=Connector)
    return importlib.import_module("featcodec.ext.vllm")


def test_hidden_states_of_vllm_are_stored_and_read(vllm: Any, tmp_path: Path) -> None:
    connector = vllm.FeatcodecHiddenStatesConnector({"snr": 15})
    wanted = {"a": str(tmp_path / "a.safetensors"), "b": str(tmp_path / "chosen")}
    meta = connector.build_connector_meta(wanted)
    names = {"a": str(tmp_path / "a.fcz"), "b": str(tmp_path / "chosen")}
    assert meta.new_req_filenames == connector._request_filenames == names
    states = torch.randn(40, 3, 64).to(torch.bfloat16)
    tensors = {"hidden_states": states, "token_ids": torch.arange(40)}
    waited: list[bool] = []
    event = SimpleNamespace(synchronize=lambda: waited.append(True))
    for name in names.values():
        lock = os.open(f"{name}.lock", os.O_CREAT | os.O_WRONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        connector._write_tensors(tensors, event, name, lock)
        found = vllm.load_hidden_states(name)  # the lock is free
        assert torch.equal(found["token_ids"], tensors["token_ids"])
        error = (found["hidden_states"].float() - states.float()).square().mean()
        assert 10 * torch.log10(states.float().var() / error) > 14.9
        assert found["hidden_states"].dtype == torch.bfloat16
    assert waited == [True, True] and load_file(names["a"]).keys() == tensors.keys()


def test_a_mistake_in_the_configuration_is_known_at_once(vllm: Any) -> None:
    with pytest.raises(InvalidInput, match="choose one quality"):
        vllm.FeatcodecHiddenStatesConnector({"snr": 15, "bpfp": 2})
    with pytest.raises(InvalidInput, match=r"nothing.fcp"):
        vllm.FeatcodecHiddenStatesConnector({"profile": "nothing.fcp"})


def test_a_writer_that_fails_lets_go_of_the_lock(vllm: Any, tmp_path: Path) -> None:
    connector = vllm.FeatcodecHiddenStatesConnector({})
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_WRONLY)
    with pytest.raises(InvalidInput):
        connector._write_tensors(
            {"x": np.ones(3)}, SimpleNamespace(synchronize=lambda: None), "x.fcz", lock
        )
    with pytest.raises(OSError):
        os.fstat(lock)
