"""Files joined without coding anew: row groups are copied as they are (SPEC §4.3)."""

import graphlib
import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from .. import elements
from ..errors import InvalidInput
from .cuts import Along, Cut
from .dump import Described as Tensor
from .dump import quoted
from .group import GroupHeader
from .index import Index, TensorEntry
from .reader import Reader
from .writer import Writer

RENAME = "give one of them another name"


@dataclass(frozen=True)
class Coded:
    """Tensors that are coded already, in groups."""

    name: str  # what messages call them
    index: Index  # of tensors, cuts and profiles
    headers: Sequence[GroupHeader]
    rows: Callable[[int], Iterable[bytes]]  # the row groups of a group
    embedded: Mapping[bytes, bytes] = field(default_factory=dict)  # profiles by SHA-256

    @classmethod
    def of(cls, reader: Reader) -> "Coded":
        """Return what an open file holds."""
        headers = reader.groups()

        def rows(group: int) -> Iterable[bytes]:
            first = headers[group].first_section
            count = headers[group].row_groups
            return (reader.section(i, b"ROWS") for i in range(first, first + count))

        return cls(reader.name, reader.index, headers, rows, reader.embedded())


@dataclass(frozen=True)
class _Piece:
    """A tensor of one file, with the groups that its parts have in the joined one."""

    file: str
    entry: TensorEntry
    axes: tuple[Along, ...]
    groups: tuple[int, ...]

    @property
    def lengths(self) -> Along:
        """Of the parts along the leading axis; None where each index is one."""
        lead = self.axes[0]
        return (self.entry.shape[0],) if lead == () else lead


def join(files: Sequence[Coded], out: BinaryIO, metadata: Mapping[str, str] | None) -> int:
    """Write the tensors of all files to one; return its length.

    Tensors of one name become one along the leading axis, in the order of the files.

    Raises InvalidInput for tensors of one name that differ otherwise.
    """
    pieces = _pieces(files)
    names = _ordered(files, pieces)
    entries, cuts = [], {}
    for number, name in enumerate(names):
        entry, cut = _joined(pieces[name])
        entries.append(entry)
        if cut is not None:
            cuts[number] = cut
    used = {entry.group for entry in entries}
    used |= {group for cut in cuts.values() for group in cut.groups}
    places = {group: i for i, group in enumerate(sorted(used))}
    writer = Writer(out)
    writer.index.metadata = None if metadata is None else dict(metadata)
    writer.index.tensors = [replace(entry, group=places[entry.group]) for entry in entries]
    writer.index.cuts = {
        i: Cut(cut.axes, tuple(places[group] for group in cut.groups)) for i, cut in cuts.items()
    }
    headers = []
    for file, start in zip(files, _starts(files), strict=False):
        for group, header in enumerate(file.headers):
            if start + group in used:  # others have no values
                headers.append(_copied(writer, file, group, header))
    for header in headers:
        writer.section(b"GRUP", header.pack())
    embedded = {digest: data for file in files for digest, data in file.embedded.items()}
    for digest in writer.index.profiles:
        if digest in embedded:
            writer.section(b"prof", embedded[digest])
    return writer.finish()


def merged(metadata: Iterable[Mapping[str, str] | None]) -> dict[str, str] | None:
    """Return the metadata of all; of those of one key, the first stay."""
    given = [one for one in metadata if one is not None]
    found: dict[str, str] = {}
    for one in reversed(given):
        found = {**one, **{key: found[key] for key in found if key not in one}}
    return found if given else None


def _starts(files: Sequence[Coded]) -> list[int]:
    """Return the number of groups before those of each file."""
    return list(itertools.accumulate((len(file.headers) for file in files), initial=0))


def _pieces(files: Sequence[Coded]) -> dict[str, list[_Piece]]:
    """Return by name what the files have of each tensor; groups are counted through all files."""
    found: dict[str, list[_Piece]] = {}
    for file, start in zip(files, _starts(files), strict=False):
        for number, entry in enumerate(file.index.tensors):
            cut = file.index.cuts.get(number) or Cut(((),) * len(entry.shape), (entry.group,))
            groups = tuple(start + group for group in cut.groups)
            piece = _Piece(file.name, replace(entry, group=groups[0]), cut.axes, groups)
            found.setdefault(entry.name, []).append(piece)
    return found


