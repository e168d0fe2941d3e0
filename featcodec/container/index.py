"""The index: the tensors and the sections of a file (SPEC §4)."""

import math
from dataclasses import dataclass, field

from .. import elements, limits
from ..errors import Corrupt, LimitExceeded
from .cuts import Along, Cut, Where, check_type, pack_cuts, part_shape, unpack_cuts
from .dump import (
    LEAST_ENTRY,
    LEAST_PAIR,
    check_dump,
    check_tensors,
    header_bytes,
    quoted,
    surely_fits,
)
from .sections import SECTION_BYTES
from .wire import Builder, Unpacker, deflate

Key = tuple[str, int]


@dataclass(frozen=True)
class TensorEntry:
    """A tensor of the dump, and the number of its tensor group."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    group: int

    @property
    def values(self) -> int:
        return math.prod(self.shape)

    @property
    def key(self) -> Key:
        """What tells it from other tensors and parts of tensors."""
        return self.name, 0


@dataclass(frozen=True)
class PartEntry(TensorEntry):
    """A part of a tensor that is cut, which is a tensor to its group."""

    number: int = 0  # of the parts of its tensor
    where: Where = field(default=(), compare=False)  # in it
    axes: tuple[Along, ...] = ()  # how those of its tensor are cut

    @property
    def key(self) -> Key:
        return self.name, self.number

    def layout(self, of_part: str) -> str:
        """Return the layout of the tensor: K where it is cut into indices, lengths of parts.

        Parts of other axes than the last, as of appended samples, have that layout too. Where one
        in the middle is cut, padding is cut off, and indices are samples.
        """
        axes, colon, grid = of_part.partition(":")
        letters, index = iter(axes), "N" if any(self.axes[1:-1]) else "K"
        whole = "".join(index if along is None else next(letters, "") for along in self.axes)
        lengths = ("+".join(map(str, along)) for along in self.axes[1:][-1:] if along)
        return "/".join((whole + colon + grid, *lengths))


@dataclass
class Index:
    """Tensors in the dump's order, sections in the file's order."""

    metadata: dict[str, str] | None = None
    tensors: list[TensorEntry] = field(default_factory=list)
    cuts: dict[int, Cut] = field(default_factory=dict)  # of tensors by number
    profiles: list[bytes] = field(default_factory=list)  # SHA-256 of each profile needed
    sections: list[tuple[bytes, int]] = field(default_factory=list)  # type, length in all

    @property
    def parts(self) -> list[list[TensorEntry]]:
        """The parts of each tensor as groups have them: the tensor itself where it is not cut."""
        return [self._parts(i, tensor) for i, tensor in enumerate(self.tensors)]

    def _parts(self, number: int, tensor: TensorEntry) -> list[TensorEntry]:
        cut = self.cuts.get(number)
        if cut is None:
            return [tensor]
        found = zip(cut.places(tensor.shape), cut.groups, strict=True)
        return [
            PartEntry(tensor.name, tensor.dtype, part_shape(where), group, i, where, cut.axes)
            for i, (where, group) in enumerate(found)
        ]

    def pack(self) -> bytes:
        """Return the payload of INDX, column by column, so that zlib finds repetitions.

        Raises InvalidInput for a dump that the format cannot hold.
        """
        check_dump(self.metadata, self.tensors)
        out = Builder()
        out.u8(self.metadata is not None)
        if self.metadata is not None:
            out.varint(len(self.metadata))
            for key, value in self.metadata.items():
                out.string(key, "a key of the metadata")
                out.blob(value.encode())
        out.varint(len(self.profiles))
        for digest in self.profiles:
            out += digest
        out.varint(len(self.tensors))
        _pack_names(out, [tensor.name for tensor in self.tensors])
        out += bytes(elements.CODES[tensor.dtype] for tensor in self.tensors)
        out += bytes(len(tensor.shape) for tensor in self.tensors)
        for axis in range(max((len(tensor.shape) for tensor in self.tensors), default=0)):
            out.varints([t.shape[axis] for t in self.tensors if len(t.shape) > axis])
        out.varints([tensor.group for tensor in self.tensors])
        out.varint(len(self.sections))
        out += b"".join(kind for kind, _ in self.sections)
        out.varints([length for _, length in self.sections])
        if self.cuts:
            pack_cuts(out, self.cuts)
        limits.check_input(len(out), limits.INDEX_BYTES, "the size of the index")
        return deflate(bytes(out))

    @classmethod
    def unpack(cls, payload: "bytes | memoryview", room: int) -> "Index":
        """Read the index of a file whose sections take `room` bytes.

        Every count is checked against the room for it before anything is unpacked.
        """
        cursor = Unpacker(payload, "index", limits.INDEX_BYTES)
        index = cls()
        text = 0  # bytes of metadata and names
        if cursor.flag():
            index.metadata, text = _unpack_metadata(cursor)
        most = room // SECTION_BYTES  # sections
        count = _fitting(cursor.varint(), min(most, limits.GROUPS), "profiles")
        index.profiles = [bytes(cursor.take(32)) for _ in range(count)]
        if len(set(index.profiles)) < count:
            raise Corrupt("the index lists a profile twice")
        index.tensors = _unpack_tensors(cursor, text)
        check_tensors(index.tensors)
        if not surely_fits(index.metadata, index.tensors):
            _check_header(header_bytes(index.metadata, index.tensors))
        count = _fitting(cursor.varint(), most, "sections")
        packed = bytes(cursor.take(4 * count))
        kinds: dict[bytes, bytes] = {}  # keeps each type once
        types = [packed[i : i + 4] for i in range(0, 4 * count, 4)]
        types = [kinds.setdefault(kind, kind) for kind in types]
        lengths = cursor.varints(count)
        if sum(lengths) != room:
            raise Corrupt(f"the index lists sections of {sum(lengths)} bytes; the file has {room}")
        least = min(lengths, default=SECTION_BYTES)
        if least < SECTION_BYTES:
            raise Corrupt(
                f"the index lists a section of {least} bytes; the least is {SECTION_BYTES}"
            )
        largest = max(lengths, default=SECTION_BYTES) - SECTION_BYTES
        limits.check(largest, limits.SECTION_BYTES, "the size of a section")
        index.sections = list(zip(types, lengths, strict=True))
        if cursor.left:
            index._unpack_cuts(cursor)
        groups = types.count(b"GRUP")
        parts = len(index.tensors) + sum(len(cut.groups) - 1 for cut in index.cuts.values())
        if not len(index.profiles) <= groups <= parts:
            listed = f"{len(index.profiles)} profiles, {groups} groups, {parts} tensors"
            raise Corrupt(f"the index lists {listed}; a profile needs a group, a group a tensor")
        cursor.end()
        return index

    def _unpack_cuts(self, cursor: Unpacker) -> None:
        shapes = [tensor.shape for tensor in self.tensors]
        self.cuts = unpack_cuts(cursor, shapes, [tensor.group for tensor in self.tensors])
        for number in self.cuts:
            check_type(self.tensors[number].name, self.tensors[number].dtype)


def _fitting(count: int, most: int, what: str) -> int:
    if count > most:
        raise LimitExceeded(f"the index lists {count} {what}; the file has room for {most}")
    return count


def _check_header(size: int) -> None:
    limits.check(size, limits.HEADER_BYTES, "the size of the dump's safetensors header")


def _unpack_metadata(cursor: Unpacker) -> tuple[dict[str, str], int]:
    """Return the metadata, and how many bytes of text they have."""
    metadata: dict[str, str] = {}
    text = 0
    count = cursor.varint()
    _check_header(LEAST_PAIR * count)
    for _ in range(count):
        key = cursor.string()
        if key in metadata:
            raise Corrupt(f"duplicate metadata key {quoted(key)}")
        size = cursor.varint()
        text += len(key) + size
        _check_header(text)
        metadata[key] = cursor.text(size)
    return metadata, text


def _unpack_tensors(cursor: Unpacker, text: int) -> list[TensorEntry]:
    """Return the tensors of a dump with `text` bytes of metadata."""
    count = cursor.varint()
    _check_header(text + LEAST_ENTRY * count)
    names = _unpack_names(cursor, count, text)
    kinds = [elements.name_of(code) for code in cursor.take(count)]
    ranks = bytes(cursor.take(count))
    _check_header((LEAST_ENTRY - 1) * count + 2 * sum(ranks))
    shapes: list[list[int]] = [[] for _ in range(count)]
    for axis in range(limits.check(max(ranks, default=0), limits.RANK, "a rank")):
        some = [shape for shape, rank in zip(shapes, ranks, strict=True) if rank > axis]
        for shape, length in zip(some, cursor.varints(len(some)), strict=True):
            shape.append(length)
    groups = cursor.varints(count)
    columns = zip(names, kinds, map(tuple, shapes), groups, strict=True)
    return [TensorEntry(*tensor) for tensor in columns]


def _pack_names(out: Builder, names: list[str]) -> None:
    """Code the names by front coding: the bytes shared with the name before, and the rest."""
    shared, suffixes, previous = [], [], b""
    for name in names:
        raw = name.encode()
        shared.append(_shared(previous, raw))
        suffixes.append(raw[shared[-1] :])
        previous = raw
    out.varints(shared)
    out.varints([len(suffix) for suffix in suffixes])
    out += b"".join(suffixes)


def _shared(one: bytes, other: bytes) -> int:
    """Return the length of the common prefix."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[:middle] == other[:middle]:
            least = middle
        else:
            most = middle - 1
    return least


def _unpack_names(cursor: Unpacker, count: int, text: int) -> list[str]:
    """Return the names; raise LimitExceeded unless a header holds them and `text` bytes more."""
    shared = cursor.varints(count)
    rests = cursor.varints(count)
    before = 0
    for keep, rest in zip(shared, rests, strict=True):
        if keep > before:
            raise Corrupt(f"a tensor's name shares {keep} bytes with one of {before} bytes")
        before = limits.check(keep + rest, limits.STRING_BYTES, "the length of a tensor's name")
    _check_header(text + sum(shared) + sum(rests) + LEAST_ENTRY * count)
    names, name = [], b""
    for keep, rest in zip(shared, rests, strict=True):
        name = name[:keep] + cursor.take(rest)
        try:
            names.append(name.decode())
        except UnicodeDecodeError:
            raise Corrupt("the index holds a name that is not UTF-8") from None
    return names
