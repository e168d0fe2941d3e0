"""The index: what tensors the file holds and where its sections lie (SPEC §4)."""

import math
from dataclasses import dataclass, field

from .. import limits
from ..errors import Corrupt
from . import dtypes
from .wire import Builder, Cursor, deflate, inflate


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of the dump and the tensor group that holds its values."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    group: int

    @property
    def values(self) -> int:
        return math.prod(self.shape)


@dataclass
class Index:
    """Tensors in the dump's order, sections in the file's order."""

    metadata: dict[str, str] | None = None
    tensors: list[TensorEntry] = field(default_factory=list)
    profiles: list[bytes] = field(default_factory=list)  # SHA-256 of each profile needed
    sections: list[tuple[bytes, int]] = field(default_factory=list)  # type, length in all

    def pack(self) -> bytes:
        """Return the payload of INDX: columns, so that zlib finds what repeats."""
        limits.check(len(self.tensors), limits.TENSORS, "the number of tensors")
        out = Builder()
        out.u8(self.metadata is not None)
        if self.metadata is not None:
            out.varint(len(self.metadata))
            for key, value in self.metadata.items():
                out.string(key)
                out.blob(value.encode())
        out.varint(len(self.profiles))
        for digest in self.profiles:
            out += digest
        out.varint(len(self.tensors))
        _pack_names(out, [tensor.name for tensor in self.tensors])
        out += bytes(dtypes.CODES[tensor.dtype] for tensor in self.tensors)
        out += bytes(limits.check(len(t.shape), limits.RANK, "a rank") for t in self.tensors)
        for tensor in self.tensors:
            _check_size(tensor)
        for axis in range(max((len(tensor.shape) for tensor in self.tensors), default=0)):
            out.varints([t.shape[axis] for t in self.tensors if len(t.shape) > axis])
        out.varints([tensor.group for tensor in self.tensors])
        out.varint(len(self.sections))
        out += b"".join(kind for kind, _ in self.sections)
        out.varints([length for _, length in self.sections])
        limits.check(len(out), limits.INDEX_BYTES, "the index")
        return deflate(bytes(out))

    @classmethod
    def unpack(cls, payload: bytes) -> "Index":
        cursor = Cursor(inflate(Cursor(payload, "index"), limits.INDEX_BYTES), "index")
        index = cls()
        if cursor.flag():
            count = limits.check(cursor.varint(), len(cursor.data), "the number of metadata keys")
            index.metadata = {}
            for _ in range(count):
                key = cursor.string()
                if key in index.metadata:
                    raise Corrupt("the index names two metadata keys alike")
                index.metadata[key] = _text(cursor.blob())
        for _ in range(limits.check(cursor.varint(), limits.GROUPS, "the number of profiles")):
            index.profiles.append(bytes(cursor.take(32)))
        count = limits.check(cursor.varint(), limits.TENSORS, "the number of tensors")
        names = _unpack_names(cursor, count)
        kinds = [dtypes.name_of(code) for code in cursor.take(count)]
        ranks = [limits.check(rank, limits.RANK, "a rank") for rank in cursor.take(count)]
        shapes: list[list[int]] = [[] for _ in range(count)]
        for axis in range(max(ranks, default=0)):
            for shape, rank in zip(shapes, ranks, strict=True):
                if rank > axis:
                    shape.append(cursor.varint())
        groups = cursor.varints(count)
        for name, dtype, shape, group in zip(names, kinds, shapes, groups, strict=True):
            entry = TensorEntry(name, dtype, tuple(shape), group)
            _check_size(entry)
            index.tensors.append(entry)
        count = limits.check(cursor.varint(), limits.INDEX_BYTES, "the number of sections")
        packed = bytes(cursor.take(4 * count))
        types = [packed[4 * i : 4 * i + 4] for i in range(count)]
        index.sections = list(zip(types, cursor.varints(count), strict=True))
        cursor.end()
        return index


def _check_size(tensor: TensorEntry) -> None:
    what = f"the number of values of tensor {tensor.name!r}"
    limits.check(tensor.values, limits.DIMENSION_PRODUCT, what)


def _pack_names(out: Builder, names: list[str]) -> None:
    """Front coding: how many bytes each name shares with the one before it, and the rest."""
    if len(set(names)) != len(names):
        raise Corrupt("two tensors have the same name")
    shared, suffixes, previous = [], [], b""
    for name in names:
        raw = name.encode()
        limits.check(len(raw), limits.NAME_BYTES, "the length of a tensor's name")
        pairs = enumerate(zip(previous, raw, strict=False))
        least = min(len(previous), len(raw))
        shared.append(next((i for i, (a, b) in pairs if a != b), least))
        suffixes.append(raw[shared[-1] :])
        previous = raw
    out.varints(shared)
    out.varints([len(suffix) for suffix in suffixes])
    out += b"".join(suffixes)


def _unpack_names(cursor: Cursor, count: int) -> list[str]:
    shared = cursor.varints(count)
    lengths = cursor.varints(count)
    names, previous = [], b""
    for keep, length in zip(shared, lengths, strict=True):
        if keep > len(previous):
            raise Corrupt("the index holds a damaged name")
        previous = previous[:keep] + bytes(cursor.take(length))
        limits.check(len(previous), limits.NAME_BYTES, "the length of a tensor's name")
        names.append(_text(previous))
    if len(set(names)) != len(names):
        raise Corrupt("the index names two tensors alike")
    return names


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Corrupt("the index holds text that is not UTF-8") from None
