"""Hidden states that vLLM extracts, stored as featcodec files in place of safetensors.

For the speculators library and others that train on hidden states. vLLM is told by

    {"kv_connector": "FeatcodecHiddenStatesConnector", "kv_role": "kv_producer",
     "kv_connector_module_path": "featcodec.ext.vllm",
     "kv_connector_extra_config": {"shared_storage_path": "/states", "snr": 20}}

where `snr` may be another quality, or a `profile` be named. Whoever gets a path from vLLM reads it
by `load_hidden_states`.
"""

import fcntl
import os
from pathlib import Path
from typing import Any

from vllm.distributed.kv_transfer.kv_connector.v1.example_hidden_states_connector import (
    ExampleHiddenStatesConnector,
)

from ..coding.profile import Profile
from ..request import Quality
from ..torch import load_file, save_file

QUALITIES = ("snr", "bpfp", "max_error", "lossless", "row_snr")
LAYOUT = {"hidden_states": "NLD"}  # tokens, layers, channels
DUMP_SUFFIX, SUFFIX = ".safetensors", ".fcz"


class FeatcodecHiddenStatesConnector(ExampleHiddenStatesConnector):
    """Stores `hidden_states` at a quality, and `token_ids` bit for bit."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Read quality and profile from the extra configuration; InvalidInput for two qualities."""
        super().__init__(*arguments, **named)
        wanted = self._kv_transfer_config.get_from_extra_config
        asked = {name: wanted(name, None) for name in QUALITIES}
        self._quality = {name: value for name, value in asked.items() if value}
        Quality.choose(**self._quality)  # a mistake is better known now
        path = wanted("profile", None)
        self._profile = Profile.load(path) if path else None

    def build_connector_meta(self, scheduler_output: Any) -> Any:
        """Let files have the suffix of what they are."""
        meta = super().build_connector_meta(scheduler_output)
        for request, name in meta.new_req_filenames.items():
            if name.endswith(DUMP_SUFFIX):
                name = name.removesuffix(DUMP_SUFFIX) + SUFFIX
            meta.new_req_filenames[request] = self._request_filenames[request] = name
        return meta

    def _write_tensors(
        self, tensors: dict[str, Any], event: Any, filename: str, lock_fd: int | None
    ) -> None:
        """Write a file when the tensors have come from the device; let go of the lock."""
        try:
            event.synchronize()
            save_file(tensors, filename, layout=LAYOUT, profile=self._profile, **self._quality)
        finally:
            if lock_fd is not None:
                os.close(lock_fd)


def load_hidden_states(path: str, *, profile: Any = None) -> dict[str, Any]:
    """Return the tensors of a file that vLLM named, when it is written.

    Args:
        path: What the request's `kv_transfer_params` call `hidden_states_path`.
        profile: A profile, or its path, when the connector has one.

    Raises:
        InvalidInput: When there is no such file.
        InvalidStream: For a file that is damaged.
        ProfileMissing: When the file needs a profile that was not given.
    """
    lock = Path(f"{path}.lock")
    if lock.exists():
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_SH)  # until the writer is done
    return load_file(path, profile=profile)
