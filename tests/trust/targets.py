"""What is fuzzed: each target reads an input, and fails where the readers of it disagree."""

import contextlib
import functools
import importlib
import io
import json
import math
import random
import tempfile
import types
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import safe_open as safetensors_open

from bitstream_spec import reference_decoder as reference
from featcodec import Codec, Profile, compiled, limits, message
from featcodec.arrays import to_stored
from featcodec.cli.info import describe
from featcodec.coding import message_entry, profile
from featcodec.coding.row_group import RowGroupCoder
from featcodec.container import reader, sections
from featcodec.container.salvage import SalvageReader
from featcodec.decoding.salvage import Salvager
from featcodec.dumps import Dump
from featcodec.entropy import exact, symbols
from featcodec.errors import InvalidInput, InvalidStream, ProfileMissing

from .. import mutations
from ..mutations.change import changed
from ..test_hostile import SMALL, compare, decode
from ..vectors.store import VECTORS
from .ends import ends_within

REFUSALS = (InvalidStream, ProfileMissing)
MESSAGE_VALUES = 1 << 14


class Loose(int):
    """A checksum that is that of any bytes."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


def loosen(*modules: types.ModuleType) -> None:
    """Have modules find every checksum right."""
    loose = types.ModuleType("zlib")
    loose.__dict__.update(zlib.__dict__)
    loose.crc32 = lambda data, seed=0: Loose(zlib.crc32(data, int(seed)))  # type: ignore[attr-defined]
    for module in modules:
        module.zlib = loose  # type: ignore[attr-defined]


def verdict(read: Callable[[], Any], refusals: tuple) -> Any:
    """Return what is read, None when it is refused in one line."""
    try:
        return read()
    except refusals as error:
        assert "\n" not in str(error) and len(str(error)) < 1000, f"message {error}"
        return None


class Target:
    """Reads inputs of one kind."""

    def seeds(self) -> Iterator[bytes]:
        raise NotImplementedError

    def read(self, data: bytes) -> None:
        """Read an input; raise AssertionError where readers disagree."""
        raise NotImplementedError

    def changed(self, chance: random.Random, data: bytes) -> bytes:
        return changed(chance, data)


class OfBoth(Target):
    """What both decoders read, with small limits, so that nothing takes long."""

    loose = True  # checksums are right whatever they are

    def __init__(self) -> None:
        message.SHAPE_VALUES = SMALL["TENSOR_VALUES"]
        for name, bound in SMALL.items():
            setattr(limits, name, bound)
            reference.LIMITS[name] = bound
        if self.loose:
            loosen(reference, sections, symbols, exact, profile, message, message_entry)
            with contextlib.suppress(ImportError):
                loosen(importlib.import_module(symbols.LOOPS))
        kept = functools.lru_cache(8)(reference.read_profile)  # the same ones, over and over
        reference.read_profile = kept  # type: ignore[assignment]

    def both(
        self, data: bytes, ours: Callable[[], Any], theirs: Callable[[], Any]
    ) -> tuple[Any, Any]:
        # Half of the inputs go through the compiled loops, where there are any.
        compiled._missed, compiled._missing = math.inf, bool(zlib.crc32(data) & 1)
        with np.errstate(all="ignore"):
            one = verdict(ours, REFUSALS)
            other = verdict(theirs, (reference.FormatError,))
        assert (one is None) == (other is None), (
            f"the package {'refuses' if one is None else 'takes'} what the reference does not"
        )
        return one, other


class File(OfBoth):
    """Files of features, by the package and by the reference decoder."""

    def __init__(self) -> None:
        super().__init__()
        packed = [path.read_bytes() for path in sorted(VECTORS.glob("*.fcp"))]
        self.packed = [data for data in packed if b"NETW" not in data]
        self.profiles = [Profile.parse(data) for data in self.packed]
        self.ours = ends_within(RowGroupCoder, "decode", symbols.SymbolDecoder, "_crc")
        self.theirs = ends_within(reference, "decode_rows", reference.Symbols, "check")

    def seeds(self) -> Iterator[bytes]:
        for path in sorted(VECTORS.glob("*/*/in.fcz")):
            if b"NETW" not in (data := path.read_bytes()):
                yield data

    def changed(self, chance: random.Random, data: bytes) -> bytes:
        return mutations.mutated(chance, mutations.File(data))

    def read(self, data: bytes) -> None:
        if b"NETW" in data:
            return
        self.ours.clear()
        self.theirs.clear()
        found, other = self.both(
            data, lambda: decode(data, self.profiles), lambda: reference.decode(data, self.packed)
        )
        if found is not None:
            assert sorted(self.ours) == sorted(self.theirs), "other symbols"
            with np.errstate(all="ignore"):
                compare(*found, other)


class Salvage(File):
    """Damaged files: they are refused, or what is left of them is what it was."""

    loose = False

    def changed(self, chance: random.Random, data: bytes) -> bytes:
        return super().changed(chance, data) if chance.random() < 0.5 else changed(chance, data)

    def read(self, data: bytes) -> None:
        if b"NETW" in data:
            return
        with np.errstate(all="ignore"):
            found = verdict(lambda: self._left(data), REFUSALS)
            whole = verdict(lambda: decode(data, self.profiles), REFUSALS)
        if whole is not None:
            assert found is not None, "refused, and it is sound"
            (tensors, missing), (_, wanted) = found, whole
            assert not missing and list(tensors) == list(wanted)
            assert all(tensors[name].tobytes() == wanted[name].tobytes() for name in wanted)

    def _left(self, data: bytes) -> tuple[dict[str, np.ndarray], dict[str, list[range]]]:
        salvager = Salvager(SalvageReader(io.BytesIO(data), "x"), self.profiles)
        entries = salvager.reader.index.tensors
        missing = salvager.survey(entries)
        return {entry.name: salvager.tensor(entry) for entry in entries}, missing


class OfProfile(OfBoth):
    """Profiles, all entries looked into."""

    def seeds(self) -> Iterator[bytes]:
        for path in sorted([*VECTORS.glob("*.fcp"), *VECTORS.glob("faulty/*/profile.fcp")]):
            if b"NETW" not in (data := path.read_bytes()):
                yield data

    def changed(self, chance: random.Random, data: bytes) -> bytes:
        if chance.random() < 0.5:
            return mutations.resealed(chance, data)
        return mutations.mutated(chance, mutations.File(data))

    def read(self, data: bytes) -> None:
        if b"NETW" not in data:
            self.both(data, lambda: self._all(data), lambda: reference.read_profile(data))

    def _all(self, data: bytes) -> bool:
        profile = Profile.parse(data)
        for number in range(len(profile.entries)):
            profile.model(number)
        return True


class Message(OfBoth):
    """Messages of one profile."""

    def __init__(self) -> None:
        super().__init__()
        self.packed = (VECTORS / "digits.fcp").read_bytes()
        self.codec = Codec(Profile.parse(self.packed), max_values=MESSAGE_VALUES)

    def seeds(self) -> Iterator[bytes]:
        for path in sorted(VECTORS.glob("*/*/in.msg")):
            yield path.read_bytes()

    def read(self, data: bytes) -> None:
        found, other = self.both(
            data,
            lambda: to_stored(self.codec.decode(data)),
            lambda: reference.decode_message(data, self.packed, MESSAGE_VALUES),
        )
        if found is not None:
            (stored, dtype), (kind, shape, _) = found, other
            assert (dtype, list(stored.shape)) == (kind, list(shape))


class Headers(Target):
    """Headers of files and profiles, as `info` shows them: no control characters, no surprise."""

    def seeds(self) -> Iterator[bytes]:
        for path in sorted([*VECTORS.glob("*/*/in.fcz"), *VECTORS.glob("*.fcp")]):
            yield path.read_bytes()

    def changed(self, chance: random.Random, data: bytes) -> bytes:
        return mutations.mutated(chance, mutations.File(data))

    def read(self, data: bytes) -> None:
        loosen(sections)
        with at_path(data) as path:
            json.dumps(verdict(lambda: describe(path), (InvalidStream, ProfileMissing)))
            verdict(lambda: reader.Reader(io.BytesIO(data), "x", None).check_sections(), REFUSALS)


class Dumps(Target):
    """Dumps of safetensors and NumPy: what is taken is what their own libraries read."""

    def seeds(self) -> Iterator[bytes]:
        for path in sorted(VECTORS.glob("valid/*/out.safetensors"))[:40]:
            yield path.read_bytes()
        arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.arange(3)[::-1], "c": np.zeros(0)}
        for save in (np.savez, np.savez_compressed):
            stream = io.BytesIO()
            save(stream, **arrays)
            yield stream.getvalue()
        for order in "CF":
            stream = io.BytesIO()
            np.save(stream, np.asarray(np.ones((3, 4), ">f4"), order=order))
            yield stream.getvalue()

    def changed(self, chance: random.Random, data: bytes) -> bytes:
        """Change the header of a safetensors file, or what is in an archive."""
        if data[:2] == b"PK":
            return self._repacked(chance, data)
        size = int.from_bytes(data[:8], "little")
        if size > len(data):
            return changed(chance, data)
        header = bytearray(data[8 : 8 + size])
        texts = [b"0", b"-1", b"1e3", b"[]", b"{}", b"null", b'"F4"', b'"I64"', b"9" * 19, b"4"]
        for _ in range(chance.choice((1, 1, 2))):
            numbers = [i for i, one in enumerate(header) if chr(one) in '0123456789"[{,']
            at = chance.choice(numbers or [0])
            header[at : at + chance.choice((0, 1, 1, 3))] = chance.choice(texts)
        return len(header).to_bytes(8, "little") + bytes(header) + data[8 + size :]

    def _repacked(self, chance: random.Random, data: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            infos = old.infolist()
            chosen = chance.randrange(len(infos)) if infos else 0
            for number, info in enumerate(infos):
                content = old.read(info)
                content = changed(chance, content) if number == chosen else content
                new.writestr(info, content, chance.choice((zipfile.ZIP_STORED, info.compress_type)))
        return out.getvalue()

    def read(self, data: bytes) -> None:
        with at_path(data) as path:
            found = verdict(lambda: self._ours(path), (InvalidInput,))
            if not found:  # an empty file of another kind is none that torch reads
                return
            for name, (dtype, shape, stored) in self._theirs(path).items():
                assert found[name] == (dtype, shape, stored), f"tensor {name!r}"

    def _ours(self, path: str) -> dict:
        with Dump(path) as dump:
            assert sum(tensor.read().nbytes for tensor in dump.tensors) < 1 << 28
            return {
                t.name: (t.dtype, t.shape, np.asarray(t.read()).tobytes()) for t in dump.tensors
            }

    def _theirs(self, path: str) -> dict:
        """Return what safetensors itself reads; nothing of other files."""
        try:
            with safetensors_open(path, "numpy") as file:
                slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
                kinds = {name: (s.get_dtype(), tuple(s.get_shape())) for name, s in slices.items()}
                plain = {n: k for n, k in kinds.items() if k[0] in ("F16", "F32", "F64", "I64")}
                return {n: (*k, file.get_tensor(n).tobytes()) for n, k in plain.items()}
        except (
            SafetensorError,
            OSError,
            ValueError,
        ):  # the last of numpy, for shapes it cannot hold
            return {}


@contextlib.contextmanager
def at_path(data: bytes) -> Iterator[str]:
    """Return the path of a file in memory that holds the bytes."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="featcodec-fuzz-") as file:
        file.write(data)
        file.flush()
        yield str(Path(file.name))


TARGETS: dict[str, Callable[[], Target]] = {
    "file": File,
    "salvage": Salvage,
    "profile": OfProfile,
    "message": Message,
    "headers": Headers,
    "dump": Dumps,
}
