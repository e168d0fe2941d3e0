"""What is fuzzed where torch is installed: networks in profiles, and files of torch.save."""

import io
import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from bitstream_spec import reference_decoder as reference
from featcodec import Profile
from featcodec.torch.tensors import elements_of, plain

from .. import mutations
from ..mutations.change import changed
from ..test_hostile import compare, decode
from ..vectors.store import VECTORS
from .targets import Dumps, File

LEAST = VECTORS / "least.fcp"
CODED = VECTORS / "valid" / "104-network-least" / "in.fcz"  # what is decoded with a changed network
TEXTS = (b"0", b"1", b"-1", b"2", b"5", b"1e3", b"[]", b"{}", b"null", b'"F32"', b'"I16"', b'"F64"')


class OfNetwork(File):
    """Networks in profiles: same verdict; what both take, decodes a file to the same symbols."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = CODED.read_bytes()
        self.digest = Profile.load(LEAST).digest

    def seeds(self) -> Iterator[bytes]:
        yield LEAST.read_bytes()

    def changed(self, chance: random.Random, data: bytes) -> bytes:
        """Change the header of the network, its numbers, or any section of the profile."""
        if chance.random() < 0.2:
            return mutations.resealed(chance, data)
        file = mutations.File(data)
        [network] = [section for section in file.sections if section[0] == b"NETW"]
        payload = network[1][0][1]
        size = int.from_bytes(payload[:8], "little")
        header, numbers = bytearray(payload[8 : 8 + size]), payload[8 + size :]
        if chance.random() < 0.5:
            places = [i for i, one in enumerate(header) if chr(one) in '0123456789"[{,']
            at = chance.choice(places or [0])
            header[at : at + chance.choice((0, 1, 1, 3))] = chance.choice(TEXTS)
        else:
            numbers = self._numbers(chance, header, numbers)
        network[1] = [["bytes", len(header).to_bytes(8, "little") + bytes(header) + numbers]]
        return file.bytes()

    def _numbers(self, chance: random.Random, header: bytes, numbers: bytes) -> bytes:
        """Change the numbers of one tensor, so that small ones are hit as often as large ones."""
        tensors = {n: t for n, t in json.loads(header).items() if n != "__metadata__"}
        first, last = chance.choice(list(tensors.values()))["data_offsets"]
        return numbers[:first] + changed(chance, numbers[first:last]) + numbers[last:]

    def read(self, data: bytes) -> None:
        found, _ = self.both(data, lambda: self._parsed(data), lambda: reference.read_profile(data))
        if found is None or found.network is None:
            return
        named = self._named(found.digest)
        self.ours.clear()
        self.theirs.clear()
        ours, theirs = self.both(
            data, lambda: decode(named, [found]), lambda: reference.decode(named, [data])
        )
        if ours is not None:
            assert sorted(self.ours) == sorted(self.theirs), "other symbols"
            with np.errstate(all="ignore"):
                compare(*ours, theirs)

    def _parsed(self, data: bytes) -> Profile:
        profile = Profile.parse(data)
        for number in range(len(profile.entries)):
            profile.model(number)
        if profile.network is not None:
            _ = profile.neural
        return profile

    def _named(self, digest: bytes) -> bytes:
        """Return the file, of a changed profile."""
        file = mutations.File(self.sound)
        for one in file.index:
            if one[1] == self.digest:
                one[1] = digest
        return file.bytes()


class TorchFiles(Dumps):
    """Files of torch.save: what is taken is what torch itself reads, and nothing runs."""

    def seeds(self) -> Iterator[bytes]:
        base = torch.arange(24.0).reshape(4, 6)
        shared = {"a": base, "b": [base[1:, ::2], {"c": base.T.bfloat16()}], "n": 3, "t": "text"}
        for zipped in (True, False):
            stream = io.BytesIO()
            torch.save(shared, stream, _use_new_zipfile_serialization=zipped)
            yield stream.getvalue()

    def changed(self, chance: random.Random, data: bytes) -> bytes:
        return super().changed(chance, data) if data[:2] == b"PK" else changed(chance, data)

    def _theirs(self, path: str) -> dict:
        """Return what torch reads, weights only."""
        found: dict[str, Any] = {}

        def walk(one: Any, name: str) -> None:
            if isinstance(one, dict):
                items = list(one.items())
            elif isinstance(one, (list, tuple)):
                items = list(enumerate(one))
            else:
                if torch.is_tensor(one) and one.dtype == torch.float32:
                    kept = elements_of(plain(one)).copy()
                    found[name or "data"] = ("F32", tuple(one.shape), kept.tobytes())
                return
            for key, value in items:
                walk(value, f"{name}.{key}" if name else str(key))

        try:
            walk(torch.load(path, map_location="cpu", weights_only=True), "")
        except RuntimeError:  # sizes of records, which only what is not mapped is held against
            return {}
        return found


TARGETS = {"network": OfNetwork, "torch": TorchFiles}
