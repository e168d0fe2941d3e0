"""What a writer has flushed so far, in a file that is private to a release.

It has sections as files have them, behind a magic of its own, and no end marker. What lies behind
the last STAT does not count: a flush holds as a whole or not at all.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InvalidInput, InvalidStream, NotFeatcodec, Truncated, Unsupported
from .sections import JOURNAL, SECTION, SECTION_BYTES, read_section, write_section
from .source import File
from .wire import Builder, Cursor

RELEASE = 1  # of this layout
WISH = b"WISH"  # what is asked for
RAW = b"RAW "  # elements that wait for models
FILE = b"FILE"  # tensors that are coded: those of them that waited do so no longer
OPEN = b"OPEN"  # a group that goes on, of one tensor, which waits no longer
ROWS = b"ROWS"  # a row group of one
TAIL = b"TAIL"  # one that holds until there are further rows
STAT = b"STAT"  # how far the groups are that went on: the end of a flush
Place = tuple[int, int]  # of bytes in a journal: offset and length


@dataclass(frozen=True)
class Elements:
    """Elements of a tensor as they were added, in the order of its leading axis."""

    dtype: str
    shape: tuple[int, ...]
    place: Place


@dataclass
class Opened:
    """A group that goes on."""

    name: str  # of its tensor
    header: bytes  # of the group when it began
    profiles: list[bytes]
    shape: tuple[int, ...]  # of what a row group holds
    first: int  # so many row groups are the first part of the tensor, each further one is a part;
    # none where the tensor is not in parts
    rows: list[Place] = field(default_factory=list)
    tail: Place | None = None
    stated: dict[str, Any] = field(default_factory=dict)  # rows, and fields of the header

    def pack(self) -> bytes:
        out = Builder()
        out.string(self.name, "a name")
        out.blob(self.header)
        out.varint(len(self.profiles))
        for digest in self.profiles:
            out += digest
        out.varint(len(self.shape))
        out.varints(self.shape)
        out.varint(self.first)
        return bytes(out)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "Opened":
        name, header = cursor.string(), cursor.blob()
        profiles = [bytes(cursor.take(32)) for _ in range(cursor.varint())]
        return cls(name, header, profiles, tuple(cursor.varints(cursor.varint())), cursor.varint())


class JournalWriter:
    """Appends to a journal."""

    def __init__(self, path: Path, wish: dict[str, Any]) -> None:
        """Begin one; raise InvalidInput where there is one already, or none can be."""
        self.path = path
        self._broken = False
        try:
            self._out = path.open("xb")
        except FileExistsError:
            raise InvalidInput(
                f"{path} is there: a writer is at work, or was interrupted; make a file of it by"
                f" featcodec recover, or remove it"
            ) from None
        except OSError as error:
            raise InvalidInput(f"{path}: {error.strerror or error}") from None
        with self._named():
            self._out.write(JOURNAL)
        self._section(WISH, json.dumps({"release": RELEASE, **wish}).encode())
        with self._named():
            self._out.flush()

    def raw(self, name: str, dtype: str, shape: tuple[int, ...], elements: bytes) -> None:
        """Write elements that wait for models."""
        out = Builder()
        out.string(name, "a name")
        out.string(dtype, "a type")
        out.varint(len(shape))
        out.varints(shape)
        self._section(RAW, bytes(out) + elements)

    def file(self, names: Sequence[str], data: bytes) -> None:
        """Write a file of tensors of these names."""
        out = Builder()
        out.varint(len(names))
        for name in names:
            out.string(name, "a name")
        self._section(FILE, bytes(out) + data)

    def open(self, group: Opened) -> None:
        """Write the beginning of a group; they are counted from 0."""
        self._section(OPEN, group.pack())

    def rows(self, group: int, payload: bytes, tail: bool = False) -> None:
        """Write a row group, or one that holds until there are further rows."""
        out = Builder()
        out.varint(group)
        self._section(TAIL if tail else ROWS, bytes(out) + payload)

    def stat(self, groups: dict[int, dict[str, Any]]) -> None:
        """End a flush: all is on the disk then."""
        self._section(STAT, json.dumps(groups).encode())
        with self._named():
            self._out.flush()
            os.fsync(self._out.fileno())

    def close(self) -> None:
        with self._named():
            self._out.close()

    def _section(self, kind: bytes, payload: bytes) -> None:
        if self._broken:
            raise InvalidInput(f"{self.path} could not be written to; recover it")
        self._broken = True
        with self._named():
            write_section(self._out, kind, payload)
        self._broken = False  # else what follows would be lost

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Name the file in errors of the system."""
        try:
            yield
        except OSError as error:
            raise InvalidInput(f"{self.path}: {error.strerror or error}") from None


class Journal:
    """What a journal holds up to its last flush."""

    def __init__(self, source: File) -> None:
        """Read one; raise InvalidStream for what is none."""
        self.source = source
        head = source.read(0, len(JOURNAL))
        if not JOURNAL.startswith(head):  # it may end there, where a disk was full
            raise NotFeatcodec(f"{source.name} is not what an interrupted writer leaves")
        self.waiting: dict[str, list[Elements]] = {}
        self.pieces: list[Place | Opened] = []  # files and groups, in order
        self.flushes = 0
        self._opened: list[Opened] = []
        self._since: list[tuple[bytes, Place]] = []  # the last flush
        offset = len(JOURNAL)
        kind, place = self._next(offset)
        if kind != WISH:
            raise Truncated(f"{source.name} ends before its first flush; remove it")
        self.wish = json.loads(source.read(*place))
        if self.wish["release"] != RELEASE:
            raise Unsupported(f"{source.name} is of another release, which can recover it")
        while kind:
            offset = sum(place) + 4
            kind, place = self._next(offset)
            self._since.append((kind, place))
            if kind == STAT:
                self._flushed()

    def _next(self, offset: int) -> tuple[bytes, Place]:
        """Return kind and payload of the section at an offset, no kind where none is sound."""
        head = self.source.read(offset, SECTION.size)
        if len(head) < SECTION.size:
            return b"", (offset, 0)
        kind, size = SECTION.unpack(head)
        place = (offset + SECTION.size, size)
        if size > self.source.size - sum(place[:1]):
            return b"", place
        try:
            read_section(self.source, offset, size + SECTION_BYTES)
        except InvalidStream:
            return b"", place
        return kind, place

    def _flushed(self) -> None:
        """Take in what a flush wrote."""
        for kind, (offset, size) in self._since:
            cursor = Cursor(self.source.read(offset, size), "journal")
            if kind == RAW:
                name, dtype = cursor.string(), cursor.string()
                shape = tuple(cursor.varints(cursor.varint()))
                place = (offset + cursor.position, cursor.left)
                self.waiting.setdefault(name, []).append(Elements(dtype, shape, place))
            elif kind == FILE:
                for _ in range(cursor.varint()):
                    self.waiting.pop(cursor.string(), None)
                self.pieces.append((offset + cursor.position, cursor.left))
            elif kind == OPEN:
                group = Opened.unpack(cursor)
                self.waiting.pop(group.name, None)
                self._opened.append(group)
                self.pieces.append(group)
            elif kind in (ROWS, TAIL):
                group = self._opened[cursor.varint()]
                place = (offset + cursor.position, cursor.left)
                group.tail = place if kind == TAIL else None
                group.rows += [place] if kind == ROWS else []
            elif kind == STAT:
                for number, stated in json.loads(bytes(cursor.rest())).items():
                    self._opened[int(number)].stated = stated
        self._since = []
        self.flushes += 1