def _ordered(files: Sequence[Coded], pieces: Mapping[str, list[_Piece]]) -> list[str]:
    """Return the names in the order of the files, or in one that all groups agree with."""
    place = {name: i for i, name in enumerate(pieces)}
    before: dict[str, set[str]] = {name: set() for name in pieces}
    for file in files:
        last: dict[int, str] = {}
        for parts in file.index.parts:
            for group in {part.group for part in parts}:
                if group in last:
                    before[parts[0].name].add(last[group])
                last[group] = parts[0].name
    sorter = graphlib.TopologicalSorter(before)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        one, other = (quoted(name) for name in error.args[1][:2])
        raise InvalidInput(
            f"tensors {one} and {other} stand in one order in one file and in another in the next:"
            " decode them and encode them together"
        ) from None
    known, names = list(pieces), []
    ready: list[int] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, place[name])
        names.append(known[heapq.heappop(ready)])
        sorter.done(names[-1])
    return names


def _joined(pieces: Sequence[_Piece]) -> tuple[TensorEntry, Cut | None]:
    """Return one tensor of its pieces, and how it is cut."""
    first = pieces[0]
    for other in pieces[1:]:
        check_alike(first.entry, first.file, other.entry, other.file)
    some = [piece for piece in pieces if piece.entry.values] or [first]
    if len(some) == 1:
        piece, shape = some[0], first.entry.shape
        if len(pieces) > 1:
            shape = (sum(one.entry.shape[0] for one in pieces), *shape[1:])
        cut = Cut(piece.axes, piece.groups) if any(a != () for a in piece.axes) else None
        return replace(piece.entry, shape=shape), cut
    lengths = [piece.lengths for piece in some]
    for other in some[1:]:
        if other.axes[1:] != some[0].axes[1:] or (other.lengths is None) != (lengths[0] is None):
            raise InvalidInput(
                f"tensor {quoted(first.entry.name)} is cut otherwise in {some[0].file} than in"
                f" {other.file}: keep them in files of their own, or decode both and encode them"
                " together"
            )
    if elements.BITS[first.entry.dtype] < 8:
        raise InvalidInput(
            f"tensor {quoted(first.entry.name)} of {first.entry.dtype} cannot be joined: {RENAME}"
        )
    lead = None if None in lengths else tuple(itertools.chain(*(one or () for one in lengths)))
    shape = (sum(piece.entry.shape[0] for piece in some), *first.entry.shape[1:])
    groups = tuple(itertools.chain(*(piece.groups for piece in some)))
    return replace(some[0].entry, shape=shape), Cut((lead, *some[0].axes[1:]), groups)


def check_alike(one: Tensor, file: str, two: Tensor, other: str) -> None:
    """Raise InvalidInput unless tensors of one name differ in the leading axis alone."""
    alike = one.dtype == two.dtype and one.shape[1:] == two.shape[1:]
    if not (alike and len(one.shape) == len(two.shape) and one.shape):
        raise InvalidInput(
            f"tensor {quoted(one.name)} is {one.dtype} {list(one.shape)} in {file} and"
            f" {two.dtype} {list(two.shape)} in {other}: only the leading axis may differ; {RENAME}"
        )


def _copied(writer: Writer, file: Coded, group: int, header: GroupHeader) -> GroupHeader:
    """Copy the row groups of a group; return its header as it is in the joined file."""
    header = replace(header, first_section=len(writer.index.sections))
    lossy = header.lossy
    if lossy is not None and lossy.profile is not None:
        number = writer.profile(file.index.profiles[lossy.profile])
        header = replace(header, lossy=replace(lossy, profile=number))
    for payload in file.rows(group):
        writer.section(b"ROWS", payload)
    return header
