"""A serde for LMCache's storage: KV caches as messages, with a profile that is trained on some.

Importing this module registers it:

    {"type": "fs", "base_path": "/cache",
     "serde": {"type": "featcodec", "profile": "kv.fcp", "snr": 20}}
"""

from typing import Any

import torch
from lmcache.v1.distributed.serde import (
    AsyncSerdeProcessor,
    Deserializer,
    Serializer,
    register_serde_factory,
)

from ..errors import InvalidInput
from ..limits import ROW_GROUP_VALUES
from ..message import Codec

LENGTH = 4  # bytes in front of a message that say how long it is


class FeatcodecSerializer(Serializer):
    """Codes the tensor of a memory object as a message."""

    def __init__(self, profile: Any, **quality: Any) -> None:
        """Take a profile, or its path, that was trained on such tensors, and a quality.

        The quality is one of `snr` (dB, 20 without), `bpfp`, `max_error` and `lossless=True`.
        """
        self._bpfp = quality.get("bpfp")
        self._codec = Codec(profile, max_values=ROW_GROUP_VALUES, **quality)

    def serialize(self, src: Any, dst: Any, key: Any) -> int:
        """Write the message of `src` to the bytes of `dst`; return how many it took.

        Raises InvalidInput when they are more than was estimated: LMCache then stores nothing.
        """
        message = self._codec.encode(src.tensor)
        data = len(message).to_bytes(LENGTH, "little") + message
        room = dst.tensor.view(torch.uint8).flatten()
        if len(data) > room.numel():
            raise InvalidInput(f"a message of {len(data)} bytes, and room for {room.numel()}")
        room[: len(data)].copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        return len(data)

    def estimate_serialized_size(self, layout_desc: Any) -> int:
        """Return the bytes that there is room for: those of the rate, or of the tensors."""
        counts = [torch.Size(shape).numel() for shape in layout_desc.shapes]
        if self._bpfp is not None:
            return LENGTH + int(self._bpfp * sum(counts) / 8)
        sizes = [dtype.itemsize for dtype in layout_desc.dtypes]
        return LENGTH + sum(n * size for n, size in zip(counts, sizes, strict=True))


class FeatcodecDeserializer(Deserializer):
    """Decodes messages to the tensor of a memory object."""

    def __init__(self, profile: Any) -> None:
        """Take the profile of the serializer, or its path."""
        self._codec = Codec(profile, max_values=ROW_GROUP_VALUES, framework="torch")

    def deserialize(self, src: Any, dst: Any, key: Any) -> None:
        """Write the values of the message in `src` to the tensor of `dst`."""
        data = src.tensor.view(torch.uint8).flatten().cpu().numpy().tobytes()
        length = int.from_bytes(data[:LENGTH], "little")
        found = self._codec.decode(data[LENGTH : LENGTH + length])
        dst.tensor.copy_(found.reshape(dst.tensor.shape).to(dst.tensor.dtype))


def create(options: dict[str, Any]) -> AsyncSerdeProcessor:
    """Return the serde of a configuration: `profile`, a quality, `max_workers` (1)."""
    options = dict(options)
    profile, workers = options.pop("profile"), int(options.pop("max_workers", 1))
    serializer = FeatcodecSerializer(profile, **options)
    return AsyncSerdeProcessor(serializer, FeatcodecDeserializer(profile), max_workers=workers)


register_serde_factory("featcodec", create)
