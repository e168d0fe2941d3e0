"""The network of a profile: a safetensors file, described by its metadata (SPEC §9.2)."""

import json
import struct
from dataclasses import dataclass, field
from typing import Any

from .. import limits
from ..errors import Corrupt


@dataclass(frozen=True)
class Network:
    """The payload of a NETW section."""

    weights: bytes = field(repr=False)  # a safetensors file
    metadata: dict[str, str]

    def pack(self) -> bytes:
        """Return the payload of NETW; InputTooLarge when the format cannot hold it."""
        (size,) = struct.unpack_from("<Q", self.weights)
        most, what = limits.NETWORK_HEADER_BYTES, "the size of the header of a network"
        limits.check_input(size, most, what, "shorten its metadata")
        return self.weights

    @classmethod
    def unpack(cls, payload: bytes) -> "Network":
        """Read the metadata with the standard library alone; the tensors stay packed."""
        size = struct.unpack_from("<Q", payload)[0] if len(payload) >= 8 else 0
        limits.check(size, limits.NETWORK_HEADER_BYTES, "the size of the header of a network")
        try:
            if size > len(payload) - 8:
                raise ValueError
            header = json.loads(payload[8 : 8 + size])
            metadata = header.get("__metadata__", {})
            if not all(isinstance(value, str) for value in metadata.values()):
                raise ValueError
        except (ValueError, AttributeError, RecursionError):
            raise Corrupt("the network of a profile is no safetensors file") from None
        return cls(payload, metadata)

    @property
    def name(self) -> str:
        return self.metadata.get("name", "")

    @property
    def normalised(self) -> bool:
        """Whether the network takes values of mean 0 and deviation 1; only an encoder asks."""
        return bool(self.record.get("normalised", True))

    @property
    def record(self) -> dict[str, Any]:
        """What the network was trained on and how, as the training command noted it."""
        try:
            found = json.loads(self.metadata.get("training", "{}"))
        except (ValueError, TypeError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}
